"""Tests of an ingest on a Dask cluster whose workers are killed.

The cluster is a separate process, as a user's cluster is, and is passed only by its address. These tests take one or
two minutes, because Dask needs some seconds to restart a killed worker.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter

import pytest
import soundfile

import flows.demo
from flows.prefect_server.launch import free_port
from tasks.store.corpus import Corpus

pytestmark = pytest.mark.system

TIMEOUT = 240.0  # in seconds
KILLER = "killer"

CLUSTER = """
import sys
from distributed import LocalCluster

if __name__ == "__main__":
    with LocalCluster(n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0",
                      preload=sys.argv[1:]) as cluster:
        print(cluster.scheduler_address, flush=True)
        sys.stdin.read()
"""

# Loaded by each worker: a decoder that crashes on one file.
DEFECT = f"""
import os
import soundfile

class Deadly(soundfile.SoundFile):
    def __init__(self, file, *more, **options):
        if "{KILLER}" in os.readlink(f"/proc/self/fd/{{file.fileno()}}"):
            os.abort()
        super().__init__(file, *more, **options)

soundfile.SoundFile = Deadly
"""


@pytest.fixture
def address(tmp_path):
    """Start a cluster of two workers, and yield the address of its scheduler."""
    script, defect = tmp_path / "cluster.py", tmp_path / "defect.py"
    script.write_text(CLUSTER)
    defect.write_text(DEFECT)
    line = [sys.executable, str(script), str(defect)]
    with (
        (tmp_path / "cluster.log").open("wb") as log,
        subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True) as cluster,
    ):
        yield cluster.stdout.readline().strip()
        cluster.stdin.close()


@pytest.fixture
def home(tmp_path):
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture
def ingesting(home):
    """Return a function that starts an ingest on a cluster, with its own Prefect server."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    environment |= {"SONGFORM_DOWNLOAD__ALLOW_PRIVATE": "true", "SONGFORM_DOWNLOAD__HOST_SECONDS": "0"}

    def start(address, *sources):
        words = ["--set", "run.task_runner=dask", *(["--set", f"run.dask_address={address}"] if address else [])]
        line = [sys.executable, "-m", "flows.cli", "--home", str(home), "--json", "ingest", *map(str, sources), *words]
        return subprocess.Popen(line, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    return start


def ended(process, code):
    """Wait until a command ends with the expected exit code, and return its JSON document."""
    output, errors = process.communicate(timeout=TIMEOUT)
    assert process.returncode == code, errors
    return json.loads(output)


def workers(address):
    """Return the process ids of the workers of a cluster."""
    from distributed import Client

    with Client(address, set_as_default=False) as client:
        return list(client.run(os.getpid).values())


def recorded(home, kind):
    """Count the runs in Prefect's database by the first word of their name and the name of their final state."""
    with sqlite3.connect(home / ".prefect" / "prefect.db") as database:
        rows = database.execute(f"select name, state_name from {kind}").fetchall()
    database.close()
    return Counter((name.split()[0], state) for name, state in rows)


def folder_of(folder, songs, *names):
    folder.mkdir()
    for name, song in zip(names, songs, strict=False):
        soundfile.write(folder / f"{name}.flac", song.y, song.sr, subtype="PCM_16")
    return folder


@pytest.fixture
def feed(songs, tmp_path, monkeypatch):
    """Serve a feed of three songs, and yield its address and the list of requested paths."""
    asked = []

    class Recording(flows.demo._SilentHandler):
        def send_head(self):
            asked.append(self.path)
            return super().send_head()

    monkeypatch.setattr(flows.demo, "_SilentHandler", Recording)
    (tmp_path / "feed").mkdir()
    with flows.demo.served_feed(tmp_path / "feed", songs[:3], 0) as url:
        yield url, asked


def test_killed_worker_loses_no_track(address, songs, feed, ingesting, home):
    """Another worker takes over its track. Each track has one record in the end, and Prefect has one run per task."""
    (url, asked), (first, _) = feed, workers(address)
    folder = folder_of(home.parent / "songs", songs, *range(5))
    process = ingesting(address, folder, url)
    deadline = time.monotonic() + TIMEOUT
    while len(list(home.glob("data/tracks/*.json"))) < 2:
        assert time.monotonic() < deadline
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    os.kill(first, signal.SIGKILL)
    document = ended(process, 0)
    # yt-dlp requests the beginning of a file before it downloads it.
    assert Counter(asked) == {"/feed.rss": 1, "/0.flac": 2, "/1.flac": 2, "/2.flac": 2}
    assert [track["status"] for track in document["tracks"]] == ["done"] * 8
    assert len(list(home.glob("data/features/*/*.parquet"))) == len(list(home.glob("data/overview/*/*.parquet"))) == 8
    assert [record.status for record in Corpus(home).records()] == ["done"] * 8
    assert [path for path in (home / "data" / "incoming").rglob("*") if path.is_file()] == []
    assert list((home / "data" / "claims").iterdir()) == []
    assert recorded(home, "flow_run") == {("ingest", "Completed"): 1}
    runs = recorded(home, "task_run")
    assert {name: n for (name, state), n in runs.items() if state == "Completed"} == {
        "list": 2,
        "download": 3,
        "extract": 8,
    }
    assert ended(ingesting(address, folder), 0)["tracks"][0]["status"] == "cached"


def test_track_that_crashes_every_worker_is_the_only_one_that_fails(address, songs, home, ingesting, tmp_path):
    folder = folder_of(tmp_path / "songs", songs, "a", KILLER, "m", "n", "x", "y")
    document = ended(ingesting(address, folder), 3)
    outcomes = {track["title"]: (track["status"], track["error"]) for track in document["tracks"]}
    assert {title for title, (status, _) in outcomes.items() if status == "done"} == {"a", "m", "n", "x", "y"}
    status, error = outcomes[KILLER]
    assert (status, error["class"]) == ("failed", "environment")
    assert error["message"].startswith(f"{KILLER} crashed the workers that processed it, ")
    assert "memory" in error["message"]
    assert recorded(home, "flow_run") == {("ingest", "Completed with failures"): 1}
    runs = recorded(home, "task_run")
    assert runs["extract", "Completed"] == 5
    assert runs["extract", "Crashed"] >= 1
    assert {state for _, state in runs} == {"Completed", "Crashed"}


def test_unreachable_address_is_reported_before_the_ingest_starts(songs, home, ingesting, tmp_path):
    folder = folder_of(tmp_path / "songs", songs, "a")
    document = ended(ingesting(f"tcp://127.0.0.1:{free_port()}", folder), 2)
    assert document["error"].startswith("no Dask scheduler answers at run.dask_address = tcp://127.0.0.1:")
    assert Corpus(home).records() == []
    assert not (home / "data" / "features").exists()


def test_without_an_address_songform_starts_and_stops_a_local_cluster(songs, home, ingesting, tmp_path):
    folder = folder_of(tmp_path / "songs", songs, "a", "b", "c")
    process = ingesting("", folder)
    assert [track["status"] for track in ended(process, 0)["tracks"]] == ["done"] * 3
    assert recorded(home, "task_run") == {("list", "Completed"): 1, ("extract", "Completed"): 3}
