from __future__ import annotations

import struct
import subprocess

import imageio_ffmpeg
import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from songform.audio.headers import announced_duration, ffmpeg_banner, is_cut_short
from songform.errors import AudioError

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
SR = 44100


@pytest.fixture(scope="module")
def wav(tmp_path_factory):
    """Return the path of a 16-bit WAV file of ten seconds of stereo noise."""
    path = tmp_path_factory.mktemp("containers") / "noise.wav"
    soundfile.write(path, 0.1 * np.random.default_rng(0).standard_normal((10 * SR, 2)), SR)
    return path


def converted(wav, name, *options):
    path = wav.with_name(name)
    subprocess.run([FFMPEG, "-nostdin", "-v", "error", "-y", "-i", wav, *options, path], check=True)
    return path


def streamed(wav, muxer):
    """Let ffmpeg write to a pipe, where it cannot seek back to store the length."""
    run = subprocess.run(
        [FFMPEG, "-nostdin", "-v", "error", "-i", wav, "-f", muxer, "pipe:1"], check=True, capture_output=True
    )
    path = wav.with_name(f"streamed.{muxer}")
    path.write_bytes(run.stdout)
    return path


@given(st.floats(0, 1e5), st.floats(0, 1e5))
def test_audio_is_cut_short_if_more_than_two_seconds_and_two_percent_are_missing(decoded, announced):
    missing = announced - decoded
    assert is_cut_short(decoded, announced) == (missing > 2 and missing > 0.02 * announced)


def test_audio_without_an_announced_duration_is_never_cut_short():
    assert not is_cut_short(0.1, None)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.wav", []),
        ("a24.wav", ["-c:a", "pcm_s24le"]),
        ("a64.wav", ["-rf64", "always"]),
        ("a.flac", []),
        ("cbr.mp3", ["-b:a", "192k"]),
        ("vbr.mp3", ["-q:a", "4"]),
        ("mono.mp3", ["-ac", "1"]),
        ("mpeg2.mp3", ["-ar", "22050"]),
        ("mpeg2mono.mp3", ["-ar", "24000", "-ac", "1"]),
        ("mpeg25.mp3", ["-ar", "8000"]),
        ("a.m4a", []),
        ("a.webm", []),
    ],
)
def test_announced_duration_is_read_from_whole_and_from_cut_files(wav, name, options):
    """Without `+faststart` the index of an M4A is at the end of the file, and a cut file cannot be read at all."""
    path = converted(wav, name, *(options if name != "a.m4a" else ["-movflags", "+faststart"]))
    assert announced_duration(path, ffmpeg=FFMPEG) == pytest.approx(10, abs=0.2)
    cut = path.with_name("cut-" + name)
    cut.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert announced_duration(cut, ffmpeg=FFMPEG) == pytest.approx(10, abs=0.2)


@pytest.mark.parametrize(
    ("name", "options"), [("a.ogg", []), ("a.opus", []), ("bare.mp3", ["-write_xing", "0"]), ("a.aac", [])]
)
def test_durations_that_could_only_be_estimated_are_not_announced(wav, name, options):
    assert announced_duration(converted(wav, name, *options), ffmpeg=FFMPEG) is None


@pytest.mark.parametrize("muxer", ["wav", "flac"])
def test_a_streaming_header_announces_nothing(wav, muxer):
    assert announced_duration(streamed(wav, muxer)) is None


@pytest.mark.parametrize("size", [0, 0x7FFFF000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
def test_only_the_wav_sizes_0_and_all_ones_announce_nothing(tmp_path, size):
    path = tmp_path / "streamed.wav"
    fmt = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, SR, 2 * SR, 2, 16)
    path.write_bytes(b"RIFF\xff\xff\xff\xffWAVE" + fmt + struct.pack("<4sI", b"data", size) + bytes(1000))
    assert announced_duration(path) == (None if size in (0, 0xFFFFFFFF) else size / (2 * SR))


def test_tag_before_the_audio_is_skipped(wav, tmp_path):
    """ID3 tags with cover pictures have hundreds of kilobytes."""
    tag = b"ID3\x04\x00\x00" + bytes([0, 20, 0, 5]) + bytes((20 << 14) + 5)
    for name in ("tagged.mp3", "tagged.flac"):
        path = tmp_path / name
        path.write_bytes(tag + converted(wav, "plain" + path.suffix).read_bytes())
        assert announced_duration(path) == pytest.approx(10, abs=0.2)


@pytest.mark.parametrize(
    "content", [b"", b"ID3", b"RIFF\0\0\0\0WAVE", b"RIFF\0\0\0\0WAVEfmt \x10", b"fLaC", b"\xff\xfb", b"<html>"]
)
def test_incomplete_headers_announce_nothing(tmp_path, content):
    path = tmp_path / "scrap"
    path.write_bytes(content)
    assert announced_duration(path) is None


def test_ffmpeg_that_cannot_be_started_is_an_environment_failure(wav):
    with pytest.raises(AudioError, match="cannot be started as /nowhere/ffmpeg") as caught:
        ffmpeg_banner(wav, "/nowhere/ffmpeg")
    assert caught.value.failure == "environment"
