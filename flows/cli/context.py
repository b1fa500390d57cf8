"""Execution of commands: home and settings, the Prefect server, and the exit code of each error."""

from __future__ import annotations

import errno
import functools
import inspect
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from flows.cli.console import NOTHING_DONE, USAGE, Console, ingest_document, print_tracks
from flows.cli.options import Home, Json
from flows.cli.termination import STOPPED, interruption_code
from flows.config.library_environment import prepare_environment
from flows.ingest_report import RunInterrupted, RunStoppedError
from songform.errors import CorpusError, ParameterError, SettingsError, SongformError, SourceError
from tasks.progress import announce

if TYPE_CHECKING:
    from tasks.settings import Settings

__all__ = ["CommandContext", "typer_command"]

_FULL = (errno.ENOSPC, errno.EDQUOT)
_ENVIRONMENT_ERRORS = (*_FULL, errno.EROFS, errno.EACCES, errno.EPERM)  # only the user can fix them
_OTHER_HOME = "choose another home with --home"
_WHICH_HOME = "choose another home with --home, or add tracks with songform ingest SOURCE"
_CONTINUES = "then run the same command again to continue where it stopped"


class CommandContext:
    """Home and console of a command.

    Parameters
    ----------
    home : Path
        Absolute path of the home.
    console : Console
        Output of the command.
    """

    def __init__(self, home: Path, console: Console) -> None:
        self.home, self.console = home, console

    def settings(self, assignments: Sequence[str] | None = None) -> Settings:
        """Return the settings of the home, changed by the assignments of `--set`.

        Raises
        ------
        SettingsError
            If a setting is invalid.
        """
        from flows.config.load_settings import load_settings

        return load_settings(self.home, os.environ, assignments or [])

    def require_corpus(self) -> None:
        """Check that the home has a corpus.

        Read-only commands call this before they import Prefect, which would create a folder in the home.

        Raises
        ------
        CorpusError
            If the home has no folder `data/`.
        """
        from tasks.store.corpus import Corpus

        if not Corpus(self.home).data.is_dir():
            raise CorpusError(f"{self.home} has no corpus (no folder data/); {_WHICH_HOME}")

    @contextmanager
    def server(self, *modules: str, sources: Sequence[str] = ()) -> Iterator[None]:
        """Provide a Prefect server and show progress within a `with` block.

        The home and the sources are checked first, because starting the server takes seconds.

        Parameters
        ----------
        *modules : str
            Modules that the block imports. They are imported while the server starts.
        sources : sequence of str
            Sources of the command.

        Raises
        ------
        CorpusError
            If the home cannot be written.
        SourceError
            If none of the sources exists.
        """
        from flows.prefect_server.connect import prefect_server

        with self._prepared(sources):
            announce("server", 0, None)
            with prefect_server(self.home, *modules, report=lambda note: self.console.notes([note])):
                announce("server", 1, 1)
                yield

    @contextmanager
    def server_if_needed(self, sources: Sequence[str], settings: Settings, *modules: str) -> Iterator[bool]:
        """Provide a Prefect server unless the sources do not need one, and yield whether there is one; see `server`."""
        from flows.prefect_server.connect import needs_server

        if needs_server(self.home, sources, settings):
            with self.server(*modules, sources=sources):
                yield True
        else:
            with self._prepared(sources):
                yield False

    @contextmanager
    def _prepared(self, sources: Sequence[str]) -> Iterator[None]:
        """Check the home and the sources, and show progress within a `with` block."""
        from tasks.store.corpus import Corpus

        Corpus(self.home).prepare()
        _require_sources(sources)
        with self.console.progress():
            yield


def typer_command(function: Callable[..., int]) -> Callable[..., None]:
    """Return a function that typer can register as a command.

    Parameters
    ----------
    function : callable
        Implementation of the command. It takes a `CommandContext` and the command's options as keywords, and returns
        the exit code. The options `--home` and `--json` are added.
    """
    signature = inspect.signature(function, eval_str=True)
    common = inspect.signature(_common_options, eval_str=True)

    @functools.wraps(function)
    def command(ctx: typer.Context, *, home: Path | None, json: bool, **options: Any) -> None:
        given: dict[str, Any] = ctx.obj or {}
        console = Console(json=json or given.get("json", False))
        work = functools.partial(function, **{name: _as_text(value) for name, value in options.items()})
        raise typer.Exit(_exit_code_of(work, console, home or given.get("home") or Path(), out=options.get("out")))

    _, *options = signature.parameters.values()
    parameters = [*common.parameters.values(), *options]
    command.__dict__["__signature__"] = signature.replace(parameters=parameters, return_annotation=None)
    return command


