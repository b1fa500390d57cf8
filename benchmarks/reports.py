"""Benchmark of the reports of songs, and of `songform analyze` for 30 songs, compared with the features of one song.

Run it with ``python -m benchmarks.reports [SONG]``. The song is repeated or cut to four minutes, and 30 files with
slightly different levels are ingested. A report consists of the JSON, the exports, seven pictures and the page. No
model has been trained, so the states are fitted to each song. The command includes its start, and that of its Prefect
server.
"""

from __future__ import annotations

import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np
import soundfile
from threadpoolctl import threadpool_limits

from benchmarks.measuring import RUNS, Result, Spread, seconds, spread, timed
from benchmarks.song_command import print_results
from benchmarks.startup import songform
from songform.audio.stream import load
from tasks.ingest.extraction_worker import ExtractionJob, extract_track
from tasks.ingest.ffmpeg import find_ffmpeg
from tasks.process_pool import usable_cores
from tasks.report.report_jobs import ReportJob
from tasks.report.song_reports import write_report
from tasks.settings import Settings
from tasks.store.bundles import OWN_MODEL
from tasks.store.corpus import Corpus
from tasks.store.tracks import Track

__all__ = ["measure"]

SECONDS, SR = 240, 22050
N_SONGS = 30
BOUND_REPORT, BOUND_ALL = 1.5, 30.0  # in s; the second one is for two cores


def measure(song: Path) -> list[Result]:
    """Measure the report of one song on one core, and `songform analyze` for 30 songs on all cores.

    Parameters
    ----------
    song : Path
        An audio file of any format.
    """
    with tempfile.TemporaryDirectory(prefix="songform-bench-") as folder:
        home, songs = Path(folder, "home"), Path(folder, "songs")
        files = _four_minutes(song, songs)
        songform("--home", home, "ingest", songs)
        with threadpool_limits(1):
            features = timed(partial(_extract, files[0])).median
            whole, tables = (_cpu_seconds(home, pictures=each) for each in (True, False))
        first, without, again = (
            seconds(partial(songform, "--home", home, "analyze", songs, "--out", Path(folder, out), *more))
            for out, more in (("whole", ()), ("tables", ("--no-pictures",)), ("whole", ()))
        )
    command = f"songform analyze, {N_SONGS} ingested songs of four minutes, {usable_cores()} cores"
    return [
        Result(
            "report of four minutes, warm, in CPU time",
            f"{whole:.2f} s",
            f"at most {BOUND_REPORT} s",
            whole.median <= BOUND_REPORT,
        ),
        Result("the same without pictures", f"{tables:.2f} s"),
        Result("report / features of the same song", f"{whole.median / features:.1f}"),
        Result(
            command,
            f"{first:.1f} s",
            f"at most {BOUND_ALL:.0f} s on two cores",
            first <= BOUND_ALL if usable_cores() > 1 else None,
        ),
        Result("the same with --no-pictures", f"{without:.1f} s"),
        Result("the same again, with reports that are up to date", f"{again:.1f} s"),
        Result("songform analyze, 30 songs / features of one song", f"{first / features:.0f}"),
    ]


def _four_minutes(song: Path, folder: Path) -> list[Path]:
    """Write four minutes of a song to several files with different levels, and return their paths."""
    y = np.resize(load(song, sr=SR, ffmpeg=find_ffmpeg())[0], SECONDS * SR)
    folder.mkdir()
    paths = [folder / f"{n:02}.flac" for n in range(N_SONGS)]
    for n, path in enumerate(paths):
        soundfile.write(path, y * (1.0 - n / 100), SR, subtype="PCM_16")
    return paths


def _extract(path: Path) -> None:
    """Extract the features of a file to a temporary home."""
    with tempfile.TemporaryDirectory() as home:
        track = Track(key="file-0", title=path.stem, source=str(path))
        extract_track(ExtractionJob(Path(home), track, path, Settings(), None))


def _cpu_seconds(home: Path, *, pictures: bool) -> Spread:
    """Return the CPU time of the report of a song in an empty folder; the first one is not counted."""
    settings = Settings.model_validate({"report": {"pictures": pictures}})
    key, spent = Corpus(home).records()[0].key, []
    for _ in range(1 + RUNS):
        with tempfile.TemporaryDirectory() as folder:
            began = time.process_time()
            write_report(ReportJob(home, key, settings, OWN_MODEL, Path(folder)))
            spent.append(time.process_time() - began)
    return spread(spent[1:])


if __name__ == "__main__":
    print_results(measure)
