"""Runs that were missed because the machine was off or `songform schedule` was not running.

If a schedule was due since the last run of its deployment, `songform schedule` starts one run, however many times were
missed. The time of the last run is read from Prefect's database. A deployment without runs counts from its creation,
so nothing is missed in a new database or for a new playlist.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID
from zoneinfo import ZoneInfo

from prefect.client.orchestration import get_client
from prefect.client.schemas.schedules import CronSchedule

from flows.schedule.run_history import CATCH_UP, last_start

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.responses import DeploymentResponse

__all__ = ["missed", "start_missed"]

# Prefect's database keeps runs for this time, so that for an earlier time it is unknown whether a run was missed.
_RETENTION = timedelta(days=90)


def missed(expression: str, timezone: str, last: datetime, now: datetime) -> datetime | None:
    """Return the first time after `last` and not after `now` at which a schedule was due, or None.

    Times are computed as in Debian's cron. A time that is skipped when clocks are set forward is due at the end of the
    gap. A time that occurs twice when clocks are set back is due at its first occurrence, unless the expression covers
    every hour.

    Parameters
    ----------
    expression : str
        Valid cron expression (`flows.config.cron.cron_problem`).
    timezone : str
        Name of the time zone of the expression.
    last : datetime
        Start of the last run. If it is later than `now`, because the clock was set back, nothing was missed.
    now : datetime
        Current time. Both times need a time zone.

    Returns
    -------
    datetime or None
        The first missed time, in the time zone of the expression.

    Examples
    --------
    >>> last = datetime(2026, 3, 28, 5, 0, 4, tzinfo=UTC)
    >>> str(missed("0 6 * * *", "Europe/Berlin", last, last + timedelta(days=2)))
    '2026-03-29 06:00:00+02:00'
    >>> missed("0 6 * * *", "Europe/Berlin", last, last + timedelta(hours=22))
    """
    from cronsim import CronSim

    for due in CronSim(expression, last.astimezone(ZoneInfo(timezone))):
        in_utc = due.astimezone(UTC)  # times of the same zone would be compared by their wall clocks
        if in_utc > now:
            return None
        if in_utc > last:  # the first occurrence of a time that occurs twice can precede `last`
            return due
    return None  # no time within 50 years


def start_missed(deployments: Mapping[UUID, str], now: datetime) -> Iterator[str]:
    """Create one run per deployment that has missed a run, and yield one line of text for each.

    Parameters
    ----------
    deployments : mapping of UUID to str
        What each deployment does.
    now : datetime
        Current time, with a time zone.
    """
    with get_client(sync_client=True) as client:
        for deployment_id, what in deployments.items():
            if due := _missed(client, client.read_deployment(deployment_id), now):
                client.create_flow_run_from_deployment(deployment_id, tags=[CATCH_UP])
                yield f"Missed on {due:%F at %H:%M} {due.tzinfo}, starts now: {what}"


def _missed(client: SyncPrefectClient, deployment: DeploymentResponse, now: datetime) -> datetime | None:
    last = last_start(client, deployment.id, now) or max(deployment.created or now, now - _RETENTION)
    plans = [plan.schedule for plan in deployment.schedules if isinstance(plan.schedule, CronSchedule)]
    times = [missed(plan.cron, plan.timezone or "UTC", last, now) for plan in plans]
    return next((time for time in times if time), None)
