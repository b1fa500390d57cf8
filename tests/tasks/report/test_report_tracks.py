"""Reports of several songs in worker processes, and the network of the model outside of them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest

from songform.bundle import Bundle
from songform.errors import CorpusError
from tasks.models.registry import fetch_bundle
from tasks.process_pool import WorkerLostError
from tasks.progress import listening
from tasks.report import report_tracks as module
from tasks.report import song_reports
from tasks.report.report_jobs import ReportJob, failed_report
from tasks.report.report_tracks import report_tracks
from tasks.settings import Settings
from tasks.store.bundles import OWN_MODEL
from tasks.store.corpus import Corpus
from tasks.store.tables import features_config, read_features, read_overview

# Stands in for `write_report_or_error` in worker processes: some songs kill their process in the middle of a write.
WORKER = """
import json
import os
from pathlib import Path
from tasks.store.atomic_files import temporary_path, write_json

def write(job):
    path = job.folder / f"{job.key}.json"
    if job.key in os.environ["SONGS_THAT_KILL"]:
        job.folder.mkdir(parents=True, exist_ok=True)
        temporary_path(path).write_text("{")
        os.kill(os.getpid(), 9)
    report = {"track": {"key": job.key, "title": f"song {job.key}"}, "process": os.getpid()}
    write_json(path, report)
    return report
