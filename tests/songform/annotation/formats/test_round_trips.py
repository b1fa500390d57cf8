"""Annotations that are written in a format are read back unchanged by songform and by other programs."""

from __future__ import annotations

import json
import math
from io import StringIO

import jams
import mir_eval
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from songform.annotation.annotations import Annotation
from songform.annotation.beat_annotation import BeatAnnotation
from songform.annotation.formats import (
    FORMATS,
    WRITERS,
    audacity,
    csv_labels,
    jams_file,
    lab,
    parsed_annotation,
    reaper_regions,
    songform_report,
)

times = st.floats(0, 10_000, allow_subnormal=False)
labels = st.text(max_size=30)  # any Unicode text; Annotation removes line breaks and control characters
rows = st.lists(st.tuples(times, st.floats(0, 600), labels, st.floats(0, 1) | st.none()), min_size=1, max_size=8)


def annotation(given):
    return Annotation(
        np.array([[start, start + length] for start, length, _, _ in given]),
        [label for _, _, label, _ in given],
        np.array([math.nan if sure is None else sure for *_, sure in given]),
        title="A song",
        duration=12_000.0,
        annotator="Ana",
        tool="songform 0",
    )


SONG = annotation([(0.0, 9.5, "Calm", 0.43), (9.5, 20.000001, "BuildUp", None), (29.5, 45.9, "état 3", 1.0)])


def audacity_by_its_manual(text: str) -> list[tuple[float, float, str]]:
    """Read a label track as the manual describes it, independently of songform."""
    found = []
    for line in text.splitlines():
        if line[:1] != "\\":
            start, end, words = line.split("\t")
            found.append((float(start), float(end), words))
    return found


@given(rows)
@pytest.mark.parametrize("name", FORMATS)
def test_any_annotation_is_read_back_unchanged(name: str, given: list):
    made, label_format = annotation(given), FORMATS[name]
    found = label_format.read(label_format.write(made))
    assert np.array_equal(found.intervals, made.intervals)
    assert found.labels == made.labels
    expected = made.confidences if label_format.has_confidences else np.full(len(made), math.nan)
    assert np.array_equal(found.confidences, expected, equal_nan=True)


@pytest.mark.parametrize("suffix", WRITERS)
def test_exports_are_recognized_by_suffix_or_content(suffix: str):
    text = WRITERS[suffix](SONG)
    for name in (f"x{suffix}", f"X{suffix.upper()}", "x", "x.txt", "x.data"):
        found = parsed_annotation(text, name)
        assert np.array_equal(found.intervals, SONG.intervals), name
        assert found.labels == SONG.labels


@pytest.mark.parametrize("name", ["x.json", "x.txt", "x"])
def test_json_formats_are_recognized_by_content(name: str):
    for module in (jams_file, songform_report):
        assert parsed_annotation(module.write(SONG), name).labels == SONG.labels


def test_mir_eval_reads_lab_files_and_label_tracks(tmp_path):
    for name, module in (("song.lab", lab), ("song.labels.txt", audacity)):
        (tmp_path / name).write_text(module.write(SONG), encoding="utf-8")
        intervals, words = mir_eval.io.load_labeled_intervals(tmp_path / name)
        assert np.array_equal(intervals, SONG.intervals)
        assert words == list(SONG.labels)


def test_label_track_follows_the_manual_of_audacity():
    expected = [(*interval, label) for interval, label in zip(SONG.intervals.tolist(), SONG.labels, strict=True)]
    assert audacity_by_its_manual(audacity.write(SONG)) == expected


def test_jams_package_reads_segments_and_metadata(tmp_path):
    path = tmp_path / "song.jams"
    path.write_text(jams_file.write(SONG), encoding="utf-8")
    with pytest.warns(DeprecationWarning, match=r"iter_errors"):  # warning of jams, which songform suppresses
        jam = jams.load(str(path), strict=True)
    assert (jam.file_metadata.title, jam.file_metadata.duration) == ("A song", 12_000.0)
    (found,) = jam.search(namespace="segment_open")
    intervals, words = found.to_interval_values()
    assert np.allclose(intervals, SONG.intervals, rtol=0, atol=1e-9)
    assert words == list(SONG.labels)
    assert [observation.confidence for observation in found.data] == [0.43, None, 1.0]
    assert found.annotation_metadata.annotator.name == "Ana"
    assert found.annotation_metadata.annotation_tools == "songform 0"
    assert found.duration == 12_000.0


