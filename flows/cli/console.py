"""Console: what a person reads in the terminal, and what a program reads as JSON.

With `--json` exactly one document goes to standard output; everything else, here and without it, goes to standard
error or is left out. Titles and messages come from strangers: they are shown without control characters and never
read as markup.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NoReturn

from songform.time_format import clock

if TYPE_CHECKING:
    from flows.analyze import AnalyzeReport
    from flows.cli.commands.annotate import AnnotateReport
    from flows.cli.commands.evaluate import EvaluateReport
    from flows.cli.commands.status import FailureGroup
    from flows.demo import DemoReport
    from flows.diagnostics.doctor import Check
    from flows.ingest import IngestReport
    from flows.ingest_report import RunStoppedError
    from flows.run import RunReport
    from flows.train import TrainReport
    from tasks.report.index_page import Index

__all__ = ["Console"]

Announce = Callable[[str, float, float | None, str], None]

_UNREAD = 141  # as of a program that SIGPIPE has ended, 128 + 13
_ROWS = 40  # tracks shown one by one; more are counted
_SEGMENTS_OF = 3  # songs whose segments are listed; of more the bar is enough
_OUTCOMES = {"done": "green", "cached": "cyan", "failed": "red", "skipped": "yellow"}
_URGENCY = ("failed", "skipped", "done", "cached")  # what needs attention comes first


class Console:
    """Where results and progress are shown.

    Parameters
    ----------
    json : bool
        Whether results are JSON documents.
    """

    def __init__(self, *, json: bool) -> None:
        from rich.console import Console as RichConsole

        class Pipe(RichConsole):
            def on_broken_pipe(self) -> None:
                _leave(self.file)

        self.json = json
        self._out = Pipe(highlight=False, emoji=False)
        self._err = Pipe(stderr=True, highlight=False, emoji=False)

    def say(self, text: str) -> None:
        """Say a line of plain text to a person."""
        (self._err if self.json else self._out).print(_plain(text), markup=False, soft_wrap=True)

    def fail(self, error: Exception | str, code: int) -> int:
        """Say what went wrong, and return the exit code."""
        if self.json:
            self._document({"error": _plain(str(error))})
        self._wrong(error)
        return code

    def stopped(self, error: RunStoppedError, code: int) -> int:
        """Show what became of the tracks, say why it went no further, and return the exit code."""
        if self.json:
            self._document({**_ingested(error.ingested), "error": _plain(str(error))})
        else:
            self._tracks(error.ingested.tracks)
        self._remarks(error.ingested)
        self._wrong(error)
        return code

    @contextmanager
    def progress(self) -> Iterator[None]:
        """Show progress for the length of a `with` block that needs no Prefect server."""
        from flows.cli.progress_display import progress_display

        with progress_display(self._err):
            yield

    @contextmanager
    def working(self, home: Path, *modules: str) -> Iterator[Announce]:
        """Have a Prefect server and show progress for the length of a `with` block; see `prefect_server`."""
        from flows.cli.progress_display import progress_display
        from flows.prefect_server.connect import prefect_server

        with progress_display(self._err) as announce:
            announce("server", 0, None, "")
            with prefect_server(home, *modules):
                announce("server", 1, 1, "")
                yield announce

    def ingest(self, report: IngestReport) -> None:
        """Show what became of the tracks."""
        if self.json:
            self._document(_ingested(report))
        else:
            self._tracks(report.tracks)
        self._remarks(report)

    def train(self, report: TrainReport) -> None:
        """Show the metrics beside the baselines, and where the run is."""
        if self.json:
            self._document(_trained(report))
            return
        self._metrics(report)

    def analyze(self, report: AnalyzeReport) -> None:
        """Show each song's timeline, and where the files are."""
        if self.json:
            fields = {"tracks": report.ingested.tracks, "notes": report.ingested.notes}
            self._document({**fields, "reports": report.reports})
        else:
            self._timelines(report)
        self._remarks(report.ingested)
        self._problems(report.problems)

    def annotate(self, report: AnnotateReport) -> None:
        """Show whose labels are kept of which track, and what is odd about them."""
        if self.json:
            self._document({name: getattr(report, name) for name in ("annotations", "problems", "without")})
        else:
            self._annotations(report)
        self._problems(report.problems)

    def evaluate(self, report: EvaluateReport) -> None:
        """Show how far the segments agree with people, beside people among themselves and baselines."""
        if self.json:
            fields = {name: getattr(report, name) for name in ("run_id", "is_new", "tracks", "mean", "problems")}
            self._document({**fields, "model": report.model.uri or None})
        else:
            self._scores(report)
        self._problems(report.problems)

    def report(self, index: Index) -> None:
        """Say where the index of the songs is."""
        if self.json:
            self._document({"index": str(index.path), "songs": index.songs, "left": index.left})
        else:
            self.say(f"{_counted(len(index.songs), 'song')}: {index.path}")
            if index.left:
                self.say(
                    f"{_counted(index.left, 'song')} not analysed by this model: songform analyze SOURCE adds them."
                )
        self._problems(index.problems)

    def run(self, report: RunReport) -> None:
        """Show all three."""
        if self.json:
            self._document(
                {**_ingested(report.ingested), **_trained(report.trained), "reports": report.analyzed.reports}
            )
        else:
            self._tracks(report.ingested.tracks)
            self._metrics(report.trained)
            self._timelines(report.analyzed)
        self._remarks(report.ingested)

    def demo(self, report: DemoReport, home: Path) -> None:
        """Show the run, and how much of the form was found."""
        if self.json:
            fields = {"tracks": report.run.ingested.tracks, "frames_right": report.frames_right}
            self._document({**_trained(report.run.trained), **fields})
            return
        self.run(report.run)
        first = Path(report.run.analyzed.reports[0]["path"])
        place = "" if home == Path.cwd() else f" --home {home}"
        self.say("")
        self.say(f"{report.frames_right:.1%} of the frames carry the right state.")
        self.say(f"Pictures: {first.parent}")
        self.say(f"Listen:   {first.with_suffix('.html')}")
        self.say(f"MLflow:   songform{place} ui")

    def status(self, tracks: list[dict[str, Any]], problems: list[str], home: Path) -> None:
        """Show what the corpus holds, and what stands in the way of doing anything with it."""
        if self.json:
            self._document({"tracks": tracks, "problems": problems})
        elif not tracks:
            self.say(f"The corpus in {home} holds no track yet; bring some in with songform ingest SOURCE.")
        else:
            self._tracks(tracks)
        self._problems(problems)

    def doctor(self, checks: list[Check]) -> None:
        """Show what was found, and how to mend it."""
        if self.json:
            self._document({"checks": [vars(check) for check in checks]})
            return
        from rich.table import Table

        table = Table(box=None, show_header=False, pad_edge=False)
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        for check in checks:
            finding = check.finding + (f" ({check.mend})" if check.mend else "")
            mark = _cell("ok", "green") if check.is_well else _cell("!!", "red")
            table.add_row(mark, check.name, _cell(finding))
        self._out.print(table)

    def _document(self, document: dict[str, Any]) -> None:
        try:
            json.dump(document, sys.stdout, ensure_ascii=False, indent=2, allow_nan=False)
            sys.stdout.write("\n")
            sys.stdout.flush()  # here, where it is known what a closed pipe means
        except BrokenPipeError:
            _leave(sys.stdout)

    def failures(self, groups: list[FailureGroup], problems: list[str]) -> None:
        """Show what failed by class, with what the user can do about it."""
        if self.json:
            self._document({"tracks": [track for group in groups for track in group.tracks], "problems": problems})
        elif not groups:
            self.say("Nothing failed.")
        else:
            for group in groups:
                self._failures(group)
        self._problems(problems)

    def _failures(self, group: FailureGroup) -> None:
        from rich.padding import Padding

        self._out.print(_cell(f"{group.failure}: {_counted(len(group.tracks), 'track')}", "bold red"))
        self._out.print(Padding(_cell(_sentence(group.what_helps)), (0, 0, 0, 2), expand=False))
        for track in group.tracks[:_ROWS]:
            words = _cell(track["title"], "bold").append(f"\n{_plain(_reason(track))}", "not bold")
            if track["next_retry_at"]:  # what lasts is said of the whole class
                words.append(f"\n{_next_try(track)}", "not bold dim")
            self._out.print(Padding(words, (0, 0, 0, 4), expand=False))
        if len(group.tracks) > _ROWS:
            self.say(f"    ({len(group.tracks) - _ROWS} more: --json shows all)")

    def _remarks(self, report: IngestReport) -> None:
        """Say what is odd about an ingest, and then what is wrong."""
        for note in report.notes:
            self._err.print(f"note: {_plain(note)}", markup=False, style="dim", soft_wrap=True)
        self._problems(report.problems)

    def _wrong(self, error: Exception | str) -> None:
        self._err.print(f"songform: {_plain(str(error))}", markup=False, style="red", soft_wrap=True)

    def _problems(self, problems: list[str]) -> None:
        for problem in problems:
            self._err.print(f"songform: {_plain(problem)}", markup=False, style="yellow", soft_wrap=True)

    def _tracks(self, tracks: list[dict[str, Any]]) -> None:
        from rich.table import Table

        if not tracks:
            self.say("No tracks.")
            return
        table = Table(box=None, pad_edge=False, header_style="bold")
        table.add_column("outcome", no_wrap=True)
        table.add_column("length", justify="right", no_wrap=True)
        table.add_column("track", overflow="fold")
        for track in sorted(tracks, key=lambda track: _URGENCY.index(track["status"]))[:_ROWS]:
            outcome = _cell(track["status"], _OUTCOMES[track["status"]])
            words = _cell(track["title"])
            if track["error"]:
                words.append(f"\n{_plain(_reason(track))}").append(f"\n{_next_try(track)}", "dim")
            table.add_row(outcome, _clock(track["duration"]), words)
        self._out.print(table)
        counts = {status: sum(track["status"] == status for track in tracks) for status in _OUTCOMES}
        rest = f" ({len(tracks) - _ROWS} not shown)" if len(tracks) > _ROWS else ""
        said = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
        self.say(f"{_counted(len(tracks), 'track')}: {said}{rest}")

    def _annotations(self, report: AnnotateReport) -> None:
        from rich.table import Table

        table = Table(box=None, pad_edge=False, header_style="bold")
        for name in ("outcome", "annotator", "sections", "track"):
            table.add_column(name, justify="right" if name == "sections" else "left", overflow="fold")
        for entry in report.annotations[:_ROWS]:
            words = _cell(entry["title"])
            for note in entry["notes"]:
                words.append(f"\n{_plain(note)}", "dim")
            table.add_row(entry["status"], _cell(entry["annotator"]), str(entry["segments"]), words)
        if report.annotations:
            self._out.print(table)
        n_tracks = len({entry["key"] for entry in report.annotations})
        rest = f" ({len(report.annotations) - _ROWS} not shown)" if len(report.annotations) > _ROWS else ""
        self.say(f"{_counted(len(report.annotations), 'file')} of labels for {_counted(n_tracks, 'track')}{rest}")
        if report.without:
            named = ", ".join(report.without[:5]) + (", ..." if len(report.without) > 5 else "")
            self.say(f"Without labels: {named} ({_counted(len(report.without), 'track')})")

    def _scores(self, report: EvaluateReport) -> None:
        from flows.cli.score_table import mean_table, track_table

        shown = report.tracks[:_ROWS]
        self._out.print(track_table(shown, [_cell(track["title"]) for track in shown]))
        if len(report.tracks) > len(shown):
            self.say(f"({len(report.tracks) - len(shown)} more: --json shows all)")
        self._out.print()
        self._out.print(mean_table(report.mean))
        self._out.print()
        people = {name for track in report.tracks for name in track["annotators"]}
        self.say(f"{_counted(len(report.tracks), 'track')}, labelled by {', '.join(sorted(people))}")
        self.say(f"Model: {report.model.uri or 'states fitted on each song itself'}")
        self.say(f"{'Recorded' if report.is_new else 'Recorded before'}: MLflow run {report.run_id}")

    def _metrics(self, report: TrainReport) -> None:
        from rich.table import Table

        from songform.learning.baselines import BASELINES

        table = Table(box=None, pad_edge=False, header_style="bold")
        for name in ("on held-out tracks", "accuracy", "macro-F1", "log-loss"):
            table.add_column(name, justify="left" if name.startswith("on") else "right")
        network = str(report.params.get("model.name", "lstm"))
        for who in ("test", *BASELINES):
            if f"{who}_accuracy" in report.metrics:
                values = [f"{report.metrics[f'{who}_{name}']:.3f}" for name in ("accuracy", "macro_f1", "log_loss")]
                table.add_row(network if who == "test" else who.replace("_", " "), *values)
        if table.row_count:
            self._out.print(table)
        else:
            self.say("No test metrics: the corpus is too small to hold any sound back for a test.")
        self._caution(report.metrics, network)
        when = "Trained" if report.is_new else "Trained before"
        rank = "the champion" if report.is_champion else "not the champion"
        self.say(f"{when}: MLflow run {report.run_id}; model {report.model_uri} ({rank})")

    def _caution(self, metrics: dict[str, float], network: str) -> None:
        """Say so when a model has learned nothing that can be relied on."""
        if metrics.get("test_accuracy", 1.0) < metrics.get("majority_accuracy", 0.0):
            name = network.upper()
            self.say(f"Caution: on held-out tracks the {name} is worse than the most frequent state alone; add songs.")

    def _timelines(self, report: AnalyzeReport) -> None:
        from flows.cli.timeline import legend, segment_table, timeline

        states = list(dict.fromkeys(state for document in report.reports for state in document["model"]["states"]))
        for document in report.reports:
            self._out.print()
            self._out.print(_cell(f"{document['track']['title']}  {_clock(document['track']['duration'])}", "bold"))
            self._out.print(timeline(document, width=min(self._out.width, 100)))
            if len(report.reports) <= _SEGMENTS_OF:
                self._out.print(segment_table(document))
        self._out.print()
        self._out.print(legend(states))
        self._model(report)
        first = Path(report.reports[0]["path"])
        self.say(f"Files: {first.parent}")
        if len(report.reports) == 1:
            self.say(f"Page:  {first.with_suffix('.html')}")
        else:
            self.say("Pages: one .html a song in that folder; the command songform report makes an index of them all.")

    def _model(self, report: AnalyzeReport) -> None:
        """Say by whose model, and which of its names are weak."""
        if not report.model.uri:
            self.say("No model was trained yet: states were fitted on each song itself. Train one with songform train.")
        else:
            rank = "the champion" if report.model.is_champion else "not the champion"
            self.say(f"Model: {report.model.uri} ({rank})")
        weak: dict[str, str] = {}
        for document in report.reports:
            weak.update(document["model"]["weak"])
        for state, reason in weak.items():
            self.say(f"Weak name: {state} ({reason})")


