"""Tests of the server that the commands of a home share."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

from flows.prefect_server.connect import register_server, running_server, shared_server
from tasks.store.atomic_files import machine


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"url": 3}', '{"url": "http://127.0.0.1:9/api"}'])
def test_invalid_registration_is_ignored(tmp_path, content):
    (tmp_path / ".prefect").mkdir()
    (tmp_path / ".prefect" / "songform-server.json").write_text(content)
    assert running_server(tmp_path) is None


def test_registration_is_a_json_file(tmp_path):
    path = register_server(tmp_path, "http://127.0.0.1:4200/api")
    assert json.loads(path.read_text()) == {
        "url": "http://127.0.0.1:4200/api",
        "pid": os.getpid(),
        "machine": machine(),
    }


def test_server_of_another_command_is_used_and_not_stopped(tmp_path, healthy):
    registered = register_server(tmp_path, healthy)
    before = signal.getsignal(signal.SIGTERM)
    with shared_server(tmp_path, 4200) as server:
        server.wait()
        assert (server.api, server.process, server.is_up) == (healthy, None, True)
        assert f"{server.pages}/api" == healthy
    assert signal.getsignal(signal.SIGTERM) is before
    assert registered.exists()


def test_server_of_a_killed_command_or_of_another_machine_is_not_used_even_if_it_answers(tmp_path, healthy):
    killed = subprocess.Popen([sys.executable, "-c", ""])
    killed.wait()
    (tmp_path / ".prefect").mkdir()
    for pid, place, expected in (
        (os.getpid(), machine(), healthy),
        (killed.pid, machine(), None),
        (os.getpid(), "0", None),
    ):
        known = json.dumps({"url": healthy, "pid": pid, "machine": place})
        (tmp_path / ".prefect" / "songform-server.json").write_text(known)
        assert running_server(tmp_path) == expected
