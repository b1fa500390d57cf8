"""The command line: `songform`.

Thin by intent: it reads arguments and settings, starts what a command needs, and says what came of it. Everything dear
is imported by the command that needs it, so that `songform --help` answers at once.

Exit codes: 0 all done; 3 some tracks failed, the rest done; 4 nothing could be done; 1 a defect; 2 wrong usage; 130
stopped by Ctrl-C; 141 nobody reads the output any more. What is meant to be stopped by Ctrl-C ends with 0.
"""

from __future__ import annotations

import errno
import gc
import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from flows.cli.console import Console
from flows.config.environment import prepare_environment
from flows.ingest_report import RunStoppedError
from songform.errors import CorpusError, ParameterError, SettingsError, SongformError, SourceError

__all__ = ["app", "main"]

DONE, USAGE, SOME_FAILED, NOTHING_DONE, INTERRUPTED = 0, 2, 3, 4, 130

_REFUSALS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)  # what no program can mend
_WHICH_HOME = "name another with --home, or bring tracks in with songform ingest SOURCE"
_GOES_ON = "the same command goes on where this one left off"

app = typer.Typer(
    name="songform",
    help="Find the musical form of songs, albums and playlists.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _named(value: str) -> str:
    """Refuse a name that MLflow cannot show."""
    if not value.strip():
        msg = "a name is needed"
        raise typer.BadParameter(msg)
    return value


def _named_if_any(value: str | None) -> str | None:
    """Refuse an empty name, if there is one."""
    return None if value is None else _named(value)


_HOME = typer.Option("--home", help="Folder of data/, mlruns/ and songform.toml.", show_default=".")
_JSON = typer.Option("--json", help="Print the result as one JSON document; all else goes to stderr.")
_SET = typer.Option("--set", metavar="SECTION.NAME=VALUE", help="Change a setting; repeatable.")
_SOURCES = typer.Argument(metavar="SOURCE...", help="Address of a track, playlist or feed; audio file; folder; list.")
_RETRY = typer.Option("--retry-failed", help="Try again even what failed for good; what is not due yet waits.")
_SONIFY = typer.Option("--sonify", help="Write each song with a click at each boundary and a tone for each state.")
_SOURCE = typer.Argument(
    metavar="SOURCE",
    help="The song that the labels are of, ingested before: its audio file, its address, or its key as "
    "status --json shows it. Or a folder of songs.",
)
_FILE = typer.Argument(
    metavar="FILE",
    help="The labels that a person gave to the song's sections, each with its start and end: .lab, Audacity's, CSV, "
    "JAMS or a report of songform. Or a folder of such files, each named like its song.",
)
_ANNOTATOR = typer.Option(
    "--annotator",
    metavar="NAME",
    callback=_named_if_any,
    help="Who labelled it; several people may label a song.",
)
_EXPERIMENT = typer.Option("--experiment", callback=_named, help="MLflow's name for a group of runs.")

Home = Annotated[Path | None, _HOME]
Json = Annotated[bool, _JSON]
Set = Annotated[list[str] | None, _SET]
Sources = Annotated[list[str], _SOURCES]
Limit = Annotated[int | None, typer.Option("--limit", min=1, help="Most tracks of each source.")]
Experiment = Annotated[str, _EXPERIMENT]
PrefectPort = Annotated[int, typer.Option(min=0, max=65535, help="Prefect's port; 0 for any free one.")]
Failed = Annotated[bool, typer.Option("--failed", help="Only what failed: by class, and what can be done about it.")]
Model = Annotated[str | None, typer.Option(help="MLflow's address of a model.", show_default="the champion")]
Again = Annotated[bool, typer.Option("--again", help="Train anew even if this very training was done before.")]


@app.callback()
def common(ctx: typer.Context, home: Home = None, json: Json = False) -> None:
    """Find the musical form of songs, albums and playlists."""
    ctx.obj = {"home": home, "json": json}


@app.command()
def demo(
    ctx: typer.Context,
    *,
    home: Home = None,
    json: Json = False,
    assignments: Set = None,
    seed: Annotated[int, typer.Option(min=0, help="Another seed composes another playlist.")] = 0,
) -> None:
    """Compose a playlist with known form, run everything on it, and say how well the form was found."""

    def work(call: Call) -> int:
        from flows.demo import demo

        report = demo(call.home, call.settings(assignments), seed=seed, console=call.console)
        call.console.demo(report, call.home)
        return _code(report.run.ingested.tracks, [])

    _run(ctx, home, json, work)


@app.command()
def run(
    ctx: typer.Context,
    *,
    sources: Sources,
    home: Home = None,
    json: Json = False,
    assignments: Set = None,
    limit: Limit = None,
    experiment: Experiment = "songform",
) -> None:
    """Ingest, train and analyze in turn."""

    def work(call: Call) -> int:
        settings = call.settings(assignments)
        with call.server("flows.run", sources):
            from flows.run import run

            report = run(call.home, sources, settings, limit, experiment)
        call.console.run(report)
        return _code(report.ingested.tracks, report.ingested.problems)

    _run(ctx, home, json, work)


@app.command()
def ingest(
    ctx: typer.Context,
    *,
    sources: Annotated[list[str] | None, _SOURCES] = None,
    home: Home = None,
    json: Json = False,
    assignments: Set = None,
    limit: Limit = None,
    retry_failed: Annotated[bool, _RETRY] = False,
) -> None:
    """Bring tracks into the corpus: list, download, extract. What is done already is left alone."""

    def work(call: Call) -> int:
        if not sources and not retry_failed:
            raise ParameterError("songform ingest needs a SOURCE, or --retry-failed for the tracks that failed before")
        settings = call.settings(assignments)
        with call.server("flows.ingest", sources):
            from flows.ingest import ingest, report_of

            report = report_of(ingest(call.home, sources or [], settings, limit, retry_failed, return_state=True))
        call.console.ingest(report)
        return _code(report.tracks, report.problems)

    _run(ctx, home, json, work)


@app.command()
def train(
    ctx: typer.Context,
    *,
    home: Home = None,
    json: Json = False,
    assignments: Set = None,
    experiment: Experiment = "songform",
    again: Again = False,
) -> None:
    """Discover the states of the corpus, train the network, and record the run in MLflow."""

    def work(call: Call) -> int:
        settings = call.settings(assignments)
        with call.server("flows.train"):
            from flows.train import train

            report = train(call.home, settings, experiment, again)
        call.console.train(report)
        return DONE

    _run(ctx, home, json, work)


@app.command()
def analyze(
    ctx: typer.Context,
    *,
    sources: Sources,
    home: Home = None,
    json: Json = False,
    assignments: Set = None,
    limit: Limit = None,
    model: Model = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the files.", show_default="data/reports/<model>")] = None,
    sonify: Annotated[bool, _SONIFY] = False,
) -> None:
    """Tell the form of songs: a timeline here; JSON, labels, pictures and a page to hear and edit each in files."""

    def work(call: Call) -> int:
        settings = call.settings(assignments)
        if out is not None and out.exists() and not out.is_dir():
            raise ParameterError(f"--out {out} is a file; name a folder, which is made if it is missing")
        with call.server("flows.analyze", sources):
            from flows.analyze import analyze

            folder = out.absolute() if out else None
            report = analyze(call.home, sources, settings, model, folder, limit=limit, sonify=sonify)
        call.console.analyze(report)
        return _code(report.ingested.tracks, [*report.ingested.problems, *report.problems])

    _run(ctx, home, json, work)


@app.command()
def annotate(
    ctx: typer.Context,
    *,
    source: Annotated[str, _SOURCE],
    file: Annotated[str | None, _FILE] = None,
    home: Home = None,
    json: Json = False,
    annotator: Annotated[str | None, _ANNOTATOR] = None,
) -> None:
    """Keep a person's labels of a song's sections, for evaluate to compare with what songform finds.

    Without FILE: list the labels that are kept of SOURCE. Example: songform annotate song.mp3 song.lab --annotator Ana
    """

    def work(call: Call) -> int:
        call.look()
        from flows.cli.commands.annotate import annotate, listed_annotations

        said = listed_annotations(call.home, source) if file is None else None
        report = said or annotate(call.home, source, str(file), annotator)
        call.console.annotate(report)
        return SOME_FAILED if report.problems else DONE

    _run(ctx, home, json, work)


@app.command()
def evaluate(ctx: typer.Context, *, home: Home = None, json: Json = False, model: Model = None) -> None:
    """Score the corpus's segments against people's labels, and record that in MLflow."""

    def work(call: Call) -> int:
        call.look()
        from flows.cli.commands.evaluate import evaluate

        with call.console.progress():
            report = evaluate(call.home, model)
        call.console.evaluate(report)
        return SOME_FAILED if report.problems else DONE

    _run(ctx, home, json, work)


@app.command()
def report(
    ctx: typer.Context,
    home: Home = None,
    json: Json = False,
    model: Model = None,
) -> None:
    """Make one page over the songs that were analysed: search, sort, a timeline each."""

    def work(call: Call) -> int:
        call.look()
        from flows.cli.commands.report import report

        index = report(call.home, model)
        call.console.report(index)
        return SOME_FAILED if index.problems else DONE

    _run(ctx, home, json, work)


@app.command()
def status(ctx: typer.Context, home: Home = None, json: Json = False, failed: Failed = False) -> None:
    """Show what the corpus holds, and what failed and why."""

    def work(call: Call) -> int:
        from flows.cli.commands.status import corpus_status, failures_by_class

        problems = []
        try:
            call.settings(None)
        except SettingsError as error:  # not needed to look, but every other command will stop at it
            problems.append(str(error))
        tracks = corpus_status(call.home)
        if failed:
            call.console.failures(failures_by_class(tracks), problems)
        else:
            call.console.status(tracks, problems, call.home)
        return DONE

    _run(ctx, home, json, work)


@app.command()
def doctor(ctx: typer.Context, home: Home = None, json: Json = False) -> None:
    """Check ffmpeg, the JavaScript runtime, versions, stores and disk."""

    def work(call: Call) -> int:
        from flows.diagnostics.doctor import examine

        checks = examine(call.home, lambda: call.settings(None))
        call.console.doctor(checks)
        return DONE if all(check.is_well for check in checks) else NOTHING_DONE

    _run(ctx, home, json, work)


@app.command()
def ui(
    ctx: typer.Context,
    home: Home = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="MLflow's port; 0 for any free one.")] = 5000,
    prefect_port: PrefectPort = 4200,
) -> None:
    """Serve MLflow's and Prefect's pages of this home on 127.0.0.1, until stopped with Ctrl-C."""

    def work(call: Call) -> int:
        from flows.cli.commands.ui import serve_pages

        serve_pages(call.home, port=port, prefect_port=prefect_port, say=call.console.say)
        return DONE

    _run(ctx, home, False, work)


