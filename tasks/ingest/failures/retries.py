"""When a track that failed is asked for again.

============  ==================================================  ==========================
class         next attempt                                        after that
============  ==================================================  ==========================
transient     `download.retry_seconds`, doubled with each one     the same, a day at most
throttled     when the host's pause is over                       the same
later         when it is published if that is known, else 6 h     asked daily
environment   at once: the next ingest                            the same
bug           in a day                                            the same
permanent     none                                                `--retry-failed`
needs-you     none                                                `--retry-failed`
============  ==================================================  ==========================

No wait is longer than a day, so a time further away than that was written by a clock that was set back since. Within
one ingest, Prefect retries a task as `retry_options` and `should_retry` say.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from songform.errors import FailureClass, SourceError, TrackError
from tasks.settings import DownloadSettings
from tasks.store.tracks import TrackRecord

if TYPE_CHECKING:
    from prefect import State

__all__ = [
    "MANUAL_RETRY",
    "HostPausedError",
    "is_due",
    "needs_manual_retry",
    "retry_options",
    "seconds_until_retry",
    "should_retry",
]

MANUAL_RETRY: tuple[FailureClass, ...] = ("permanent", "needs-you")
_DAY = 86_400.0
_LATER_SECONDS = 6 * 3600.0
_CLOCKS_AGREE = timedelta(seconds=_DAY, hours=1)


def retry_options(settings: DownloadSettings) -> dict[str, Any]:
    """Return the options of a Prefect task that is tried several times in one ingest: pauses that double, with jitter.

    Parameters
    ----------
    settings : DownloadSettings
        The number of attempts and the first pause.
    """
    retries = settings.attempts - 1
    pauses = [settings.retry_seconds * 2.0**attempt for attempt in range(retries)]
    return {"retries": retries, "retry_delay_seconds": pauses, "retry_jitter_factor": 0.5}


class HostPausedError(Exception):
    """A host wants to be left alone for longer than this ingest waits.

    Parameters
    ----------
    host : str
        Which.
    until : float
        The pause's end, in s since 1970.
    reason : str
        Why, in a few words.
    """

    def __init__(self, host: str, until: float, reason: str) -> None:
        end = datetime.fromtimestamp(until, UTC)
        super().__init__(f"{host} is left alone until {end:%Y-%m-%d %H:%M} UTC ({reason})")
        self.host, self.until, self.reason = host, until, reason


def should_retry(_task: object, _run: object, state: State[Any]) -> bool:
    """Tell Prefect whether to run a task that failed once more in this ingest.

    Parameters
    ----------
    state : State
        Of the failed run; its result is the error.
    """
    from prefect.runtime import task_run

    error = state.result(raise_on_failure=False)
    if isinstance(error, SourceError):
        return error.failure in ("transient", "throttled") and not isinstance(error.__cause__, HostPausedError)
    if not isinstance(error, TrackError) or error.failure not in ("transient", "throttled"):
        return False
    patience: float = task_run.parameters["settings"].download.patience_seconds
    return (error.retry_after or 0.0) <= patience


def seconds_until_retry(
    failure: FailureClass, error: TrackError, *, attempts: int, settings: DownloadSettings
) -> float | None:
    """Return the seconds until the next attempt, or None if there is none.

    Parameters
    ----------
    failure : FailureClass
        What is known by now; the error's own class may have been another.
    error : TrackError
        May know how long its reason lasts.
    attempts : int
        Downloads tried since the last success.
    settings : DownloadSettings
        The pauses.
    """
    if failure in MANUAL_RETRY:
        return None
    asked = error.retry_after
    pause = settings.circuit_seconds if error.robot else settings.throttle_seconds
    waits = {
        "transient": max(settings.retry_seconds * 2.0 ** min(attempts, 32), asked or 0.0),
        "throttled": pause if asked is None else asked,
        "later": _LATER_SECONDS if asked is None else asked,
        "environment": 0.0,
        "bug": _DAY,
    }
    return min(waits[failure], _DAY)


def needs_manual_retry(record: TrackRecord) -> bool:
    """Return whether a track failed in a way that no repetition changes: it waits for a person."""
    return record.error is not None and record.error.failure in MANUAL_RETRY


def is_due(record: TrackRecord, now: datetime) -> bool:
    """Return whether a track that failed or was skipped is to be asked for by the next ingest.

    Parameters
    ----------
    record : TrackRecord
        Of the track.
    now : datetime
        The time, with its zone.
    """
    if needs_manual_retry(record):
        return False
    at = _read(record.next_retry_at)
    return at is None or at <= now or at > now + _CLOCKS_AGREE


def _read(time: str | None) -> datetime | None:
    """Read a time of a record; one that nobody can read is none."""
    try:
        read = datetime.fromisoformat(time or "")
    except ValueError:
        return None
    return read if read.tzinfo else read.replace(tzinfo=UTC)
