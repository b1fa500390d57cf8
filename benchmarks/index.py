"""Benchmark of the index page of 10,000 songs: writing it, its size, and using it in Chromium.

Run it with ``python -m benchmarks.index``. The songs have about 10 sections and 24 segments each. Their reports have
the size of real ones. The page is opened from disk in headless Chromium (Debian: apt-get install chromium), in a fresh
window each time. All times are CPU time, because the elapsed time on a shared machine depends on its load: of the
process that writes the page, and of the thread of the browser that runs the page's scripts and its layout.
"""

from __future__ import annotations

import json
import multiprocessing
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import sync_playwright

from benchmarks.measuring import Result, markdown, spread
from benchmarks.memory import own_peak_megabytes
from songform.structure.naming import STATES
from tasks.report.index_page import write_index
from tasks.settings import Settings
from tasks.store.bundles import OWN_MODEL
from tasks.store.corpus import Corpus
from tasks.store.tracks import TrackRecord

__all__ = ["measure", "write_reports"]

SONGS = 10_000
RUNS = 3
MAX_LIST, MAX_KEY = 1.0, 0.1  # in seconds
_FORMS = 200
_KEY, _TITLE = "file-0", "Title of the song"
_TITLE_WORDS = ("night", "river", "golden", "train", "morning", "shadow", "paper", "letter", "summer", "winter")
# Changes a field of the page, and waits until the next frame has been drawn.
_ACT = """
([id, value, event]) => new Promise((resolve) => {
  const element = document.getElementById(id);
  element.value = value;
  element.dispatchEvent(new Event(event, { bubbles: true }));
  requestAnimationFrame(() => setTimeout(resolve));
})
"""


def measure(_song: Path | None = None, *, songs: int = SONGS) -> list[Result]:
    """Measure writing and using an index page.

    Parameters
    ----------
    _song : Path, optional
        Not used; other benchmarks measure a song.
    songs : int
        Number of songs.
    """
    with tempfile.TemporaryDirectory(prefix="songform-bench-") as folder:
        home = Path(folder)
        write_reports(home, songs)
        return [*_writing(home, songs), *_browsing(Corpus(home).report_path(OWN_MODEL.model_id, "index.html"))]


def write_reports(home: Path, songs: int) -> None:
    """Write records, reports and empty pages of random songs; every two hundredth song has the same form."""
    rng = np.random.default_rng(0)
    corpus = Corpus(home)
    folders = corpus.report_path(OWN_MODEL.model_id, ""), corpus.record_path("").parent
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    forms = [_documents(rng) for _ in range(min(songs, _FORMS))]
    for i in range(songs):
        key, title = f"file-{i:016x}", f"{' '.join(rng.choice(_TITLE_WORDS, 3))} {i}"
        for folder, document in zip(folders, forms[i % _FORMS], strict=True):
            text = document.replace(_KEY, key).replace(_TITLE, title)
            (folder / f"{key}.json").write_text(text, encoding="utf-8")
        (folders[0] / f"{key}.html").touch()


def _documents(rng: np.random.Generator) -> list[str]:
    """Return a report and a record with placeholders for key and title."""
    duration = float(rng.uniform(120, 360))
    track = {"key": _KEY, "title": _TITLE, "source": f"/music/{_TITLE}.mp3", "duration": duration}
    segments = [
        {
            "start": start,
            "end": end,
            "state": STATES[rng.integers(5)],
            "confidence": int(rng.integers(2000, 10000)) / 1e4,
        }
        for start, end in _parts(duration, 24, rng)
    ]
    report = {
        "track": track,
        "settings": Settings().model_dump(mode="json"),
        "model": {"uri": None, "id": "own", "run_id": None, "states": list(STATES), "weak": {}, "sequence_weight": 0.0},
        "segments": segments,
        "sections": _lettered("ABCDEF", _parts(duration, int(rng.integers(6, 15)), rng), rng),
        "phrases": _lettered("abcdefghijkl", _parts(duration, int(rng.integers(16, 30)), rng), rng),
        "beats": {"tempo": round(float(rng.uniform(60, 180)), 2), "metre": 4, "is_metre_sure": True, "confidence": 0.9},
    }
    files = {f"{kind}/0123456789ab/{_KEY}.parquet": 1_000_000 for kind in ("features", "overview", "spectrum")}
    record = TrackRecord(**track, status="done", updated_at="2026-01-01T00:00:00+00:00", files=files)
    return [json.dumps(document, indent=2) for document in (report, record.model_dump(mode="json", by_alias=True))]


