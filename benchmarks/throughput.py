"""Benchmark of two workers compared with one, as processes and as threads.

Run it with ``python -m benchmarks.throughput [SONG]``. Twelve tracks of one audio file are extracted from disk to
Parquet, with the code of an ingest. The processes have started and imported everything before the measurement. Their
start is measured separately: the time that a fresh process needs for one song minus that of a process that already
runs.
"""

from __future__ import annotations

import tempfile
from concurrent.futures import Executor, ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from pebble import ProcessPool
from threadpoolctl import threadpool_limits

from benchmarks.measuring import Result, compared, timed
from benchmarks.song_command import print_results
from tasks.ingest.extraction_worker import ExtractionJob, extract_track
from tasks.ingest.ffmpeg import find_ffmpeg
from tasks.process_pool import run_jobs, worker_pool
from tasks.settings import Settings
from tasks.store.tracks import Track

__all__ = ["measure"]

BOUND = 1.7
N_SONGS = 12
RUNS = 5


def measure(song: Path) -> list[Result]:
    """Measure two workers compared with one.

    Parameters
    ----------
    song : Path
        An audio file of any format.
    """
    with tempfile.TemporaryDirectory() as home, ExitStack() as stack:
        jobs = _jobs(song, Path(home))
        one, two = (stack.enter_context(worker_pool(extract_track, workers=n)) for n in (1, 2))
        processes = compared(partial(_by_processes, one, jobs), partial(_by_processes, two, jobs), runs=RUNS)
        warm = timed(partial(_by_processes, one, jobs[:1]), runs=RUNS).median
        cold = timed(lambda: list(run_jobs(extract_track, jobs[:1], workers=1)), runs=RUNS).median
        stack.enter_context(threadpool_limits(1))
        single, double = (stack.enter_context(ThreadPoolExecutor(n)) for n in (1, 2))
        threads = compared(partial(_by_threads, single, jobs), partial(_by_threads, double, jobs), runs=1)
    return [
        Result(
            f"2 worker processes / 1, {N_SONGS} songs, in songs per second",
            f"{processes:.2f}",
            f"at least {BOUND}",
            processes.median >= BOUND,
        ),
        Result("the same with threads of one process", f"{threads:.2f}"),
        Result("extra time for one song in a fresh process", f"{cold - warm:.2f} s"),
    ]


def _jobs(song: Path, home: Path) -> list[ExtractionJob]:
    tracks = [Track(key=f"file-{n}", title=song.stem, source=str(song)) for n in range(N_SONGS)]
    ffmpeg = find_ffmpeg()
    return [ExtractionJob(home, track, song, Settings(), ffmpeg) for track in tracks]


def _by_processes(pool: ProcessPool, jobs: list[ExtractionJob]) -> None:
    for future in as_completed([pool.schedule(extract_track, args=(job,)) for job in jobs]):
        future.result()


def _by_threads(pool: Executor, jobs: list[ExtractionJob]) -> None:
    list(pool.map(extract_track, jobs))


if __name__ == "__main__":
    print_results(measure)
