"""Tests of the start and the end of a Prefect server."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from flows.prefect_server.health import is_healthy
from flows.prefect_server.launch import (
    SHARED_SETTINGS,
    SINGLE_RUN_SETTINGS,
    api_url,
    free_port,
    launched_server,
    repair_database,
)
from songform.errors import SongformError

# Prints the names of the Prefect settings that the environment has changed.
CHANGED = (
    "from prefect.settings import get_current_settings as s; print(*s().to_environment_variables(exclude_unset=True))"
)
# Starts a server and sleeps until the test kills it.
PARENT = """
import sys, time
from pathlib import Path
from flows.prefect_server.launch import launched_server
with launched_server(Path(sys.argv[1]), int(sys.argv[2])) as server:
    server.wait()
    print("up", flush=True)
    time.sleep(600)
"""


def test_port_in_use_is_reported_with_the_log(tmp_path, healthy):
    """Uvicorn exits, and the message names the log with the reason."""
    port = int(healthy.split(":")[2].split("/")[0])
    with launched_server(tmp_path, port) as server:
        assert server.process.wait(120) != 0
        assert not server.is_up
        with pytest.raises(SongformError, match=rf"exited with code .*; check {server.log} "):
            server.wait()
        assert "address already in use" in server.log.read_text()


def test_server_ends_when_its_parent_is_killed(tmp_path):
    port = free_port()
    command = [sys.executable, "-c", PARENT, str(tmp_path), str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout.readline() == "up\n"
        assert is_healthy(f"{api_url(port)}/health")
        parent.kill()
    for _ in range(300):
        if not is_healthy(f"{api_url(port)}/health"):
            return
        time.sleep(0.1)
    pytest.fail("the server outlived its parent by half a minute")


@pytest.mark.parametrize("settings", [SINGLE_RUN_SETTINGS, SHARED_SETTINGS], ids=["single run", "shared"])
def test_settings_of_a_server_are_known_to_prefect(tmp_path, settings):
    environment = {"PATH": os.environ["PATH"], "PREFECT_HOME": str(tmp_path), **settings}
    run = subprocess.run([sys.executable, "-c", CHANGED], env=environment, capture_output=True, text=True, check=True)
    assert set(settings) <= set(run.stdout.split())
    assert len(settings) >= 5


@pytest.mark.system  # each case starts a server with a new database
@pytest.mark.parametrize("content", [b"not a database", b"SQLite format 3\0" + b"broken" * 1000, bytes(4096)])
def test_damaged_database_is_renamed_and_the_server_starts_with_another_one(tmp_path, monkeypatch, content):
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / ".prefect"))
    database = tmp_path / ".prefect" / "prefect.db"
    database.parent.mkdir()
    database.write_bytes(content)
    with launched_server(tmp_path, free_port()) as server:
        server.wait()
        (problem,) = server.problems
        assert f"Prefect's database {database} is damaged" in problem
    assert database.with_name("prefect.db.damaged-1").read_bytes() == content
    assert repair_database(tmp_path) == []


def test_database_that_the_user_has_chosen_is_not_touched(tmp_path, monkeypatch):
    (tmp_path / ".prefect").mkdir()
    (tmp_path / ".prefect" / "prefect.db").touch()
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "other"))
    assert repair_database(tmp_path) == []
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / ".prefect"))
    monkeypatch.setenv("PREFECT_API_DATABASE_CONNECTION_URL", "postgresql+asyncpg://a.example/prefect")
    assert repair_database(tmp_path) == []
