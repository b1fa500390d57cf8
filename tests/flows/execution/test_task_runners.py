"""Tests of the execution of tasks in threads and on a Dask cluster, which is a small one inside this process."""

from __future__ import annotations

import operator
import sys
import threading
import time
import uuid
from contextlib import contextmanager

import httpx
import prefect.runtime
import pytest
from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.exceptions import PrefectHTTPStatusError
from prefect.states import Completed, Crashed

import flows.execution.dask_cluster
import flows.execution.task_runners
from flows.execution.dask_cluster import outcomes_on, record_crash
from flows.execution.task_runners import cluster_settings, jobs_per_task, results
from flows.prefect_server.launch import free_port
from songform.errors import SettingsError, SongformError, TrackError
from tasks.process_pool import WorkerLostError
from tasks.recorded_task import task as recorded_task
from tasks.settings import Settings

THREADS = Settings()
DASK = Settings.model_validate({"run": {"task_runner": "dask", "dask_address": "tcp://127.0.0.1:1"}})
LOOPBACK = {"dashboard_address": "127.0.0.1:0", "worker_dashboard_address": "127.0.0.1:0"}


@task
def halved(number):
    if number % 2:
        raise TrackError(f"{number} is odd", "permanent")
    return number // 2, threading.get_ident()


def results_in_a_flow(calls):
    found = []
    flow(lambda: found.extend(results(halved, calls, THREADS)), name="test")()
    return found


@pytest.mark.usefixtures("api")
def test_results_and_errors_are_in_the_order_of_the_calls():
    first, second, third = results_in_a_flow([{"number": number} for number in (8, 5, 2)])
    assert (first[0], str(second), third[0]) == (4, "5 is odd", 1)
    assert isinstance(second, TrackError)
    assert threading.get_ident() not in (first[1], third[1])


@recorded_task(task_run_name="name of {number}")
def run_name(number):
    if number < 0:
        raise TrackError("negative", "permanent")
    return prefect.runtime.task_run.name


@pytest.mark.usefixtures("api")
def test_calls_within_a_flow_run_are_task_runs_and_elsewhere_plain_calls():
    calls, found = [{"number": 1}, {"number": -1}, {"number": 2}], []
    flow(lambda: found.extend([run_name(0), *results(run_name, calls, THREADS)]), name="test")()
    assert [found[n] for n in (0, 1, 3)] == ["name of 0", "name of 1", "name of 2"]
    elsewhere = results(run_name, calls, THREADS)
    assert (elsewhere[0], elsewhere[2]) == (None, None)
    assert [str(error) for error in (found[2], elsewhere[1])] == ["negative", "negative"]


class Walked(list):
    """List that counts how often it is iterated over."""

    times = 0

    def __iter__(self):
        self.times += 1
        return super().__iter__()


@task(task_run_name="length of {numbers}", cache_policy=NO_CACHE)
def length(numbers):
    return prefect.runtime.task_run.name, prefect.runtime.task_run.parameters["numbers"] is numbers, len(numbers)


@pytest.mark.usefixtures("api")
def test_prefect_does_not_search_the_parameters_for_futures():
    numbers, found = [Walked([1, 2, 3]) for _ in range(2)], []
    calls = [{"numbers": each} for each in numbers]
    flow(lambda: found.extend(results(length, calls, THREADS) + results(length, calls[:1], THREADS)), name="test")()
    assert found == [("length of [1, 2, 3]", True, 3)] * 3
    assert [each.times for each in numbers] == [0, 0]


@pytest.mark.usefixtures("api")
def test_single_run_of_a_task_stays_in_the_calling_thread():
    assert results_in_a_flow([{"number": 2}]) == [(1, threading.get_ident())]
    assert results(halved, [], THREADS) == []


def test_batch_is_one_task_with_threads_and_one_task_per_track_on_a_cluster():
    assert jobs_per_task([1, 2, 3], THREADS) == [[1, 2, 3]]
    assert jobs_per_task([1, 2, 3], DASK) == [[1], [2], [3]]
    assert jobs_per_task([], THREADS) == jobs_per_task([], DASK) == []


def test_settings_for_threads_are_not_changed():
    with cluster_settings(THREADS) as placed:
        assert placed == THREADS


@pytest.mark.parametrize("missing", ["prefect_dask", "distributed"])
def test_missing_extra_is_reported_with_the_command_to_install_it(missing, monkeypatch):
    monkeypatch.delitem(sys.modules, "prefect_dask", raising=False)
    monkeypatch.setitem(sys.modules, missing, None)
    with (
        pytest.raises(SettingsError, match=r"needs the extra dask; install it with `pip install"),
        cluster_settings(DASK),
    ):
        pass


@pytest.mark.parametrize("address", [f"tcp://127.0.0.1:{free_port()}", "nonsense://here"], ids=["silent", "nonsense"])
def test_address_without_a_scheduler_is_named(address, monkeypatch):
    monkeypatch.setattr(flows.execution.dask_cluster, "_ANSWER_SECONDS", 1.0)
    run = DASK.run.model_copy(update={"dask_address": address})
    with (
        pytest.raises(SettingsError, match=f"no Dask scheduler answers at run.dask_address = {address}; start one"),
        cluster_settings(DASK.model_copy(update={"run": run})),
    ):
        pass


