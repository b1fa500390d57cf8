"""Deployments of a home and the runs that Prefect's database records for them.

A run *counts* if its work was done or is being done: it completed, failed or is running. A run that was interrupted or
canceled counts only if it was itself started to catch up. Otherwise a run that crashes the machine would be started
again after each restart.

The times that a clock recorded before it was set back lie in the future. Such runs are ignored.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterTags,
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterStartTime,
    FlowRunFilterState,
    FlowRunFilterStateType,
    FlowRunFilterTags,
)
from prefect.client.schemas.objects import StateType
from prefect.client.schemas.sorting import DeploymentSort, FlowRunSort

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import FlowRun
    from prefect.client.schemas.responses import DeploymentResponse

__all__ = ["AUTO", "CATCH_UP", "TAG", "home_deployments", "last_start", "superseding_run"]

TAG = "songform schedule"  # tag of songform's deployments on a server that may have others
CATCH_UP = "catch-up"  # tag of runs that are started because a scheduled run was missed
AUTO = "auto-scheduled"  # tag that Prefect gives to scheduled runs

_PAGE = 200  # maximum number of deployments that Prefect returns at once
_DONE = FlowRunFilter(
    state=FlowRunFilterState(
        type=FlowRunFilterStateType(any_=[StateType.COMPLETED, StateType.FAILED, StateType.RUNNING])
    )
)
_CAUGHT_UP = FlowRunFilter(tags=FlowRunFilterTags(any_=[CATCH_UP]))


def home_deployments(client: SyncPrefectClient, home: Path) -> Iterator[DeploymentResponse]:
    """Yield the deployments that `songform schedule` has created for a home."""
    tagged = DeploymentFilter(tags=DeploymentFilterTags(all_=[TAG]))
    offset = 0
    while page := client.read_deployments(
        deployment_filter=tagged, sort=DeploymentSort.NAME_ASC, limit=_PAGE, offset=offset
    ):
        yield from (one for one in page if (one.parameters or {}).get("home") == str(home))
        offset += len(page)


def last_start(client: SyncPrefectClient, deployment: UUID, now: datetime) -> datetime | None:
    """Return when a deployment's last run that completed, failed, is running or is a catch-up run started, or None.

    A run that starts a moment before its scheduled time counts as started at its scheduled time.
    """
    until = FlowRunFilterStartTime(before_=now, is_null_=False)
    runs = [run for such in (_DONE, _CAUGHT_UP) for run in _started(client, deployment, such, until, limit=1)]
    times = (time for run in runs for time in (run.start_time, run.expected_start_time))
    return max((time for time in times if time is not None and time <= now), default=None)


def superseding_run(client: SyncPrefectClient, late: FlowRun) -> FlowRun | None:
    """Return a run that counts, has the same parameters, and started between the due time and the start of a late run.

    Of two runs, only the later one can be superseded, even if both are running.
    """
    if late.deployment_id is None or late.expected_start_time is None or late.start_time is None:
        return None
    between = FlowRunFilterStartTime(after_=late.expected_start_time, before_=late.start_time, is_null_=False)
    runs = _started(client, late.deployment_id, _DONE, between, limit=10)
    return next((run for run in runs if run.id != late.id and run.parameters == late.parameters), None)


def _started(
    client: SyncPrefectClient, deployment: UUID, such: FlowRunFilter, when: FlowRunFilterStartTime, *, limit: int
) -> list[FlowRun]:
    """Return the latest runs of a deployment that started at certain times and pass a filter, the latest first."""
    of_this = FlowRunFilterDeploymentId(any_=[deployment])
    wanted = such.model_copy(update={"deployment_id": of_this, "start_time": when})
    return client.read_flow_runs(flow_run_filter=wanted, sort=FlowRunSort.START_TIME_DESC, limit=limit)
