"""Progress display of a command: bars in a terminal, lines elsewhere."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tasks.progress import ProgressEvent, listening

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["STAGES", "progress_display"]

STAGES = {
    "server": "Starting Prefect",
    "composing": "Composing",
    "download": "Downloading",
    "features": "Extracting features",
    "context": "Pooling features",
    "states": "Labeling",
    "training": "Training",
    "evaluation": "Evaluating",
    "reports": "Writing reports",
    "sonify": "Sonifying",
    "agreement": "Scoring",
}


@contextmanager
def progress_display(console: Console) -> Iterator[None]:
    """Show the progress that tasks announce within a `with` block: bars in a terminal, one line per stage elsewhere."""
    show = _bars if console.is_terminal else _lines
    with show(console) as listener, listening(listener):
        yield


@contextmanager
def _bars(console: Console) -> Iterator[Callable[[ProgressEvent], None]]:
    from rich.markup import escape
    from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

    columns = (
        SpinnerColumn(finished_text="[green]✓"),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TimeElapsedColumn(),
        TextColumn("{task.fields[detail]}", style="dim"),
    )
    bars: dict[str, TaskID] = {}
    lock = threading.Lock()
    with Progress(*columns, console=console) as progress:

        def listener(event: ProgressEvent) -> None:
            # Downloads run in parallel: each track has its own bar, which is removed when the download is complete.
            name = f"{event.stage}:{event.detail}" if event.stage == "download" else event.stage
            detail = escape("".join(c for c in event.detail if c.isprintable()))[:60]
            with lock:
                if name not in bars:
                    stage = STAGES.get(event.stage, event.stage)
                    bars[name] = progress.add_task(stage, total=event.total, detail=detail)
                progress.update(bars[name], completed=event.done, total=event.total, detail=detail)
                if event.stage == "download" and event.total and event.done >= event.total:
                    progress.remove_task(bars.pop(name))

        yield listener


@contextmanager
def _lines(console: Console) -> Iterator[Callable[[ProgressEvent], None]]:
    shown: set[str] = set()

    def listener(event: ProgressEvent) -> None:
        if event.stage not in shown:
            shown.add(event.stage)
            console.print(f"{STAGES.get(event.stage, event.stage)} ...", markup=False)

    yield listener
