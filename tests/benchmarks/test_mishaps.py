"""Mishaps: what each way of failing looks like from the other side."""

from __future__ import annotations

import io
import random
import socket
import time
from collections import Counter
from itertools import pairwise
from urllib.parse import urlsplit

import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.feeds import served
from benchmarks.mishaps import AT_HOME, EXPECTED, MISHAPS, SR, Host, Sound, drawn_kinds, sounds
from songform.errors import FAILURE_CLASSES

BODY = bytes(range(256)) * 100
PATIENCE = 0.3  # seconds: how long a client waits for the next byte


@pytest.fixture
def ask():
    """Return what asks a host for a sound of some kind, as many times as wanted: (head, body, how it ended)."""
    host = Host()
    with served(host.answer) as url:

        def ask(kind, times=1):
            host.forget()
            host.put("sound", Sound(BODY, "audio/ogg", 6.0), kind)
            return [answer_to(f"{url}/sound") for _ in range(times)]

        ask.host = host
        yield ask


def answer_to(url):
    """Ask plainly, as no library would: nothing that is odd is hidden."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=PATIENCE) as connection:
        connection.sendall(f"GET {parts.path} HTTP/1.0\r\n\r\n".encode())
        came, end = b"", "closed"
        try:
            while part := connection.recv(65536):
                came += part
        except TimeoutError:
            end = "silent"
        except ConnectionResetError:
            end = "reset"
    head, _, body = came.partition(b"\r\n\r\n")
    return head.decode(), body, end


def whole_ones(host, n):
    """Return what a host gave, `n` times: it notes so a moment after the client has hung up."""
    deadline = time.monotonic() + 10.0
    while len(host.given) < n and time.monotonic() < deadline:
        time.sleep(0.005)
    return host.given


def status(answer):
    return int(answer[0].split()[1])


def test_every_class_of_failure_is_among_the_ways_and_nothing_else():
    assert {found for expected in EXPECTED.values() for found in expected} == {"done", *FAILURE_CLASSES}
    assert EXPECTED[""] == ("done",)
    assert "" not in MISHAPS
    assert set(AT_HOME) < set(MISHAPS)


@given(st.integers(0, 300), st.integers(0, 300), st.randoms(use_true_random=False))
def test_as_many_fail_as_are_wanted_and_each_way_is_among_them_if_there_are_enough(n, n_failing, rng):
    n_failing = min(n, n_failing)
    kinds = Counter(drawn_kinds(n, n_failing, rng))
    assert kinds.total() == n
    assert kinds[""] == n - n_failing
    assert set(kinds) - {""} <= set(MISHAPS)
    assert len(set(kinds) - {""}) >= min(n_failing, len(MISHAPS))


def test_the_same_seed_draws_the_same():
    assert drawn_kinds(300, 90, random.Random(4)) == drawn_kinds(300, 90, random.Random(4))
    assert drawn_kinds(300, 90, random.Random(4)) != drawn_kinds(300, 90, random.Random(5))


@pytest.mark.parametrize("kind", ["", *sorted(AT_HOME)])
def test_what_is_given_comes_whole_and_is_noted(ask, kind):
    """Also what this machine has no place for: the host knows nothing of that."""
    ((head, body, end),) = ask(kind)
    assert (body, end) == (BODY, "closed")
    assert f"Content-Length: {len(BODY)}" in head
    assert ask.host.asked == ["sound"]
    assert whole_ones(ask.host, 1) == ["sound"]
    ask.host.forget()
    assert (ask.host.asked, ask.host.given) == ([], [])


@pytest.mark.parametrize("kind", sorted(set(MISHAPS) - AT_HOME))
def test_each_other_way_withholds_the_sound_the_first_time(ask, kind):
    """But for the failure of the media, which lets yt-dlp have its first look."""
    ((_, body, end),) = ask(kind)
    assert ask.host.asked == ["sound"]
    if kind != "503 of the media":
        assert (body, end) != (BODY, "closed")
        assert ask.host.given == []


@pytest.mark.parametrize("kind", sorted(kind for kind in MISHAPS if kind.endswith(" once")))
def test_what_happens_once_does_not_happen_again(ask, kind):
    first, *others = ask(kind, 3)
    assert first[1] != BODY
    assert [body for _, body, _ in others] == [BODY, BODY]
    assert whole_ones(ask.host, 2) == ["sound", "sound"]


@pytest.mark.parametrize("kind", sorted(kind for kind in MISHAPS if kind[:3].isdigit() and "media" not in kind))
def test_a_status_is_answered_with_itself_and_too_many_requests_with_a_pause(ask, kind):
    (answer,) = ask(kind)
    assert status(answer) == int(kind[:3])
    assert ("Retry-After: 1" in answer[0]) == kind.startswith("429")


def test_the_media_fail_every_second_time(ask):
    answers = ask("503 of the media", 4)
    assert [status(answer) for answer in answers] == [200, 503, 200, 503]


def test_connections_break_fall_silent_or_trickle_as_their_names_say(ask):
    assert ask("reset") == [("", b"", "reset")]
    ((_, body, end),) = ask("stall")
    assert (body, end) == (BODY[: len(BODY) // 2], "silent")
    ((_, body, end),) = ask("drip")
    assert (end, BODY.startswith(body), 2000 <= len(body) < len(BODY)) == ("silent", True, True)


def test_a_cut_body_is_announced_whole_or_not_at_all(ask):
    ((head, body, _),) = ask("cut with a length")
    assert f"Content-Length: {len(BODY)}" in head
    assert 0 < len(body) < len(BODY) / 2
    ((head, again, _),) = ask("cut without a length")
    assert "Content-Length" not in head
    assert again == body


def test_sounds_are_as_long_as_they_say_differ_and_are_the_same_for_the_same_seed():
    made = sounds(6, random.Random(1))
    for sound in made:
        y, sr = soundfile.read(io.BytesIO(sound.body))
        assert (sr, 5.0 <= sound.seconds <= 7.0) == (SR, True)
        assert len(y) / sr == pytest.approx(sound.seconds, abs=1e-3)
        assert abs(y).max() > 0.01
    assert len({sound.body for sound in made}) == 6
    assert all(one.content_type != other.content_type for one, other in pairwise(made))
    flacs = [sound.body for sound in made[::2]]  # an Ogg stream has a number of its own each time
    assert [sound.body for sound in sounds(6, random.Random(1))[::2]] == flacs
