"""Benchmark of the memory that extraction needs for a song of three hours, compared with one of three minutes.

Run it with ``python -m benchmarks.memory [SONG]``. Each song is extracted in a fresh process, which returns its peak
memory. The audio files are stereo FLAC at 44,100 Hz, and repeat the first 30 s of the given song, because only their
length matters.
"""

from __future__ import annotations

import multiprocessing
import re
import resource
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import soundfile

from benchmarks.measuring import Result
from benchmarks.song_command import print_results
from benchmarks.songs import SR
from songform.audio.stream import load
from tasks.ingest.extraction_worker import ExtractionJob, extract_track
from tasks.ingest.ffmpeg import find_ffmpeg
from tasks.settings import Settings
from tasks.store.tracks import Track

__all__ = ["measure", "own_peak_megabytes", "peak_megabytes", "write_long_song"]

BOUND = 150
SHORT, LONG = 180.0, 3 * 3600.0  # in s


def measure(song: Path) -> list[Result]:
    """Measure the peak memory for both lengths.

    Parameters
    ----------
    song : Path
        An audio file of any format.
    """
    peaks = []
    for seconds in (SHORT, LONG):
        with tempfile.TemporaryDirectory() as folder:
            path = write_long_song(song, Path(folder), seconds)
            peaks.append(_in_a_fresh_process(path))
    more = peaks[1] - peaks[0]
    what = f"peak memory for a song of {LONG / 3600:g} h minus that for {SHORT / 60:g} min"
    detail = f"{more:.0f} MB (peaks: {peaks[1]:.0f} MB and {peaks[0]:.0f} MB)"
    return [Result(what, detail, f"at most {BOUND} MB", more <= BOUND)]


def write_long_song(song: Path, folder: Path, seconds: float, suffix: str = ".flac") -> Path:
    """Write a stereo file of the given length that repeats the first 30 s of a song, and return its path."""
    y, _ = load(song, sr=SR, ffmpeg=find_ffmpeg())
    part = np.repeat(y[: 30 * SR, np.newaxis], 2, axis=1)
    path = folder / f"long{suffix}"
    container = {"format": "RF64"} if suffix == ".wav" else {}
    with soundfile.SoundFile(path, "w", SR, 2, "PCM_16", **container) as file:
        left = round(seconds * SR)
        while left:
            file.write(part[:left])
            left -= min(left, len(part))
    return path


def peak_megabytes(path: Path) -> float:
    """Extract a file in this process, and return the peak memory of the process in MB."""
    with tempfile.TemporaryDirectory() as home:
        extract_track(
            ExtractionJob(Path(home), Track(key="file-0", title=path.stem, source=str(path)), path, Settings())
        )
    return own_peak_megabytes()


def own_peak_megabytes() -> float:
    """Return the peak memory of this process in MB."""
    status = Path("/proc/self/status")
    if status.is_file():  # unlike ru_maxrss of a child process, VmHWM does not include the memory of the parent
        return int(re.findall(r"VmHWM:\s*(\d+)", status.read_text())[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # macOS has no /proc, and counts in bytes


def _in_a_fresh_process(path: Path) -> float:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(peak_megabytes, path).result()


if __name__ == "__main__":
    print_results(measure)
