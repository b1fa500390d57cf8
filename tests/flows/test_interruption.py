"""Tests that commands killed with SIGKILL leave no broken files and can be finished by running them again.

These tests need Linux, because they look for the process of the server in /proc.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile

import flows.demo
from tasks.store.bundles import is_pretrained
from tasks.store.corpus import Corpus
from tasks.train.tracking import client

PATIENCE = 120.0
QUICK = ["--set", "sequences.seconds=4", "--set", "model.batch_size=32", "--set", "model.patience=30"]


@contextmanager
def command(home, *words, own_server=False):
    """Start the command line in a new process, and kill it at the end of the block."""
    environment = dict(os.environ)
    for name in ("PREFECT_HOME", *(["PREFECT_API_URL", "no_proxy", "NO_PROXY"] if own_server else [])):
        environment.pop(name, None)
    if own_server:  # it must be reachable even if a proxy is set
        environment["http_proxy"] = "http://127.0.0.1:9"
    line = [sys.executable, "-m", "flows.cli", "--home", str(home), "--json", *map(str, words)]
    with (home / "stderr.txt").open("wb") as stderr, (home / "stdout.txt").open("wb") as stdout:
        process = subprocess.Popen(
            line, env=environment, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, start_new_session=True
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def wait_until(happens, process=None):
    """Wait until a condition is true while a process is alive; return the value of the condition."""
    deadline = time.monotonic() + PATIENCE
    while not (found := happens()):
        assert time.monotonic() < deadline, "it never happened"
        assert process is None or process.poll() is None, "the process ended before it happened"
        time.sleep(0.01)
    return found


def kill(process):
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL


def finish(home, *words, own_server=False):
    """Run a command to its end while reading the corpus repeatedly; return its JSON document."""
    with command(home, *words, own_server=own_server) as process:
        while process.poll() is None:
            read_everything(home)
            time.sleep(0.25)
        assert process.returncode == 0, (home / "stderr.txt").read_text()
    assert list((home / "data").rglob(".*.tmp")) == []
    assert read_everything(home) > 0
    return json.loads((home / "stdout.txt").read_text())


def read_everything(home):
    """Read each Parquet and JSON file of a corpus completely; return the number of files."""
    found = 0
    # A folder can disappear while it is listed; `os.walk` treats it as empty.
    for path in [Path(folder, name) for folder, _, names in os.walk(home / "data") for name in names]:
        if ".tmp" in str(path.relative_to(home)) or path.suffix not in {".parquet", ".json"}:
            continue
        try:
            pq.read_table(path) if path.suffix == ".parquet" else json.loads(path.read_bytes())
        except FileNotFoundError:  # a folder was replaced by a new one
            continue
        found += 1
    return found


def servers(home):
    """Return the process IDs of the Prefect servers of a home."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
            variables = (process / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if (
            b"flows.prefect_server.server_process" in words
            and f"PREFECT_HOME={home / '.prefect'}".encode() in variables
        ):
            found.append(int(process.name))
    return found


def done(home):
    return [record for record in Corpus(home).records() if record.status == "done"]


def recorded(home, since):
    """Count the task runs that Prefect recorded, by the first word of their names and their states."""
    with sqlite3.connect(home / ".prefect" / "prefect.db") as database:
        rows = database.execute("select name, state_type from task_run where expected_start_time > ?", [since])
        found = Counter((name.split()[0], state) for name, state in rows)
    database.close()
    return found


@pytest.fixture
def home(tmp_path):
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


class Gate(flows.demo._SilentHandler):
    """Request handler that sends only the beginning of two songs until the gate is opened."""

    opened = threading.Event()
    asked: list[str] = []  # noqa: RUF012  cleared by the fixture

    def copyfile(self, source, outputfile):
        """Send a file, with a stop in the middle of two songs."""
        self.asked.append(self.path)
        if self.path.endswith(("2.flac", "3.flac")):
            outputfile.write(source.read(100_000))
            outputfile.flush()
            self.opened.wait(PATIENCE)
        super().copyfile(source, outputfile)


@pytest.fixture
def gate(monkeypatch):
    monkeypatch.setattr(flows.demo, "_SilentHandler", Gate)
    Gate.opened.clear()
    Gate.asked.clear()
    yield Gate
    Gate.opened.set()


def test_ingest_killed_during_downloads_continues(gate, songs, home, tmp_path):
    """Finished downloads are not repeated, and the server of the killed process ends."""
    data = home / "data"
    with flows.demo.served_feed(tmp_path, songs[:4], 0) as url:
        # With four downloads at once, the two that stop in the middle do not delay the others.
        with command(home, "ingest", url, "--set", "download.host_workers=4", own_server=True) as process:
            wait_until(lambda: len(list(data.glob("incoming/*/*.mp3"))) == 2, process)
            wait_until(lambda: any(p.stat().st_size for p in data.glob("incoming/*/.*.tmp/*/audio*")), process)
            orphans = servers(home)
            assert len(orphans) == 1
            kill(process)
        assert done(home) == []
        wait_until(lambda: not servers(home))
        gate.opened.set()
        gate.asked.clear()
        since = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
        document = finish(home, "ingest", url, own_server=True)
        assert set(gate.asked) == {"/feed.rss", "/2.flac", "/3.flac"}
    assert [track["status"] for track in document["tracks"]] == ["done"] * 4
    assert [path for path in (data / "incoming").rglob("*") if path.is_file()] == []
    assert servers(home) == []
    found = recorded(home, since)
    assert {state for _, state in found} == {"COMPLETED"}
    assert (found["download", "COMPLETED"], found["extract", "COMPLETED"], found["list", "COMPLETED"]) == (2, 1, 1)


@pytest.mark.usefixtures("api")
def test_ingest_killed_during_extraction_keeps_extracted_tracks(songs, home, tmp_path):
    folder = tmp_path / "songs"
    folder.mkdir()
    for number, song in enumerate(songs[:3]):
        soundfile.write(folder / f"{number}.flac", song.y, song.sr)
    soundfile.write(folder / "3 the long one.flac", np.tile(songs[3].y, 30), songs[3].sr)
    with command(home, "ingest", folder, "--set", "run.workers=1") as process:
        wait_until(lambda: len(list(home.glob("data/tracks/*.json"))) == 3, process)
        time.sleep(0.1)
        kill(process)
    read_everything(home)
    first = {record.key: record for record in done(home)}
    assert len(first) == 3
    document = finish(home, "ingest", folder)
    assert [track["status"] for track in document["tracks"]] == ["cached"] * 3 + ["done"]
    assert {record.key: record for record in done(home) if record.key in first} == first


def running(home):
    """Return the first words of the names of the task runs that are running according to Prefect."""
    try:
        with sqlite3.connect(f"file:{home / '.prefect' / 'prefect.db'}?mode=ro", uri=True) as database:
            rows = database.execute("select name from task_run where state_type = 'RUNNING'").fetchall()
        database.close()
    except sqlite3.OperationalError:  # the tables do not exist yet
        return set()
    return {name.split()[0] for (name,) in rows}


def test_ctrl_c_ends_the_command_and_its_server_after_the_last_record(songs, home, tmp_path):
    """A terminal sends SIGINT to all processes of a command, but it must not reach the server."""
    (tmp_path / "album").mkdir()  # a folder, because files do not need a server
    soundfile.write(tmp_path / "album" / "long.flac", np.tile(songs[0].y, 120), songs[0].sr)
    with command(home, "ingest", tmp_path / "album", own_server=True) as process:
        wait_until(lambda: "extract" in running(home), process)
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(PATIENCE) == 130
    stderr = (home / "stderr.txt").read_text()
    assert "songform: stopped; " in stderr
    assert "run the same command again" in stderr
    assert servers(home) == []
    assert recorded(home, "") == {("list", "COMPLETED"): 1, ("extract", "CRASHED"): 1}


def epochs(home):
    """Count the epochs that MLflow has recorded."""
    database = home / "mlruns" / "mlflow.db"
    if not database.is_file():
        return 0
    try:
        with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
            return connection.execute("select count(*) from metrics where key = 'train_loss'").fetchone()[0]
    except sqlite3.OperationalError:  # the tables do not exist yet
        return 0
    finally:
        connection.close()


def bundles(home):
    """Return the names of the trained models; names with a leading dot are unfinished."""
    names = [path.name for path in (home / "data" / "bundles").glob("[!.]*")]
    return [name for name in names if not is_pretrained(name)]


def runs(home):
    """Return the status of each MLflow run."""
    store = client(home)
    (experiment,) = [e for e in store.search_experiments() if e.name == "songform"]
    return {run.info.run_id: run.info.status for run in store.search_runs([experiment.experiment_id])}


@pytest.mark.system  # two training runs in processes of their own take half a minute
@pytest.mark.usefixtures("api")
def test_training_killed_between_epochs_is_marked_as_killed_and_repeated(extracted, home):
    shutil.copytree(extracted / "data", home / "data")
    words = ["train", *QUICK, "--set", "model.epochs=12"]
    with command(home, *words) as process:
        wait_until(lambda: epochs(home) >= 2, process)
        kill(process)
    assert epochs(home) < 12
    read_everything(home)
    assert bundles(home) == []
    (model,) = home.glob("data/states/*/model.npz")
    made = model.stat().st_mtime_ns
    document = finish(home, *words)
    assert model.stat().st_mtime_ns == made  # the states are not discovered again, only the network is trained again
    assert list((home / "data" / "bundles").glob(".*")) == []  # no temporary files of the killed training remain
    assert len(bundles(home)) == 1
    assert sorted(runs(home).values()) == ["FINISHED", "FINISHED", "KILLED"]  # one is that of the shipped model
    assert runs(home)[document["run_id"]] == "FINISHED"
    assert document["metrics"]["reference_macro_f1"] > 0


STAGES = {
    "train": ["Pooling features", "Labeling", "Training", "Evaluating"],
    "analyze": ["Extracting features", "Writing reports"],
}


@pytest.mark.system  # TensorFlow starts six times, which takes one or two minutes
@pytest.mark.usefixtures("api")
@pytest.mark.parametrize("words", STAGES)
def test_command_killed_at_any_stage_finishes_when_repeated(extracted, audio_files, home, words):
    shutil.copytree(extracted / "data", home / "data")
    if words == "analyze":
        shutil.rmtree(home / "data" / "features")
    line = [words, *QUICK, "--set", "model.epochs=2"]
    line += [audio_files[0].parent] if words == "analyze" else []
    for stage in STAGES[words]:
        with command(home, *line) as process:
            wait_until(lambda stage=stage: f"{stage} ..." in (home / "stderr.txt").read_text(), process)
            kill(process)
        read_everything(home)
    document = finish(home, *line)
    if words == "train":
        assert runs(home)[document["run_id"]] == "FINISHED"
        assert sorted(runs(home).values())[1:] == ["KILLED"] * (len(runs(home)) - 1)
    else:
        assert len(document["reports"]) == len(audio_files)
        assert all(Path(report["path"]).is_file() for report in document["reports"])
