"""Songs to measure on: one of the length and the format that the corpus is full of."""

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
    """Return a composed song of 225 s as a stereo MP3 of 192 kbit/s, made on the first call in a folder.

    Parameters
    ----------
    folder : Path
        An existing folder, for this file and others of the benchmarks.
    """
    path = folder / "song.mp3"
    if not path.is_file():
        wave = path.with_suffix(".wav")
        soundfile.write(wave, _stereo(compose(SEED, sr=SR, duration=SECONDS).y), SR, subtype="PCM_16")
        _encode(wave, path)
        wave.unlink()
    return path


def _stereo(y: NDArray[np.float32]) -> NDArray[np.float32]:
    """Put a room between two ears: the right one hears the song half a millisecond later, of shape (n, 2)."""
    return np.stack([y, np.roll(y, SR // 2000)], axis=1)


def _encode(wave: Path, path: Path) -> None:
    """Encode as the download does."""
    command = [find_ffmpeg(), "-nostdin", "-y", "-loglevel", "error", "-i", str(wave), "-b:a", "192k", str(path)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
