"""Which ffmpeg is run, and what it calls itself."""

from __future__ import annotations

import pytest

from songform.errors import TrackError
from tasks.ingest.ffmpeg import ffmpeg_version, find_ffmpeg


def test_the_systems_ffmpeg_wins_and_the_wheels_stands_in(monkeypatch, tmp_path):
    own = tmp_path / "ffmpeg"
    own.write_text("#!/bin/sh\necho ffmpeg version 7.1-own Copyright\n")
    own.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_ffmpeg() == str(own)
    assert ffmpeg_version(str(own)) == "ffmpeg 7.1-own"
    own.unlink()
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("IMAGEIO_FFMPEG_EXE", raising=False)
    assert "imageio_ffmpeg" in find_ffmpeg()
    assert ffmpeg_version(find_ffmpeg()).startswith("ffmpeg ")


def test_no_ffmpeg_at_all_is_told_with_the_mend(monkeypatch, tmp_path):
    def none():
        raise RuntimeError

    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("imageio_ffmpeg.get_ffmpeg_exe", none)
    with pytest.raises(TrackError, match="pip install imageio-ffmpeg") as caught:
        find_ffmpeg()
    assert caught.value.failure == "environment"


@pytest.mark.parametrize("script", [None, "exit 1", "echo mplayer"])
def test_what_is_no_ffmpeg_is_told(script, tmp_path):
    program = tmp_path / "ffmpeg"
    if script:
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
    with pytest.raises(TrackError, match="install ffmpeg") as caught:
        ffmpeg_version(str(program))
    assert caught.value.failure == "environment"
