"""Tests of the whole pipeline on a feed on loopback, with the real yt-dlp, Prefect and MLflow."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import requests

from flows.train import train
from songform.bundle import Bundle
from songform.features.frame_features import FEATURE_COLUMNS
from songform.learning.baselines import BASELINES
from songform.learning.splits import PARTS
from tasks.store.corpus import Corpus
from tasks.store.tables import features_config
from tasks.store.tracks import feed_key
from tasks.train.tracking import client, store_uri

N_SONGS = 6
TERMINAL = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}
PREDICTING = """
import sys, mlflow, pandas
mlflow.set_tracking_uri(sys.argv[1])
model = mlflow.pyfunc.load_model("models:/songform@champion")
model.predict(pandas.read_parquet(sys.argv[2])).to_parquet(sys.argv[3])
"""


def task_runs(api, ran):
    """Return the task runs of a run as soon as Prefect has recorded their final states."""
    span = {"after_": ran.began.isoformat(), "before_": ran.ended.isoformat()}
    body = {"limit": 200, "task_runs": {"expected_start_time": span}}
    for _ in range(100):
        runs = requests.post(f"{api}/task_runs/filter", json=body, timeout=30).json()
        if runs and all(run["state_type"] in TERMINAL for run in runs):
            return runs
        time.sleep(0.2)
    return runs


def works(runs):
    """Count task runs by the first word of their names."""
    return Counter(run["name"].split()[0].rsplit("-", 1)[0] for run in runs)


@pytest.fixture(scope="module")
def store(first):
    return client(first.home)


@pytest.fixture(scope="module")
def run(first, store):
    return store.get_run(first.report.trained.run_id)


@pytest.fixture(scope="module")
def again(second, quick):
    """Train again with the same settings."""
    return train(second.home, quick, "test", again=True)


@pytest.fixture(scope="module")
def other(again, first, quick):
    """Train with other settings."""
    changed = quick.model_copy(update={"model": quick.model.model_copy(update={"seed": 3, "epochs": 1})})
    return train(first.home, changed, "test")


def test_every_track_is_done_and_has_the_key_of_its_guid(first, songs):
    ingested = first.report.ingested
    assert ingested.problems == []
    keys = [feed_key("songform demo", f"songform-demo-0-{number}") for number in range(N_SONGS)]
    assert [(track["key"], track["title"]) for track in ingested.tracks] == list(
        zip(keys, [song.title for song in songs], strict=True)
    )
    for track, song in zip(ingested.tracks, songs, strict=True):
        assert (track["status"], track["error"], track["attempts"]) == ("done", None, 0)
        # MP3 can pad the song with one or two frames.
        assert track["duration"] == pytest.approx(len(song.y) / song.sr, abs=0.1)


def test_no_audio_and_no_temporary_files_remain(first):
    data = first.home / "data"
    assert [path for path in data.rglob("*") if path.suffix in {".mp3", ".flac", ".tmp"}] == []


def test_feature_tables_contain_their_metadata(first, quick):
    corpus = Corpus(first.home)
    for record in corpus.records():
        path = corpus.features_path(features_config(quick), record.key)
        table = pq.read_table(path)
        assert table.column_names == ["time_s", *FEATURE_COLUMNS]
        assert {str(table.schema.field(name).type) for name in FEATURE_COLUMNS} == {"float"}
        assert pq.ParquetFile(path).metadata.row_group(0).column(1).compression == "ZSTD"
        about = json.loads(table.schema.metadata[b"songform"])
        assert about["key"] == record.key
        assert about["audio_sha256"] == record.audio_sha256
        assert about["frames"] == quick.frames.model_dump()
        assert about["features"] == quick.features.model_dump()
        assert about["decoder"].startswith("libsndfile ")
        assert {"numpy", "scipy", "soundfile", "soxr"} <= set(about["libraries"])


def test_mlflow_run_has_every_setting_as_a_parameter(run, quick, first):
    params = run.data.params
    assert {name: params.get(name) for name in quick.flat()} == {name: str(v) for name, v in quick.flat().items()}
    assert len(params["corpus.manifest"]) == 12
    assert params["corpus.tracks"] == str(N_SONGS)
    assert [params[f"split.{part}"] for part in PARTS] == ["4", "1", "1"]
    assert first.report.trained.params == params


def test_mlflow_run_has_training_curves_and_metrics_of_all_baselines(run, store, quick):
    for name in ("train_loss", "train_accuracy", "val_loss", "val_accuracy"):
        curve = store.get_metric_history(run.info.run_id, name)
        assert [point.step for point in curve] == list(range(1, quick.model.epochs + 1))
        assert np.isfinite([point.value for point in curve]).all()
    metrics = run.data.metrics
    for who in ("test", "majority", "persistence", "persistence_oracle", "logistic", "centroid"):
        assert 0 <= metrics[f"{who}_accuracy"] <= 1
        assert 0 <= metrics[f"{who}_macro_f1"] <= 1
        assert metrics[f"{who}_log_loss"] > 0
    assert set(BASELINES) == {"majority", "persistence", "persistence_oracle", "logistic", "centroid"}
    assert metrics["duration_seconds"] > 0
    assert 0 <= metrics["reference_macro_f1"] <= 1
    assert run.info.status == "FINISHED"


def test_mlflow_run_has_the_pictures(run, store):
    names = {item.path for item in store.list_artifacts(run.info.run_id, "plots")}
    assert names == {
        f"plots/{name}.png" for name in ("training_curves", "cluster_profile", "confusion_matrix", "metrics")
    }


def test_mlflow_store_is_in_the_home_with_absolute_uris(run, first):
    root = (first.home / "mlruns" / "artifacts").as_uri()
    assert run.info.artifact_uri.startswith(root)
    version = client(first.home).get_model_version_by_alias("songform", "champion")
    assert version.run_id == run.info.run_id
    assert {path.name for path in (first.home / "mlruns").iterdir()} >= {"mlflow.db", "artifacts"}


def test_champion_predicts_a_state_and_a_confidence_per_frame_in_a_new_process(first, quick, tmp_path):
    corpus = Corpus(first.home)
    table = corpus.features_path(features_config(quick), first.report.ingested.tracks[0]["key"])
    command = [sys.executable, "-c", PREDICTING, store_uri(first.home), str(table), str(tmp_path / "said.parquet")]
    # MLflow sets environment variables to the addresses of the store that was used last.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    subprocess.run(command, check=True, cwd=tmp_path, env=environment, capture_output=True)
    said = pd.read_parquet(tmp_path / "said.parquet")
    features = pd.read_parquet(table)
    expected = Bundle.load(corpus.bundle_path(first.report.analyzed.model.model_id)).predict(features)
    assert len(said) == len(features)
    assert said["state"].tolist() == expected["state"].tolist()
    assert np.allclose(said["confidence"], expected["confidence"], atol=1e-6)


def test_segments_of_reports_cover_the_songs_without_gaps(first):
    documents = first.report.analyzed.reports
    assert [document["track"]["key"] for document in documents] == [t["key"] for t in first.report.ingested.tracks]
    for document in documents:
        written = json.loads(Path(document["path"]).read_text(encoding="utf-8"))
        assert written == {name: value for name, value in document.items() if name != "path"}
        segments = written["segments"]
        assert segments[0]["start"] == 0
        assert segments[-1]["end"] == written["track"]["duration"]
        assert [segment["end"] for segment in segments[:-1]] == [segment["start"] for segment in segments[1:]]
        assert all(segment["start"] < segment["end"] for segment in segments)
        assert {segment["state"] for segment in segments} <= set(written["model"]["states"])
        assert all(0 <= segment["confidence"] <= 1 for segment in segments)
        assert written["model"]["run_id"] == first.report.trained.run_id
    assert first.report.analyzed.model.is_champion == first.report.trained.is_champion


def test_every_track_has_seven_pictures(first):
    folder = first.home / "data" / "reports" / first.report.analyzed.model.model_id
    for document in first.report.analyzed.reports:
        key = document["track"]["key"]
        pictures = {path.name.removeprefix(f"{key}.") for path in folder.glob(f"{key}.*.png")}
        names = ("waveform", "rms", "spectrogram", "features", "mfcc", "bandwidth", "states")
        assert pictures == {f"{name}.png" for name in names}


def test_prefect_records_every_task_run_as_completed(api, first):
    runs = task_runs(api, first)
    assert {run["state_type"] for run in runs} == {"COMPLETED"}
    once = ("list", "extract", "plan_training", "prepare_store", "finished_run", "start_run", "fit_corpus_states")
    once += ("label_tracks", "train_bundle", "score_bundle", "log_results", "register_bundle", "finish_run")
    once += ("register_pretrained", "update_champion", "fetch_bundle", "report")
    found = works(runs)
    assert {name: found[name] for name in once} == dict.fromkeys(once, 1)
    assert found["download"] == N_SONGS


def test_second_run_skips_all_finished_work(api, first, second):
    done = works(task_runs(api, second))
    assert {done["download"], done["extract"], done["train_bundle"], done["start_run"]} == {0}
    assert [track["status"] for track in second.report.ingested.tracks] == ["cached"] * N_SONGS
    assert second.report.trained.run_id == first.report.trained.run_id
    assert (first.report.trained.is_new, second.report.trained.is_new) == (True, False)
    assert second.report.trained.is_champion == first.report.trained.is_champion
    assert second.report.analyzed.reports == first.report.analyzed.reports
    assert second.written == first.written


def test_training_with_again_gives_the_same_result(first, again, store):
    before = store.get_run(first.report.trained.run_id).data.metrics
    assert again.is_new
    assert again.run_id != first.report.trained.run_id
    changing = {"duration_seconds"}
    assert {k: v for k, v in again.metrics.items() if k not in changing} == {
        k: v for k, v in before.items() if k not in changing
    }
    assert not again.is_champion  # an equal score does not replace the champion


def test_other_settings_make_a_second_mlflow_run(first, other, store):
    assert other.run_id != first.report.trained.run_id
    assert other.params["model.seed"] == "3"
    assert len(store.get_metric_history(other.run_id, "train_loss")) == 1
    champion = store.get_model_version_by_alias("songform", "champion")
    assert other.is_champion == (champion.run_id == other.run_id)


def test_nothing_was_written_outside_the_home(first):
    assert not Path("mlflow.db").exists()
    assert {path.name for path in first.home.iterdir()} == {"data", "mlruns"}
