"""The errors that a user can cause, and mend.

Every message is one sentence, or two short ones: what went wrong, the value, the likely cause, the mend.
Anything that is not a `SongformError` and reaches the user is a defect of songform.

The tree::

    SongformError
    ├── ParameterError      an argument that makes no sense (also a ValueError)
    ├── SettingsError       a songform.toml, an environment variable or a --set that cannot be used
    ├── SourceError         a SOURCE in which there is nothing to find
    ├── CorpusError         a home or a corpus that cannot serve the request
    ├── ModelError          a model that is missing or cannot be used here
    └── TrackError          one track fails, the others go on; carries its failure class
        └── AudioError      the track's audio is no audio, empty, or cut short
"""

from __future__ import annotations

from typing import Literal, get_args

__all__ = [
    "FAILURE_CLASSES",
    "AudioError",
    "CorpusError",
    "FailureClass",
    "ModelError",
    "ParameterError",
    "SettingsError",
    "SongformError",
    "SourceError",
    "TrackError",
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
    """A SOURCE names nothing that songform can read."""


class CorpusError(SongformError):
    """The home cannot be used, or the corpus is too small for what was asked."""


class ModelError(SongformError):
    """A model is missing, broken, or does not fit the features it is given."""


class TrackError(SongformError):
    """One track cannot be had; the tracks beside it are not concerned.

    Parameters
    ----------
    message : str
        What happened, with the value, the likely cause and the mend.
    failure : FailureClass
        What may be done about it: `transient` failures are worth another attempt, `permanent` ones are not.
    """

    def __init__(self, message: str, failure: FailureClass = "permanent") -> None:
        super().__init__(message)
        self.failure: FailureClass = failure

    def __reduce__(self) -> tuple[type[TrackError], tuple[str, FailureClass]]:
        # An exception with a second argument does not survive the way back from a worker process without this.
        return type(self), (str(self), self.failure)


class AudioError(TrackError):
    """A file or stream is no audio, holds no sound, or is shorter than announced."""
