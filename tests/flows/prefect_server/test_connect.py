"""The Prefect server behind a run: whose it is, and that it goes when it should."""

from __future__ import annotations

import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from functools import partial

import httpx
import pytest
import requests
from prefect.settings import get_current_settings

from flows.prefect_server.connect import (
    free_port,
    prefect_server,
    register_server,
    running_server,
    start_server,
    stop_server,
    wait_until_healthy,
)
from flows.prefect_server.server_process import ONE_RUN
from songform.errors import SongformError
from tasks.store.temp_files import machine

HEARTBEAT = 180  # seconds, Prefect's default
# Says which of Prefect's settings the environment has changed.
CHANGED = (
    "from prefect.settings import get_current_settings as s; print(*s().to_environment_variables(exclude_unset=True))"
)
# Starts a server and lives on; the test ends it as hard as can be.
PARENT = """
import sys, time
from pathlib import Path
from flows.prefect_server.connect import start_server, wait_until_healthy
home, port = Path(sys.argv[1]), int(sys.argv[2])
wait_until_healthy(f"http://127.0.0.1:{port}/api/health", start_server(home, port), log=home / "log")
print("up", flush=True)
time.sleep(600)
"""
# Runs two hundred tasks as quick as can be, and ends.
BURST = """
import sys
from pathlib import Path
from flows.config.environment import prepare_environment
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
def healthy():
    """Serve something that answers 200 to everything, as a server that is up does."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()

        def log_message(self, format, *args):  # noqa: A002  the base class's name
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/api"
    server.shutdown()
    server.server_close()


@pytest.fixture
def no_address(monkeypatch):
    monkeypatch.delenv("PREFECT_API_URL", raising=False)


def answers(port):
    try:
        return requests.get(f"http://127.0.0.1:{port}/api/health", timeout=2).ok
    except requests.ConnectionError:
        return False


def test_an_address_in_the_environment_is_the_users_choice(tmp_path, monkeypatch):
    monkeypatch.setenv("PREFECT_API_URL", "http://a.example/api")
    with prefect_server(tmp_path) as url:
        assert url == "http://a.example/api"
        assert get_current_settings().flows.heartbeat_frequency == HEARTBEAT
    assert os.environ["PREFECT_API_URL"] == "http://a.example/api"
    assert list(tmp_path.iterdir()) == []


def test_the_homes_running_server_is_used(tmp_path, healthy, no_address, monkeypatch):
    registered = register_server(tmp_path, healthy)
    assert running_server(tmp_path) == healthy
    with prefect_server(tmp_path, "tasks.store.tracks") as url:
        assert url == healthy
        assert get_current_settings().flows.heartbeat_frequency is None
    assert get_current_settings().flows.heartbeat_frequency == HEARTBEAT
    monkeypatch.setenv("PREFECT_API_URL", "")
    monkeypatch.setenv("PREFECT_FLOWS_HEARTBEAT_FREQUENCY", "60")
    with prefect_server(tmp_path):
        assert get_current_settings().flows.heartbeat_frequency == HEARTBEAT  # as it was when Prefect was imported
    registered.unlink()
    assert running_server(tmp_path) is None


@pytest.mark.parametrize(
    ("free", "cause"), [(0, "the disk of {home} is full: make room"), (2**30, "{log} may say why")]
)
def test_a_server_that_fails_while_it_is_needed_is_one_sentence(tmp_path, monkeypatch, free, cause):
    """On a full disk it answers 500: it cannot write down what it is told."""
    answer = httpx.Response(500, request=httpx.Request("POST", "http://a.example/api/logs"))
    failures = {"it answers 500": answer.raise_for_status, "ConnectError": partial(httpx.ConnectError, "")}
    monkeypatch.setenv("PREFECT_API_URL", "http://a.example/api")
    monkeypatch.setattr(
        "flows.prefect_server.connect.shutil.disk_usage", lambda folder: shutil._ntuple_diskusage(2**31, 0, free)
    )
    for reason, fail in failures.items():
        with pytest.raises(SongformError) as caught, prefect_server(tmp_path):
            raise fail()
        why = cause.format(home=tmp_path, log=tmp_path / ".prefect" / "server.log")
        said = f"the Prefect server http://a.example/api fails ({reason}); {why}, then give the command again"
        assert str(caught.value) == said


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"url": 3}', '{"url": "http://127.0.0.1:9/api"}'])
def test_a_server_that_is_gone_or_was_never_there_is_not_used(tmp_path, content):
    (tmp_path / ".prefect").mkdir()
    (tmp_path / ".prefect" / "songform-server.json").write_text(content)
    assert running_server(tmp_path) is None


def test_a_server_that_ends_at_once_is_one_sentence(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", "raise SystemExit(7)"])
    with pytest.raises(SongformError, match=rf"ended with code 7; {tmp_path}/server\.log says why"):
        wait_until_healthy(f"http://127.0.0.1:{free_port()}/health", process, log=tmp_path / "server.log")


def test_a_port_that_is_taken_is_said(tmp_path, healthy):
    """Uvicorn gives up, and the sentence names the log that says so."""
    port = int(healthy.split(":")[2].split("/")[0])
    process = start_server(tmp_path, port)
    assert process.wait(120) != 0
    with pytest.raises(SongformError, match="ended with code"):
        wait_until_healthy(f"http://127.0.0.1:{free_port()}/health", process, log=tmp_path / "log")
    assert "address already in use" in (tmp_path / ".prefect" / "server.log").read_text()
    stop_server(process)


def test_a_server_ends_with_its_parent_however_that_ends(tmp_path):
    port = free_port()
    command = [sys.executable, "-c", PARENT, str(tmp_path), str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout.readline() == "up\n"
        assert answers(port)
        parent.kill()
    for _ in range(300):
        if not answers(port):
            return
        time.sleep(0.1)
    pytest.fail("the server outlived its parent by half a minute")


def test_no_record_of_a_burst_of_quick_tasks_is_lost(tmp_path):
    """With Prefect's ephemeral server, most of them would be."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    command = [sys.executable, "-c", BURST, str(tmp_path)]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert run.stdout == "4950\n"
    import sqlite3

    with sqlite3.connect(tmp_path / ".prefect" / "prefect.db") as database:
        states = database.execute("select state_type, count(*) from task_run group by 1").fetchall()
        flows = database.execute("select state_type, count(*) from flow_run group by 1").fetchall()
    database.close()
    assert states == [("COMPLETED", 100)]
    assert flows == [("COMPLETED", 1)]
    assert not (tmp_path / ".prefect" / "songform-server.json").exists()


def test_what_a_server_of_one_run_leaves_out_has_the_names_that_prefect_knows(tmp_path):
    environment = {"PATH": os.environ["PATH"], "PREFECT_HOME": str(tmp_path), **ONE_RUN}
    run = subprocess.run([sys.executable, "-c", CHANGED], env=environment, capture_output=True, text=True, check=True)
    assert set(ONE_RUN) <= set(run.stdout.split())
    assert len(ONE_RUN) > 5


def test_a_registered_server_is_json_that_anybody_can_read(tmp_path):
    path = register_server(tmp_path, "http://127.0.0.1:4200/api")
    assert json.loads(path.read_text()) == {
        "url": "http://127.0.0.1:4200/api",
        "pid": os.getpid(),
        "machine": machine(),
    }
