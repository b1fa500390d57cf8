"""Cleanup of the runs and deployments that an earlier `songform schedule` of a home left on the server.

A playlist that is no longer listed still has a deployment. A run that was killed, or ended by a power failure, stays in
the state Running. It would occupy the only concurrency slot of its deployment, and all later runs would be canceled.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterTags,
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterParentFlowRunId,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import StateType
from prefect.states import Crashed

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

__all__ = ["TAG", "clean_up_stale"]

TAG = "songform schedule"  # tag of songform's deployments on a server that may have others
_UNFINISHED = FlowRunFilterState(
    type=FlowRunFilterStateType(any_=[StateType.PENDING, StateType.RUNNING, StateType.CANCELLING])
)


def clean_up_stale(home: Path, served: Collection[str]) -> None:
    """Mark unfinished runs of a home as crashed, and delete deployments that are no longer served.

    Parameters
    ----------
    home : Path
        Home of the deployments. No other scheduler may be running for it.
    served : collection of str
        Names of the deployments that will be served.
    """
    with get_client(sync_client=True) as client:
        tagged = DeploymentFilter(tags=DeploymentFilterTags(all_=[TAG]))
        found = [
            one
            for one in client.read_deployments(deployment_filter=tagged)
            if (one.parameters or {}).get("home") == str(home)
        ]
        _crash_runs(client, [deployment.id for deployment in found])
        for deployment in found:
            if deployment.name not in served:
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
