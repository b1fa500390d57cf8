"""Exports: the states, sections, phrases and beats of a report in other formats, written together with the report."""

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
from songform.annotation.formats import WRITERS, read_annotation, read_beats, read_labels
from songform.beats.beat_grid import TOLERANCE_SECONDS
from songform.beats.beat_tracking import NO_BEATS, Beats
from songform.bundle import Bundle
from songform.sections.section_finding import Sections, SongPart
from songform.structure.segments import Segment
from songform.structure.silence import SILENCE
from tasks.report.exports import REKORDBOX, export_notes, export_paths, export_suffixes, write_exports
from tasks.report.report_tracks import report_tracks
from tasks.store.bundles import OWN_MODEL
from tasks.store.corpus import Corpus


@pytest.fixture
def reported(extracted, quick, tmp_path, monkeypatch):
    """Return a function that reports a song; empty files replace the pictures and the page, which take long."""
    key = Corpus(extracted).records()[0].key

    def touch(pictures, *_):
        for path in pictures.values():
            path.touch()

    def call():
        (document,) = report_tracks.fn(extracted, [key], quick, OWN_MODEL, out=tmp_path, n_tracks=1)
        return document

    monkeypatch.setattr("tasks.report.song_reports._draw", touch)
    monkeypatch.setattr("tasks.report.song_reports.write_song_page", lambda *_, **__: None)
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
    assert {".jams", ".lab", ".labels.txt", ".csv"} <= set(WRITERS)
    for path in [*(exported(report, suffix) for suffix in WRITERS), Path(report["path"])]:
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
    segments = jam.search(namespace="segment_open")[0]
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


def test_only_deleted_exports_are_written_again_with_the_next_report(reported, report):
    paths = export_paths(Path(report["path"]), report)
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in paths}
    for path in paths[::3]:
        path.unlink()
    reported()
    for path in paths:
        assert path.read_bytes() == before[path][0]
        assert (path.stat().st_mtime_ns == before[path][1]) == (path not in paths[::3]), path.name


def test_exports_change_with_their_report(reported, report):
    """The folder contains an older report, of another analysis, and its exports."""
    path = Path(report["path"])
    before = {each: each.read_bytes() for each in export_paths(path, report)}
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
    report = reported()
    assert report["track"]["silence"] == 5.25
    assert report["segments"][0] == {"start": 0.0, "end": 5.25, "state": "Silence", "confidence": 1.0}
    for path in [*(exported(report, suffix) for suffix in WRITERS), Path(report["path"])]:
        found = read_annotation(path)
        assert found.intervals.tolist() == [[0.0, 5.25], [5.25, 20.0]], path.name
        assert list(found.labels) == ["Silence", "Calm"]


EDGES = (0.0, 4.123, 8.5, 13.0, 20.0)
SECTIONS = tuple(SongPart(a, b, letter, 0.5) for a, b, letter in zip(EDGES, EDGES[1:], "ABAC", strict=False))
PHRASES = tuple(SongPart(a, b, "a", 0.5) for a, b in zip((0.0, 2.0, *EDGES[1:]), (2.0, *EDGES[1:]), strict=False))
BEATS = Beats(0.31 + 0.5 * np.arange(38), (np.arange(38) + 3) % 4 + 1, 120.0, 4, is_metre_sure=True, confidence=0.9)


@pytest.fixture
def found(monkeypatch):
    """Set the sections and the beats that are found; return a function that replaces them."""

    def find(sections=SECTIONS, beats=BEATS):
        parts = Sections(sections, PHRASES if sections else (), "" if sections else "it is too short")
        monkeypatch.setattr("tasks.song_sections.find_sections", lambda *_, **__: parts)
        monkeypatch.setattr("tasks.song_sections._stored_or_found_beats", lambda *_: (beats, []))

    find()
    return find


def parts_of(report, level):
    parts = report[level]
    return np.round([[part["start"], part["end"]] for part in parts], 6), [part["label"] for part in parts]


@pytest.mark.parametrize("level", ["sections", "phrases"])
def test_sections_and_phrases_read_back_from_every_export(found, reported, level):
    report = reported()
    times, labels = parts_of(report, level)
    suffixes = [suffix for suffix in report["exports"] if suffix.startswith(f".{level}.")]
    assert len(suffixes) == (4 if level == "sections" else 3)
    for suffix in suffixes:
        found = read_annotation(exported(report, suffix))
        tolerance = 0.0005 if suffix.endswith(".reaper.csv") else 1e-9
        assert np.abs(found.intervals - times).max() <= tolerance, suffix
        assert list(found.labels) == labels
    intervals, words = mir_eval.io.load_labeled_intervals(exported(report, f".{level}.lab"))
    assert np.array_equal(intervals, times)
    assert words == labels


@pytest.mark.usefixtures("found")
def test_beats_read_back_as_mir_eval_and_songform_read_them(reported):
    report = reported()
    times, positions = mir_eval.io.load_labeled_events(exported(report, ".beats"))
    assert np.allclose(times, BEATS.times, rtol=0, atol=5e-7)
    assert [int(position) for position in positions] == BEATS.positions.tolist()
    found = read_beats(exported(report, ".beats"))
    assert found.times.tolist() == times.tolist()
    assert found.positions.tolist() == BEATS.positions.tolist()