@app.command()
def schedule(ctx: typer.Context, home: Home = None, prefect_port: PrefectPort = 4200) -> None:
    """Keep the playlists of songform.toml ingested, retry what failed, train weekly; until stopped with Ctrl-C."""

    def work(call: Call) -> int:
        from flows.schedule.scheduler import run_scheduler

        run_scheduler(call.home, call.settings(None), prefect_port=prefect_port, say=call.console.say)
        return DONE

    _run(ctx, home, False, work)


class Call:
    """One call of the command line: its home, its settings, its console, its Prefect server."""

    def __init__(self, home: Path, console: Console) -> None:
        self.home, self.console = home, console

    def settings(self, assignments: list[str] | None) -> Any:
        """Read the settings that hold for this call."""
        from flows.config.load import load_settings

        return load_settings(self.home, os.environ, assignments or [])

    def look(self) -> None:
        """See that there is a corpus, before anything is imported that leaves a trace: Prefect makes a folder.

        Raises
        ------
        CorpusError
            If there is none.
        """
        from tasks.store.corpus import Corpus

        if not Corpus(self.home).data.is_dir():
            raise CorpusError(f"{self.home} holds no corpus (no folder data/); {_WHICH_HOME}")

    def server(self, module: str, sources: list[str] | None = None) -> Any:
        """Have a Prefect server, and show progress, for the length of a `with` block that imports a module of flows.

        What is wrong with the home or with all the sources is said before a server is started, which takes seconds.
        """
        from tasks.store.corpus import Corpus

        Corpus(self.home).prepare()
        _refuse_missing(sources or [])
        return self.console.working(self.home, module)


