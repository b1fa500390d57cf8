"""Tests that child processes end with songform, even if it is killed by SIGKILL.

The processes share a pipe with the test. The pipe closes when the last process ends, and the tests wait for that.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

import flows
from flows.prefect_server.child_processes import PARENT_PID, exit_with_parent, stop_child, supervised_child

ROOT = Path(flows.__file__).parents[1]
SLEEPER = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"
PARENT = """
import subprocess, sys, time
subprocess.Popen([sys.executable, "-m", "flows.prefect_server.child_processes", *sys.argv[1:]], stdin=subprocess.PIPE)
time.sleep(600)
"""
SCHEDULE = """
import os, subprocess, sys, time
os.environ["SONGFORM_PARENT_PID"] = str(os.getpid())
subprocess.run([sys.executable, "-c", sys.argv[1]])
"""
RUN = """
import os, signal, subprocess, sys, time
from flows.prefect_server import child_processes
child_processes._POLL_SECONDS, child_processes._INTERRUPT_SECONDS = 0.01, {grace}
{first}
child = None
try:
    child_processes.exit_with_parent()
    child = {child}
    print("begun", os.getpid(), flush=True)
    time.sleep(600)
except KeyboardInterrupt:
    if child:
        child.kill()
    print("in good order", flush=True)
"""
CHILD = 'subprocess.Popen(["sleep", "600"])'


def test_supervised_command_ends_when_its_parent_is_killed():
    command = [sys.executable, "-c", PARENT, sys.executable, "-c", SLEEPER]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        pid = int(program.stdout.readline())
        os.kill(pid, 0)
        program.kill()
        assert program.stdout.read() == ""  # the pipe closes when the last process ends


def test_supervised_command_returns_its_exit_code_and_logs_its_output(tmp_path):
    program = "print('a failure'); raise SystemExit(7)"
    process = supervised_child([sys.executable, "-c", program], log=tmp_path / "log", environment=os.environ)
    assert process.wait(60) == 7
    stop_child(process)
    assert (tmp_path / "log").read_text() == "a failure\n"


def test_stopped_supervised_command_is_terminated(tmp_path):
    os.mkfifo(tmp_path / "log")
    with ThreadPoolExecutor(1) as reader:
        opened = reader.submit((tmp_path / "log").open)  # opening blocks until the other end is open
        process = supervised_child([sys.executable, "-c", SLEEPER], log=tmp_path / "log", environment=os.environ)
        with opened.result() as output:
            os.kill(int(output.readline()), 0)
            stop_child(process)
            assert output.read() == ""  # the pipe closes when the last process ends
    assert process.returncode == -signal.SIGTERM % 256


@contextmanager
def started(run):
    """Start a schedule with a run for a `with` block."""
    command = [sys.executable, "-c", SCHEDULE, run]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True) as schedule:
        try:
            yield schedule
        finally:
            schedule.kill()


@pytest.mark.parametrize(
    ("grace", "first", "rest"),
    [(600.0, "", "in good order\n"), (0.2, "signal.signal(signal.SIGINT, signal.SIG_IGN)", "")],
)
def test_run_of_a_killed_schedule_is_interrupted_and_then_killed_with_its_children(grace, first, rest):
    with started(RUN.format(grace=grace, first=first, child=CHILD)) as schedule:
        assert schedule.stdout.readline().startswith("begun")
        schedule.kill()
        assert schedule.stdout.read() == rest  # the pipe closes when the last process ends


def test_run_ends_if_its_schedule_ended_before_it_started():
    gone = "import os; os.environ['SONGFORM_PARENT_PID'] = str(os.getppid() + 1)"
    with started(RUN.format(grace=600.0, first=gone, child=None)) as schedule:
        assert schedule.stdout.read().endswith("in good order\n")


def test_run_without_a_schedule_is_not_monitored(monkeypatch):
    monkeypatch.setattr("flows.prefect_server.child_processes.threading.Thread", None)  # starting one raises TypeError
    group = os.getpgrp()
    for value in (None, "", "nobody"):
        monkeypatch.delenv(PARENT_PID, raising=False)
        if value is not None:
            monkeypatch.setenv(PARENT_PID, value)
        exit_with_parent()
    assert os.getpgrp() == group


def test_run_leads_its_own_process_group():
    with started(RUN.format(grace=600.0, first="", child=CHILD)) as schedule:
        run = int(schedule.stdout.readline().removeprefix("begun"))
        assert os.getpgid(run) == run != os.getpgid(schedule.pid)
        os.kill(run, signal.SIGINT)
        assert schedule.stdout.read() == "in good order\n"
