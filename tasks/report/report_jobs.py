"""Job of writing the report of a song, and what is said if it fails.

Worker processes import this module, so it does not import Prefect, which is slow.
"""

from __future__ import annotations

import errno
import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from songform.errors import CorpusError, SongformError
from tasks.process_pool import WorkerLostError
from tasks.settings import Settings
from tasks.store.atomic_files import target_path
from tasks.store.bundles import ModelInfo
from tasks.store.corpus import Corpus
from tasks.store.tracks import TrackRecord

__all__ = ["ReportJob", "failed_report", "readable_record"]


@dataclass(frozen=True)
class ReportJob:
    """Report of one song.

    Parameters
    ----------
    home : Path
        Path of the home.
    key : str
        Key of a track whose features exist.
    settings : Settings
        All settings.
    model : ModelInfo
        A model whose bundle is in the corpus, or `OWN_MODEL`.
    folder : Path
        Folder for the files.
    """

    home: Path
    key: str
    settings: Settings
    model: ModelInfo
    folder: Path


def failed_report(job: ReportJob, error: Exception) -> dict[str, Any]:
    """Return a dict with the key of the track, and one sentence about the reason as `error`."""
    return {"track": {"key": job.key}, "error": _failure(job, error)}


def _failure(job: ReportJob, error: Exception) -> str:
    """Return why the report of a song could not be made, and how to fix it."""
    if isinstance(error, SongformError):
        return str(error)
    record = readable_record(Corpus(job.home), job.key)
    title = record.title if record else job.key
    reason = next(iter(str(error).splitlines()), "")  # messages of other libraries may have several lines
    if isinstance(error, OSError):
        has_path = isinstance(error.filename, str | bytes)  # it may also be the number of an open file
        path = target_path(Path(os.fsdecode(error.filename))) if has_path else None
        return (
            f"the report of {title} cannot be made, because {path or 'a file'} cannot be read or written "
            f"({error.strerror or reason}); {_file_advice(error.errno, path, job)}"
        )
    if isinstance(error, MemoryError):
        return f"the report of {title} needs more memory than there is; free some memory, then try again"
    if isinstance(error, WorkerLostError) and error.signal == signal.SIGKILL:
        return (
            f"the process that made the report of {title} was killed or ran out of memory; "
            "make fewer reports at the same time: --set run.workers=1"
        )
    if isinstance(error, WorkerLostError):
        return f"the process that made the report of {title} crashed ({reason}); please report it with the song"
    return f"songform failed on {title}: {type(error).__name__}: {reason}; please report it with the song"


def _file_advice(code: int | None, path: Path | None, job: ReportJob) -> str:
    """Return what to do about an error number of a file, whose path may be unknown."""
    if code in (errno.ENOSPC, errno.EDQUOT):
        return "free some disk space"
    if code not in (errno.EROFS, errno.EACCES, errno.EPERM):
        return "free some disk space or fix the permissions"
    is_in_out = path is not None and path.is_relative_to(job.folder) and not job.folder.is_relative_to(job.home)
    return f"fix the permissions, or choose another {'folder with --out' if is_in_out else 'home with --home'}"


def readable_record(corpus: Corpus, key: str) -> TrackRecord | None:
    """Return the record of a track, or None if it is missing or cannot be read."""
    try:
        return corpus.record(key)
    except CorpusError:
        return None
