"""Benchmark of the overhead per track of songform and Prefect, without download and extraction.

Run it with ``python -m benchmarks.overhead``. A thousand tracks are ingested in a fresh process with a real Prefect
server. Three parts are replaced: the tracks are listed without a network, a download writes a few bytes, and an
extraction writes two tiny files. Everything else is real: plans, track locks, the rate limiter, task runs, records that
are flushed to disk, and Prefect artifacts.

Each run is compared with a run of the same number of Prefect tasks and sub-flows that do nothing.
"""

from __future__ import annotations

import multiprocessing
import os
import re
import resource
import sys
import tempfile
import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import psutil

from benchmarks.measuring import Result, markdown, seconds, spread
from flows.config.library_environment import prepare_environment
from flows.prefect_server.connect import prefect_server

__all__ = ["Cost", "measure", "prefect_running"]

TRACKS = 1000
BATCH = 100
PAIRS = 3
MAX_MILLISECONDS = 20.0
MAX_MEGABYTES = 20.0


class Cost(NamedTuple):
    """Cost of one run.

    Parameters
    ----------
    seconds : float
        Duration of the flow in seconds.
    megabytes : list of float
        Memory of the process after each sub-flow, in MB.
    own, servers : float
        Processor time of this process and of the server, in seconds. The load of other programs affects it less than
        the duration.
    flushing : float
        Time that all threads together waited for flushes to disk, in seconds.
    """

    seconds: float
    megabytes: list[float]
    own: float = 0.0
    servers: float = 0.0
    flushing: float = 0.0

    @property
    def milliseconds(self) -> float:
        """Duration of the flow per track, in milliseconds."""
        return 1000.0 * self.seconds / TRACKS

    @property
    def growth(self) -> float:
        """Growth of the memory from the end of the second sub-flow to the end of the last, in MB per 1,000 tracks."""
        return (self.megabytes[-1] - self.megabytes[1]) * 1000.0 / (BATCH * (len(self.megabytes) - 2))


def measure(song: Path | None = None) -> list[Result]:  # noqa: ARG001  all benchmarks are called with a song
    """Measure the overhead per track.

    Parameters
    ----------
    song : Path, optional
        Not used: no audio is read.
    """
    pairs = [(_in_a_fresh_process("ingest"), _in_a_fresh_process("bare")) for _ in range(PAIRS)]
    ours, bare = zip(*pairs, strict=True)
    each, growth = spread(cost.milliseconds for cost in ours), spread(cost.growth for cost in ours)
    return [
        Result(
            f"per track of {TRACKS:,}, without download and extraction",
            f"{each:.1f} ms",
            f"at most {MAX_MILLISECONDS:g} ms",
            each.median <= MAX_MILLISECONDS,
        ),
        Result(
            "- the same number of Prefect tasks that do nothing", f"{spread(cost.milliseconds for cost in bare):.1f} ms"
        ),
        Result("- ratio of the two", f"{spread(one.seconds / other.seconds for one, other in pairs):.2f}"),
        *_processors("- processor time per track", ours),
        *_processors("- processor time per task that does nothing", bare),
        Result("- waiting for the disk, sum over all threads", _milliseconds(cost.flushing for cost in ours)),
        Result(
            f"growth of the memory after the second sub-flow, per {TRACKS:,} tracks",
            f"{growth:.1f} MB",
            f"at most {MAX_MEGABYTES:g} MB",
            growth.median <= MAX_MEGABYTES,
        ),
        Result("- the same for Prefect tasks that do nothing", f"{spread(cost.growth for cost in bare):.1f} MB"),
    ]


def _processors(what: str, costs: Sequence[Cost]) -> Iterator[Result]:
    yield Result(f"{what}: program", _milliseconds(cost.own for cost in costs))
    yield Result(f"{what}: Prefect server", _milliseconds(cost.servers for cost in costs))


def _milliseconds(seconds: Iterable[float]) -> str:
    """Return the spread of durations of runs, given in seconds, as milliseconds per track."""
    return f"{spread(1000.0 * each / TRACKS for each in seconds):.1f} ms"


@contextmanager
def prefect_running(home: Path) -> Iterator[psutil.Process]:
    """Run a Prefect server for this home during a `with` block, as the command line does, and yield its process.

    Prefect must not have been imported before.
    """
    for name in [name for name in os.environ if name.startswith("PREFECT_")]:
        del os.environ[name]
    prepare_environment(home)
    with prefect_server(home, "flows.ingest"):
        yield next(
            child for child in psutil.Process().children() if "flows.prefect_server.server_process" in child.cmdline()
        )


def _in_a_fresh_process(what: str) -> Cost:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_cost, what).result()


def _cost(what: str) -> Cost:
    """Measure one run, in this process."""
    with tempfile.TemporaryDirectory(prefix="songform-bench-") as folder, prefect_running(Path(folder)) as server:
        _first_flow()
        before = _processor_seconds(server)
        cost = _bare_cost() if what == "bare" else _ingest_cost(Path(folder))
        own, servers = (after - began for after, began in zip(_processor_seconds(server), before, strict=True))
        return cost._replace(own=own, servers=servers)


def _processor_seconds(server: psutil.Process) -> tuple[float, float]:
    """Return the processor time that this process and the server have used so far, in seconds."""
    times = server.cpu_times()
    return time.process_time(), times.user + times.system


