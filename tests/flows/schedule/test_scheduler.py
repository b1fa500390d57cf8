"""Tests that errors of the scheduler are reported in one sentence before a server is started."""

from __future__ import annotations

import os
import signal
import socket
import threading

import pytest
from filelock import FileLock

import flows.schedule.scheduler
from flows.prefect_server.launch import free_port
from flows.schedule.scheduler import is_scheduler_running

TOML = '[[playlists]]\nurl = "https://a.example/feed"\n'


@pytest.fixture
def home(tmp_path):
    (tmp_path / "songform.toml").write_text(TOML)
    return tmp_path


@pytest.fixture(autouse=True)
def _nothing_starts(monkeypatch):
    """Make the start of a server raise TypeError."""
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    monkeypatch.setattr("flows.prefect_server.connect.launched_server", None)


def test_home_without_playlists_is_reported_with_a_fix(songform, tmp_path):
    result = songform("--home", tmp_path, "schedule")
    assert result.exit_code == 2
    assert (
        f"{tmp_path / 'songform.toml'} does not exist, so there are no playlists; add a heading [[playlists]]"
        in result.stderr
    )
    assert list(tmp_path.iterdir()) == []


def test_second_scheduler_of_a_home_is_refused(songform, home):
    assert not is_scheduler_running(home)
    (home / ".prefect").mkdir()
    with FileLock(home / ".prefect" / "schedule.lock", is_singleton=False):
        assert is_scheduler_running(home)
        result = songform("--home", home, "schedule")
    assert result.exit_code == 4
    assert f"another songform schedule is already running for {home}; stop it first" in result.stderr
    assert not is_scheduler_running(home)


def test_unreachable_server_in_the_environment_is_named(songform, home, monkeypatch):
    url = f"http://127.0.0.1:{free_port()}/api"
    monkeypatch.setenv("PREFECT_API_URL", url)
    result = songform("--home", home, "schedule")
    assert result.exit_code == 4
    assert f"the Prefect server {url} in PREFECT_API_URL does not answer; start it, or unset " in result.stderr


def test_port_in_use_is_reported_with_its_option(songform, home):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        result = songform("--home", home, "schedule", "--prefect-port", port)
    assert result.exit_code == 4
    assert f"port {port} is in use by another program; " in result.stderr
    assert "--prefect-port" in result.stderr
    assert "PREFECT_API_URL" not in os.environ
    assert not is_scheduler_running(home)


def test_lost_server_ends_the_schedule_and_a_busy_one_does_not(monkeypatch):
    answers = iter([True, False, True, *[False] * flows.schedule.scheduler._MAX_FAILURES])
    monkeypatch.setattr(flows.schedule.scheduler, "is_healthy", lambda url: next(answers))
    monkeypatch.setattr(flows.schedule.scheduler, "_CHECK_SECONDS", 0.01)
    interrupted = threading.Event()
    before = signal.signal(signal.SIGINT, lambda *_: interrupted.set())
    try:
        monitor = flows.schedule.scheduler._ServerMonitor("http://127.0.0.1:1/api")
        with monitor:
            assert interrupted.wait(30)
        assert monitor.is_lost
    finally:
        signal.signal(signal.SIGINT, before)
