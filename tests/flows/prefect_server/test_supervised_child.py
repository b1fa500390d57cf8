"""Wards: what songform starts ends with it, even by SIGKILL."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SLEEPER = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"
KEEPER = """
import subprocess, sys, time
subprocess.Popen([sys.executable, "-m", "flows.prefect_server.supervised_child", *sys.argv[1:]], stdin=subprocess.PIPE)
time.sleep(600)
"""


def test_a_ward_ends_when_the_program_that_wanted_it_is_killed():
    command = [sys.executable, "-c", KEEPER, sys.executable, "-c", SLEEPER]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        pid = int(program.stdout.readline())
        os.kill(pid, 0)
        program.kill()
        assert program.stdout.read() == ""  # the pipe ends when the last of them has


def test_the_exit_code_is_the_wards():
    command = [
        sys.executable,
        "-m",
        "flows.prefect_server.supervised_child",
        sys.executable,
        "-c",
        "raise SystemExit(7)",
    ]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE) as process:
        assert process.wait(60) == 7