def _ingest_cost(home: Path) -> Cost:
    """Measure an ingest whose downloads and extractions are replaced."""
    import flows.ingest as ingesting  # noqa: PLC0415  Prefect reads the environment when it is imported
    from tasks.settings import DownloadSettings, Settings  # noqa: PLC0415

    settings = Settings(download=DownloadSettings(host_seconds=0.0, host_workers=8))
    megabytes: list[float] = []
    flushes: list[float] = []
    publish, flush = ingesting.publish_progress, os.fsync

    def flushed(descriptor: int) -> None:
        flushes.append(seconds(lambda: flush(descriptor)))

    def published(done: int, total: int, artifact: Any = None) -> Any:
        if done:
            megabytes.append(_megabytes())
        return publish(done, total, artifact)

    with (
        patch("tasks.ingest.list_source.list_tracks", _listed),
        patch("tasks.ingest.fetch_audio.download_track", _fetched),
        patch("tasks.ingest.extract_tracks.run_jobs", _extracted),
        patch.object(ingesting, "publish_progress", published),
        patch("os.fsync", flushed),
    ):
        began = time.perf_counter()
        report = ingesting.report_of(ingesting.ingest(home, ["a listing"], settings, return_state=True))
        spent = time.perf_counter() - began
    if len(report.done) != TRACKS:
        raise AssertionError(f"only {len(report.done)} of {TRACKS} tracks are done")
    return Cost(spent, megabytes, flushing=sum(flushes))


def _bare_cost() -> Cost:
    """Measure as many Prefect tasks as an ingest has, which do nothing, with the same threads and sub-flows."""
    from prefect import flow, task  # noqa: PLC0415
    from prefect.cache_policies import NO_CACHE  # noqa: PLC0415
    from prefect.futures import wait  # noqa: PLC0415
    from prefect.task_runners import ThreadPoolTaskRunner  # noqa: PLC0415

    @task(cache_policy=NO_CACHE)
    def nothing(_number: int) -> None: ...

    @flow(validate_parameters=False)
    def batch(numbers: Sequence[int]) -> None:
        with ThreadPoolTaskRunner(max_workers=8) as runner:
            wait([runner.submit(nothing, {"_number": number}) for number in numbers])

    @flow
    def whole() -> None:
        for first in range(0, TRACKS, BATCH):
            batch(range(first, first + BATCH))
            megabytes.append(_megabytes())

    megabytes: list[float] = []
    began = time.perf_counter()
    whole()
    return Cost(time.perf_counter() - began, megabytes)


def _first_flow() -> None:
    """Import what an ingest needs, and run a first flow, so that one-time costs are not attributed to the tracks."""
    from prefect import flow  # noqa: PLC0415

    import flows.ingest  # noqa: F401, PLC0415

    @flow
    def nothing() -> None: ...

    nothing()


def _listed(source: str, **_: Any) -> Any:
    """Stand in for `tasks.ingest.sources.resolve_source.list_tracks`."""
    from tasks.ingest.sources.listing import Listing  # noqa: PLC0415
    from tasks.store.tracks import Track, feed_key  # noqa: PLC0415

    return Listing(
        source,
        tuple(
            Track(
                key=feed_key(source, str(number)),
                title=f"Track {number}",
                source=f"https://a.example/{number}.mp3",
                duration=200.0,
                entry={"_type": "url", "url": f"https://a.example/{number}.mp3", "title": f"Track {number}"},
            )
            for number in range(TRACKS)
        ),
    )


def _fetched(track: Any, folder: Path, **_: Any) -> Any:
    """Stand in for `tasks.ingest.fetch.download.download_track`."""
    from tasks.ingest.fetch.download import Download  # noqa: PLC0415

    folder.mkdir(parents=True)
    path = folder / "audio.mp3"
    path.write_bytes(b"some bytes")
    return Download(path, track.title, track.duration)


def _extracted(_function: Any, jobs: Sequence[Any], *, workers: int, seconds: float) -> Generator[tuple[int, Any]]:  # noqa: ARG001
    """Stand in for `tasks.process_pool.run_jobs`."""
    from tasks.ingest.extraction_worker import ExtractionResult  # noqa: PLC0415
    from tasks.store.corpus import Corpus  # noqa: PLC0415
    from tasks.store.tables import features_config  # noqa: PLC0415

    corpus, config = Corpus(jobs[0].home), features_config(jobs[0].settings)
    for find in (corpus.features_path, corpus.overview_path):
        find(config, "a").parent.mkdir(parents=True, exist_ok=True)
    for number, job in enumerate(jobs):
        files = corpus.features_path(config, job.track.key), corpus.overview_path(config, job.track.key)
        for path in files:
            path.write_bytes(b"a table")
        yield number, ExtractionResult(200.0, "0" * 64, "none", files)


def _megabytes() -> float:
    """Return the memory of this process in MB (the peak memory where there is no /proc)."""
    status = Path("/proc/self/status")
    if status.is_file():
        return int(re.findall(r"VmRSS:\s*(\d+)", status.read_text())[0]) / 1024
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (2**20 if sys.platform == "darwin" else 1024)


def main() -> None:
    """Print the table and the system load."""
    print(markdown(measure()))
    print(f"\nload {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