def _parts(duration: float, count: int, rng: np.random.Generator) -> list[tuple[float, float]]:
    cuts = np.unique(np.round(rng.uniform(1, duration - 1, count - 1), 3)).tolist()
    return list(zip([0.0, *cuts], [*cuts, duration], strict=True))


def _lettered(letters: str, parts: list[tuple[float, float]], rng: np.random.Generator) -> list[dict[str, Any]]:
    shared = {"occurrence": 1, "occurrences": 2, "is_most_repeated": False, "is_loudest": False}
    return [
        {
            "start": a,
            "end": b,
            "label": str(rng.choice(list(letters))),
            "confidence": round(float(rng.random()), 4),
            **shared,
        }
        for a, b in parts
    ]


def _writing(home: Path, songs: int) -> list[Result]:
    """Measure writing the page, each time in a fresh process."""
    taken, peaks = zip(*(_fresh(partial(_write, home)) for _ in range(RUNS)), strict=True)
    one_song = _fresh(partial(_peak_of_one_song))
    size = Corpus(home).report_path(OWN_MODEL.model_id, "index.html").stat().st_size
    return [
        Result(f"index of {songs:,} songs: time to write it", f"{spread(taken):.2f} s"),
        Result("- peak memory minus that for one song", f"{spread([peak - one_song for peak in peaks]):.0f} MB"),
        Result("- size", f"{size / 1e6:.2f} MB"),
    ]


def _write(home: Path) -> tuple[float, float]:
    before = time.process_time()
    write_index(home, OWN_MODEL)
    return time.process_time() - before, own_peak_megabytes()


def _peak_of_one_song() -> float:
    with tempfile.TemporaryDirectory() as folder:
        write_reports(Path(folder), 1)
        return _write(Path(folder))[1]


def _fresh(call: Callable[[], Any]) -> Any:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(call).result()


def _browsing(path: Path) -> list[Result]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu", "--no-proxy-server"]
        )
        runs = [_visit(browser, path) for _ in range(RUNS)]
        browser.close()
    bounds = {"first list": MAX_LIST, "keystroke": MAX_KEY}
    results = []
    for name in runs[0]:
        found = spread([time for run in runs for time in run[name]])
        bound = next((bound for word, bound in bounds.items() if word in name), None)
        results.append(
            Result(
                f"- {name}",
                f"{1000 * found.median:.0f} ({1000 * found.least:.0f} to {1000 * found.most:.0f}) ms",
                f"at most {1000 * bound:.0f} ms" if bound else "",
                None if bound is None else found.median <= bound,
            )
        )
    return results


def _visit(browser: Any, path: Path) -> dict[str, list[float]]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    session = context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def spent() -> float:
        metrics = session.send("Performance.getMetrics")["metrics"]
        return next(float(metric["value"]) for metric in metrics if metric["name"] == "TaskDuration")

    page.goto(f"file://{path}")
    page.wait_for_selector("#songs tr")
    page.evaluate(_ACT, ["sort", "title", "none"])
    times = {"from opening the file to the first list": [spent()]}

    def act(name: str, *arguments: str) -> None:
        before = spent()
        page.evaluate(_ACT, list(arguments))
        times.setdefault(name, []).append(spent() - before)

    for length in range(1, 7):
        act("a keystroke in the search", "search", "winter"[:length], "input")
    for length in range(5, -1, -1):
        act("a keystroke that deletes a letter", "search", "winter"[:length], "input")
    for state in STATES:
        act("filtering by a state", "state", state, "input")
    act("filtering by a state", "state", "", "input")
    for value in page.locator("#sort option").evaluate_all("all => all.map((option) => option.value)"):
        act("sorting", "sort", value, "change")
    context.close()
    return times


if __name__ == "__main__":
    print(markdown(measure(songs=int(sys.argv[1]) if len(sys.argv) > 1 else SONGS)))
