"""Scheduled flows, which keep a home up to date.

Each flow reads the settings in `songform.toml` when it runs:

===================  ==========================================  ==================================
flow                 what it does                                when
===================  ==========================================  ==================================
ingest-playlists     ingests the new tracks of a playlist        `every` of the playlist
retry-due            retries failed tracks that are due          `schedule.retry`
train-anew           trains on the whole corpus                  `schedule.train`
===================  ==========================================  ==================================

`songform schedule` serves the flows as deployments (`flows.schedule.scheduler`). `prefect.yaml` declares deployments of
the same flows for Prefect work pools.

After the machine was suspended, or after a worker of a work pool was off, Prefect starts late all runs that it had
scheduled. Only the first of them does the work. The others find that a run has started after their scheduled time, and
end as Cancelled.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Cancelled, Completed, Failed

from flows.config.library_environment import prepare_environment
from flows.config.load_settings import load_settings
from flows.ingest import WITH_FAILURES, ingest
from flows.prefect_server.child_processes import exit_with_parent
from flows.schedule.run_history import AUTO, TAG, superseding_run
from songform.errors import SettingsError
from tasks.settings import Settings

if TYPE_CHECKING:
    from prefect.deployments.runner import RunnerDeployment

__all__ = ["combined_state", "deployments", "ingest_playlists", "retry_due", "schedule_lines", "subject", "train_anew"]

_SUBJECTS = {"retry-due": "retry of failed tracks", "train-anew": "training"}


def _run_name() -> str:
    urls = flow_run.parameters.get("urls")
    return f"ingest {', '.join(urls)}" if urls else "ingest all playlists"


@flow(name="ingest-playlists", flow_run_name=_run_name)
def ingest_playlists(home: Path = Path(), urls: list[str] | None = None) -> State[Any]:
    """Ingest the new tracks of the playlists of `songform.toml`.

    Parameters
    ----------
    home : Path
        Home of the corpus. By default the working folder of the run.
    urls : list of str, optional
        Playlists to ingest, by their `url` in the file. By default all.

    Returns
    -------
    State
        State of the ingest. For several playlists, Failed only if all ingests failed.

    Raises
    ------
    SettingsError
        If the file lists none of the playlists.
    """
    exit_with_parent()
    if superseded := _superseded():
        return superseded
    settings = _settings(home)
    wanted = [playlist for playlist in settings.playlists if urls is None or playlist.url in urls]
    if not wanted:
        file = home.absolute() / "songform.toml"
        raise SettingsError(
            f"{file} has no [[playlists]] entry{f' with the url {urls[0]}' if urls else ''}; add one to the file"
        )
    states = [
        ingest(home.absolute(), [playlist.url], settings, playlist.limit, return_state=True) for playlist in wanted
    ]
    return _copied(states[0]) if len(states) == 1 else combined_state(states)


@flow(name="retry-due", flow_run_name="retry what is due")
def retry_due(home: Path = Path()) -> State[Any]:
    """Retry the failed tracks whose next retry is due."""
    exit_with_parent()
    if superseded := _superseded():
        return superseded
    return _copied(ingest(home.absolute(), [], _settings(home), return_state=True))


@flow(name="train-anew", flow_run_name="train anew")
def train_anew(home: Path = Path(), experiment: str = "songform") -> State[Any]:
    """Train on the whole corpus, unless a run with the same settings and tracks has finished."""
    exit_with_parent()
    if superseded := _superseded():
        return superseded
    from flows.train import train

    return _copied(train(home.absolute(), _settings(home), experiment, return_state=True))


def deployments(home: Path, settings: Settings) -> list[RunnerDeployment]:
    """Return the deployments of a home: one per playlist, one for retries and one for training.

    Each has a schedule and runs only once at a time.
    """
    zone = settings.schedule.timezone
    plans: list[tuple[Any, str, str, str, dict[str, Any]]] = [
        (ingest_playlists, playlist.url, playlist.every, playlist.timezone or zone, {"urls": [playlist.url]})
        for playlist in settings.playlists
    ]
    plans.append((retry_due, "retry-due", settings.schedule.retry, zone, {}))
    plans.append((train_anew, "train-anew", settings.schedule.train, zone, {}))
    return [
        _deployment(work, _name(home, what), cron, timezone, {"home": str(home), **parameters})
        for work, what, cron, timezone, parameters in plans
        if cron
    ]


def schedule_lines(settings: Settings) -> Iterator[str]:
    """Yield one line of text per schedule: when it runs, and what it does."""
    zone = settings.schedule.timezone
    for playlist in settings.playlists:
        yield f"{playlist.every:<14} {playlist.timezone or zone}  {playlist.url}"
    for cron, what in ((settings.schedule.retry, "retry-due"), (settings.schedule.train, "train-anew")):
        if cron:
            yield f"{cron:<14} {zone}  {_SUBJECTS[what]}"


def combined_state(states: list[State[Any]]) -> State[Any]:
    """Return the combined state of several ingests: Failed only if all of them failed."""
    failed = sum(not state.is_completed() for state in states)
    message = f"{len(states)} playlists, {failed} failed"
    if failed == len(states):
        return Failed(message=message)
    is_whole = all(state.name == "Completed" for state in states)
    return Completed(name="Completed" if is_whole else WITH_FAILURES, message=message)


def subject(deployment: RunnerDeployment) -> str:
    """Return what a deployment does, as in `schedule_lines`."""
    urls: list[str] = deployment.parameters.get("urls", [])
    return ", ".join(urls) or _SUBJECTS[str(deployment.flow_name)]


def _superseded() -> State[Any] | None:
    """Return the final state of the current run if another run has done its work since it was due, or None."""
    if AUTO not in flow_run.tags:
        return None
    with get_client(sync_client=True) as client:
        other = superseding_run(client, client.read_flow_run(flow_run.id))
    if other is None:
        return None
    return Cancelled(
        message=f"not needed: the run {other.name!r} started after this run was due, and does the same work"
    )


def _copied(state: State[Any]) -> State[Any]:
    """Return a copy of a sub-flow's state for the flow; otherwise Prefect would not keep the name of the state."""
    return State(type=state.type, name=state.name, message=state.message, data=state.data)


def _settings(home: Path) -> Settings:
    prepare_environment(home.absolute())  # needed if a Prefect worker started this process
    return load_settings(home.absolute(), os.environ)


def _deployment(work: Any, name: str, cron: str, timezone: str, parameters: dict[str, Any]) -> RunnerDeployment:
    from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
    from prefect.schedules import Cron
    from prefect.types.entrypoint import EntrypointType

    # A run that would overlap with the previous run is canceled, because the previous run does the same work.
    alone = ConcurrencyLimitConfig(limit=1, collision_strategy=ConcurrencyLimitStrategy.CANCEL_NEW)
    deployment: RunnerDeployment = work.to_deployment(
        name,
        schedules=[Cron(cron, timezone=timezone, slug=name)],
        parameters=parameters,
        concurrency_limit=alone,
        tags=[TAG],
        entrypoint_type=EntrypointType.MODULE_PATH,  # a file path would load a second copy of the module
    )
    return deployment


def _name(home: Path, what: str) -> str:
    """Return the name of a deployment: readable, and unique among the homes that share a server."""
    try:
        place = urlsplit(what)
        readable = f"{place.hostname or ''} {place.path}"
    except ValueError:  # an invalid address, for example with an unclosed bracket
        readable = ""
    words = re.sub(r"[^a-z0-9]+", "-", readable.lower())[:40].strip("-")
    return f"{words or 'playlist'}-{hashlib.sha256(f'{home} {what}'.encode()).hexdigest()[:6]}"
