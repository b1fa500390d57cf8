"""A song of typical length and format, on which benchmarks run."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from songform.synth import compose
from tasks.ingest.ffmpeg import find_ffmpeg

__all__ = ["SECONDS", "SR", "default_song"]

SR = 44100
SECONDS = 225.0
SEED = 3


def default_song(folder: Path) -> Path:
    """Compose a song of 225 s as a stereo MP3 at 192 kbit/s, unless it exists already, and return its path.

    Parameters
    ----------
    folder : Path
        An existing folder for the file.
    """
    path = folder / "song.mp3"
    if not path.is_file():
        wave = path.with_suffix(".wav")
        soundfile.write(wave, _stereo(compose(SEED, sr=SR, duration=SECONDS).y), SR, subtype="PCM_16")
        _encode(wave, path)
        wave.unlink()
    return path


def _stereo(y: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return two channels, of shape (n, 2); the right channel is delayed by half a millisecond."""
    return np.stack([y, np.roll(y, SR // 2000)], axis=1)


def _encode(wave: Path, path: Path) -> None:
    """Encode a WAV file as MP3 at 192 kbit/s, as after a download."""
    command = [find_ffmpeg(), "-nostdin", "-y", "-loglevel", "error", "-i", str(wave), "-b:a", "192k", str(path)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
