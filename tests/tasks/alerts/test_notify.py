"""Alarms: one notification per condition and channel, and another one only if the condition returns."""

from __future__ import annotations

import json
import multiprocessing
import re
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from filelock import FileLock

import tasks.alerts.notify
from tasks.alerts.conditions import Condition, playlist_condition
from tasks.alerts.delivery import DeliveryError, Event
from tasks.alerts.notify import raise_alarms
from tasks.settings import NotifySettings
from tasks.store.corpus import Corpus

NOTIFY = NotifySettings()
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
DISK = Condition("disk-nearly-full", "/music", "only 1.0 GB are free in /music; free some disk space")
FULL, WELL = [DISK], [replace(DISK, message="")]


@pytest.fixture
def corpus(tmp_path) -> Corpus:
    return Corpus(tmp_path / "home")


class Ways:
    """Two channels, each of which may be broken."""

    def __init__(self) -> None:
        self.told: dict[str, list[Event]] = {"command": [], "webhook": []}
        self.broken: set[str] = set()
        self.tried = 0

    def channels(self, notify: NotifySettings):
        """Replace the function `channels` of `tasks.alerts.delivery`."""
        return {name: lambda event, name=name: self._tell(name, event) for name in self.told}

    def _tell(self, name: str, event: Event) -> None:
        self.tried += 1
        if name in self.broken:
            raise DeliveryError(f"{name} is broken")
        self.told[name].append(event)


@pytest.fixture
def ways(monkeypatch) -> Ways:
    made = Ways()
    monkeypatch.setattr(tasks.alerts.notify, "channels", made.channels)
    return made


def state(corpus) -> dict[str, dict[str, object]]:
    return json.loads((corpus.data / "alarms.json").read_text())


def test_notification_is_sent_once_and_again_when_the_condition_returns(corpus, ways):
    told = []
    for day, conditions in enumerate([FULL, FULL, WELL, WELL, FULL, FULL]):
        assert raise_alarms(corpus, NOTIFY, conditions, NOW + timedelta(days=day)) == []
        told.append(len(ways.told["command"]))
    assert told == [1, 1, 1, 1, 2, 2]
    assert ways.told["webhook"] == ways.told["command"]
    assert [event.since for event in ways.told["command"]] == [
        "2026-11-22T12:00:00+00:00",
        "2026-11-26T12:00:00+00:00",
    ]


def test_event_has_condition_subject_start_and_home(corpus, ways):
    raise_alarms(corpus, NOTIFY, FULL, NOW)
    assert ways.told["webhook"] == [
        Event("disk-nearly-full", "/music", DISK.message, "2026-11-22T12:00:00+00:00", str(corpus.home))
    ]


def test_playlist_is_reported_after_three_days_of_failure_without_interruption(corpus, ways):
    url = "https://a.org/feed"
    failing, well = playlist_condition(url, "a.org answered 404", NOTIFY), playlist_condition(url, None, NOTIFY)
    days = [failing, failing, failing, well, failing, failing, failing, failing, failing]
    for day, condition in enumerate(days):
        raise_alarms(corpus, NOTIFY, [condition], NOW + timedelta(days=day))
    [event] = ways.told["command"]
    assert event.since == "2026-11-26T12:00:00+00:00"
    assert event.message == f"{url} cannot be listed: a.org answered 404 (since 2026-11-26 12:00 UTC)"


def test_conditions_that_were_not_checked_keep_their_state(corpus, ways):
    raise_alarms(corpus, NOTIFY, FULL, NOW)
    raise_alarms(corpus, NOTIFY, [], NOW)
    raise_alarms(corpus, NOTIFY, [Condition("circuit-open", "a.org")], NOW)
    raise_alarms(corpus, NOTIFY, FULL, NOW)
    assert len(ways.told["command"]) == 1


def test_conditions_of_different_subjects_are_independent(corpus, ways):
    raise_alarms(corpus, NOTIFY, [DISK, replace(DISK, subject="/other")], NOW)
    assert [event.subject for event in ways.told["command"]] == ["/music", "/other"]


def test_failed_delivery_is_repeated_by_the_next_ingest(corpus, ways, caplog):
    ways.broken = {"webhook"}
    [problem] = raise_alarms(corpus, NOTIFY, FULL, NOW)
    said = rf"disk-nearly-full \({re.escape(DISK.message)}\) could not be delivered: webhook is broken$"
    assert re.search(said, problem)
    assert [(record.levelname, record.message) for record in caplog.records] == [("WARNING", problem)]
    ways.broken = set()
    assert raise_alarms(corpus, NOTIFY, FULL, NOW + timedelta(days=1)) == []
    assert {name: len(events) for name, events in ways.told.items()} == {"command": 1, "webhook": 1}


def test_failing_channel_is_used_once_per_ingest(corpus, ways):
    """Otherwise, an ingest would wait for a timeout per event."""
    ways.broken = {"command", "webhook"}
    problems = raise_alarms(corpus, NOTIFY, [DISK, replace(DISK, subject="/a"), replace(DISK, subject="/b")], NOW)
    assert ways.tried == len(problems) == 2
    ways.broken = set()
    raise_alarms(corpus, NOTIFY, [DISK, replace(DISK, subject="/a"), replace(DISK, subject="/b")], NOW)
    assert len(ways.told["command"]) == 3


