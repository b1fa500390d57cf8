"""Stopping: a run that ends after its ingest, and what is to be told of the tracks even so.

It imports no Prefect, so that the command line may know it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from songform.errors import ParameterError, SettingsError, SongformError

if TYPE_CHECKING:
    from flows.ingest import IngestReport

__all__ = ["RunStoppedError", "telling"]


class RunStoppedError(SongformError):
    """A run that cannot go on after its ingest.

    Attributes
    ----------
    ingested : IngestReport
        What became of the tracks until then: which failed, and why, may be the whole reason.
    """

    def __init__(self, message: str, ingested: IngestReport) -> None:
        super().__init__(message, ingested)
        self.message, self.ingested = message, ingested

    def __str__(self) -> str:
        return self.message


@contextmanager
def telling(ingested: IngestReport) -> Iterator[None]:
    """Let no error of a block hide what became of the tracks before it.

    Raises
    ------
    RunStoppedError
        For every error that a user can mend, but wrong usage.
    """
    try:
        yield
    except (ParameterError, SettingsError):
        raise
    except SongformError as error:
        raise RunStoppedError(str(error), ingested) from error