@pytest.fixture
def deadly(monkeypatch):
    """Replace the cluster by one on which the task `killer` crashes its workers and loses a task `beside it`.

    Return a list with the names of the tasks that are submitted in each round.
    """
    rounds = []

    class Runner:
        client = None

        def submit(self, _task, call):
            rounds[-1].append(call["name"])
            return self

        wrapped_future = task_run_id = None

    @contextmanager
    def runner(_address):
        rounds.append([])
        yield Runner()

    def outcomes(_client, futures):
        names = rounds[-1]
        assert len(futures) == len(names)
        lost = {"killer", "beside it"} if "killer" in names else set()
        return [Crashed() if name in lost else Completed(data=name) for name in names]

    monkeypatch.setattr(flows.execution.task_runners, "dask_runner", runner)
    monkeypatch.setattr(flows.execution.task_runners, "outcomes_on", outcomes)
    monkeypatch.setattr(flows.execution.task_runners, "record_crash", lambda *_: None)
    return rounds


def test_each_of_several_lost_runs_is_repeated_alone(deadly):
    calls = [{"name": name} for name in ("good", "killer", "beside it")]
    found = results(halved, calls, DASK)
    assert deadly == [["good", "killer", "beside it"], ["killer"], ["beside it"]]
    assert found[::2] == ["good", "beside it"]
    assert isinstance(found[1], WorkerLostError)


def test_single_lost_run_is_not_repeated(deadly):
    found = results(halved, [{"name": "killer"}, {"name": "good"}], DASK)
    assert deadly == [["killer", "good"]]
    assert isinstance(found[0], WorkerLostError)


@pytest.fixture
def cluster(monkeypatch):
    """Start a cluster with one worker in this process, and yield a client."""
    from distributed import Client, LocalCluster

    monkeypatch.setattr(flows.execution.dask_cluster, "_POLL_SECONDS", 0.05)
    with (
        LocalCluster(n_workers=1, processes=False, **LOOPBACK) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield client


def test_task_that_cannot_start_is_an_error_of_the_cluster(cluster):
    futures = [cluster.submit(operator.truediv, 1, 0, pure=False)]
    with pytest.raises(
        SongformError, match=r"cannot run songform's tasks \(ZeroDivisionError: division by zero\); install the same"
    ):
        outcomes_on(cluster, futures)


def test_lost_cluster_ends_the_flow(cluster):
    begun = cluster.submit(time.sleep, 2.0, pure=False)
    begun.cancel(force=True)
    with pytest.raises(SongformError, match=r"the Dask cluster was lost .*; .*run the same command again"):
        outcomes_on(cluster, [begun])


def test_waiting_for_a_cluster_without_workers_has_a_timeout(cluster, monkeypatch):
    monkeypatch.setattr(flows.execution.dask_cluster, "_WORKER_SECONDS", 0.2)
    cluster.cluster.scale(0)
    waiting = cluster.submit(abs, -1, pure=False)
    with pytest.raises(SongformError, match="has had no worker for 0 minutes; start workers"):
        outcomes_on(cluster, [waiting])


class _Server:
    """Client of a Prefect server that knows some task runs."""

    def __init__(self, known, status=409):
        self.known = known
        self.status = status
        self.requests = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def create_task_run(self, _task, flow_run_id, **values):
        if values["id"] in self.known:
            response = httpx.Response(self.status, request=httpx.Request("POST", "http://127.0.0.1/api/task_runs/"))
            raise PrefectHTTPStatusError("conflict", request=response.request, response=response)
        assert (flow_run_id, len(values["dynamic_key"])) == (None, 32)
        self.requests.append(("create", values["id"], values["state"].name, values["name"]))

    def set_task_run_state(self, task_run_id, state, *, force):
        self.requests.append(("set", task_run_id, state.name, force))


NUMBER = uuid.uuid4()


@pytest.mark.parametrize(
    ("known", "request_"),
    [([NUMBER], ("set", NUMBER, "Crashed", True)), ([], ("create", NUMBER, "Crashed", "half of 4"))],
)
def test_crash_is_recorded_whether_the_server_knows_the_task_run_or_not(known, request_, monkeypatch):
    server = _Server(known)
    monkeypatch.setattr("prefect.client.orchestration.get_client", lambda **_: server)
    named = halved.with_options(task_run_name="half of {number}")
    record_crash(named, {"number": 4}, NUMBER, Crashed())
    assert server.requests == [request_]


def test_other_errors_of_the_server_are_not_taken_for_a_known_task_run(monkeypatch):
    server = _Server([NUMBER], status=503)
    monkeypatch.setattr("prefect.client.orchestration.get_client", lambda **_: server)
    with pytest.raises(PrefectHTTPStatusError):
        record_crash(halved, {"number": 4}, NUMBER, Crashed())
    assert server.requests == []
