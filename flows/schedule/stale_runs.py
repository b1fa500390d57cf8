"""Leftovers: what an earlier `songform schedule` of a home has left on the server, put in order before the next serves.

A playlist that is no longer listed has a deployment still. And a run that ended without a word, with the power cut or
killed, is Running for ever: it would hold the only place of its deployment, and every later run would be left out.
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

__all__ = ["TAG", "clear_leftovers"]

TAG = "songform schedule"  # what songform serves on a server that may serve others
_UNDER_WAY = FlowRunFilterState(
    type=FlowRunFilterStateType(any_=[StateType.PENDING, StateType.RUNNING, StateType.CANCELLING])
)


def clear_leftovers(home: Path, served: Collection[str]) -> None:
    """End the runs that nobody works on any more, and delete the deployments that are served no more.

    Parameters
    ----------
    home : Path
        Whose; the caller is the only one that keeps its schedule.
    served : collection of str
        The names of the deployments that will be served.
    """
    with get_client(sync_client=True) as client:
        tagged = DeploymentFilter(tags=DeploymentFilterTags(all_=[TAG]))
        found = [
            one
            for one in client.read_deployments(deployment_filter=tagged)
            if (one.parameters or {}).get("home") == str(home)
        ]
        _end_runs(client, [deployment.id for deployment in found])
        for deployment in found:
            if deployment.name not in served:
                client.delete_deployment(deployment.id)


def _end_runs(client: SyncPrefectClient, deployments: list[UUID]) -> None:
    """End what is under way of some deployments, and the sub-flows of that."""
    of_these = FlowRunFilter(deployment_id=FlowRunFilterDeploymentId(any_=deployments), state=_UNDER_WAY)
    runs = client.read_flow_runs(flow_run_filter=of_these) if deployments else []
    while runs:
        for run in runs:
            client.set_flow_run_state(run.id, Crashed(message="songform schedule was killed meanwhile"), force=True)
        parents = FlowRunFilterParentFlowRunId(any_=[run.id for run in runs])
        runs = client.read_flow_runs(flow_run_filter=FlowRunFilter(parent_flow_run_id=parents, state=_UNDER_WAY))
