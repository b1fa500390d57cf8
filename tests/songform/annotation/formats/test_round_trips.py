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
from hypothesis import given
from hypothesis import strategies as st

from songform.annotation.annotations import Annotation
from songform.annotation.formats import (
    FORMATS,
    WRITERS,
    audacity,
    csv_labels,
    jams_file,
    lab,
    parsed_annotation,
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
