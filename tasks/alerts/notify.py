"""Alarms: one notification per condition, sent through `notify.command`, `notify.webhook` or both.

`data/alarms.json` lists the conditions that hold, with their start and the channels through which a notification was
sent. A condition that no longer holds is removed from the file, so that a new notification is sent when it holds again.
A notification that could not be delivered is sent again by the next ingest. A lock keeps two processes from sending the
same notification.

Failures here are logged as warnings and never stop an ingest.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock

from songform.plain_text import plain_text
from tasks.alerts.conditions import Condition
from tasks.alerts.delivery import DeliveryError, Event, channels
from tasks.recorded_task import run_logger
from tasks.settings import NotifySettings
from tasks.store.atomic_files import write_json
from tasks.store.corpus import Corpus

__all__ = ["raise_alarms"]

_Senders = dict[str, Callable[[Event], None]]

_LOCK_SECONDS = 300.0  # maximum time to wait for another process that sends its notifications


@dataclass(frozen=True)
class _AlarmState:
    """A condition that holds: its start (UTC, ISO 8601), and the channels through which a notification was sent."""

    since: str
    told: tuple[str, ...] = ()

    @property
    def began(self) -> datetime:
        return datetime.fromisoformat(self.since)


def raise_alarms(
    corpus: Corpus, notify: NotifySettings, conditions: Sequence[Condition], now: datetime | None = None
) -> list[str]:
    """Send a notification for each condition that has held for long enough, unless one was sent before.

    Parameters
    ----------
    corpus : Corpus
        Corpus that the conditions belong to.
    notify : NotifySettings
        Channels to send notifications through.
    conditions : sequence of Condition
        Conditions that were checked, whether they hold or not. The state of other conditions does not change.
    now : datetime, optional
        Current time, with its time zone. By default the time of the call.

    Returns
    -------
    list of str
        One sentence per problem, such as an event that could not be delivered. They are also logged as warnings.
    """
    path, problems = _path(corpus), []
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock"), timeout=_LOCK_SECONDS):
            problems += _deliver_all(corpus, conditions, channels(notify), now or datetime.now(UTC))
    except OSError as error:  # includes the timeout of the lock
        problems.append(_save_problem(path, error))
    for problem in problems:
        run_logger("songform.alarms").warning(problem)
    return problems


def _deliver_all(corpus: Corpus, conditions: Sequence[Condition], senders: _Senders, now: datetime) -> list[str]:
    """Send the notifications that are due, and save the state after each one; return the problems."""
    problems: dict[str, None] = {}
    known = _read(_path(corpus))
    for condition in conditions:
        before, state = known, _updated(known.get(_condition_key(condition)), condition, now)
        if state is not None and now - state.began >= condition.patience:
            state, failures = _delivered(state, _event(condition, state, corpus.home), senders)
            problems |= dict.fromkeys(failures)
        known = {name: other for name, other in known.items() if name != _condition_key(condition)}
        known |= {} if state is None else {_condition_key(condition): state}
        if known != before:
            problems |= dict.fromkeys(_save(_path(corpus), known))
    return list(problems)


def _updated(state: _AlarmState | None, condition: Condition, now: datetime) -> _AlarmState | None:
    """Return the new state of a condition, or None if it does not hold."""
    if not condition.holds:
        return None
    if state is None or state.began > now:  # the clock was set back
        return _AlarmState(_iso_time(now), state.told if state else ())
    return state


def _event(condition: Condition, state: _AlarmState, home: Path) -> Event:
    message = condition.message
    if condition.patience:
        message += f" (since {state.began:%Y-%m-%d %H:%M} UTC)"
    return Event(condition.event, condition.subject, message, state.since, plain_text(home, 400))


def _delivered(state: _AlarmState, event: Event, senders: _Senders) -> tuple[_AlarmState, list[str]]:
    """Send an event through each channel that is not in the state yet; return the new state and the problems.

    A channel that fails is removed from `senders`, so that it is not used again in this run.
    """
    problems = []
    for channel in [channel for channel in senders if channel not in state.told]:
        try:
            senders[channel](event)
        except DeliveryError as error:
            problems.append(f"the alarm {event.event} ({event.message}) could not be delivered: {error}")
            del senders[channel]
        else:
            state = replace(state, told=(*state.told, channel))
    return state, problems


def _save(path: Path, known: dict[str, _AlarmState]) -> list[str]:
    """Save the state of all conditions. A failure is only a problem, because the alarms may be about a full disk."""
    try:
        write_json(path, {name: asdict(state) for name, state in known.items()})
    except OSError as error:
        return [_save_problem(path, error)]
    return []


def _save_problem(path: Path, error: OSError) -> str:
    return (
        f"the state of alarms cannot be saved in {path} ({error.strerror or error}); "
        "free some disk space, or fix the permissions of the home"
    )


def _path(corpus: Corpus) -> Path:
    return corpus.data / "alarms.json"


def _condition_key(condition: Condition) -> str:
    return f"{condition.event} {condition.subject}"


def _iso_time(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="seconds")


def _read(path: Path) -> dict[str, _AlarmState]:
    """Read the state of all conditions. Invalid entries are ignored: a second notification is better than none."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError, RecursionError):
        return {}
    known = {name: _parsed_state(entry) for name, entry in document.items()} if isinstance(document, dict) else {}
    return {name: state for name, state in known.items() if state is not None}


def _parsed_state(entry: Any) -> _AlarmState | None:
    try:
        since = datetime.fromisoformat(entry["since"]).astimezone(UTC)
        return _AlarmState(_iso_time(since), tuple(str(channel) for channel in entry["told"]))
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
