"""Encoded sound from which the tests of the audio reader make damaged and unusual files."""

from __future__ import annotations

import subprocess

import imageio_ffmpeg
import numpy as np
import pytest
import soundfile

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
SR = 44100


@pytest.fixture(scope="session")
def encode(tmp_path_factory):
    """Return a function that encodes noise with ffmpeg, and returns the bytes of the file."""
    folder = tmp_path_factory.mktemp("encoded")
    soundfile.write(folder / "noise.wav", 0.1 * np.random.default_rng(0).standard_normal((20 * SR, 2)), SR)

    def encode(name, *options, seconds=20.0):
        command = [FFMPEG, "-nostdin", "-v", "error", "-y", "-t", str(seconds), "-i", folder / "noise.wav"]
        options = (*options, "-strict", "-2")  # the encoder of DTS is experimental
        subprocess.run([*command, *options, folder / name], check=True)
        return (folder / name).read_bytes()

    return encode


@pytest.fixture(scope="session")
def decoded_seconds():
    """Return a function that decodes the first audio stream of a file with ffmpeg, and returns its seconds."""

    def decoded_seconds(path):
        command = [FFMPEG, "-nostdin", "-v", "quiet", "-i", path, "-map", "0:a:0", "-ac", "1", "-ar", "8000"]
        run = subprocess.run([*command, "-f", "s16le", "pipe:1"], check=True, capture_output=True)
        return len(run.stdout) / 2 / 8000

    return decoded_seconds
