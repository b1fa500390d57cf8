"""Search for ffmpeg, and its version."""

from __future__ import annotations

import pytest

from songform.errors import TrackError
from tasks.ingest.ffmpeg import ffmpeg_version, find_ffmpeg


def test_system_ffmpeg_is_preferred_to_imageio_ffmpeg(monkeypatch, tmp_path):
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


def test_missing_ffmpeg_is_reported_with_a_fix(monkeypatch, tmp_path):
    def none():
        raise RuntimeError

    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("imageio_ffmpeg.get_ffmpeg_exe", none)
    with pytest.raises(TrackError, match="pip install imageio-ffmpeg") as caught:
        find_ffmpeg()
    assert caught.value.failure == "environment"


@pytest.mark.parametrize("script", [None, "exit 1", "echo mplayer"])
def test_program_that_is_not_ffmpeg_is_reported(script, tmp_path):
    program = tmp_path / "ffmpeg"
    if script:
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
    with pytest.raises(TrackError, match="install ffmpeg") as caught:
        ffmpeg_version(str(program))
    assert caught.value.failure == "environment"
