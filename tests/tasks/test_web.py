"""yt-dlp as it is embedded; and what is left of the text of strangers."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tasks.web import plain_text, youtube_dl


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        (None, ""),
        ("  a\t\n b\x00c ", "a b c"),
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("a\u202eb", "ab"),
        ("e\u0301 👩\u200d🎤", "e\u0301 👩\u200d🎤"),
        ("x" * 201, "x" * 199 + "…"),
        ("\ud800", "?"),
    ],
)
def test_text_of_strangers_is_made_plain(text, plain):
    assert plain_text(text) == plain


def test_plugins_that_lie_in_the_working_folder_are_not_run(tmp_path):
    plugin = tmp_path / "yt_dlp_plugins" / "extractor" / "evil.py"
    plugin.parent.mkdir(parents=True)
    plugin.write_text("raise SystemExit('the plugin runs')")
    program = "import sys; sys.path.insert(0, '.'); from tasks.web import youtube_dl; youtube_dl({}).close()"
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_nothing_is_printed_and_nothing_kept(site, ogg, capfd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with youtube_dl({}) as ydl:
        ydl.extract_info(site.put("/a.ogg", ogg), download=False)
    assert capfd.readouterr() == ("", "")
    assert list(tmp_path.iterdir()) == []


def test_a_failed_try_waits_longer_each_time_but_never_long(monkeypatch):
    monkeypatch.undo()
    with youtube_dl({}) as ydl:
        pauses = [ydl.params["retry_sleep_functions"]["http"](n=n) for n in (0, 1, 2, 50)]
    assert pauses == [1.0, 2.0, 4.0, 30.0]
