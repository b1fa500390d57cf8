"""Tests of the connection of a command to a Prefect server, and of the records of the server."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import nullcontext, suppress
from functools import partial

import httpx
import pytest
from prefect.settings import get_current_settings

import flows.prefect_server.connect
from flows.prefect_server.connect import needs_server, prefect_server, register_server
from flows.prefect_server.launch import PrefectServer as Started
from songform.errors import SongformError
from tasks.settings import Settings

HEARTBEAT = 180  # seconds, Prefect's default
# Runs a hundred quick tasks and exits.
BURST = """
import sys
from pathlib import Path
from flows.config.library_environment import prepare_environment
from flows.prefect_server.connect import prefect_server
home = Path(sys.argv[1])
prepare_environment(home)
with prefect_server(home):
    from prefect import flow, task
    @task
    def nothing(n): return n
    @flow
    def many(): return sum(nothing(n) for n in range(100))
    print(many())
"""


@pytest.fixture
def no_address(monkeypatch):
    monkeypatch.delenv("PREFECT_API_URL", raising=False)


@pytest.fixture
def sources(tmp_path):
    folder = tmp_path / "album"
    folder.mkdir()
    for name in ("song.mp3", "other.flac", "list.m3u"):
        (folder / name).touch()
    return folder


def test_only_files_need_no_server(tmp_path, sources, no_address):
    song, other = str(sources / "song.mp3"), str(sources / "other.flac")
    assert not needs_server(tmp_path, [song, f" {other} "], Settings())
    for more in (str(sources), str(sources / "list.m3u"), "https://a.example/feed", str(sources / "missing.mp3")):
        assert needs_server(tmp_path, [song, more], Settings())
    assert needs_server(tmp_path, [], Settings())
    assert needs_server(tmp_path, [song], Settings.model_validate({"run": {"task_runner": "dask"}}))


def test_running_server_records_files_too(tmp_path, sources, healthy, no_address, monkeypatch):
    song = str(sources / "song.mp3")
    register_server(tmp_path, healthy)
    assert needs_server(tmp_path, [song], Settings())
    assert not needs_server(sources, [song], Settings())  # the server of another home
    monkeypatch.setenv("PREFECT_API_URL", "http://a.example/api")
    assert needs_server(sources, [song], Settings())


def test_address_in_the_environment_is_used(tmp_path, monkeypatch):
    monkeypatch.setenv("PREFECT_API_URL", "http://a.example/api")
    with prefect_server(tmp_path) as url:
        assert url == "http://a.example/api"
        assert get_current_settings().flows.heartbeat_frequency == HEARTBEAT
    assert os.environ["PREFECT_API_URL"] == "http://a.example/api"
    assert list(tmp_path.iterdir()) == []


def test_running_server_of_the_home_is_used(tmp_path, healthy, no_address, monkeypatch):
    register_server(tmp_path, healthy)
    with prefect_server(tmp_path, "tasks.store.tracks") as url:
        assert url == os.environ["PREFECT_API_URL"] == healthy
        assert get_current_settings().flows.heartbeat_frequency is None
    assert get_current_settings().flows.heartbeat_frequency == HEARTBEAT
    monkeypatch.setenv("PREFECT_FLOWS_HEARTBEAT_FREQUENCY", "60")
    with prefect_server(tmp_path):
        assert get_current_settings().flows.heartbeat_frequency == HEARTBEAT  # the value when Prefect was imported


@pytest.mark.parametrize("before", [None, ""])
@pytest.mark.parametrize("is_running", [True, False], ids=["another command's server", "its own server"])
def test_address_in_the_environment_is_restored(tmp_path, healthy, monkeypatch, before, is_running):
    environment = {name: value for name, value in os.environ.items() if name != "PREFECT_API_URL"}
    monkeypatch.setattr(os, "environ", environment | ({} if before is None else {"PREFECT_API_URL": before}))
    if is_running:
        register_server(tmp_path, healthy)
    else:
        monkeypatch.setattr(flows.prefect_server.connect, "launched_server", lambda *_: nullcontext(Started(healthy)))
        monkeypatch.setattr(flows.prefect_server.connect, "_flush_logs_and_events", lambda: None)
    for error in (None, KeyError):
        with suppress(KeyError), prefect_server(tmp_path) as url:
            assert os.environ["PREFECT_API_URL"] == url == healthy
            if error:
                raise error
        assert os.environ.get("PREFECT_API_URL") == before


@pytest.mark.parametrize(
    ("free", "cause"), [(0, "the disk of {home} is full; free some disk space"), (2**30, "check {log}")]
)
def test_failing_server_is_reported_in_one_sentence(tmp_path, monkeypatch, free, cause):
    """On a full disk, the server answers with status 500, because it cannot write records."""
    answer = httpx.Response(500, request=httpx.Request("POST", "http://a.example/api/logs"))
    failures = {"HTTP status 500": answer.raise_for_status, "ConnectError": partial(httpx.ConnectError, "")}
    monkeypatch.setenv("PREFECT_API_URL", "http://a.example/api")
    monkeypatch.setattr(
        "flows.prefect_server.connect.shutil.disk_usage", lambda folder: shutil._ntuple_diskusage(2**31, 0, free)
    )
    for reason, fail in failures.items():
        with pytest.raises(SongformError) as caught, prefect_server(tmp_path):
            raise fail()
        why = cause.format(home=tmp_path, log=tmp_path / ".prefect" / "server.log")
        assert str(caught.value).startswith(f"the Prefect server http://a.example/api failed ({reason}); {why}, ")
        assert "run the same command again" in str(caught.value)


def test_no_record_of_a_burst_of_quick_tasks_is_lost(tmp_path):
    """Prefect's ephemeral server would lose most of them."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    command = [sys.executable, "-c", BURST, str(tmp_path)]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert run.stdout == "4950\n"
    with sqlite3.connect(tmp_path / ".prefect" / "prefect.db") as database:
        states = database.execute("select state_type, count(*) from task_run group by 1").fetchall()
        flows = database.execute("select state_type, count(*) from flow_run group by 1").fetchall()
    database.close()
    assert states == [("COMPLETED", 100)]
    assert flows == [("COMPLETED", 1)]
    assert not (tmp_path / ".prefect" / "songform-server.json").exists()