def _common_options(ctx: typer.Context, *, home: Home = None, json: Json = False) -> None:
    """Declare the options of all commands."""


def _exit_code_of(
    work: Callable[[CommandContext], int], console: Console, home: Path, *, out: str | None = None
) -> int:
    """Run a command, print any error as one sentence, and return the exit code."""
    try:
        place = _absolute_home(home)
        prepare_environment(place)
        return work(CommandContext(place, console))
    except (SettingsError, ParameterError) as error:
        return console.fail(error, USAGE)
    except RunStoppedError as error:
        return _fail_stopped(console, error)
    except SongformError as error:
        return console.fail(error, NOTHING_DONE)
    except KeyboardInterrupt as interruption:
        fields = ingest_document(interruption.ingested) if isinstance(interruption, RunInterrupted) else {}
        return console.fail(STOPPED, interruption_code(interruption), **fields)
    except Exception as error:
        if isinstance(error, OSError) and (sentence := _system_sentence(error, out)):
            return console.fail(sentence, NOTHING_DONE)
        if console.json and not console.has_document:  # Python prints the traceback on standard error
            console.document({"error": f"unexpected {type(error).__name__}: {error}; please report it"})
        raise


def _absolute_home(home: Path) -> Path:
    """Return the absolute path of the home.

    Raises
    ------
    CorpusError
        If no folder can have this path.
    """
    try:
        place = Path(os.path.abspath(home.expanduser()))  # noqa: PTH100  resolves `..`, but not symbolic links
    except RuntimeError as error:
        msg = f"the home {home} contains an unknown user name after ~; check its spelling, or {_OTHER_HOME}"
        raise CorpusError(msg) from error
    except FileNotFoundError as error:
        raise CorpusError(f"the current folder was deleted; change to another folder, or {_OTHER_HOME}") from error
    try:
        str(place).encode()  # MLflow and Prefect store the path as text
        place.lstat()
    except UnicodeEncodeError as error:
        raise CorpusError(f"the path of the home {place} is not UTF-8 text; rename it, or {_OTHER_HOME}") from error
    except OSError as error:
        if error.errno in (errno.ENAMETOOLONG, errno.ELOOP):
            raise CorpusError(f"the home {place} cannot be used ({error.strerror}); {_OTHER_HOME}") from error
    return place


def _as_text(value: Any) -> Any:
    """Return the value of an option in which bytes that are not UTF-8 are replaced, because Prefect stores it as text.

    A path that is changed by this does not exist, and is reported like a misspelled one.
    """
    if isinstance(value, list):
        return [_as_text(part) for part in value]
    return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace") if isinstance(value, str) else value


def _fail_stopped(console: Console, error: RunStoppedError) -> int:
    """Print the outcome of each track, and then why the run stopped."""
    if not console.json:
        print_tracks(console, error.ingested.tracks)
    console.notes(error.ingested.notes)
    console.problems(error.ingested.problems)
    return console.fail(error, NOTHING_DONE, **ingest_document(error.ingested))


def _system_sentence(error: OSError, out: str | None) -> str | None:
    """Return a sentence about an error of the system that only the user can fix, or None for another error.

    Parameters
    ----------
    error : OSError
        The error.
    out : str, optional
        Folder that `--out` gives, if it was given.
    """
    from tasks.store.atomic_files import target_path

    if error.errno == errno.ENAMETOOLONG:
        return f"the name {error.filename} is too long for this system; use a shorter one"
    if error.errno not in _ENVIRONMENT_ERRORS:
        return None
    # The name may also be the number of an open file.
    path = target_path(Path(os.fsdecode(error.filename))) if isinstance(error.filename, str | bytes) else None
    where = "" if path is None else f" ({path})"
    is_in_out = out is not None and path is not None and path.is_relative_to(Path(out).absolute())
    other = "choose another folder with --out" if is_in_out else _OTHER_HOME
    advice = "free some disk space" if error.errno in _FULL else f"fix the permissions, or {other}"
    return f"the system reported: {error.strerror}{where}; {advice}, {_CONTINUES}"


def _require_sources(sources: Sequence[str]) -> None:
    """Check that at least one source may exist; otherwise, missing sources are problems in the report.

    Raises
    ------
    SourceError
        If every source is a path that does not exist.
    """
    from tasks.ingest.sources.listing import problems_message
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
        raise SourceError(problems_message("none of these sources exists", missing))
