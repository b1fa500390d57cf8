"""Rate limits of hosts, with a simulated clock."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.ingest.fetch.host_rate_limiter import DAY, HostPausedError, HostRateLimiter, host_of, interleaved_by_host
from tasks.settings import DownloadSettings
from tasks.store.tracks import Track


class Clock:
    """Simulated clock that only advances during sleep."""

    def __init__(self) -> None:
        self.time = 1_000_000.0

    def now(self) -> float:
        """Return the time."""
        return self.time

    def sleep(self, seconds: float) -> None:
        """Advance the clock."""
        self.time += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limiter(tmp_path, clock):
    """Return a function that makes rate limiters with a shared state, like those of several processes."""

    def make(host: str = "example.org", **settings: float) -> HostRateLimiter:
        return HostRateLimiter(tmp_path, host, DownloadSettings(**settings), now=clock.now, sleep=clock.sleep)

    return make


def test_downloads_from_one_host_start_at_intervals(limiter, clock) -> None:
    starts = []
    for _ in range(4):
        with limiter(host_seconds=1.5).slot():
            starts.append(clock.time)
    assert [later - earlier for earlier, later in pairwise(starts)] == [1.5, 1.5, 1.5]


def test_youtube_defaults_to_one_download_every_five_seconds(limiter, clock) -> None:
    youtube = limiter("youtube")
    assert (youtube.workers, youtube.seconds) == (1, 5.0)


def test_number_of_simultaneous_downloads_is_limited(limiter, clock) -> None:
    first, second = limiter(host_workers=2).slot(), limiter(host_workers=2).slot()
    first.__enter__()
    second.__enter__()
    third = limiter(host_workers=2)
    asked = []

    def sleep(seconds: float) -> None:
        asked.append(seconds)
        first.__exit__(None, None, None)  # a slot becomes free while the third limiter waits

    third._sleep = sleep
    third._wait_for_turn = lambda: None
    with third.slot():
        assert len(asked) == 1
    second.__exit__(None, None, None)


def test_requested_pause_is_observed(limiter, clock) -> None:
    until = limiter().throttle(120.0)
    assert until == clock.time + 120
    with limiter(patience_seconds=600).slot():
        assert clock.time >= until


def test_pauses_without_retry_after_double_up_to_a_limit(limiter, clock) -> None:
    pauses = []
    for _ in range(7):
        pauses.append(limiter().throttle() - clock.time)
        clock.time += pauses[-1]
    assert pauses == [60, 120, 240, 480, 900, 900, 900]


def test_success_resets_the_length_of_pauses(limiter, clock) -> None:
    limiter().throttle()
    clock.time = limiter().throttle()
    limiter().reset_throttling()
    assert limiter().throttle() - clock.time == 60


def test_bot_check_pauses_the_host_for_an_hour_or_longer(limiter, clock) -> None:
    assert limiter("a").throttle(robot=True) - clock.time == 3600
    assert limiter("b").throttle(7200.0, robot=True) - clock.time == 7200


def test_pause_longer_than_patience_seconds_raises_an_error(limiter, clock) -> None:
    until = limiter().throttle(1000.0, reason="too many requests")
    with pytest.raises(HostPausedError, match="too many requests") as refused, limiter(patience_seconds=900).slot():
        pass
    assert refused.value.until == until
    assert clock.time == 1_000_000.0


def test_pause_that_begins_during_the_wait_is_noticed(limiter, clock) -> None:
    waiting = limiter(host_seconds=10, patience_seconds=100)
    with waiting.slot():
        pass
    turns = []

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        if not turns:
            turns.append(limiter().throttle(5000.0))

    waiting._sleep = sleep
    with pytest.raises(HostPausedError), waiting.slot():
        pass


@given(st.floats(0, 4e9), st.floats(0, 4e9))
def test_clock_set_back_pauses_no_host_for_longer_than_a_day(tmp_path_factory, then, now) -> None:
    clock = Clock()
    clock.time = then
    folder = tmp_path_factory.mktemp("hosts")
    HostRateLimiter(folder, "h", DownloadSettings(), now=clock.now, sleep=clock.sleep).throttle(DAY)
    clock.time = now
    assert HostRateLimiter(folder, "h", DownloadSettings(), now=clock.now).paused_until() <= now + DAY


def test_damaged_state_file_is_ignored(limiter, tmp_path, clock) -> None:
    limiter().throttle(500.0)
    [path] = tmp_path.glob("example.org*.json")
    path.write_text('{"next_start": ')
    assert limiter().paused_until() == 0
    path.write_text(json.dumps({"what": 1}))
    assert limiter().paused_until() == 0


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
def test_host_of_a_track(url, entry, host) -> None:
    assert host_of(Track(key="web-1", title="t", source=url, entry=entry)) == host


def test_hosts_alternate_and_each_keeps_its_order() -> None:
    urls = ("a1", "a2", "a3", "b1")
    tracks = [Track(key=f"web-{url}", title=url, source=f"https://{url[0]}.org/{url}") for url in urls]
    assert [track.title for track in interleaved_by_host(tracks)] == ["a1", "b1", "a2", "a3"]


def test_responses_during_a_pause_do_not_lengthen_it(limiter, clock) -> None:
    """Downloads that were running when the pause began may still get the same response."""
    pauses = [limiter().throttle() - clock.time for _ in range(4)]
    assert pauses == [60, 60, 60, 60]


def test_clock_set_back_during_the_wait_does_not_prolong_it(limiter, clock) -> None:
    with limiter(host_seconds=5).slot():
        pass
    slept = []

    def sleep(seconds: float) -> None:
        if not slept:
            clock.time -= 10_000
        slept.append(seconds)
        clock.sleep(seconds)

    second = limiter(host_seconds=5)
    second._sleep = sleep
    with second.slot():
        assert sum(slept) == 5


def test_state_file_with_wrong_types_is_ignored(limiter, tmp_path) -> None:
    limiter().throttle(500.0)
    [path] = tmp_path.glob("example.org*.json")
    path.write_text('{"paused_until": "for ever"}')
    assert limiter().paused_until() == 0
