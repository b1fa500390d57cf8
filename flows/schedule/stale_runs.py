"""Cleanup of the runs and deployments that an earlier `songform schedule` of a home left on the server.

A playlist that is no longer listed still has a deployment. A run that was killed, or ended by a power failure, stays in
the state Running. It would occupy the only concurrency slot of its deployment, and all later runs would be canceled.
Runs that were scheduled before a kill would all start late; `flows.schedule.missed_runs` replaces them with one run. A
deployment that was created before the clock was set back is created again, because its creation lies in the future.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterParentFlowRunId,
    FlowRunFilterState,
    FlowRunFilterStateType,
    FlowRunFilterTags,
)
from prefect.client.schemas.objects import StateType
from prefect.exceptions import ObjectNotFound
from prefect.states import Crashed

from flows.schedule.run_history import AUTO, CATCH_UP, home_deployments

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

__all__ = ["clean_up_stale"]

_UNFINISHED = FlowRunFilterState(
    type=FlowRunFilterStateType(any_=[StateType.PENDING, StateType.RUNNING, StateType.CANCELLING])
)
_UNSTARTED = FlowRunFilter(
    state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.SCHEDULED])),
    tags=FlowRunFilterTags(any_=[AUTO, CATCH_UP]),  # other scheduled runs were created by the user
)


def clean_up_stale(home: Path, served: Collection[str]) -> None:
    """Mark unfinished runs of a home as crashed, and delete unstarted runs and deployments that are no longer served.

    Parameters
    ----------
    home : Path
        Home of the deployments. No other scheduler may be running for it.
    served : collection of str
        Names of the deployments that will be served.
    """
    now = datetime.now(UTC)
    with get_client(sync_client=True) as client:
        found = list(home_deployments(client, home))
        for deployment in found:
            _crash_runs(client, [deployment.id])
            _delete_unstarted(client, deployment.id)
            if deployment.name not in served or (deployment.created and deployment.created > now):
                client.delete_deployment(deployment.id)


def _crash_runs(client: SyncPrefectClient, deployments: list[UUID]) -> None:
    """Mark the unfinished runs of the given deployments and their sub-flows as crashed."""
    of_these = FlowRunFilter(deployment_id=FlowRunFilterDeploymentId(any_=deployments), state=_UNFINISHED)
    runs = client.read_flow_runs(flow_run_filter=of_these) if deployments else []
    while runs:
        for run in runs:
            client.set_flow_run_state(
                run.id, Crashed(message="songform schedule was killed during this run"), force=True
            )
        parents = FlowRunFilterParentFlowRunId(any_=[run.id for run in runs])
        runs = client.read_flow_runs(flow_run_filter=FlowRunFilter(parent_flow_run_id=parents, state=_UNFINISHED))


def _delete_unstarted(client: SyncPrefectClient, deployment: UUID) -> None:
    """Delete the scheduled runs of a deployment that have not started. Serving the deployment schedules new ones."""
    of_this = FlowRunFilterDeploymentId(any_=[deployment])
    wanted = _UNSTARTED.model_copy(update={"deployment_id": of_this})
    while runs := client.read_flow_runs(flow_run_filter=wanted):
        for run in runs:
            with suppress(ObjectNotFound):  # the user may delete it in Prefect's UI at the same time
                client.delete_flow_run(run.id)
