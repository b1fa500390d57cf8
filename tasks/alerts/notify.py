"""Alarms: each condition that holds is told once, by `notify.command`, `notify.webhook` or both.

`data/alarms.json` lists the conditions that hold: since when, and through which channels they were told. One that holds
no longer is forgotten, and told anew when it comes back. What could not be delivered is not taken for told, so the next
ingest tries again. Two processes of a home take turns, so that neither tells what the other has told.

No alarm breaks an ingest: whatever goes wrong here is a warning.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock

from songform.plain_text import plain_text
from tasks.alerts.conditions import Condition
from tasks.alerts.delivery import DeliveryError, Event, channels
from tasks.settings import NotifySettings
from tasks.store.atomic_files import write_json
from tasks.store.corpus import Corpus

__all__ = ["raise_alarms"]

_Senders = dict[str, Callable[[Event], None]]

_LOCK_SECONDS = 300.0  # what another process may take to tell what it has to tell


@dataclass(frozen=True)
class _AlarmState:
    """A condition that holds: since when (UTC, ISO 8601), and the channels through which it was told."""

    since: str
    told: tuple[str, ...] = ()

    @property
    def began(self) -> datetime:
        return datetime.fromisoformat(self.since)


def raise_alarms(
    corpus: Corpus, notify: NotifySettings, conditions: Sequence[Condition], now: datetime | None = None
) -> list[str]:
    """Tell of each condition that holds, for long enough, and was not told before.

    Parameters
    ----------
    corpus : Corpus
        Whose conditions they are.
    notify : NotifySettings
        Who is told.
    conditions : sequence of Condition
        What was looked at, whether it holds or not. What was not looked at stays as it was.
    now : datetime, optional
        The time, with its zone; default: now.

    Returns
    -------
    list of str
        A sentence for each event that could not be delivered. They are in the run's log as warnings already.
    """
    path, problems = _path(corpus), []
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock"), timeout=_LOCK_SECONDS):
            problems += _deliver_all(corpus, conditions, channels(notify), now or datetime.now(UTC))
    except OSError as error:  # the lock's time-out is one, too
        problems.append(_save_problem(path, error))
    for problem in problems:
        _logger().warning(problem)
    return problems


def _deliver_all(corpus: Corpus, conditions: Sequence[Condition], senders: _Senders, now: datetime) -> list[str]:
    """Tell what there is to tell, remembering each step at once; return what went wrong."""
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
    """Forget a condition that does not hold; remember since when one does."""
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
    """Tell of an event through each channel not used yet; one that fails is reported and not used again in this run."""
    problems = []
    for channel in [channel for channel in senders if channel not in state.told]:
        try:
            senders[channel](event)
        except DeliveryError as error:
            problems.append(f"nobody could be told of {event.event} ({event.message}): {error}")
            del senders[channel]
        else:
            state = replace(state, told=(*state.told, channel))
    return state, problems


def _save(path: Path, known: dict[str, _AlarmState]) -> list[str]:
    """Write down what is known; where that fails, alarms are raised all the same: the disk may be what they tell of."""
    try:
        write_json(path, {name: asdict(state) for name, state in known.items()})
    except OSError as error:
        return [_save_problem(path, error)]
    return []


def _save_problem(path: Path, error: OSError) -> str:
    return f"alarms cannot be remembered in {path} ({error.strerror or error}); mend the disk or the home"


def _path(corpus: Corpus) -> Path:
    return corpus.data / "alarms.json"


def _condition_key(condition: Condition) -> str:
    return f"{condition.event} {condition.subject}"


def _iso_time(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="seconds")


def _read(path: Path) -> dict[str, _AlarmState]:
    """Read what is known; what is spoilt was never known, so that it is rather told twice than not at all."""
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


def _logger() -> Any:
    """Return the logger of the run, whose words Prefect's UI shows, or songform's own outside of one."""
    from prefect.exceptions import MissingContextError
    from prefect.logging import get_run_logger

    try:
        return get_run_logger()
    except MissingContextError:
        return logging.getLogger("songform.alarms")