def _run(ctx: typer.Context, home: Path | None, json: bool, work: Callable[[Call], int]) -> None:
    """Do a command's work, and turn what goes wrong into one sentence and an exit code."""
    given: dict[str, Any] = ctx.obj or {}
    console = Console(json=json or bool(given.get("json")))
    place = Path(os.path.abspath((home or given.get("home") or Path()).expanduser()))  # noqa: PTH100  without .. in it
    prepare_environment(place)
    try:
        code = work(Call(place, console))
    except (SettingsError, ParameterError) as error:
        code = console.fail(error, USAGE)
    except RunStoppedError as error:
        code = console.stopped(error, NOTHING_DONE)
    except SongformError as error:
        code = console.fail(error, NOTHING_DONE)
    except OSError as error:
        if error.errno not in _REFUSALS:
            raise
        where = f" ({error.filename})" if error.filename else ""
        code = console.fail(
            f"this machine refuses: {error.strerror}{where}; make room or mend the permissions, then {_GOES_ON}",
            NOTHING_DONE,
        )
    except KeyboardInterrupt:
        code = console.fail(f"stopped; {_GOES_ON}", INTERRUPTED)
    raise typer.Exit(code)


def _refuse_missing(sources: list[str]) -> None:
    """Say at once that no source is there; one that is missing beside others is a problem of the report.

    Raises
    ------
    SourceError
        If every source is the path of nothing.
    """
    from tasks.ingest.sources.listing import all_told
    from tasks.ingest.sources.local_files import local_path

    missing = []
    for source in sources:
        if "://" in source:
            return
        try:
            local_path(source.strip())
        except SourceError as error:
            missing.append(str(error))
    if missing and len(missing) == len(sources):
        raise SourceError(all_told("not one of these sources is there", missing))


def _code(tracks: list[dict[str, Any]], problems: list[str]) -> int:
    failed = [track for track in tracks if track["status"] not in ("done", "cached")]
    if tracks and len(failed) == len(tracks):
        return NOTHING_DONE
    return SOME_FAILED if failed or problems else DONE


def main() -> None:
    """Run the command line."""
    try:
        app(prog_name="songform")
    finally:
        gc.freeze()  # half a second: Python would look for cycles in all that was imported before it ends
