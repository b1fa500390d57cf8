"""Process pool with crashing and hanging workers; the jobs are built-in functions, which are always picklable."""

from __future__ import annotations

import ast
import itertools
import math
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from functools import partial

import numpy as np
import pebble.common.types
import pytest

import tasks.process_pool
from songform.errors import SongformError
from tasks.process_pool import WorkerLostError, WorkerTimeoutError, run_jobs, usable_cores

ALIVE = 0  # signal number that has no effect


def sorted_outcomes(function, jobs, workers=2, **more):
    found = sorted(run_jobs(function, jobs, workers=workers, **more), key=lambda pair: pair[0])
    assert [number for number, _ in found] == list(range(len(jobs)))
    return [outcome for _, outcome in found]


def test_results_and_errors_are_returned():
    found = sorted_outcomes(math.sqrt, [4.0, -1.0, 9.0])
    assert found[::2] == [2.0, 3.0]
    assert isinstance(found[1], ValueError)


def test_workers_ignore_ctrl_c_and_the_parent_does_not():
    """A terminal sends the signal to all processes; one that is still importing would print a traceback."""
    here = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    (there,) = sorted_outcomes(partial(signal.pthread_sigmask, signal.SIG_BLOCK), [[]])
    assert signal.SIGINT in there
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == here


def test_killed_worker_loses_only_its_own_job():
    jobs = [ALIVE, signal.SIGKILL, ALIVE, signal.SIGSEGV, signal.SIGABRT, ALIVE, ALIVE]
    found = sorted_outcomes(signal.raise_signal, jobs)
    assert [getattr(outcome, "signal", outcome) for outcome in found] == [None, 9, None, 11, 6, None, None]
    assert str(found[3]) == "signal 11"


def test_the_only_worker_is_replaced_when_it_dies():
    found = sorted_outcomes(signal.raise_signal, [signal.SIGKILL, ALIVE, signal.SIGKILL, ALIVE], workers=1)
    assert [type(outcome) for outcome in found] == [WorkerLostError, type(None)] * 2


class KilledAtStart:
    """The function `math.sqrt`, but a process that receives it is killed while it starts, once per file of a folder."""

    def __init__(self, folder, times):
        self.folder = folder
        for number in range(times):
            (folder / str(number)).touch()

    def __reduce__(self):
        take = f"[path.unlink() or os.kill(os.getpid(), 9) for path in pathlib.Path({str(self.folder)!r}).iterdir()]"
        modules = "(lambda os, pathlib, math: ({}, math.sqrt)[1])(*map(__import__, ('os', 'pathlib', 'math')))"
        return eval, (modules.format(take),)


def test_pool_is_started_again_if_a_worker_is_killed_while_it_starts(tmp_path):
    """For example, because memory is short for a moment."""
    assert sorted_outcomes(KilledAtStart(tmp_path, 2), [4.0, 9.0], workers=1) == [2.0, 3.0]
    assert not list(tmp_path.iterdir())


def test_workers_that_are_always_killed_while_they_start_are_reported_in_one_sentence(tmp_path):
    with pytest.raises(SongformError, match=r"killed or ran out of memory .* --set run\.workers=1$"):
        list(run_jobs(KilledAtStart(tmp_path, 50), [4.0, 9.0], workers=2))
    assert len(list(tmp_path.iterdir())) >= 50 - 3 * 2 * 2  # it stops after the third start
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize(("leave", "status"), [(os._exit, 3), (sys.exit, 1)])
def test_worker_that_exits_is_reported_as_lost(leave, status):
    (lost,) = sorted_outcomes(leave, [3])
    assert (lost.signal, lost.status) == (0, status)
    assert str(lost) == f"exit status {status}"


class MadeJobs(Sequence):
    """Numbers from 1, which are made when they are read; the third cannot be made."""

    def __init__(self, count):
        self.count, self.made = count, 0

    def __len__(self):
        return self.count

    def __getitem__(self, number):
        self.made += 1
        if number == 2:
            raise KeyError("the third")
        return float(number + 1)


def test_jobs_are_made_when_they_are_needed_and_one_that_cannot_be_made_fails_alone():
    jobs, outcomes = MadeJobs(30), {}
    for number, outcome in run_jobs(math.sqrt, jobs, workers=2):
        assert jobs.made <= len(outcomes) + 4  # at most two per worker in advance
        outcomes[number] = outcome
    assert isinstance(outcomes.pop(2), KeyError)
    assert outcomes == {number: math.sqrt(number + 1) for number in range(30) if number != 2}


def test_no_more_workers_are_started_than_there_are_jobs(monkeypatch):
    started, pool = [], tasks.process_pool.ProcessPool

    def recorded(workers, **how):
        started.append(workers)
        return pool(workers, **how)

    monkeypatch.setattr(tasks.process_pool, "ProcessPool", recorded)
    sorted_outcomes(math.sqrt, [4.0, 9.0], workers=64)
    sorted_outcomes(math.sqrt, [], workers=64)
    assert started == [2]


def test_ctrl_c_ends_all_workers_at_once():
    threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        list(run_jobs(time.sleep, [600.0] * 300, workers=2))
    assert multiprocessing.active_children() == []