@pytest.mark.usefixtures("found")
def test_jams_package_reads_all_levels_beats_and_tempo(reported):
    report = reported()
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):  # raised by jams itself
        jam = jams.load(str(exported(report, ".jams")), strict=True)
    namespaces = [annotation.namespace for annotation in jam.annotations]
    assert namespaces == ["segment_open", "segment_open", "multi_segment", "beat", "tempo"]
    assert {annotation.annotation_metadata.annotator.name for annotation in jam.annotations} == {"songform model own"}
    for annotation, (times, labels) in zip(
        jam.annotations[:2], (told(report), parts_of(report, "sections")), strict=True
    ):
        intervals, words = annotation.to_interval_values()
        assert np.allclose(intervals, times, rtol=0, atol=1e-9)
        assert words == labels
    hierarchy = jam.annotations[2].data
    for number, level in enumerate(("sections", "phrases")):
        levels = [each for each in hierarchy if each.value["level"] == number]
        assert [each.value["label"] for each in levels] == parts_of(report, level)[1]
        assert [each.time for each in levels] == parts_of(report, level)[0][:, 0].tolist()
    times, positions = jam.annotations[3].to_event_values()
    assert np.allclose(times, BEATS.times, rtol=0, atol=5e-7)
    assert positions == BEATS.positions.tolist()
    (tempo,) = jam.annotations[4].data
    assert (tempo.time, tempo.value, tempo.confidence) == (0.0, 120.0, 0.9)


@pytest.mark.usefixtures("found")
def test_rekordbox_reads_back_to_the_sections_and_the_beats(reported):
    report = reported()
    sections, beats = read_labels(exported(report, REKORDBOX))
    times, labels = parts_of(report, "sections")
    assert np.abs(sections.intervals[:, 0] - times[:, 0]).max() <= 0.0005
    assert list(sections.labels) == labels
    n_beats = len(BEATS.times)
    assert np.abs(beats.times[:n_beats] - BEATS.times).max() <= TOLERANCE_SECONDS
    assert beats.positions[:n_beats].tolist() == BEATS.positions.tolist()


@pytest.mark.usefixtures("found")
def test_rekordbox_file_is_written_again_only_if_the_audio_was_moved(reported, tmp_path):
    report = reported()
    path, report_path = exported(report, REKORDBOX), Path(report["path"])
    before = path.read_bytes(), path.stat().st_mtime_ns
    reported()
    assert path.stat().st_mtime_ns == before[1]
    moved = tmp_path / "moved & renamed" / "song 1.flac"
    document = json.loads(report_path.read_text(encoding="utf-8"))
    write_exports(report_path, document, beats=BEATS, audio=moved, earlier=document)
    assert b"moved%20%26%20renamed/song%201.flac" in path.read_bytes()
    reported()
    assert path.read_bytes() == before[0]


def test_exports_that_a_song_no_longer_has_are_removed(found, reported, tmp_path):
    with_sections = reported()
    others = [exported(with_sections, suffix) for suffix in (".notes.txt", ".sections.txt", ".mine.beats")]
    for path in others:
        path.write_text("a person's file", encoding="utf-8")
    found(sections=(), beats=NO_BEATS)
    without = reported()
    assert without["exports"] == list(WRITERS)
    left = {path.name for path in tmp_path.iterdir() if path.suffix not in (".png", ".html")}
    assert left == {Path(without["path"]).name, *(path.name for path in others)} | {
        path.name for path in export_paths(Path(without["path"]), without)
    }


@pytest.mark.parametrize("listed", [None, ["../song", 3], "x", {".beats": 1}])
def test_files_that_songform_did_not_write_are_not_removed(tmp_path, listed):
    """A report of an earlier version, or a damaged one, does not list exports."""
    report = tmp_path / "song.json"
    segments = [{"start": 0, "end": 20, "state": "Calm", "confidence": 1}]
    document = {"track": {"title": "song"}, "model": {"id": "own"}, "segments": segments, "exports": [".lab"]}
    mine = [report.with_suffix(suffix) for suffix in (".sections.lab", ".beats")]
    for path in mine:
        path.write_text("a person's file", encoding="utf-8")
    for earlier in ({**document, "exports": listed}, {}, [], None):
        write_exports(report, document, earlier=earlier)
    assert [path.read_text(encoding="utf-8") for path in mine] == ["a person's file"] * 2


def song(title="song", *, n_sections=3, tempo=120.0, audio=Path("/songs/a.mp3")):
    sections = [{"start": 10.0 * n, "end": 10.0 * n + 10, "label": "A", "confidence": 1.0} for n in range(n_sections)]
    document = {"track": {"title": title}, "sections": sections, "beats": {"tempo": tempo}}
    return {**document, "exports": export_suffixes(document, audio)}


def test_notes_name_the_songs_without_a_rekordbox_file_once():
    assert export_notes([song(), song(n_sections=10)]) == []
    assert export_notes([song(tempo=None, n_sections=0, audio=None), {"segments": [], "beats": None}]) == []
    (note,) = export_notes([song("Café", audio=None), song("Blue")])
    assert "no Rekordbox file was written for Café, because" in note
    assert "--set audio.keep=true" in note
    (note,) = export_notes([song(f"song {n}", audio=None) for n in range(7)])
    assert "7 songs (song 0, song 1, song 2, song 3, song 4, ...)" in note


def test_note_says_that_only_the_longest_sections_are_cues():
    (note,) = export_notes([song("Café", n_sections=11), song(n_sections=10)])
    assert "Rekordbox export of Café contains only the longest 10 sections" in note
