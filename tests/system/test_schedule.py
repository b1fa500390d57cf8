"""Tests that a schedule starts runs and stops on a signal, and that Prefect's work pools run the same deployments.

These tests need only the packages of the lock, but take minutes, because cron expressions cannot specify seconds.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

import flows
from flows.demo import served_feed
from flows.prefect_server.connect import running_server
from flows.prefect_server.launch import free_port, launched_server
from tasks.store.corpus import Corpus

pytestmark = pytest.mark.system

# In seconds: time for two starts under load, for the five minutes in which a killed run keeps its concurrency slot,
# and for another run.
TIMEOUT = 600.0
TOML = """
[download]
allow_private = true
host_seconds = {pause}
[schedule]
retry = ""
train = ""
[[playlists]]
url = "{url}"
every = "* * * * *"
"""


@pytest.fixture
def feed(songs, tmp_path):
    folder = tmp_path / "feed"
    folder.mkdir()
    with served_feed(folder, songs[:3], 0) as url:
        yield url


@pytest.fixture
def home(tmp_path, feed):
    """Return a home whose feed is due every minute."""
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "songform.toml").write_text(TOML.format(url=feed, pause=0.0))
    return folder


def environment(**more):
    # Settings that other tests put into the environment would override songform.toml.
    own = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "SONGFORM_"))}
    return own | more


def prefect(home, api, *words):
    """Run Prefect's command line."""
    return subprocess.run(
        [sys.executable, "-m", "prefect", "--no-prompt", *words],
        cwd=home,
        env=environment(PREFECT_API_URL=api, PREFECT_HOME=str(home / ".prefect"), COLUMNS="200"),
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )


@contextmanager
def schedule(home):
    """Run `songform schedule` during a `with` block, and yield its process and the address of its Prefect server."""
    line = [sys.executable, "-m", "flows.cli", "--home", str(home), "schedule", "--prefect-port", "0"]
    with subprocess.Popen(
        line, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    ) as one:
        try:
            said = []
            for text in one.stdout:
                said.append(text)
                if text.startswith("Ctrl-C"):
                    break
            api = running_server(home)
            assert api, said
            yield one, api
        finally:
            if one.poll() is None:
                one.kill()


def runs(api, **wanted):
    """Return the flow runs of `ingest-playlists` that have started, the latest first."""
    document = {"sort": "EXPECTED_START_TIME_DESC", "flows": {"name": {"any_": ["ingest-playlists"]}}, **wanted}
    answer = requests.post(f"{api}/flow_runs/filter", json=document, timeout=30).json()
    return [run for run in answer if run["state"]["type"] != "SCHEDULED"]


def until(condition):
    """Wait until a condition returns a true value, and return this value."""
    deadline = time.monotonic() + TIMEOUT
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.5)
    pytest.fail(f"the condition did not become true within {TIMEOUT:g} s")


