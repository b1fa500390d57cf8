"""Tests that this version continues a home of an earlier version, including MLflow's store, and recomputes nothing.

The earlier version is the commit before the modules moved to their present places. It is taken from the history of the
repository, so these tests need git and a clone that is not shallow. They take some minutes. `tests/old_home` contains
a small part of such a home, which `make test` uses.
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
from tasks.store.bundles import is_pretrained
from tasks.store.corpus import Corpus
from tasks.store.tables import features_config
from tasks.train.tracking import store_uri

pytestmark = pytest.mark.system

ROOT = Path(songform.__file__).parents[1]
COMMIT = "4fe2cd425cb172a996fb714de8ae01aa4ae41fc6"
N_SONGS = 4
TIMEOUT = 900.0  # for one command, in seconds
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
    """Run Python on the modules of a checkout, without variables of songform, Prefect or MLflow; return its output."""
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
    """Run songform's command line of a checkout, and return its JSON document."""
    return json.loads(run(code, "-m", "flows.cli", "--home", home, "--json", *words))


def contents(folder: Path, *parts: str) -> dict[str, str]:
    """Return the hash of every file in some subfolders of a folder, by relative path."""
    files = [path for part in parts for path in (folder / part).rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def old_code(tmp_path_factory) -> Path:
    """Extract the earlier version from the history of the repository."""
    archive = subprocess.run(["git", "-C", ROOT, "archive", "--format=tar", COMMIT], capture_output=True, check=False)
    if archive.returncode:
        pytest.fail(
            f"this test needs commit {COMMIT}, which git could not read from {ROOT} "
            f"({archive.stderr.decode().strip()}); fetch the whole history: git fetch --unshallow"
        )
    folder = tmp_path_factory.mktemp("old-code")
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tar:
        tar.extractall(folder, filter="data")
    run(
        folder, "-c", "import tasks.labeling"
    )  # this module has moved since, so the import succeeds only in the earlier version
    return folder


@pytest.fixture(scope="module")
def feed(tmp_path_factory):
    songs = [compose(seed, duration=12.0) for seed in range(N_SONGS)]
    with served_feed(tmp_path_factory.mktemp("feed"), songs, 0) as url:
        yield url


@pytest.fixture(scope="module")
def home(old_code, feed, tmp_path_factory) -> Path:
    """Ingest, train and analyze with the earlier version, and return its home."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "songform.toml").write_text(TOML, encoding="utf-8")
    ingested = command(old_code, folder, "ingest", feed)
    assert [track["status"] for track in ingested["tracks"]] == ["done"] * N_SONGS
    assert command(old_code, folder, "train")["is_new"]
    command(old_code, folder, "analyze", feed)
    return folder


def test_this_version_continues_the_home_and_recomputes_no_track_table_or_model(home, feed):
    before = contents(home / "data", *KEPT)
    assert {name.partition("/")[0] for name in before} == set(KEPT)
    ingested = command(ROOT, home, "ingest", feed)
    assert [track["status"] for track in ingested["tracks"]] == ["cached"] * N_SONGS
    trained = command(ROOT, home, "train", "--set", "states.prior_songs=0")  # as in the earlier version
    assert not trained["is_new"]
    assert trained["is_champion"]
    assert trained["metrics"]["reference_macro_f1"] > 0
    first = command(ROOT, home, "analyze", feed)
    assert all((report["sections"], report["beats"]) == ([], None) for report in first["reports"])
    assert sum("songform ingest --upgrade" in note for note in first["notes"]) == 1
    reports = contents(home / "data", "reports")
    assert command(ROOT, home, "analyze", feed) == first
    assert contents(home / "data", "reports") == reports  # rewritten at most once, by the first command
    after = contents(home / "data", *KEPT)
    assert {name: after[name] for name in before} == before
    assert {name.split("/")[0] for name in set(after) - set(before)} == {"bundles", "composed"}


def test_first_training_registered_the_shipped_model(home, tmp_path):
    uri = store_uri(home)
    program = "import sys, mlflow; mlflow.set_tracking_uri(sys.argv[1]); mlflow.pyfunc.load_model(sys.argv[2])"
    run(ROOT, "-c", program, uri, "models:/songform/2")


def test_champion_of_the_earlier_version_predicts_in_a_fresh_process(home, tmp_path):
    corpus = Corpus(home)
    config = features_config(load_settings(home, {}))
    table = corpus.features_path(config, corpus.records()[0].key)
    run(ROOT, "-c", PREDICTING, store_uri(home), table, tmp_path / "said.parquet")
    said, features = pd.read_parquet(tmp_path / "said.parquet"), pd.read_parquet(table)
    (folder,) = (each for each in (home / "data" / "bundles").iterdir() if not is_pretrained(each.name))
    expected = Bundle.load(folder).predict(features)
    assert said["state"].tolist() == expected["state"].tolist()
    assert np.allclose(said["confidence"], expected["confidence"], atol=1e-6)
