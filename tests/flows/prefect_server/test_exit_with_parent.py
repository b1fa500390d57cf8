"""A run whose schedule is killed ends with it, and all that it has started.

The processes share a pipe with the test, which is at its end when the last of them is gone: that is waited for.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

import flows
from flows.prefect_server.exit_with_parent import KEEPER, end_with_keeper

SCHEDULE = """
import os, subprocess, sys, time
os.environ["SONGFORM_KEEPER"] = str(os.getpid())
subprocess.run([sys.executable, "-c", sys.argv[1]])
"""
RUN = """
import os, signal, subprocess, sys, time
from flows.prefect_server import exit_with_parent
exit_with_parent._LOOK_SECONDS, exit_with_parent._GRACE_SECONDS = 0.01, {grace}
{first}
child = None
try:
    flows.prefect_server.exit_with_parent.end_with_keeper()
    child = {child}
    print("begun", os.getpid(), flush=True)
    time.sleep(600)
except KeyboardInterrupt:
    if child:
        child.kill()
    print("in good order", flush=True)
"""


CHILD = 'subprocess.Popen(["sleep", "600"])'


@contextmanager
def started(run):
    """Start a schedule with its run for the length of a `with` block."""
    command, root = [sys.executable, "-c", SCHEDULE, run], Path(flows.__file__).parents[1]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True, start_new_session=True) as schedule:
        try:
            yield schedule
        finally:
            schedule.kill()


@pytest.mark.parametrize(
    ("grace", "first", "rest"),
    [(600.0, "", "in good order\n"), (0.2, "signal.signal(signal.SIGINT, signal.SIG_IGN)", "")],
)
def test_a_run_whose_schedule_is_killed_is_interrupted_and_then_killed_with_all_it_started(grace, first, rest):
    with started(RUN.format(grace=grace, first=first, child=CHILD)) as schedule:
        assert schedule.stdout.readline().startswith("begun")
        schedule.kill()
        assert schedule.stdout.read() == rest  # to its end: nobody is left who could write


def test_a_run_whose_schedule_is_gone_before_it_begins_ends_too():
    gone = "import os; os.environ['SONGFORM_KEEPER'] = str(os.getppid() + 1)"
    with started(RUN.format(grace=600.0, first=gone, child=None)) as schedule:
        assert schedule.stdout.read().endswith("in good order\n")


def test_a_run_that_no_schedule_has_started_is_left_alone(monkeypatch):
    monkeypatch.setattr("flows.prefect_server.exit_with_parent.threading.Thread", None)  # to start one is a defect
    group = os.getpgrp()
    for value in (None, "", "nobody"):
        monkeypatch.delenv(KEEPER, raising=False)
        if value is not None:
            monkeypatch.setenv(KEEPER, value)
        end_with_keeper()
    assert os.getpgrp() == group


def test_a_run_is_the_first_of_a_group_of_its_own_so_that_nobody_else_is_killed():
    with started(RUN.format(grace=600.0, first="", child=CHILD)) as schedule:
        run = int(schedule.stdout.readline().removeprefix("begun"))
        assert os.getpgid(run) == run != os.getpgid(schedule.pid)
        os.kill(run, signal.SIGINT)
        assert schedule.stdout.read() == "in good order\n"
