"""Benchmark of ingesting a large playlist whose tracks are all done, as a daily ingest without new tracks does.

Run it with ``python -m benchmarks.large``. A feed of 5,000 items is served on loopback and listed by yt-dlp; the corpus
has a record and two tables for each item. The flow runs in a fresh process with a Prefect server. Its modules are
imported before the measurement, but the import of yt-dlp is measured. The benchmark also counts the requests to the
network and the tables that were opened. The tables are not valid Parquet files, so reading one would make the run fail.
"""

from __future__ import annotations

import io
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

from benchmarks.feeds import Item, feed, served
from benchmarks.measuring import Result, markdown, spread
from benchmarks.overhead import prefect_running
from flows.cli.commands.ingest import print_ingest
from flows.cli.console import Console
from tasks.settings import DownloadSettings, Settings
from tasks.store.corpus import Corpus
from tasks.store.tracks import TrackRecord, feed_key

__all__ = ["measure"]

TRACKS = 5000
RUNS = 3
TITLE = "a large playlist"
MAX_SECONDS = 5.0
MAX_WITHOUT_LISTING = 1.5


class Cost(NamedTuple):
    """Cost of one ingest.

    Parameters
    ----------
    seconds, listing, table : float
        Duration of the flow, of yt-dlp's listing, and of printing the table in the terminal, in seconds.
    lines : int
        Number of lines that were printed.
    tables_opened : int
        Number of Parquet files that were opened.
    """

    seconds: float
    listing: float
    table: float
    lines: int
    tables_opened: int


def measure(song: Path | None = None) -> list[Result]:  # noqa: ARG001  all benchmarks are called with a song
    """Measure an ingest of a large playlist whose tracks are all done.

    Parameters
    ----------
    song : Path, optional
        Not used: no audio is read.
    """
    asked: list[str] = []
    items = [
        Item(f"Track {n}", f"http://127.0.0.1:9/{n}.mp3", f"https://a.example/{n}", 200.0 + n) for n in range(TRACKS)
    ]
    document = feed(TITLE, items)

    def answer(request: BaseHTTPRequestHandler) -> None:
        asked.append(request.path)
        request.send_response(200)
        request.send_header("Content-Type", "application/rss+xml")
        request.send_header("Content-Length", str(len(document)))
        request.end_headers()
        request.wfile.write(document)

    with tempfile.TemporaryDirectory(prefix="songform-bench-") as folder, served(answer) as url:
        home = Path(folder)
        write_corpus(home, items)
        costs = [_in_a_fresh_process(home, f"{url}/feed.rss") for _ in range(RUNS)]
    return _results(costs, len(asked))


def _in_a_fresh_process(home: Path, url: str) -> Cost:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_cost, home, url).result()


def _results(costs: list[Cost], n_asked: int) -> list[Result]:
    whole = spread(cost.seconds + cost.table for cost in costs)
    rest = spread(cost.seconds + cost.table - cost.listing for cost in costs)
    opened = sum(cost.tables_opened for cost in costs)
    return [
        Result(
            f"ingest {TRACKS:,} finished tracks, after start-up",
            f"{whole:.2f} s",
            f"at most {MAX_SECONDS:g} s",
            whole.median <= MAX_SECONDS,
        ),
        Result("- of this, yt-dlp's listing, including the import", f"{spread(cost.listing for cost in costs):.2f} s"),
        Result(
            "- everything else",
            f"{rest:.2f} s",
            f"at most {MAX_WITHOUT_LISTING:g} s",
            rest.median <= MAX_WITHOUT_LISTING,
        ),
        Result(
            f"- of this, the table in the terminal ({costs[0].lines} lines)",
            f"{spread(cost.table for cost in costs):.2f} s",
        ),
        Result("requests to the network", f"{n_asked} in {RUNS} runs", "exactly 1 per run", n_asked == RUNS),
        Result("tables opened", str(opened), "none", opened == 0),
    ]


def write_corpus(home: Path, items: list[Item]) -> None:
    """Write the records of finished tracks, and unreadable files in place of their tables."""
    corpus, settings = Corpus(home), Settings()
    corpus.prepare()

    def write(item: Item) -> None:
        # Not at the top: the measured process imports this module, and would import pandas and pyarrow too early.
        from tasks.store.tables import features_config  # noqa: PLC0415

        key, config = feed_key(TITLE, item.guid), features_config(settings)
        paths = corpus.features_path(config, key), corpus.overview_path(config, key)
        for path in paths:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"no table")
        corpus.save_record(
            TrackRecord(
                key=key,
                title=item.title,
                source=item.url,
                duration=item.seconds,
                entry={"_type": "url", "url": item.url, "title": item.title, "ie_key": None},
                status="done",
                updated_at="2026-01-01T00:00:00+00:00",
                audio_sha256="0" * 64,
                decoder="none",
                files={corpus.relative(path): len(b"no table") for path in paths},
            )
        )

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(write, items))


def _cost(home: Path, url: str) -> Cost:
    """Run the ingest in this process, and measure it."""
    with prefect_running(home):
        import tasks.ingest.sources.resolve_source  # noqa: PLC0415  Prefect reads the environment when it is imported
        from flows.ingest import ingest, report_of  # noqa: PLC0415

        spent: list[float] = []
        opened = _tables_opened()
        timed = _timed(tasks.ingest.sources.resolve_source.web_listing, spent)
        with patch.object(tasks.ingest.sources.resolve_source, "web_listing", timed):
            began = time.perf_counter()
            state = ingest(home, [url], Settings(download=DownloadSettings(allow_private=True)), return_state=True)
            seconds = time.perf_counter() - began
        report = report_of(state)
    if {track["status"] for track in report.tracks} != {"cached"} or len(report.tracks) != TRACKS:
        raise AssertionError(f"the ingest did not report all {TRACKS} tracks as cached")
    output = io.StringIO()
    with patch.object(sys, "stdout", output):
        began = time.perf_counter()
        print_ingest(Console(json=False), report)
        table = time.perf_counter() - began
    return Cost(seconds, sum(spent), table, len(output.getvalue().splitlines()), len(opened))


def _timed(function: Callable[..., Any], spent: list[float]) -> Callable[..., Any]:
    def timed(*words: Any, **options: Any) -> Any:
        began = time.perf_counter()
        try:
            return function(*words, **options)
        finally:
            spent.append(time.perf_counter() - began)

    return timed


def _tables_opened() -> list[str]:
    """Return a list to which every Parquet file that Python opens from now on is added.

    Files that Arrow opens itself are not seen, but reading one of these files makes the run fail.
    """
    opened: list[str] = []

    def audit(event: str, words: tuple[Any, ...]) -> None:
        if event == "open" and str(words[0]).endswith(".parquet"):
            opened.append(str(words[0]))

    sys.addaudithook(audit)
    return opened


def main() -> None:
    """Print the table and the system load."""
    print(markdown(measure()))
    print(f"\nload {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