def processes(home):
    """Return the processes whose arguments or environment contain the path of a home; the test's own does not."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            said = (place / "cmdline").read_bytes() + (place / "environ").read_bytes()
        except OSError:
            continue
        if str(home).encode() in said:
            found.append(said.split(b"\0")[:6])
    return found


def test_due_playlist_is_ingested_and_sigterm_stops_all_processes(home):
    with schedule(home) as (process, api):
        done = until(lambda: [run for run in runs(api) if run["state"]["name"] == "Completed"])
        assert done[-1]["state"]["message"] == "3 done"
        assert {record.status for record in Corpus(home).records()} == {"done"}
        assert len(Corpus(home).records()) == 3
        assert all(run["auto_scheduled"] for run in done)
        process.send_signal(signal.SIGTERM)
        rest = process.stdout.read()
        assert (process.wait(60), rest) == (0, "Stopped.\n")
    assert running_server(home) is None
    until(lambda: not processes(home))


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_stopping_the_schedule_stops_a_running_ingest_without_incomplete_files(home, feed, stop):
    (home / "songform.toml").write_text(TOML.format(url=feed, pause=600.0))
    with schedule(home) as (process, api):
        until(lambda: any((home / "data" / "tracks").glob("*.json")) or list((home / "data" / "hosts").glob("*.json")))
        assert [run["state"]["type"] for run in runs(api)] == ["RUNNING"]
        process.send_signal(stop)
        assert process.wait(90) == 0
    until(lambda: not processes(home))
    assert list((home / "data").rglob("*.tmp")) == []


def test_killed_schedule_continues_when_it_is_started_again(home, feed):
    """The run that was killed with it keeps the only concurrency slot until the server detects that it is gone."""
    (home / "songform.toml").write_text(TOML.format(url=feed, pause=600.0))
    with schedule(home) as (process, api):
        until(lambda: list((home / "data" / "hosts").glob("*.json")))
        os.killpg(process.pid, signal.SIGKILL)  # with its runs, as by a service manager or a power failure
        process.wait(10)
    (home / "songform.toml").write_text(TOML.format(url=feed, pause=0.0))
    with schedule(home) as (process, api):
        until(lambda: [run for run in runs(api) if run["state"]["name"] == "Completed"])
        process.send_signal(signal.SIGTERM)
        assert process.wait(90) == 0


def test_run_ends_when_only_its_schedule_is_killed_and_the_next_schedule_continues(home, feed):
    (home / "songform.toml").write_text(TOML.format(url=feed, pause=600.0))
    with schedule(home) as (process, api):
        until(lambda: list((home / "data" / "hosts").glob("*.json")))
        process.kill()
        began = time.monotonic()
        until(
            lambda: not processes(home)
        )  # the run, its workers, and the server, after it has recorded the end of the run
        assert time.monotonic() - began < 60
    assert list((home / "data").rglob("*.tmp")) == []
    (home / "songform.toml").write_text(TOML.format(url=feed, pause=0.0))
    with schedule(home) as (process, api):
        assert [run["state"]["type"] for run in runs(api)] == ["CRASHED"]
        until(lambda: [run for run in runs(api) if run["state"]["name"] == "Completed"])
        process.send_signal(signal.SIGTERM)
        assert process.wait(90) == 0


@pytest.fixture
def server(tmp_path):
    """Start a Prefect server with its web pages, as `songform ui` does."""
    with launched_server(tmp_path / "server", free_port(), ui=True) as server:
        server.wait()
        yield server.api


def test_work_pool_runs_the_deployments_of_prefect_yaml_in_the_home(server, home, feed):
    shutil.copy(Path(flows.__file__).parents[1] / "prefect.yaml", home)
    assert prefect(home, server, "work-pool", "create", "songform", "--type", "process").returncode == 0
    deployed = prefect(home, server, "deploy", "--all")
    assert deployed.returncode == 0, deployed.stdout + deployed.stderr
    found = {d["name"]: d for d in requests.post(f"{server}/deployments/filter", json={}, timeout=30).json()}
    expected = {
        "ingest-playlists": ("0 6 * * *", "daily"),
        "retry-due": ("30 * * * *", "hourly"),
        "train-anew": ("0 4 * * 1", "weekly"),
    }
    assert set(found) == {*expected, "ingest", "train"}
    for name, (cron, slug) in expected.items():
        deployment = found[name]
        (plan,) = deployment["schedules"]
        assert (plan["schedule"]["cron"], plan["schedule"]["timezone"], plan["slug"]) == (cron, "UTC", slug)
        assert deployment["parameters"] == {"home": "."}
        assert deployment["entrypoint"] == f"flows.schedule.scheduled_flows.{name.replace('-', '_')}"
        assert deployment["global_concurrency_limit"]["limit"] == 1
        assert deployment["concurrency_options"]["collision_strategy"] == "CANCEL_NEW"
    assert [found[name]["schedules"] for name in ("ingest", "train")] == [[], []]

    parameters = ["--param", f"urls={json.dumps([feed])}", "--job-variable", f"working_dir={home}"]
    started = prefect(home, server, "deployment", "run", "ingest-playlists/ingest-playlists", *parameters)
    assert started.returncode == 0, started.stdout + started.stderr
    worked = prefect(home, server, "worker", "start", "--pool", "songform", "--run-once")
    assert worked.returncode == 0, worked.stdout + worked.stderr
    (run,) = runs(server)
    assert (run["state"]["name"], run["state"]["message"]) == ("Completed", "3 done"), worked.stdout + worked.stderr
    assert len(Corpus(home).records()) == 3
