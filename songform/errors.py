"""The errors that a user can cause, and mend.

Every message is one sentence, or two short ones: what went wrong, the value, the likely cause, the mend.
Anything that is not a `SongformError` and reaches the user is a defect of songform.

The tree::

    SongformError
    ├── ParameterError      an argument that makes no sense (also a ValueError)
    ├── SettingsError       a songform.toml, an environment variable or a --set that cannot be used
    ├── SourceError         a SOURCE in which there is nothing to find; knows its failure class if a site said why
    ├── CorpusError         a home or a corpus that cannot serve the request
    ├── ModelError          a model that is missing or cannot be used here
    ├── AnnotationError     a file of labels that cannot be read, or does not fit its track
    └── TrackError          one track fails, the others go on; carries its failure class
        └── AudioError      the track's audio is no audio, empty, or cut short
"""

from __future__ import annotations

from typing import Any, Literal, get_args

__all__ = [
    "FAILURE_CLASSES",
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
    "first_line",
]

FailureClass = Literal["transient", "throttled", "permanent", "needs-you", "later", "environment", "bug"]
FAILURE_CLASSES: tuple[FailureClass, ...] = get_args(FailureClass)


class SongformError(Exception):
    """The root of every error that a user can mend; its text is the whole message."""


class ParameterError(SongformError, ValueError):
    """An argument of a function in `songform` makes no sense."""


class SettingsError(SongformError):
    """A setting has an unknown name or an impossible value."""


class SourceError(SongformError):
    """A SOURCE names nothing that songform can read.

    Parameters
    ----------
    message : str
        The sentence for the user.
    failure : FailureClass, optional
        What may be done about it, where a site's answer tells; None for what the user gave.
    """

    def __init__(self, message: str, failure: FailureClass | None = None) -> None:
        super().__init__(message)
        self.failure: FailureClass | None = failure


class CorpusError(SongformError):
    """The home cannot be used, or the corpus is too small for what was asked."""


class ModelError(SongformError):
    """A model is missing, broken, or does not fit the features it is given."""


class AnnotationError(SongformError):
    """A file of labels is broken, or its labels are not those of the track they are put beside."""


class TrackError(SongformError):
    """One track cannot be had; the tracks beside it are not concerned.

    Parameters
    ----------
    message : str
        What happened, with the value, the likely cause and the mend.
    failure : FailureClass
        What may be done about it: `transient` failures are worth another attempt, `permanent` ones are not.
    retry_after : float, optional
        Seconds for which the site wants to be left alone, or after which the reason is gone.
    robot : bool
        Whether the site takes songform for a robot: it is then left alone for long.
    repeated : FailureClass, optional
        What the same failure is when the track meets it again. A refusal may be an address that expired: once.
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
        # What comes back from a worker process is this much, whatever else was tied to the error on its way.
        known = ("retry_after", "robot", "repeated", "measured")
        return type(self), (str(self), self.failure), {name: vars(self)[name] for name in known if name in vars(self)}


class AudioError(TrackError):
    """A file or stream is no audio, holds no sound, or is shorter than announced.

    Parameters
    ----------
    message, failure
        As for every `TrackError`.
    measured : float, optional
        Seconds of sound that there are, where more were announced. A file that comes as short on a later ingest is
        not cut short: it is that long, and its announcement wrong.
    """

    def __init__(self, message: str, failure: FailureClass = "permanent", *, measured: float | None = None) -> None:
        super().__init__(message, failure, repeated=None if measured is None else "permanent")
        self.measured = measured


def first_line(error: Exception) -> str:
    """Return the first line of an error's message; the name of its class where the message is empty."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
