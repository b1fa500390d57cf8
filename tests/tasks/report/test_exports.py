"""Exports: the segments of a report in other formats, written together with the report."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from pathlib import Path

import jams
import mir_eval
import numpy as np
import pandas as pd
import pytest

import songform
from songform.annotation.formats import WRITERS, read_annotation
from songform.bundle import Bundle
from songform.structure.segments import Segment
from songform.structure.silence import SILENCE
from tasks.report.exports import export_paths
from tasks.report.report_tracks import report_tracks
from tasks.store.bundles import OWN_MODEL
from tasks.store.corpus import Corpus


@pytest.fixture
def reported(extracted, quick, tmp_path, monkeypatch):
    """Return a function that reports a song; empty files replace the pictures, which take long."""
    key = Corpus(extracted).records()[0].key

    def touch(pictures, *_):
        for path in pictures.values():
            path.touch()

    def call():
        (document,) = report_tracks.fn(extracted, [key], quick, OWN_MODEL, out=tmp_path, n_tracks=1)
        return document

    monkeypatch.setattr("tasks.report.song_reports._draw", touch)
    return call


@pytest.fixture
def report(reported):
    return reported()


def exported(report, suffix):
    return Path(report["path"]).with_suffix(suffix)


def told(report):
    segments = report["segments"]
    return np.round([[s["start"], s["end"]] for s in segments], 6), [s["state"] for s in segments]


def test_every_export_reads_back_to_the_reports_segments(report):
    times, states = told(report)
    assert len(export_paths(Path(report["path"]))) == len(WRITERS)
    assert {".jams", ".lab", ".labels.txt", ".csv"} <= set(WRITERS)
    for path in [*export_paths(Path(report["path"])), Path(report["path"])]:
        found = read_annotation(path)
        assert np.array_equal(found.intervals, times), path.name
        assert list(found.labels) == states


def test_other_libraries_read_the_same_segments(report):
    times, states = told(report)
    for suffix in (".lab", ".labels.txt"):
        intervals, labels = mir_eval.io.load_labeled_intervals(exported(report, suffix))
        assert np.array_equal(intervals, times)
        assert labels == states
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):  # raised by jams itself
        jam = jams.load(str(exported(report, ".jams")), strict=True)
    (segments,) = jam.search(namespace="segment_open")
    intervals, labels = segments.to_interval_values()
    assert np.allclose(intervals, times, rtol=0, atol=1e-9)
    assert labels == states
    assert [o.confidence for o in segments.data] == [s["confidence"] for s in report["segments"]]
    assert jam.file_metadata.title == report["track"]["title"]
    assert jam.file_metadata.duration == pytest.approx(report["track"]["duration"])
    assert segments.annotation_metadata.annotator.name == "songform model own"
    assert segments.annotation_metadata.annotation_tools == f"songform {songform.__version__}"
    table = pd.read_csv(exported(report, ".csv"))
    assert np.array_equal(table[["start", "end"]].to_numpy(), times)
    assert table.label.tolist() == states
    assert table.confidence.tolist() == [s["confidence"] for s in report["segments"]]


def test_deleted_export_is_written_again_with_the_next_report(reported, report):
    for path in export_paths(Path(report["path"])):
        before = path.read_bytes()
        path.unlink()
        reported()
        assert path.read_bytes() == before


def test_exports_change_with_their_report(reported, report):
    """The folder contains an older report, of another analysis, and its exports."""
    path = Path(report["path"])
    before = {each: each.read_bytes() for each in export_paths(path)}
    old = json.loads(path.read_text(encoding="utf-8"))
    old["segments"] = [{**old["segments"][0], "end": report["segments"][-1]["end"]}]
    path.write_text(json.dumps(old), encoding="utf-8")
    for each in before:
        each.write_text("old", encoding="utf-8")
    reported()
    assert {each: each.read_bytes() for each in before} == before


def test_silence_reads_back_from_every_export(reported, tmp_path, monkeypatch):
    segments = [Segment(0.0, 5.25, SILENCE, 1.0), Segment(5.25, 20.0, "Calm", 0.5)]
    form = Bundle.form

    def with_silence(*arguments, **options):
        return replace(form(*arguments, **options), segments=segments)

    monkeypatch.setattr(Bundle, "form", with_silence)
    monkeypatch.setattr("tasks.report.song_reports.write_song_page", lambda *_, **__: None)
    report = reported()
    assert report["track"]["silence"] == 5.25
    assert report["segments"][0] == {"start": 0.0, "end": 5.25, "state": "Silence", "confidence": 1.0}
    for path in [*export_paths(Path(report["path"])), Path(report["path"])]:
        found = read_annotation(path)
        assert found.intervals.tolist() == [[0.0, 5.25], [5.25, 20.0]], path.name
        assert list(found.labels) == ["Silence", "Calm"]
