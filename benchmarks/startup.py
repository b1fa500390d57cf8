"""Benchmark of whole commands, from their start to their end.

Run it with ``python -m benchmarks.startup [SONG]``. Every run is a separate process, including its imports; only the
file cache of the operating system is warm. One song is ingested into a home without data, in four situations:

* a Prefect server already runs, as after `songform ui`;
* no server runs, and none is needed, because the song is a file on this machine;
* the command starts a server in a fresh home, and the server's database is created: it ingests a folder;
* the command starts a server in a home that already has the database.

The first song in an empty home is analyzed, too, by a user without any cache, in turn with ingests beside a running
server. The ratio of both is the median of all pairs.

The table also lists the time of each step, measured separately. In a real run steps overlap, so these times do not add
up to the time of the whole run.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from benchmarks.measuring import Result, Spread, markdown, seconds, timed
from benchmarks.songs import default_song
from flows.config.library_environment import prepare_environment
from flows.prefect_server.child_processes import stop_child
from flows.prefect_server.connect import register_server
from flows.prefect_server.health import wait_until_healthy
from flows.prefect_server.launch import api_url, free_port, server_log, start_server

__all__ = ["measure"]

MAX_HELP = 1.0  # in seconds
MAX_BESIDE = 8.0
MAX_FIRST = 8 / 6  # the time of the first analysis, divided by that of an ingest with a running server
RUNS_BESIDE, RUNS_FIRST, RUNS_OWN = 5, 7, 3

# The steps of an ingest with a running server. Each step is timed at its first execution in the process.
PIECES = """
import json, os, sys, time
from pathlib import Path

spent, began = {}, time.perf_counter()

def lap(what):
    global began
    now = time.perf_counter()
    spent[what], began = now - began, now

home, song = map(Path, sys.argv[1:])
from flows.config.library_environment import imports_without_gc, prepare_environment
from flows.prefect_server.connect import prefect_server
prepare_environment(home)
with imports_without_gc():
    import prefect
    lap("import Prefect")
    import flows.ingest
    lap("import the other modules of an ingest")
from tasks.store.corpus import Corpus
from tasks.settings import Settings
from tasks.ingest.extraction_worker import ExtractionJob, extract_track
from tasks.ingest.sources.local_files import local_listing
from tasks.process_pool import run_jobs

@prefect.flow
def nothing():
    pass

del os.environ["PREFECT_API_URL"]  # so that the server of the home is found, and no other
with prefect_server(home):
    lap("find the server")
    nothing()
lap("run the first Prefect flow, which does nothing")
(track,) = local_listing(song).tracks
Corpus(home).prepare()
lap("list one file, including its hash")
job = ExtractionJob(home, track, song, Settings(), None)
list(run_jobs(extract_track, [job], workers=1))
lap("start a worker, extract and write there, stop it")
extract_track(job)
lap("extract and write without a worker")
print(json.dumps(spent))
"""


def measure(song: Path) -> list[Result]:
    """Measure commands that ingest a song.

    Parameters
    ----------
    song : Path
        An audio file.
    """
    with tempfile.TemporaryDirectory(prefix="songform-bench-") as name:
        folder = Path(name)
        home, songs = folder / "home", folder / "songs"
        songs.mkdir()
        shutil.copy(song, songs)
        help_seconds = timed(lambda: songform("--help"))
        starts, stops = server_seconds(home)
        with running_server(home) as url:
            beside = spread([ingest_seconds(home, song) for _ in range(RUNS_BESIDE)])
            firsts = first_runs(home, song)
            pieces = [piece_seconds(home, song, url) for _ in range(RUNS_OWN)]
        alone = spread([ingest_seconds(home, song) for _ in range(RUNS_OWN)])
        fresh = spread([ingest_seconds(folder / str(run), songs) for run in range(RUNS_OWN)])
        again = spread([ingest_seconds(folder / "0", songs) for _ in range(RUNS_OWN)])
    ratio = spread([first.seconds / ingest.seconds for first, ingest in firsts])
    return [
        bounded("songform --help", help_seconds, MAX_HELP),
        bounded("songform ingest FILE with a running Prefect server", beside, MAX_BESIDE),
        Result("songform ingest FILE without a server", f"{alone:.1f} s"),
        Result("songform ingest FOLDER, starting a server in a fresh home", f"{fresh:.1f} s"),
        Result("songform ingest FOLDER, starting a server in the same home again", f"{again:.1f} s"),
        Result("songform analyze FILE in an empty home", f"{spread([first.seconds for first, _ in firsts]):.2f} s"),
        Result(
            "songform analyze FILE in an empty home / songform ingest FILE with a running server",
            f"{ratio:.2f}",
            f"at most {MAX_FIRST:.2f}",
            ratio.median <= MAX_FIRST,
        ),
        Result("- CPU time of that analysis", f"{spread([first.cpu_seconds for first, _ in firsts]):.2f} s"),
        Result(
            "- CPU time of that ingest, without the server", f"{spread([one.cpu_seconds for _, one in firsts]):.2f} s"
        ),
        *(Result(f"- {what}", f"{spread([each[what] for each in pieces]):.2f} s") for what in pieces[0]),
        Result("- start a server and wait until it answers, in a fresh home", f"{starts[0]:.2f} s"),
        Result("- start a server and wait until it answers, in the same home again", f"{spread(starts[1:]):.2f} s"),
        Result("- stop the server", f"{spread(stops):.2f} s"),
    ]


def bounded(what: str, measured: Spread, most: float) -> Result:
    """Return a row with an upper bound."""
    return Result(what, f"{measured:.2f} s", f"at most {most:g} s", measured.median <= most)


def spread(values: Sequence[float]) -> Spread:
    """Return the median, the minimum and the maximum."""
    return Spread(statistics.median(values), min(values), max(values))


def songform(*words: object, **variables: str) -> None:
    """Run songform's command line in a separate process whose environment has no Prefect variables."""
    command = [sys.executable, "-m", "flows.cli", *map(str, words)]
    surroundings = {**environment(), **variables}
    subprocess.run(command, env=surroundings, check=True, capture_output=True, stdin=subprocess.DEVNULL)


