"""Hosts are treated with good manners, by a clock that the tests turn themselves."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.ingest.fetch.host_rate_limiter import DAY, HostGate, HostPaused, host_of, interleaved
from tasks.settings import DownloadSettings
from tasks.store.tracks import Track


class Clock:
    """A clock that goes on while somebody sleeps."""

    def __init__(self) -> None:
        self.time = 1_000_000.0

    def now(self) -> float:
        """Tell the time."""
        return self.time

    def sleep(self, seconds: float) -> None:
        """Let the time pass."""
        self.time += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def gate(tmp_path, clock):
    """Return what makes gates of one host that share what they know, as several processes do."""

    def make(host: str = "example.org", **settings: float) -> HostGate:
        return HostGate(tmp_path, host, DownloadSettings(**settings), now=clock.now, sleep=clock.sleep)

    return make


def test_downloads_from_one_host_start_some_time_apart(gate, clock) -> None:
    starts = []
    for _ in range(4):
        with gate(host_seconds=1.5).entered():
            starts.append(clock.time)
    assert [later - earlier for earlier, later in pairwise(starts)] == [1.5, 1.5, 1.5]


def test_youtube_gets_one_at_a_time_every_five_seconds(gate, clock) -> None:
    youtube = gate("youtube")
    assert (youtube.workers, youtube.seconds) == (1, 5.0)


def test_no_more_downloads_at_once_than_the_host_has_places(gate, clock) -> None:
    first, second = gate(host_workers=2).entered(), gate(host_workers=2).entered()
    first.__enter__()
    second.__enter__()
    third = gate(host_workers=2)
    asked = []

    def sleep(seconds: float) -> None:
        asked.append(seconds)
        first.__exit__(None, None, None)  # a place becomes free while the third one waits

    third._sleep = sleep
    third._wait_for_turn = lambda: None
    with third.entered():
        assert len(asked) == 1
    second.__exit__(None, None, None)


def test_a_pause_that_the_host_names_is_kept(gate, clock) -> None:
    until = gate().throttle(120.0)
    assert until == clock.time + 120
    with gate(patience_seconds=600).entered():
        assert clock.time >= until


def test_pauses_without_a_name_double_to_a_bound(gate, clock) -> None:
    pauses = []
    for _ in range(7):
        pauses.append(gate().throttle() - clock.time)
        clock.time += pauses[-1]
    assert pauses == [60, 120, 240, 480, 900, 900, 900]


def test_a_success_makes_the_next_pause_short_again(gate, clock) -> None:
    gate().throttle()
    clock.time = gate().throttle()
    gate().serve()
    assert gate().throttle() - clock.time == 60


def test_a_host_that_asks_for_a_human_is_left_alone_for_an_hour_or_longer(gate, clock) -> None:
    assert gate("a").throttle(robot=True) - clock.time == 3600
    assert gate("b").throttle(7200.0, robot=True) - clock.time == 7200


def test_a_pause_beyond_the_ingests_patience_is_not_waited_for(gate, clock) -> None:
    until = gate().throttle(1000.0, reason="too many requests")
    with pytest.raises(HostPaused, match="too many requests") as refused, gate(patience_seconds=900).entered():
        pass
    assert refused.value.until == until
    assert clock.time == 1_000_000.0


def test_a_pause_that_begins_while_one_waits_is_seen(gate, clock) -> None:
    waiting = gate(host_seconds=10, patience_seconds=100)
    with waiting.entered():
        pass
    turns = []

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        if not turns:
            turns.append(gate().throttle(5000.0))

    waiting._sleep = sleep
    with pytest.raises(HostPaused), waiting.entered():
        pass


@given(st.floats(0, 4e9), st.floats(0, 4e9))
def test_a_clock_that_was_set_back_closes_no_gate_for_longer_than_a_day(tmp_path_factory, then, now) -> None:
    clock = Clock()
    clock.time = then
    folder = tmp_path_factory.mktemp("hosts")
    HostGate(folder, "h", DownloadSettings(), now=clock.now, sleep=clock.sleep).throttle(DAY)
    clock.time = now
    assert HostGate(folder, "h", DownloadSettings(), now=clock.now).paused_until() <= now + DAY


def test_a_spoilt_state_is_as_good_as_none(gate, tmp_path, clock) -> None:
    gate().throttle(500.0)
    [path] = tmp_path.glob("example.org*.json")
    path.write_text('{"next_start": ')
    assert gate().paused_until() == 0
    path.write_text(json.dumps({"what": 1}))
    assert gate().paused_until() == 0


@pytest.mark.parametrize(
    ("url", "entry", "host"),
    [
        ("https://www.youtube.com/watch?v=1", {}, "youtube"),
        ("https://youtu.be/1", {}, "youtube"),
        ("https://music.youtube.com/watch?v=1", {}, "youtube"),
        ("1", {"ie_key": "Youtube", "url": "1"}, "youtube"),
        ("https://notyoutube.com/1", {}, "notyoutube.com"),
        ("http://127.0.0.1:8080/a.mp3", {}, "127.0.0.1:8080"),
        ("https://User:secret@Example.org/a.mp3", {}, "example.org"),
        ("nowhere", {}, "unknown"),
        ("http://[", {}, "unknown"),
    ],
)
def test_a_tracks_host(url, entry, host) -> None:
    assert host_of(Track(key="web-1", title="t", source=url, entry=entry)) == host


def test_hosts_take_turns_and_each_keeps_its_order() -> None:
    urls = ("a1", "a2", "a3", "b1")
    tracks = [Track(key=f"web-{url}", title=url, source=f"https://{url[0]}.org/{url}") for url in urls]
    assert [track.title for track in interleaved(tracks)] == ["a1", "b1", "a2", "a3"]


def test_a_burst_of_answers_is_one_displeasure(gate, clock) -> None:
    """What was under way when the gate was closed may still come back with the same answer."""
    pauses = [gate().throttle() - clock.time for _ in range(4)]
    assert pauses == [60, 60, 60, 60]


def test_a_clock_set_back_while_one_waits_keeps_nobody_waiting(gate, clock) -> None:
    with gate(host_seconds=5).entered():
        pass
    slept = []

    def sleep(seconds: float) -> None:
        if not slept:
            clock.time -= 10_000
        slept.append(seconds)
        clock.sleep(seconds)

    second = gate(host_seconds=5)
    second._sleep = sleep
    with second.entered():
        assert sum(slept) == 5


def test_a_state_of_the_wrong_kind_is_as_good_as_none(gate, tmp_path) -> None:
    gate().throttle(500.0)
    [path] = tmp_path.glob("example.org*.json")
    path.write_text('{"paused_until": "for ever"}')
    assert gate().paused_until() == 0