def test_closing_the_generator_ends_all_workers():
    listening = run_jobs(time.sleep, [0.0, 600.0, 600.0], workers=2)
    assert next(listening) == (0, None)
    listening.close()
    assert multiprocessing.active_children() == []


@pytest.fixture
def impatient(monkeypatch):
    """Check the time limit of jobs frequently."""
    monkeypatch.setattr(tasks.process_pool, "_POLL_SECONDS", 0.01)


@pytest.mark.usefixtures("impatient")
def test_hanging_job_is_terminated_and_the_others_are_done():
    found = sorted_outcomes(time.sleep, [0.0, 600.0, 0.0, 600.0, 0.0], seconds=0.3)
    assert [type(outcome) for outcome in found] == [type(None), WorkerTimeoutError] * 2 + [type(None)]
    assert multiprocessing.active_children() == []


@pytest.mark.usefixtures("impatient")
def test_time_limit_is_independent_of_the_wall_clock(monkeypatch):
    """The wall clock jumps back and forth by a day with each call."""
    days = itertools.cycle([0.0, 86_400.0])
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + next(days))
    found = sorted_outcomes(time.sleep, [0.0, 0.1, 600.0], seconds=1.5)
    assert [type(outcome) for outcome in found] == [type(None), type(None), WorkerTimeoutError]


@pytest.mark.usefixtures("impatient")
def test_job_that_ignores_sigterm_is_killed(monkeypatch):
    monkeypatch.setattr(pebble.common.types.CONSTS, "term_timeout", 0.2)
    deaf = "(__import__('signal').pthread_sigmask(0, [15]), __import__('time').sleep(600))"
    (outcome,) = sorted_outcomes(partial(eval, deaf), [{}], seconds=0.3)
    assert type(outcome) is WorkerTimeoutError
    assert multiprocessing.active_children() == []


@pytest.mark.usefixtures("impatient")
def test_program_started_by_a_timed_out_job_ends_with_it(tmp_path):
    """Otherwise a decoder that runs as a separate program would hang forever."""
    note = tmp_path / "pid"
    job = f"__import__('subprocess').run(['sh', '-c', 'echo $$ > {note}; exec sleep 600'])"
    (outcome,) = sorted_outcomes(partial(eval, job), [{}], seconds=2.0)
    assert type(outcome) is WorkerTimeoutError
    with pytest.raises(ProcessLookupError):
        os.kill(int(note.read_text()), ALIVE)


ORPHANS = """
import time
from tasks.process_pool import run_jobs

def forever(name):
    try:
        print(name, flush=True)
        time.sleep(600)
    finally:
        print("cleaned up", flush=True)

if __name__ == "__main__":
    list(run_jobs(forever, ["begun"], workers=1))
"""


def test_worker_whose_parent_is_killed_cleans_up_and_ends(tmp_path):
    """Otherwise a decoder that hangs would keep running unnoticed."""
    script = tmp_path / "script.py"
    script.write_text(ORPHANS)
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout.readline() == "begun\n"
        parent.kill()
        assert parent.stdout.read() == "cleaned up\n"  # up to the end of file, so all writers have ended


def test_script_without_a_main_guard_gets_an_explanation(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("from tasks.process_pool import run_jobs\nprint(list(run_jobs(abs, [-1, -2], workers=2)))\n")
    ended = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert 'under `if __name__ == "__main__":`' in ended.stderr.splitlines()[-1]


def test_a_worker_has_one_thread(monkeypatch):
    """BLAS would start one thread per core in each worker; libraries that the function imports are limited, too."""
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "2")
    asked = "{pool['num_threads'] for pool in __import__('threadpoolctl').threadpool_info()}"
    assert sorted_outcomes(partial(eval, asked, {"inv": np.linalg.inv}), [{}]) == [{1}]


def test_stderr_of_workers_is_discarded(capfd):
    assert sorted_outcomes(partial(os.write, 2), [b"a note"]) == [6]
    assert capfd.readouterr().err == ""


def test_usable_cores_are_those_of_this_process():
    assert 1 <= usable_cores() <= os.cpu_count()


IN_A_DAEMON = """
import math
import multiprocessing
from tasks.process_pool import run_jobs

def work():
    print([repr(outcome) for _, outcome in run_jobs(math.sqrt, [4.0, -1.0, 9.0], workers=2)])

if __name__ == "__main__":
    daemon = multiprocessing.get_context("spawn").Process(target=work, daemon=True)
    daemon.start()
    daemon.join()
"""


def test_daemonic_process_runs_the_jobs_itself(tmp_path):
    """Workers of Dask are daemonic."""
    script = tmp_path / "script.py"
    script.write_text(IN_A_DAEMON)
    ended = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60, check=True)
    first, second, third = ast.literal_eval(ended.stdout)
    assert (first, third) == ("2.0", "3.0")
    assert second.startswith("ValueError")


def test_daemonic_process_exits_when_a_job_hangs(tmp_path):
    script = tmp_path / "script.py"
    late = IN_A_DAEMON.replace("workers=2", "workers=2, seconds=0.2").replace("math.sqrt", "time.sleep")
    script.write_text(
        late.replace("import math", "import time").replace("-1.0", "600.0") + "    print(daemon.exitcode)\n"
    )
    ended = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60, check=True)
    assert ended.stdout == "143\n"