@dataclass(frozen=True)
class Run:
    """Duration and CPU time of a command with its child processes, in seconds."""

    seconds: float
    cpu_seconds: float


def run_of(command: Callable[[], object]) -> Run:
    """Run a command, and return how long it takes."""
    before = cpu_seconds()
    return Run(seconds(command), cpu_seconds() - before)


def cpu_seconds() -> float:
    """Return the CPU time of all child processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def first_runs(home: Path, song: Path) -> list[tuple[Run, Run]]:
    """Return pairs of an analysis in an empty home, with an empty cache of the user, and an ingest beside a server."""
    return [(run_of(lambda: first_analysis(song)), run_of(lambda: ingest_again(home, song))) for _ in range(RUNS_FIRST)]


def first_analysis(song: Path) -> None:
    """Analyze a song in an empty home, as a user who has no cache."""
    with tempfile.TemporaryDirectory(prefix="songform-bench-") as folder:
        caches = {"XDG_CACHE_HOME": f"{folder}/cache", "MPLCONFIGDIR": f"{folder}/cache/matplotlib"}
        songform("--home", f"{folder}/home", "analyze", song, **caches)


def ingest_again(home: Path, song: Path) -> None:
    """Remove the data of a home, and ingest one song."""
    shutil.rmtree(home / "data", ignore_errors=True)
    songform("--home", home, "ingest", song)


def environment() -> dict[str, str]:
    """Return the environment without Prefect's variables."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}


def ingest_seconds(home: Path, song: Path) -> float:
    """Remove the data of a home, and return how long an ingest of one song then takes."""
    shutil.rmtree(home / "data", ignore_errors=True)
    return seconds(lambda: songform("--home", home, "ingest", song))


def piece_seconds(home: Path, song: Path, url: str) -> dict[str, float]:
    """Remove the data of a home, and return how long each step of an ingest then takes."""
    shutil.rmtree(home / "data", ignore_errors=True)
    command = [sys.executable, "-c", PIECES, str(home), str(song)]
    run = subprocess.run(
        command, env={**environment(), "PREFECT_API_URL": url}, check=True, capture_output=True, text=True
    )
    return dict(json.loads(run.stdout))


def server_seconds(home: Path) -> tuple[list[float], list[float]]:
    """Return how long a Prefect server takes to start and to stop; the first start is in a fresh home."""
    starts, stops = [], []
    for _ in range(1 + RUNS_OWN):
        servers: list[subprocess.Popen[bytes]] = []
        starts.append(seconds(lambda servers=servers: servers.append(started(home, free_port()))))
        stops.append(seconds(lambda servers=servers: stop_child(servers[0])))
    return starts, stops


@contextmanager
def running_server(home: Path) -> Iterator[str]:
    """Run a Prefect server that other processes of this home find, as `songform ui` does; yield its address."""
    port = free_port()
    url = api_url(port)
    process = started(home, port, ui=True)
    registered = register_server(home, url)
    try:
        yield url
    finally:
        registered.unlink()
        stop_child(process)


def started(home: Path, port: int, *, ui: bool = False) -> subprocess.Popen[bytes]:
    """Start a server and wait until it answers."""
    with patch.dict(os.environ, environment(), clear=True):
        prepare_environment(home)
        process = start_server(home, port, ui=ui)
    wait_until_healthy(f"{api_url(port)}/health", process, log=server_log(home))
    return process


def main() -> None:
    """Print the table for the given song, or for a composed one."""
    with tempfile.TemporaryDirectory(prefix="songform-bench-") as folder:
        song = Path(sys.argv[1]) if len(sys.argv) > 1 else default_song(Path(folder))
        print(markdown(measure(song)))
        print(f"\nload {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
