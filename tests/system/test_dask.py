"""Dask: the same ingest on a cluster whose workers are killed.

The cluster is a process of its own, as a user's would be, and known by its address alone. These tests take a minute or
two, because a worker that is killed comes back in seconds.
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

PATIENCE = 240.0
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

# Loaded by each worker: a decoder with a defect that one file brings to light.
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
    """Start a cluster of two workers; give its scheduler's address."""
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
    """Return how an ingest on a cluster is started, with a server of its own."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    environment |= {"SONGFORM_DOWNLOAD__ALLOW_PRIVATE": "true", "SONGFORM_DOWNLOAD__HOST_SECONDS": "0"}

    def start(address, *sources):
        words = ["--set", "run.task_runner=dask", *(["--set", f"run.dask_address={address}"] if address else [])]
        line = [sys.executable, "-m", "flows.cli", "--home", str(home), "--json", "ingest", *map(str, sources), *words]
        return subprocess.Popen(line, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    return start


def ended(process, code):
    """Return the document of a command that ends in time, as it should."""
    said, complaints = process.communicate(timeout=PATIENCE)
    assert process.returncode == code, complaints
    return json.loads(said)


def workers(address):
    """Return the process ids of a cluster's workers."""
    from distributed import Client

    with Client(address, set_as_default=False) as client:
        return list(client.run(os.getpid).values())


def recorded(home, kind):
    """Count what Prefect knows of its runs, by the first word of their names and the names of their final states."""
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
    """Serve three songs; give the feed's address, and the paths that are asked for."""
    asked = []

    class Noting(flows.demo._SilentHandler):
        def send_head(self):
            asked.append(self.path)
            return super().send_head()

    monkeypatch.setattr(flows.demo, "_SilentHandler", Noting)
    (tmp_path / "feed").mkdir()
    with flows.demo.served_feed(tmp_path / "feed", songs[:3], 0) as url:
        yield url, asked


def test_a_worker_killed_on_the_way_loses_nothing(address, songs, feed, ingesting, home):
    """Its track is done again by another, which is each track's only record; Prefect has a record of each task."""
    (url, asked), (first, _) = feed, workers(address)
    folder = folder_of(home.parent / "songs", songs, *range(5))
    process = ingesting(address, folder, url)
    deadline = time.monotonic() + PATIENCE
    while len(list(home.glob("data/tracks/*.json"))) < 2:
        assert time.monotonic() < deadline
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    os.kill(first, signal.SIGKILL)
    document = ended(process, 0)
    # yt-dlp looks at the beginning of a file before it fetches it.
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


def test_a_track_that_kills_every_worker_fails_alone(address, songs, home, ingesting, tmp_path):
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


def test_an_address_at_which_nobody_answers_is_said_before_anything_is_fetched(songs, home, ingesting, tmp_path):
    folder = folder_of(tmp_path / "songs", songs, "a")
    document = ended(ingesting(f"tcp://127.0.0.1:{free_port()}", folder), 2)
    assert document["error"].startswith("no Dask scheduler answers at run.dask_address = tcp://127.0.0.1:")
    assert Corpus(home).records() == []
    assert not (home / "data" / "features").exists()


def test_without_an_address_a_cluster_is_started_and_ended_here(songs, home, ingesting, tmp_path):
    folder = folder_of(tmp_path / "songs", songs, "a", "b", "c")
    process = ingesting("", folder)
    assert [track["status"] for track in ended(process, 0)["tracks"]] == ["done"] * 3
    assert recorded(home, "task_run") == {("list", "Completed"): 1, ("extract", "Completed"): 3}
