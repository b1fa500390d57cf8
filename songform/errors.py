"""Errors with a cause that the user can fix.

Every message is one sentence, or two short ones, and says what is wrong, the value, the likely cause and the fix. Any
other exception that reaches the user is a defect of songform.

The class hierarchy::

    SongformError
    ├── ParameterError      an invalid argument (also a ValueError)
    ├── SettingsError       an invalid setting in songform.toml, an environment variable or --set
    ├── SourceError         a SOURCE that cannot be listed; has a failure class if a site reported the reason
    ├── CorpusError         a home or a corpus that cannot be used for the command
    │   └── UnreadableFileError   one file of a home that cannot be read; other files are not affected
    ├── ModelError          a model that is missing or cannot be used with the given features
    ├── AnnotationError     a label file that cannot be read or does not match its track
    └── TrackError          a failure of one track, with its failure class; other tracks are not affected
        └── AudioError      audio that cannot be read, is empty, damaged or cut short
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, get_args

__all__ = [
    "FAILURE_CLASSES",
    "FFMPEG_NOT_GIVEN",
    "AnnotationError",
    "AudioError",
    "CorpusError",
    "FailureClass",
    "ModelError",
    "ParameterError",
    "SettingsError",
    "SongformError",
    "SourceError",
    "TrackError",
    "UnreadableFileError",
    "first_line",
]

FailureClass = Literal["transient", "throttled", "permanent", "needs-you", "later", "environment", "bug"]
FAILURE_CLASSES: tuple[FailureClass, ...] = get_args(FailureClass)
# Why ffmpeg is missing, as a part of a message; whoever searched for it in vain replaces this part.
FFMPEG_NOT_GIVEN = "its path was not given; pass it as ffmpeg=, for example ffmpeg=imageio_ffmpeg.get_ffmpeg_exe()"


class SongformError(Exception):
    """Base class of errors that the user can fix; the message is complete without a traceback."""


class ParameterError(SongformError, ValueError):
    """An argument of a function in `songform` is invalid."""


class SettingsError(SongformError):
    """A setting has an unknown name or an invalid value."""


class SourceError(SongformError):
    """A SOURCE cannot be read or contains nothing that songform can read.

    Parameters
    ----------
    message : str
        Message for the user.
    failure : FailureClass, optional
        Failure class, if the answer of a site determines it; None if the cause is the SOURCE as it was given.
    """

    def __init__(self, message: str, failure: FailureClass | None = None) -> None:
        super().__init__(message)
        self.failure: FailureClass | None = failure


class CorpusError(SongformError):
    """The home cannot be used, or the corpus is too small for the command."""


class UnreadableFileError(CorpusError):
    """A file of a home cannot be read; other files are not affected.

    Parameters
    ----------
    message : str
        Path of the file, what is wrong, and the fix.
    path : Path
        Path of the file.
    is_damaged : bool
        Whether the content of the file is the cause, and not, for example, its permissions.
    """

    def __init__(self, message: str, path: Path = Path(), *, is_damaged: bool = True) -> None:
        super().__init__(message)
        self.path, self.is_damaged = path, is_damaged


class ModelError(SongformError):
    """A model is missing, damaged, or does not match the given features."""


class AnnotationError(SongformError):
    """A label file is damaged, or its labels do not match the track."""


class TrackError(SongformError):
    """One track could not be ingested; other tracks are not affected.

    Parameters
    ----------
    message : str
        What is wrong, the value, the likely cause and the fix.
    failure : FailureClass
        Failure class, which determines the retries: `transient` failures are retried, `permanent` ones are not.
    retry_after : float, optional
        Number of seconds after which the track can be retried, if the site asked for a pause or the time is known.
    robot : bool
        Whether the site suspects an automated client. songform then pauses requests to the site for a long time.
    repeated : FailureClass, optional
        Failure class if the same failure occurs again. For example, a refused request is retried once, because its
        address may have expired.
    """

    def __init__(
        self,
        message: str,
        failure: FailureClass = "permanent",
        *,
        retry_after: float | None = None,
        robot: bool = False,
        repeated: FailureClass | None = None,
    ) -> None:
        super().__init__(message)
        self.failure: FailureClass = failure
        self.retry_after, self.robot, self.repeated = retry_after, robot, repeated

    def __reduce__(self) -> tuple[type[TrackError], tuple[str, FailureClass], dict[str, Any]]:
        # Only these attributes are sent from a worker process; others that were added later may not be picklable.
        known = ("retry_after", "robot", "repeated", "measured")
        return type(self), (str(self), self.failure), {name: vars(self)[name] for name in known if name in vars(self)}


class AudioError(TrackError):
    """A file or stream is not audio, is empty or damaged, or is shorter than its header or source states.

    Parameters
    ----------
    message, failure
        As in `TrackError`.
    measured : float, optional
        Measured duration in seconds, if a longer one was expected. If a later ingest measures the same duration, the
        file is complete and the expected duration is wrong.
    """

    def __init__(self, message: str, failure: FailureClass = "permanent", *, measured: float | None = None) -> None:
        super().__init__(message, failure, repeated=None if measured is None else "permanent")
        self.measured = measured


def first_line(error: Exception) -> str:
    """Return the first line of the message of an error, or the name of its class if the message is empty."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
