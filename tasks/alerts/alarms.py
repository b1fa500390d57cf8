"""Alarms: each condition that holds is told once, by `notify.command`, `notify.webhook` or both.

`data/alarms.json` holds the conditions that hold: since when, and by which ways they were told. One that is well again
is forgotten, and told anew when it comes back. What could not be delivered is not taken for told, so the next ingest
tries again. Two processes of a home take turns, so that neither tells what the other has told.

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

from songform.sanitize import plain_text
from tasks.alerts.conditions import Condition
from tasks.alerts.delivery import Event, Undelivered, channels
from tasks.settings import NotifySettings
from tasks.store.atomic_files import write_json
from tasks.store.corpus import Corpus

__all__ = ["raise_alarms"]

_Ways = dict[str, Callable[[Event], None]]

_TURN_SECONDS = 300.0  # what another process may take to tell what it has to tell


@dataclass(frozen=True)
class _Standing:
    """What is known of a condition that holds: since when (UTC, ISO 8601), and the ways by which it was told."""

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
        with FileLock(path.with_suffix(".lock"), timeout=_TURN_SECONDS):
            problems += _tell_all(corpus, conditions, channels(notify), now or datetime.now(UTC))
    except OSError as error:  # the lock's time-out is one, too
        problems.append(_forgetful(path, error))
    for problem in problems:
        _logger().warning(problem)
    return problems


def _tell_all(corpus: Corpus, conditions: Sequence[Condition], ways: _Ways, now: datetime) -> list[str]:
    """Tell what there is to tell, remembering each step at once; return what went wrong."""
    problems: dict[str, None] = {}
    known = _read(_path(corpus))
    for condition in conditions:
        before, standing = known, _looked_at(known.get(_name(condition)), condition, now)
        if standing is not None and now - standing.began >= condition.patience:
            standing, failures = _told(standing, _event(condition, standing, corpus.home), ways)
            problems |= dict.fromkeys(failures)
        known = {name: other for name, other in known.items() if name != _name(condition)}
        known |= {} if standing is None else {_name(condition): standing}
        if known != before:
            problems |= dict.fromkeys(_remember(_path(corpus), known))
    return list(problems)


def _looked_at(standing: _Standing | None, condition: Condition, now: datetime) -> _Standing | None:
    """Forget a condition that does not hold; remember since when one does."""
    if not condition.holds:
        return None
    if standing is None or standing.began > now:  # the clock was set back
        return _Standing(_written(now), standing.told if standing else ())
    return standing


def _event(condition: Condition, standing: _Standing, home: Path) -> Event:
    message = condition.message
    if condition.patience:
        message += f" (since {standing.began:%Y-%m-%d %H:%M} UTC)"
    return Event(condition.event, condition.subject, message, standing.since, plain_text(home, 400))


def _told(standing: _Standing, event: Event, ways: _Ways) -> tuple[_Standing, list[str]]:
    """Tell of an event by each way by which it was not told; a way that fails is not tried again, but named."""
    problems = []
    for way in [way for way in ways if way not in standing.told]:
        try:
            ways[way](event)
        except Undelivered as error:
            problems.append(f"nobody could be told of {event.event} ({event.message}): {error}")
            del ways[way]
        else:
            standing = replace(standing, told=(*standing.told, way))
    return standing, problems


def _remember(path: Path, known: dict[str, _Standing]) -> list[str]:
    """Write down what is known; where that fails, alarms are raised all the same: the disk may be what they tell of."""
    try:
        write_json(path, {name: asdict(standing) for name, standing in known.items()})
    except OSError as error:
        return [_forgetful(path, error)]
    return []


def _forgetful(path: Path, error: OSError) -> str:
    return f"alarms cannot be remembered in {path} ({error.strerror or error}); mend the disk or the home"


def _path(corpus: Corpus) -> Path:
    return corpus.data / "alarms.json"


def _name(condition: Condition) -> str:
    return f"{condition.event} {condition.subject}"


def _written(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="seconds")


def _read(path: Path) -> dict[str, _Standing]:
    """Read what is known; what is spoilt was never known, so that it is rather told twice than not at all."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError, RecursionError):
        return {}
    known = {name: _standing(entry) for name, entry in document.items()} if isinstance(document, dict) else {}
    return {name: standing for name, standing in known.items() if standing is not None}


def _standing(entry: Any) -> _Standing | None:
    try:
        since = datetime.fromisoformat(entry["since"]).astimezone(UTC)
        return _Standing(_written(since), tuple(str(way) for way in entry["told"]))
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