"""


@pytest.fixture(scope="module")
def keys(extracted):
    return [record.key for record in Corpus(extracted).records()]


@pytest.fixture
def deadly(monkeypatch, tmp_path, keys):
    """Make worker processes of a function that dies for the second song and does nothing else but a file."""
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "deadly_reports.py").write_text(WORKER)
    monkeypatch.syspath_prepend(tmp_path / "modules")
    monkeypatch.setenv("SONGS_THAT_KILL", keys[1])
    monkeypatch.setattr(module, "write_report_or_error", __import__("deadly_reports").write)


@pytest.mark.usefixtures("deadly")
def test_killed_worker_costs_only_its_own_song(extracted, keys, quick, tmp_path):
    heard, out = [], tmp_path / "out"
    settings = quick.model_copy(update={"run": quick.run.model_copy(update={"workers": 2})})
    with listening(heard.append):
        reports = report_tracks.fn(extracted, keys, settings, OWN_MODEL, out=out, n_tracks=len(keys))
    assert [report["track"]["key"] for report in reports] == keys
    killed = reports.pop(1)
    title = Corpus(extracted).record(keys[1]).title
    assert title in killed["error"]
    assert "--set run.workers=1" in killed["error"]
    assert os.getpid() not in {report["process"] for report in reports}
    assert sorted(path.name for path in out.iterdir()) == sorted(f"{key}.json" for key in keys if key != keys[1])
    assert [(event.stage, event.done, event.total) for event in heard] == [
        ("reports", count, len(keys)) for count in range(1, len(keys) + 1)
    ]


def test_few_songs_are_reported_without_worker_processes(extracted, keys, quick, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(
        module, "write_report_or_error", lambda job: asked.append(job.key) or {"track": {"key": job.key}}
    )
    report_tracks.fn(extracted, keys[:3], quick, OWN_MODEL, out=tmp_path, n_tracks=3)
    assert asked == keys[:3]


def test_song_with_damaged_features_does_not_stop_the_others(extracted, keys, quick, tmp_path, monkeypatch):
    shutil.copytree(extracted / "data", tmp_path / "data")
    corpus = Corpus(tmp_path)
    corpus.features_path(features_config(quick), keys[0]).write_bytes(b"PAR1")
    monkeypatch.setattr(song_reports, "_draw", lambda *_: None)
    monkeypatch.setattr(song_reports, "write_song_page", lambda *_, **__: None)
    damaged, whole = report_tracks.fn(tmp_path, keys[:2], quick, OWN_MODEL, out=None, n_tracks=2)
    assert keys[0] in damaged["error"]
    assert whole["segments"]
    with pytest.raises(CorpusError, match=keys[0]):
        report_tracks.fn(tmp_path, keys[:1], quick, OWN_MODEL, out=None, n_tracks=1)


@pytest.mark.parametrize(
    ("error", "facts"),
    [
        (OSError(28, "No space left on device"), ("read or written (No space left on device)", "free some disk space")),
        (PermissionError(13, "Permission denied", "/music/a.mp3"), ("/music/a.mp3", "(Permission denied); fix the")),
        (OSError(30, "Read-only", "/x/.a.png.12-0123abcd.00ff.tmp"), ("because /x/a.png", "(Read-only); fix the perm")),
        (OSError("no network\nof any kind"), ("(no network)",)),
        (ValueError("bad value\n  in line 3"), ("ValueError: bad value; please",)),
        (MemoryError(), ("needs more memory", "free some memory")),
        (WorkerLostError(-9), ("ran out of memory", "run.workers=1")),
        (WorkerLostError(-11), ("signal 11", "please report it")),
        (KeyError("x"), ("KeyError: 'x'", "please report it")),
    ],
)
def test_other_errors_of_a_song_are_one_sentence_with_its_title(extracted, quick, error, facts):
    corpus = Corpus(extracted)
    record = corpus.records()[0]
    job = ReportJob(corpus.home, record.key, quick, OWN_MODEL, corpus.home)
    report = failed_report(job, error)
    assert report["track"] == {"key": record.key}
    assert all(fact in report["error"] for fact in (record.title, *facts))
    assert "\n" not in report["error"]


def test_unexpected_error_of_a_song_does_not_stop_the_others(extracted, keys, quick, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise KeyError

    monkeypatch.setattr(song_reports, "song_sections", fail)
    reports = report_tracks.fn(extracted, keys[:2], quick, OWN_MODEL, out=tmp_path, n_tracks=2)
    assert ["KeyError" in report["error"] for report in reports] == [True, True]


def test_network_with_a_weight_takes_part(trained, tmp_path, monkeypatch):
    """The report has the segments of the whole bundle, not those of its clusters."""
    corpus, key = Corpus(trained.home), trained.plan.keys[0]
    model = replace(fetch_bundle.fn(trained.home, "models:/songform@champion"), model_id="weighty")
    folder = corpus.bundle_path(model.model_id)
    folder.mkdir()
    bundle = Bundle.load(trained.folder).with_weight(300.0)
    bundle.save(folder)
    monkeypatch.setattr(song_reports, "_draw", lambda *_: None)
    monkeypatch.setattr(song_reports, "write_song_page", lambda *_, **__: None)
    try:
        (report,) = report_tracks.fn(trained.home, [key], trained.settings, model, out=tmp_path, n_tracks=1)
    finally:
        shutil.rmtree(folder)
    features, overview = (read(corpus, key, trained.settings) for read in (read_features, read_overview))
    duration = report["track"]["duration"]
    wanted, clusters = (
        [(part.start, round(part.confidence, 4)) for part in each.form(features, overview, duration).segments]
        for each in (bundle, bundle.with_weight(0.0))
    )
    assert [(part["start"], part["confidence"]) for part in report["segments"]] == wanted
    assert wanted != clusters


ANALYSIS = """
import json, sys
from pathlib import Path
from songform.bundle import Bundle
from tasks.report.report_jobs import ReportJob
from tasks.report.song_reports import write_report
from tasks.settings import Settings
from tasks.store.bundles import ModelInfo
from tasks.store.corpus import Corpus
from tasks.store.tables import read_features
home, out, key, model_id, settings = *map(Path, sys.argv[1:3]), *sys.argv[3:]
settings = Settings.model_validate_json(settings)
model = ModelInfo("models:/songform/1", model_id, None, is_champion=True)
report = write_report(ReportJob(home, key, settings, model, out))
bundle = Bundle.load(Corpus(home).bundle_path(model_id))
said = bundle.predict(read_features(Corpus(home), key, settings))
print(json.dumps([report["model"]["sequence_weight"], len(report["segments"]), len(said)]))
assert not {"tensorflow", "keras"} & set(sys.modules)
"""


def test_analysis_with_a_trained_network_does_not_import_tensorflow(trained, tmp_path):
    corpus, key = Corpus(trained.home), trained.plan.keys[0]
    folder = corpus.bundle_path("weighted")
    shutil.copytree(trained.folder, folder)
    Bundle.load(trained.folder).with_weight(0.5).save(folder)
    settings = Settings.model_validate(trained.settings.model_dump() | {"report": {"pictures": False, "audio": "none"}})
    arguments = [trained.home, tmp_path, key, "weighted", settings.model_dump_json()]
    command = [sys.executable, "-c", ANALYSIS, *map(str, arguments)]
    try:
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    finally:
        shutil.rmtree(folder)
    weight, n_segments, n_frames = json.loads(said)
    assert (weight, n_frames) == (0.5, len(read_features(corpus, key, settings)))
    assert n_segments > 0


def test_worker_imports_neither_prefect_nor_tensorflow():
    program = "import sys, json, tasks.report.song_reports; print(json.dumps(sorted(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(json.loads(run.stdout))
    assert "matplotlib" in loaded
    assert loaded & {"prefect", "tensorflow", "keras", "mlflow", "librosa", "typer", "flows"} == set()
