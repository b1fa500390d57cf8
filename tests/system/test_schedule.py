"""A schedule fires for real, and ends when it is told to; Prefect's work pools take the same deployments.

These tests need nothing but the lock, and minutes of waiting: a cron expression has no seconds.
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

PATIENCE = 600.0  # seconds: two starts under load, the five minutes for which a killed run keeps its place, a run
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
    """Make a home whose feed is due every minute."""
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "songform.toml").write_text(TOML.format(url=feed, pause=0.0))
    return folder


def environment(**more):
    # Nothing of songform's either: what other tests set for all of theirs would hold before songform.toml.
    own = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "SONGFORM_"))}
    return own | more


def prefect(home, api, *words):
    """Call Prefect's own command line."""
    return subprocess.run(
        [sys.executable, "-m", "prefect", "--no-prompt", *words],
        cwd=home,
        env=environment(PREFECT_API_URL=api, PREFECT_HOME=str(home / ".prefect"), COLUMNS="200"),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@contextmanager
def schedule(home):
    """Run `songform schedule` until the block ends, and give its process and its server's address."""
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
    """Ask for the flow runs that have begun, the latest first."""
    document = {"sort": "EXPECTED_START_TIME_DESC", "flows": {"name": {"any_": ["ingest-playlists"]}}, **wanted}
    answer = requests.post(f"{api}/flow_runs/filter", json=document, timeout=30).json()
    return [run for run in answer if run["state"]["type"] != "SCHEDULED"]


def until(condition):
    """Wait for something, and return it."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.5)
    pytest.fail("it did not happen in time")


def processes(home):
    """Return the processes that name a home in their arguments or environment; this one does not."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            said = (place / "cmdline").read_bytes() + (place / "environ").read_bytes()
        except OSError:
            continue
        if str(home).encode() in said:
            found.append(said.split(b"\0")[:6])
    return found


def test_a_playlist_is_ingested_when_its_time_comes_and_sigterm_ends_everything(home):
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


@pytest.mark.parametrize("wish", [signal.SIGTERM, signal.SIGINT])
def test_a_run_that_is_under_way_is_stopped_with_the_schedule_and_leaves_nothing_half_there(home, feed, wish):
    (home / "songform.toml").write_text(TOML.format(url=feed, pause=600.0))
    with schedule(home) as (process, api):
        until(lambda: any((home / "data" / "tracks").glob("*.json")) or list((home / "data" / "hosts").glob("*.json")))
        assert [run["state"]["type"] for run in runs(api)] == ["RUNNING"]
        process.send_signal(wish)
        assert process.wait(90) == 0
    until(lambda: not processes(home))
    assert list((home / "data").rglob("*.tmp")) == []


def test_a_schedule_that_was_killed_goes_on_when_it_is_started_again(home, feed):
    """The run that died with it holds its deployment's only place, until the server misses it."""
    (home / "songform.toml").write_text(TOML.format(url=feed, pause=600.0))
    with schedule(home) as (process, api):
        until(lambda: list((home / "data" / "hosts").glob("*.json")))
        os.killpg(process.pid, signal.SIGKILL)  # with its runs, as by a service manager or a power cut
        process.wait(10)
    (home / "songform.toml").write_text(TOML.format(url=feed, pause=0.0))
    with schedule(home) as (process, api):
        until(lambda: [run for run in runs(api) if run["state"]["name"] == "Completed"])
        process.send_signal(signal.SIGTERM)
        assert process.wait(90) == 0


def test_a_run_ends_with_a_schedule_that_is_killed_alone_and_the_next_one_goes_on(home, feed):
    (home / "songform.toml").write_text(TOML.format(url=feed, pause=600.0))
    with schedule(home) as (process, api):
        until(lambda: list((home / "data" / "hosts").glob("*.json")))
        process.kill()
        began = time.monotonic()
        until(lambda: not processes(home))  # the run, its workers, and the server, once it knows of that
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
    """Start a server with pages, as `songform ui` has it."""
    with launched_server(tmp_path / "server", free_port(), ui=True) as server:
        server.wait()
        yield server.api


def test_a_work_pool_takes_all_deployments_of_prefect_yaml_and_a_worker_finds_the_home(server, home, feed):
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
