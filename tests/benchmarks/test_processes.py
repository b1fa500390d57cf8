"""Tests of the processes of the soak test: starting, finding and killing them."""

from __future__ import annotations

import os
import subprocess
import sys

import psutil
import pytest

from benchmarks.processes import MARK, kill, marked, started

# Starts another process, prints that it did, and waits. Both end by themselves after a minute.
PARENT = """
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], stdout=subprocess.DEVNULL)
print("up", flush=True)
time.sleep(60)
"""


@pytest.fixture
def family(tmp_path):
    """Return a function that starts a program with a child process, both marked with a home."""
    begun = []

    def family():
        command, environment = [sys.executable, "-c", PARENT], {**os.environ, MARK: str(tmp_path)}
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        begun.append(process)
        assert process.stdout.readline() == "up\n"
        return process

    yield family
    for process in marked(tmp_path):
        process.kill()
    for process in begun:
        process.wait(10)
        process.stdout.close()


def test_program_is_killed_alone_or_with_its_child_processes(tmp_path, family):
    first = family()
    assert {process.pid for process in marked(tmp_path)} > {first.pid}
    assert marked(tmp_path / "another home") == []
    assert kill(first, tmp_path, alone=True) == "killed alone"
    (orphan,) = marked(tmp_path)
    second = family()
    assert kill(second, tmp_path, alone=False) == "killed with its workers and its server"
    psutil.wait_procs([orphan], timeout=10)
    assert marked(tmp_path) == []


def test_started_program_is_songform_without_settings_from_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("SONGFORM_FRAMES__SR", "1")  # an invalid value, with which every command fails
    with started(tmp_path, ["status"]) as process:
        assert process.wait(60) == 0
    assert (tmp_path / "soak.log").read_text() == ""


def test_running_program_is_killed_at_the_end_of_its_block(tmp_path):
    with started(tmp_path, ["--help"]) as process:
        pass
    assert process.poll() is not None