def _leave(stream: IO[str]) -> NoReturn:
    """End quietly, since nobody reads on: `head` has seen enough. What is written yet goes nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    raise SystemExit(_UNREAD)


def _ingested(report: IngestReport) -> dict[str, Any]:
    return {"tracks": report.tracks, "problems": report.problems, "notes": report.notes}


def _trained(report: TrainReport) -> dict[str, Any]:
    return {
        "run_id": report.run_id,
        "params": report.params,
        "metrics": report.metrics,
        "model_uri": report.model_uri,
        "is_champion": report.is_champion,
        "is_new": report.is_new,
    }


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _reason(track: dict[str, Any]) -> str:
    """Return why a track failed, without the title that stands above it."""
    message: str = track["error"]["message"]
    # Only the title as a word of its own: `text.mp3 holds no audio` begins with the title `text`, too.
    return message.removeprefix(f"{track['title']} ").strip()


def _next_try(track: dict[str, Any]) -> str:
    """Say when a track is asked for again."""
    at = track["next_retry_at"]
    if at is None:
        return "left alone: only --retry-failed asks for it again"
    return f"next try: {at.replace('T', ' ')[:16]} UTC" if at > _now() else "next try: with the next ingest"


def _now() -> str:
    """Return the time as records write it, so that the two can be compared."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _clock(seconds: float | None) -> str:
    return "?" if seconds is None else clock(seconds)


def _cell(text: str, style: str = "") -> Any:
    from rich.text import Text

    return Text(_plain(text), style=style)


def _plain(text: str) -> str:
    """Return a stranger's text without anything that a terminal would obey."""
    return "".join(letter for letter in text if letter == "\n" or letter.isprintable())
