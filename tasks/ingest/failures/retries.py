"""Retry times of failed tracks.

============  =======================================================================
class         next attempt
============  =======================================================================
transient     after `download.retry_seconds`, doubled with every attempt
throttled     after the pause of the host
later         when the track is published if that is known, otherwise after 6 h
environment   in the next ingest
bug           after a day
permanent     only with `--retry-failed`
needs-you     only with `--retry-failed`
============  =======================================================================

No wait is longer than a day. If a recorded retry time is further away, the system clock was set back since, and the
track is due. Within one ingest, `retry_options` and `should_retry` determine how Prefect retries a task.
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
    """Return the retry options of a Prefect task: number of retries, and doubling delays with jitter.

    Parameters
    ----------
    settings : DownloadSettings
        Settings with the number of attempts and the first delay.
    """

    def delays(retries: int) -> list[float]:  # as `prefect.tasks.exponential_backoff`, without importing Prefect
        return [settings.retry_seconds * 2**number for number in range(retries)]

    return {
        "retries": settings.attempts - 1,
        "retry_delay_seconds": delays,
        "retry_jitter_factor": 0.5,
    }


class HostPausedError(Exception):
    """A host is paused for longer than this ingest waits.

    Parameters
    ----------
    host : str
        Name of the host.
    until : float
        End of the pause, in seconds since 1970.
    reason : str
        Reason for the pause, in a few words.
    """

    def __init__(self, host: str, until: float, reason: str) -> None:
        end = datetime.fromtimestamp(until, UTC)
        super().__init__(f"requests to {host} are paused until {end:%Y-%m-%d %H:%M} UTC ({reason})")
        self.host, self.until, self.reason = host, until, reason


def should_retry(_task: object, _run: object, state: State[Any]) -> bool:
    """Return whether Prefect should retry a failed task within this ingest.

    Parameters
    ----------
    state : State
        State of the failed task run; its result is the error.
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
    """Return the number of seconds until the next attempt, or None if the track is not retried automatically.

    Parameters
    ----------
    failure : FailureClass
        Class of the failure. It differs from `error.failure` if the failure was repeated.
    error : TrackError
        The error. Its `retry_after` is used if it is set.
    attempts : int
        Number of download attempts since the last success.
    settings : DownloadSettings
        Settings with the retry delays.
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
    """Return whether a failed track is retried only with `--retry-failed`."""
    return record.error is not None and record.error.failure in MANUAL_RETRY


def is_due(record: TrackRecord, now: datetime) -> bool:
    """Return whether the next ingest should retry a failed or skipped track.

    Parameters
    ----------
    record : TrackRecord
        Record of the track.
    now : datetime
        Current time, with its time zone.
    """
    if needs_manual_retry(record):
        return False
    at = _read(record.next_retry_at)
    return at is None or at <= now or at > now + _CLOCKS_AGREE


def _read(time: str | None) -> datetime | None:
    """Parse a time of a record; return None if it is not a valid time."""
    try:
        read = datetime.fromisoformat(time or "")
    except ValueError:
        return None
    return read if read.tzinfo else read.replace(tzinfo=UTC)
