"""Tests that Ctrl-C, SIGTERM and SIGHUP end a command with the right exit code and, with --json, with one document."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest

from flows.cli.termination import Terminated, interruption_code, termination_as_interrupt

EXIT_CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}

WHILE_IMPORTING = """
import importlib.abc, os, sys

class Interrupting(importlib.abc.MetaPathFinder):
    def find_spec(self, name, *_):
        if name == "typer":
            os.kill(os.getpid(), {signal})

sys.meta_path.insert(0, Interrupting())
from flows.cli.main import main
main()
"""
WHILE_PARSING = """
import os
from typer.core import TyperGroup
from flows.cli.main import main
TyperGroup.parse_args = lambda *_: os.kill(os.getpid(), {signal})
main()
"""
WHILE_WORKING = """
import os
import flows.cli.commands.status as status
from flows.cli.main import main
status.corpus_status = lambda home: os.kill(os.getpid(), {signal})
main()
"""
MOMENTS = {"importing": WHILE_IMPORTING, "parsing": WHILE_PARSING, "working": WHILE_WORKING}


def interrupted(moment, number, home, *words, before=None):
    """Run `songform status` in a process that sends itself a signal at the given moment."""
    program = MOMENTS[moment].format(signal=int(number))
    command = [sys.executable, "-c", program, "status", "--home", str(home), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, preexec_fn=before)


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("number", EXIT_CODES)
def test_each_signal_ends_a_command_with_its_exit_code_and_a_document(tmp_path, moment, number):
    run = interrupted(moment, number, tmp_path, "--json")
    assert run.returncode == EXIT_CODES[number]
    assert "Traceback" not in run.stderr
    error = json.loads(run.stdout)["error"]
    assert error.startswith("stopped")
    assert f"songform: {error}\n" in run.stderr


@pytest.mark.parametrize("moment", MOMENTS)
def test_without_json_nothing_is_written_to_standard_output(tmp_path, moment):
    run = interrupted(moment, signal.SIGINT, tmp_path)
    assert (run.returncode, run.stdout) == (130, "")
    assert "songform: stopped" in run.stderr


def test_ignored_signal_stays_ignored(tmp_path):
    def ignore():
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # what nohup does

    (tmp_path / "data").mkdir()
    run = interrupted("parsing", signal.SIGHUP, tmp_path, before=ignore)
    assert run.returncode not in EXIT_CODES.values()
    assert "stopped" not in run.stderr


def test_handlers_are_restored():
    before = [signal.getsignal(number) for number in EXIT_CODES]
    with pytest.raises(Terminated), termination_as_interrupt():
        signal.raise_signal(signal.SIGTERM)
    assert [signal.getsignal(number) for number in EXIT_CODES] == before


def test_exit_code_follows_the_signal_behind_another_interruption():
    later = KeyboardInterrupt()
    later.__cause__ = Terminated(signal.SIGTERM)
    assert interruption_code(later) == 143
    assert interruption_code(KeyboardInterrupt()) == 130
    assert interruption_code(None) == 130