@pytest.mark.parametrize("name", ["jams_file", "report"])
def test_formats_with_metadata_store_title_and_duration(name: str):
    label_format = FORMATS[name]
    found = label_format.read(label_format.write(SONG))
    assert (found.title, found.duration) == ("A song", 12_000.0)
    assert found.annotator == ("Ana" if name == "jams_file" else "")


def test_pandas_reads_csv_labels():
    table = pd.read_csv(StringIO(csv_labels.write(SONG)))
    assert list(table.columns) == ["start", "end", "label", "confidence"]
    assert np.array_equal(table[["start", "end"]].to_numpy(), SONG.intervals)
    assert table.label.tolist() == list(SONG.labels)
    assert np.array_equal(table.confidence, SONG.confidences, equal_nan=True)


def test_written_report_has_the_fields_of_a_report():
    document = json.loads(songform_report.write(SONG))
    assert [set(segment) for segment in document["segments"]] == [{"start", "end", "state", "confidence"}] * 3


@settings(max_examples=30)
@given(rows)
def test_regions_of_reaper_are_read_back_to_the_millisecond(given: list):
    made = annotation(given)
    found = parsed_annotation(reaper_regions.write(made), "x.csv")
    written = sorted(zip(made.intervals.round(3).tolist(), made.labels, strict=True))
    read = sorted(zip(found.intervals.tolist(), found.labels, strict=True))
    assert [label for _, label in read] == [label for _, label in written]
    assert np.abs(np.array([times for times, _ in read]) - [times for times, _ in written]).max() <= 0.0011


def test_regions_of_reaper_are_written_as_reaper_writes_them():
    made = Annotation(np.array([[0, 83.4564], [83.4564, 3723.5]]), ["A", 'B, "loud"'])
    assert reaper_regions.write(made).splitlines() == [
        "#,Name,Start,End,Length",
        "R1,A,0:00.000,1:23.456,1:23.456",
        'R2,"B, ""loud""",1:23.456,1:02:03.500,1:00:40.044',
    ]


PARTS = annotation([(0.0, 20.0, "A", 0.9), (20.0, 25.9, "B", None)])
PHRASES = annotation([(0.0, 10.0, "a", 0.9), (10.0, 20.0, "b", 0.5), (20.0, 25.9, "c", None)])
BEATS = BeatAnnotation(np.array([0.5, 1.0, 1.5]), np.array([4, 1, 2]))


def test_first_segments_of_a_jams_file_are_read_and_a_note_says_so():
    text = jams_file.write(SONG, sections=PARTS, phrases=PHRASES, beats=BEATS, tempo=jams_file.Tempo(120.0, 0.5))
    found, beats = jams_file.read_with_beats(text)
    assert found.labels == SONG.labels
    (note,) = found.notes
    assert "of its 3 annotations with segments, the first one in the namespace segment_open was read" in note
    assert note.endswith("with the labels Calm, BuildUp, état 3")
    assert (beats.times.tolist(), beats.positions.tolist()) == ([0.5, 1.0, 1.5], [4, 1, 2])
    assert beats.annotator == "Ana"
    assert jams_file.read(jams_file.write(SONG)).notes == ()


def without(text: str, *namespaces: str) -> str:
    document = json.loads(text)
    document["annotations"] = [each for each in document["annotations"] if each["namespace"] not in namespaces]
    return json.dumps(document)


def test_coarsest_level_of_a_hierarchy_is_read_and_a_note_says_so():
    found = jams_file.read(without(jams_file.write(SONG, sections=PARTS, phrases=PHRASES), "segment_open"))
    assert np.array_equal(found.intervals, PARTS.intervals)
    assert found.labels == PARTS.labels
    assert np.array_equal(found.confidences, PARTS.confidences, equal_nan=True)
    assert found.notes == ("only the level 0 of its segments was read, of the levels 0, 1",)
    assert jams_file.read(without(jams_file.write(SONG, sections=PARTS), "segment_open")).notes == ()


def test_first_beats_of_a_jams_file_are_read_and_a_note_says_so():
    document = json.loads(without(jams_file.write(SONG, beats=BEATS), "segment_open"))
    document["annotations"] *= 2
    segments, beats = jams_file.read_with_beats(json.dumps(document))
    assert segments is None
    assert beats.notes == ("of its 2 annotations with beats, the first one was read",)


def test_beats_without_positions_are_written_as_null():
    text = without(jams_file.write(SONG, beats=BeatAnnotation(np.array([0.5, 1.0]))), "segment_open")
    assert jams_file.read_with_beats(text)[1].positions is None
