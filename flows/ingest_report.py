"""Report of an ingest, and the errors that contain it.

This module does not import Prefect, so that the command line can import it before the address of the Prefect server is
known.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from songform.errors import ParameterError, SettingsError, SongformError

__all__ = [
    "IngestReport",
    "NothingDoneError",
    "RunInterrupted",
    "RunStoppedError",
    "attach_ingest_report",
    "upgrade_notes",
]


class IngestReport:
    """Outcomes of the tracks of some sources.

    This is not a dataclass, because Prefect searches dataclasses, lists and dicts that a flow returns for futures. With
    5,000 tracks, this search took longer than the rest of an ingest without new tracks.

    Parameters
    ----------
    tracks : sequence of dict
        One summary per track, in the order of the sources.
    problems : sequence of str
        One sentence per source, or part of a source, that could not be listed.
    notes : sequence of str
        One sentence per unusual observation that is not a failure.
    without_spectrum : sequence of str
        Keys of the finished tracks that have no semitone spectrum.
    is_due : bool
        Whether there was anything to do: sources were given, or a retry or an upgrade was due.
    """

    def __init__(
        self,
        tracks: Sequence[dict[str, Any]] = (),
        problems: Sequence[str] = (),
        notes: Sequence[str] = (),
        without_spectrum: Sequence[str] = (),
        *,
        is_due: bool = True,
    ) -> None:
        self.tracks, self.problems, self.notes = list(tracks), list(problems), list(notes)
        self.without_spectrum, self.is_due = list(without_spectrum), is_due

    @property
    def done(self) -> list[dict[str, Any]]:
        """Tracks that have features."""
        return [track for track in self.tracks if track["status"] in ("done", "cached")]


def upgrade_notes(without_spectrum: Sequence[str]) -> list[str]:
    """Return one sentence about the tracks without a semitone spectrum, or nothing if there are none."""
    if not without_spectrum:
        return []
    count = len(without_spectrum)
    tracks, it = ("1 track has", "it") if count == 1 else (f"{count} tracks have", "them")
    reason = f"because an earlier version of songform ingested {it}"
    fix = "songform ingest --upgrade computes it, and downloads audio again that was not kept"
    return [f"{tracks} no semitone spectrum, and therefore no beats and sections, {reason}; {fix}"]


class NothingDoneError(SongformError):
    """Error of an ingest in which no track succeeded.

    Attributes
    ----------
    report : IngestReport
        Outcome of each track.
    """

    def __init__(self, message: str, report: IngestReport) -> None:
        super().__init__(message, report)
        self.message, self.report = message, report

    def __str__(self) -> str:
        return self.message


class RunStoppedError(SongformError):
    """Error of a run that cannot continue after its ingest.

    Attributes
    ----------
    ingested : IngestReport
        Outcome of each track. Failed tracks and their reasons may explain the error.
    """

    def __init__(self, message: str, ingested: IngestReport) -> None:
        super().__init__(message, ingested)
        self.message, self.ingested = message, ingested

    def __str__(self) -> str:
        return self.message


class RunInterrupted(KeyboardInterrupt):
    """Interruption of a run after its ingest.

    Attributes
    ----------
    ingested : IngestReport
        Outcome of each track.
    """

    def __init__(self, ingested: IngestReport) -> None:
        super().__init__(ingested)
        self.ingested = ingested


@contextmanager
def attach_ingest_report(ingested: IngestReport) -> Iterator[None]:
    """Attach the report of an ingest to errors in a `with` block, so that its tracks are reported as well.

    Raises
    ------
    RunStoppedError
        If the block raises a `SongformError`. Usage errors are not changed.
    RunInterrupted
        If the block is interrupted.
    """
    try:
        yield
    except (ParameterError, SettingsError):
        raise
    except SongformError as error:
        raise RunStoppedError(str(error), ingested) from error
    except KeyboardInterrupt as interruption:
        raise RunInterrupted(ingested) from interruption