def test_start_of_a_condition_is_saved_without_any_channel(corpus, ways):
    told = ways.told
    ways.told = {}
    raise_alarms(corpus, NOTIFY, FULL, NOW)
    ways.told = told
    raise_alarms(corpus, NOTIFY, FULL, NOW + timedelta(days=9))
    assert [event.since for event in told["command"]] == ["2026-11-22T12:00:00+00:00"]


def test_clock_that_was_set_back_only_restarts_the_wait(corpus, ways):
    failing = playlist_condition("a", "no", NOTIFY)
    raise_alarms(corpus, NOTIFY, [failing], NOW)
    raise_alarms(corpus, NOTIFY, [failing], NOW - timedelta(days=365))
    assert next(iter(state(corpus).values()))["since"] == "2025-11-22T12:00:00+00:00"
    raise_alarms(corpus, NOTIFY, [failing], NOW - timedelta(days=362))
    assert len(ways.told["command"]) == 1


def test_state_is_not_written_if_nothing_changes(corpus, ways):
    raise_alarms(corpus, NOTIFY, WELL, NOW)
    assert not (corpus.data / "alarms.json").exists()


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", "7", "[" * 100_000, '{"NAME": null}', '{"NAME": {"since": "2026-01-01T00:00:00+00:00"}}'),
        *('{"NAME": {"since": "yesterday", "told": []}}', '{"NAME": {"since": 5, "told": ["command", "webhook"]}}'),
        *('{"NAME": {"since": "0001-01-01T00:00:00+14:00", "told": []}}', '{"NAME": {"told": ["command", "webhook"]}}'),
    ],
)
def test_invalid_state_is_ignored(corpus, ways, text):
    corpus.data.mkdir(parents=True)
    (corpus.data / "alarms.json").write_text(text.replace("NAME", "disk-nearly-full /music"))
    assert raise_alarms(corpus, NOTIFY, FULL, NOW) == []
    assert len(ways.told["command"]) == 1
    assert state(corpus) == {
        "disk-nearly-full /music": {"since": "2026-11-22T12:00:00+00:00", "told": ["command", "webhook"]}
    }


def test_alarms_are_sent_even_if_the_state_cannot_be_saved(corpus, ways, monkeypatch):
    def full(path, value):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tasks.alerts.notify, "write_json", full)
    problems = raise_alarms(corpus, NOTIFY, [DISK, replace(DISK, subject="/a")], NOW)
    path = corpus.data / "alarms.json"
    [problem] = problems
    assert re.search(rf"cannot be saved in {path} \(No space left on device\); .*disk space.* permissions", problem)
    assert len(ways.told["command"]) == 2


def test_unusable_home_is_only_a_problem(tmp_path, ways):
    (tmp_path / "file").write_text("x")
    [problem] = raise_alarms(Corpus(tmp_path / "file"), NOTIFY, FULL, NOW)
    assert f"cannot be saved in {tmp_path / 'file'}" in problem


def test_wait_for_another_process_is_limited(corpus, ways, monkeypatch):
    monkeypatch.setattr(tasks.alerts.notify, "_LOCK_SECONDS", 0.0)
    corpus.data.mkdir(parents=True)
    with FileLock(corpus.data / "alarms.lock"):
        [problem] = raise_alarms(corpus, NOTIFY, FULL, NOW)
    assert f"cannot be saved in {corpus.data / 'alarms.json'} (" in problem
    assert ways.tried == 0


TELL = """
import sys, time
time.sleep(0.05)  # long enough for the other processes to arrive
with open(sys.argv[1], "a") as file:
    file.write(sys.stdin.read() + "\\n")
"""


def alarm(home: Path, command: tuple[str, ...], go) -> None:
    """Raise the same alarm as other processes do at the same moment."""
    go.wait()
    raise_alarms(Corpus(home), NotifySettings(command=command), FULL, NOW)


def test_concurrent_processes_send_one_notification_through_a_real_program(tmp_path):
    (tmp_path / "tell.py").write_text(TELL)
    command = (sys.executable, str(tmp_path / "tell.py"), str(tmp_path / "told"))
    context = multiprocessing.get_context("spawn")
    go = context.Barrier(3)
    processes = [context.Process(target=alarm, args=(tmp_path, command, go)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    [line] = (tmp_path / "told").read_text().splitlines()
    assert json.loads(line)["event"] == "disk-nearly-full"


def test_missing_program_and_unreachable_webhook_are_only_problems(corpus):
    notify = NotifySettings(command=("/nowhere/tell",), webhook="http://127.0.0.1:1/s3cret")
    problems = raise_alarms(corpus, notify, FULL)
    assert [("/nowhere/tell" in problem, "notify.webhook" in problem) for problem in problems] == [
        (True, False),
        (False, True),
    ]
    assert "s3cret" not in " ".join(problems)
    assert next(iter(state(corpus).values()))["told"] == []
