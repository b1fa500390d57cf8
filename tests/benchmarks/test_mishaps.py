"""Tests of the failing host: what a client receives for each kind of failure."""

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
TIMEOUT = 0.3  # how long the client waits for the next bytes, in seconds


@pytest.fixture
def ask():
    """Return a function that requests a sound with a kind of failure, and returns (head, body, end) per request."""
    host = Host()
    with served(host.answer) as url:

        def ask(kind, times=1):
            host.forget()
            host.put("sound", Sound(BODY, "audio/ogg", 6.0), kind)
            return [answer_to(f"{url}/sound") for _ in range(times)]

        ask.host = host
        yield ask


def answer_to(url):
    """Send a request through a plain socket, because an HTTP library would hide some failures."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=TIMEOUT) as connection:
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


def given_by(host, n):
    """Wait until a host has recorded `n` complete answers, and return its list.

    The host records an answer shortly after the client has closed the connection.
    """
    deadline = time.monotonic() + 10.0
    while len(host.given) < n and time.monotonic() < deadline:
        time.sleep(0.005)
    return host.given


def status(answer):
    return int(answer[0].split()[1])


def test_expected_outcomes_are_done_and_all_failure_classes():
    assert {found for expected in EXPECTED.values() for found in expected} == {"done", *FAILURE_CLASSES}
    assert EXPECTED[""] == ("done",)
    assert "" not in MISHAPS
    assert set(AT_HOME) < set(MISHAPS)


@given(st.integers(0, 300), st.integers(0, 300), st.randoms(use_true_random=False))
def test_requested_number_fails_and_every_kind_occurs_if_there_are_enough(n, n_failing, rng):
    n_failing = min(n, n_failing)
    kinds = Counter(drawn_kinds(n, n_failing, rng))
    assert kinds.total() == n
    assert kinds[""] == n - n_failing
    assert set(kinds) - {""} <= set(MISHAPS)
    assert len(set(kinds) - {""}) >= min(n_failing, len(MISHAPS))


def test_same_seed_draws_the_same_kinds():
    assert drawn_kinds(300, 90, random.Random(4)) == drawn_kinds(300, 90, random.Random(4))
    assert drawn_kinds(300, 90, random.Random(4)) != drawn_kinds(300, 90, random.Random(5))


@pytest.mark.parametrize("kind", ["", *sorted(AT_HOME)])
def test_sound_without_a_host_failure_is_served_completely_and_recorded(ask, kind):
    """Kinds in AT_HOME are served, too: they fail on the side of the client."""
    ((head, body, end),) = ask(kind)
    assert (body, end) == (BODY, "closed")
    assert f"Content-Length: {len(BODY)}" in head
    assert ask.host.asked == ["sound"]
    assert given_by(ask.host, 1) == ["sound"]
    ask.host.forget()
    assert (ask.host.asked, ask.host.given) == ([], [])


@pytest.mark.parametrize("kind", sorted(set(MISHAPS) - AT_HOME))
def test_host_failure_occurs_at_the_first_request(ask, kind):
    """The exception is the failure of the media, which lets yt-dlp's first request succeed."""
    ((_, body, end),) = ask(kind)
    assert ask.host.asked == ["sound"]
    if kind != "503 for the media":
        assert (body, end) != (BODY, "closed")
        assert ask.host.given == []


@pytest.mark.parametrize("kind", sorted(kind for kind in MISHAPS if kind.endswith(" once")))
def test_failure_that_occurs_once_does_not_occur_again(ask, kind):
    first, *others = ask(kind, 3)
    assert first[1] != BODY
    assert [body for _, body, _ in others] == [BODY, BODY]
    assert given_by(ask.host, 2) == ["sound", "sound"]


@pytest.mark.parametrize("kind", sorted(kind for kind in MISHAPS if kind[:3].isdigit() and "media" not in kind))
def test_status_kinds_answer_with_that_status_and_429_with_retry_after(ask, kind):
    (answer,) = ask(kind)
    assert status(answer) == int(kind[:3])
    assert ("Retry-After: 1" in answer[0]) == kind.startswith("429")


def test_every_second_request_for_media_fails(ask):
    answers = ask("503 for the media", 4)
    assert [status(answer) for answer in answers] == [200, 503, 200, 503]


def test_connections_break_stall_or_send_single_bytes(ask):
    assert ask("reset") == [("", b"", "reset")]
    ((_, body, end),) = ask("stall")
    assert (body, end) == (BODY[: len(BODY) // 2], "silent")
    ((_, body, end),) = ask("byte by byte")
    assert (end, BODY.startswith(body), 2000 <= len(body) < len(BODY)) == ("silent", True, True)


def test_truncated_body_has_the_full_content_length_or_none(ask):
    ((head, body, _),) = ask("truncated with a length")
    assert f"Content-Length: {len(BODY)}" in head
    assert 0 < len(body) < len(BODY) / 2
    ((head, again, _),) = ask("truncated without a length")
    assert "Content-Length" not in head
    assert again == body


def test_sounds_have_the_stated_length_and_depend_only_on_the_seed():
    made = sounds(6, random.Random(1))
    for sound in made:
        y, sr = soundfile.read(io.BytesIO(sound.body))
        assert (sr, 5.0 <= sound.seconds <= 7.0) == (SR, True)
        assert len(y) / sr == pytest.approx(sound.seconds, abs=1e-3)
        assert abs(y).max() > 0.01
    assert len({sound.body for sound in made}) == 6
    assert all(one.content_type != other.content_type for one, other in pairwise(made))
    flacs = [sound.body for sound in made[::2]]  # Ogg files contain a random serial number
    assert [sound.body for sound in sounds(6, random.Random(1))[::2]] == flacs
