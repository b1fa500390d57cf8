"""A whole home that an earlier version makes, with MLflow's store: this version goes on with it and makes nothing anew.

The earlier version is the commit before the modules moved to their present places. It is taken from the repository's
history, so this test needs git and a clone that is not shallow; it takes some minutes. `tests/old_home` is the small
part of such a home that `make test` looks at.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import songform
from flows.config.load_settings import load_settings
from flows.demo import served_feed
from songform.bundle import Bundle
from songform.synth import compose
from tasks.store.corpus import Corpus
from tasks.store.tables import features_config
from tasks.train.tracking import store_uri

pytestmark = pytest.mark.system

ROOT = Path(songform.__file__).parents[1]
COMMIT = "4fe2cd425cb172a996fb714de8ae01aa4ae41fc6"
N_SONGS = 4
TIMEOUT = 900.0  # s, for one command
KEPT = ("tracks", "features", "overview", "states", "bundles", "composed")
TOML = """
[sequences]
seconds = 2.0
[model]
epochs = 2
batch_size = 32
[download]
allow_private = true
host_seconds = 0.0
"""
PREDICTING = """
import sys, mlflow, pandas
mlflow.set_tracking_uri(sys.argv[1])
model = mlflow.pyfunc.load_model("models:/songform@champion")
model.predict(pandas.read_parquet(sys.argv[2])).to_parquet(sys.argv[3])
"""


def run(code: Path, *arguments: object) -> str:
    """Run Python on the modules of a checkout, with nothing of the tests' own environment; return what it prints."""
    foreign = ("PREFECT_", "SONGFORM_", "MLFLOW_")
    own = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=code,
        env=own | {"PYTHONPATH": str(code)},
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def command(code: Path, home: Path, *words: str) -> dict:
    """Call the command line of a checkout; return its JSON."""
    return json.loads(run(code, "-m", "flows.cli", "--home", home, "--json", *words))


def contents(folder: Path, *parts: str) -> dict[str, str]:
    """Return the hash of every file below some parts of a folder."""
    files = [path for part in parts for path in (folder / part).rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def old_code(tmp_path_factory) -> Path:
    """Take the earlier version out of the repository's history."""
    archive = subprocess.run(["git", "-C", ROOT, "archive", "--format=tar", COMMIT], capture_output=True, check=False)
    if archive.returncode:
        pytest.fail(
            f"this test needs commit {COMMIT}, which {ROOT} does not have ({archive.stderr.decode().strip()}); "
            "get the whole history: git fetch --unshallow"
        )
    folder = tmp_path_factory.mktemp("old-code")
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tar:
        tar.extractall(folder, filter="data")
    run(folder, "-c", "import tasks.labeling")  # a module that has another place by now: the earlier version runs
    return folder


@pytest.fixture(scope="module")
def feed(tmp_path_factory):
    songs = [compose(seed, duration=12.0) for seed in range(N_SONGS)]
    with served_feed(tmp_path_factory.mktemp("feed"), songs, 0) as url:
        yield url


@pytest.fixture(scope="module")
def home(old_code, feed, tmp_path_factory) -> Path:
    """Let the earlier version ingest, train and analyze."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "songform.toml").write_text(TOML, encoding="utf-8")
    ingested = command(old_code, folder, "ingest", feed)
    assert [track["status"] for track in ingested["tracks"]] == ["done"] * N_SONGS
    assert command(old_code, folder, "train")["is_new"]
    command(old_code, folder, "analyze", feed)
    return folder


def test_this_version_goes_on_with_the_home_and_makes_no_track_table_or_model_anew(home, feed):
    before = contents(home / "data", *KEPT)
    assert {name.partition("/")[0] for name in before} == set(KEPT)
    ingested = command(ROOT, home, "ingest", feed)
    assert [track["status"] for track in ingested["tracks"]] == ["cached"] * N_SONGS
    trained = command(ROOT, home, "train")
    assert not trained["is_new"]
    assert trained["is_champion"]
    first = command(ROOT, home, "analyze", feed)
    reports = contents(home / "data", "reports", "segments.parquet")
    assert command(ROOT, home, "analyze", feed) == first
    assert contents(home / "data", "reports", "segments.parquet") == reports  # made anew once at most
    assert contents(home / "data", *KEPT) == before


def test_its_champion_answers_a_fresh_process_of_this_version(home, tmp_path):
    corpus = Corpus(home)
    config = features_config(load_settings(home, {}))
    table = corpus.features_path(config, corpus.records()[0].key)
    run(ROOT, "-c", PREDICTING, store_uri(home), table, tmp_path / "said.parquet")
    said, features = pd.read_parquet(tmp_path / "said.parquet"), pd.read_parquet(table)
    (folder,) = (home / "data" / "bundles").iterdir()
    expected = Bundle.load(folder).predict(features)
    assert said["state"].tolist() == expected["state"].tolist()
    assert np.allclose(said["confidence"], expected["confidence"], atol=1e-6)
