"""yt-dlp as it is embedded."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tasks.ingest.fetch.ytdlp import youtube_dl


@pytest.mark.parametrize(("allowed", "expected"), [(False, (0, "")), (True, (1, "the plugin runs\n"))])
def test_plugins_that_lie_in_the_working_folder_are_run_only_if_that_is_wanted(
    allowed, expected, tmp_path, monkeypatch
):
    monkeypatch.delenv("YTDLP_NO_PLUGINS", raising=False)
    plugin = tmp_path / "yt_dlp_plugins" / "extractor" / "evil.py"
    plugin.parent.mkdir(parents=True)
    plugin.write_text("raise SystemExit('the plugin runs')")
    program = f"""
import sys
sys.path.insert(0, ".")
from tasks.settings import DownloadSettings
from tasks.ingest.fetch.ytdlp import youtube_dl
youtube_dl({{}}, settings=DownloadSettings(allow_plugins={allowed})).close()
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == expected


@pytest.fixture
def new_home(tmp_path, monkeypatch):
    """Be at home in an empty folder, and work there."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / ".config"))
    return tmp_path


def test_the_users_configuration_of_yt_dlp_is_not_read(new_home):
    for folder in (new_home / ".config" / "yt-dlp", new_home):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "yt-dlp.conf").write_text("--proxy http://127.0.0.1:9\n--exec 'touch evil'\n")
    with youtube_dl({}) as ydl:
        assert (ydl.proxies, ydl._pps["after_move"]) == ({}, [])


def test_nothing_is_printed_and_nothing_kept(site, ogg, patience, capfd, new_home):
    with youtube_dl({}, settings=patience) as ydl:
        ydl.extract_info(site.put("/a.ogg", ogg), download=False)
    assert capfd.readouterr() == ("", "")
    assert list(new_home.iterdir()) == []


def test_a_failed_try_waits_longer_each_time_but_never_long(monkeypatch):
    monkeypatch.undo()
    with youtube_dl({}) as ydl:
        pauses = [ydl.params["retry_sleep_functions"]["http"](n=n) for n in (0, 1, 2, 50)]
    assert pauses == [1.0, 2.0, 4.0, 30.0]
