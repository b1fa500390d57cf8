"""Reading what people have: variants of the formats are understood, and what is broken is told with its line."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from songform.annotation.annotations import Annotation
from songform.annotation.formats import (
    MOST_BYTES,
    WRITERS,
    audacity,
    csv_labels,
    jams_file,
    lab,
    parsed_annotation,
    read_annotation,
    songform_report,
)
from songform.errors import AnnotationError


def rows_of(given: Annotation) -> list:
    return [(*interval, label) for interval, label in zip(given.intervals.tolist(), given.labels, strict=True)]


TWO = [(0.0, 13.389, "i"), (13.389, 24.055, "verse 1")]


@pytest.mark.parametrize(
    "text",
    [
        "0.000\t13.389\ti\n13.389\t24.055\tverse 1\n",
        "0.000 13.389 i\n13.389   24.055  verse 1",
        "# by Ana\r\n\r\n0\t13.389\ti\r\n13.389\t24.055\tverse 1\r\n",
        "13.389\t24.055\tverse 1\r0\t13.389\ti",
        "\n  0 13.389 i  \n  # x\n 13.389 24.055 verse 1\n",
    ],
)
def test_lab_files_of_all_kinds_are_read(text):
    assert rows_of(lab.read(text)) == TWO


def test_a_lab_file_without_ends_holds_points():
    assert rows_of(lab.read("0.0\tSilence\n0.372\tverse, A\n12\tEnd\n")) == [
        (0.0, 0.0, "Silence"),
        (0.372, 0.372, "verse, A"),
        (12.0, 12.0, "End"),
    ]
    assert rows_of(lab.read("0.0 pre chorus")) == [(0.0, 0.0, "pre chorus")]


def test_a_label_track_may_have_points_frequencies_and_empty_labels():
    text = "0.5\t2.0\tintro\n\\\t100.0\t2000.0\n3.0\t3.0\tdrop\n4.0\t5.0\t\n6.0\told point\n7.0\t8.0\n"
    assert rows_of(audacity.read(text)) == [
        (0.5, 2.0, "intro"),
        (3.0, 3.0, "drop"),
        (4.0, 5.0, ""),
        (6.0, 6.0, "old point"),
        (7.0, 8.0, ""),
    ]
    assert rows_of(parsed_annotation(text, "x.txt")) == rows_of(audacity.read(text))


@pytest.mark.parametrize(
    "text",
    [
        "start,end,label\n0,13.389,i\n13.389,24.055,verse 1\n",
        "Label;Start;End;mood\ni;0,0;13,389;x\nverse 1;13,389;24,055;y\n",
        "start\tend\tstate\n0\t13.389\ti\n13.389\t24.055\tverse 1\n",
        'start,end,label,confidence\r\n0,13.389,i,\r\n13.389,24.055,"verse\n1",0.5\r\n',
    ],
)
def test_sheets_of_all_kinds_are_read(text):
    assert rows_of(csv_labels.read(text)) == TWO


def jam(*annotations: dict, **about) -> str:
    return json.dumps({"annotations": list(annotations), "file_metadata": about, "sandbox": {}})


def segments(namespace: str, label: str, **about) -> dict:
    data = [{"time": 0.0, "duration": 2.0, "value": label, "confidence": 100}]
    return {"namespace": namespace, "data": data, "annotation_metadata": about, "sandbox": {}}


def test_of_a_jams_with_several_annotations_open_segments_come_first():
    beats = {"namespace": "beat", "data": [], "annotation_metadata": {}, "sandbox": {}}
    found = jams_file.read(jam(beats, segments("segment_salami_upper", "A"), segments("segment_open", "verse")))
    assert rows_of(found) == [(0.0, 2.0, "verse")]
    assert np.isnan(found.confidences).all()  # 100 is on another scale
    found = jams_file.read(jam(segments("segment_salami_upper", "A", curator={"name": "Bo", "email": "b@c.d"})))
    assert (found.labels, found.annotator) == (("A",), "Bo")


BROKEN = {
    "a lab file's time": ("x.lab", "0.0\t1.0\ta\n1.0\tzwei\tb\n", "line 2 has 'zwei' where a time in seconds is"),
    "a lab file's start": ("x.lab", "# x\n\nnull 1.0 a\n", "line 3 has 'null' where a time in seconds is expected"),
    "a lab file's columns": ("x.lab", "0 1 a\n1\n", "line 2 has a single column; a start, an end and a label are"),
    "times turned round": ("x.lab", "0 1 a\n3 2 b\n", "line 2 goes from 3 to 2 s"),
    "a negative time": ("x.txt", "-1.0\t2.0\ta\n", "line 1 goes from -1 to 2 s"),
    "no number": ("x.lab", "0 nan a\n", "line 1 goes from 0 to nan s"),
    "no time of a song": ("x.lab", "0 1e300 a\n", "line 1 ends at 1e+300; times are seconds from the song's beginning"),
    "no end": ("x.lab", "0 inf a\n", "line 1 goes from 0 to inf s"),
    "a label track's time": ("x.txt", "0\t1\ta\n\\\t1\t2\nb\t1\tc\n", "line 3 has 'b' where a time in seconds"),
    "a sheet without a header": ("x.csv", "0,1,a\n", "line 1 must be a header that names start, end, label"),
    "a sheet without labels": ("x.csv", "start,end\n0,1\n", "but label is not among its 2 columns"),
    "a sheet's time": ("x.csv", 'start,end,label\n0,1,"a\nb"\nx,2,c\n', "line 4 has 'x' where a time in seconds"),
    "a sheet's short line": ("x.csv", "start,end,label\n0,1\n", "line 2 has 2 cells, fewer than the header"),
    "a sheet's confidence": ("x.csv", "start,end,label,confidence\n0,1,a,7\n", "line 2 has a confidence of 7"),
    "a cell without end": ("x.csv", "start,end,label\n0,1," + "x" * 200_000, "line 2 is no line of a sheet"),
    "JSON": ("x.json", '{\n "segments": [\n', "line 3 is no JSON"),
    "JAMS": ("x.jams", '{\n "annotations": [}', "line 2 is no JSON"),
    "JSON of another kind": ("x.json", '{"a": 1}', "no report of songform: it has no list of segments"),
    "a list": ("x.json", "[1, 2]", "no report of songform"),
    "a deep nest": ("x.json", "[" * 100_000, "it is nested too deeply"),
    "a report's segment": ("x.json", '{"segments": [{"start": 0}]}', "segment 1 lacks a start, an end or a state"),
    "a report's times": (
        "x.json",
        '{"segments": [{"start": 2, "end": 1, "state": "a"}]}',
        "segment 1 goes from 2 to 1",
    ),
    "a report without segments": ("x.json", '{"segments": []}', "there is no label in it"),
    "JAMS of beats": (
        "x.jams",
        jam({"namespace": "beat", "data": [], "annotation_metadata": {}}),
        "no segments, but beat",
    ),
    "JAMS without anything": ("x.jams", jam(), "it holds no segments, but nothing"),
    "JAMS of other fields": ("x.jams", '{"colour": 1}', "it does not keep to the schema of JAMS"),
    "JAMS with a label that is none": ("x.jams", jam(segments("segment_open", 7)), "not keep to the schema of JAMS"),
    "JAMS before the beginning": (
        "x.jams",
        jam({**segments("segment_open", "a"), "data": [{"time": -1, "duration": 2, "value": "a", "confidence": 1}]}),
        "not keep to the schema of JAMS",
    ),
    "a deep JAMS": ("x.jams", "[" * 100_000, "not keep to the schema of JAMS"),
    "nothing": ("x.lab", "", "there is no label in it"),
    "remarks alone": ("x.lab", "# nothing\n", "there is no label in it"),
    "blanks": ("x.csv", " \n", "line 1 must be a header"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_file_is_one_sentence_with_the_place(tmp_path, case):
    name, text, message = BROKEN[case]
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(AnnotationError) as caught:
        read_annotation(tmp_path / name)
    said = str(caught.value)
    assert said.startswith(f"{name} cannot be used: ")
    assert message in said
    assert "\n" not in said
    assert len(said) < 400


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xfe0\x00", r"^x\.lab is no text in UTF-8 \(byte 0\); save it as UTF-8"),
        (b"0 1 a\n" * (MOST_BYTES // 6 + 1), r"^x\.lab is larger than 16 MiB; is it a file of labels\?"),
    ],
)
def test_a_file_that_is_no_text_is_one_sentence(tmp_path, content, message):
    (tmp_path / "x.lab").write_bytes(content)
    with pytest.raises(AnnotationError, match=message):
        read_annotation(tmp_path / "x.lab")


def test_a_file_that_is_not_there_is_one_sentence(tmp_path):
    with pytest.raises(AnnotationError, match=r"^x\.lab cannot be read \(No such file or directory\)"):
        read_annotation(tmp_path / "x.lab")


def test_a_mark_of_byte_order_is_no_part_of_the_first_time(tmp_path):
    (tmp_path / "x.lab").write_bytes(b"\xef\xbb\xbf0 1 a\n")
    assert rows_of(read_annotation(tmp_path / "x.lab")) == [(0.0, 1.0, "a")]


@pytest.mark.parametrize("label", ["=1+1", "+1", "-1", "@SUM(A1)", "'=1", "''", "'", "=cmd|' /C calc'!A0", "\t=1"])
def test_no_cell_of_a_sheet_is_a_formula_and_labels_come_back(label):
    made = Annotation(np.array([[0.0, 1.0]]), [label])
    text = csv_labels.write(made)
    cell = text.splitlines()[1].split(",", 2)[2].strip('"')
    assert cell[0] not in "=+-@\t\r"
    assert csv_labels.read(text).labels == made.labels


@pytest.mark.parametrize("module", [lab, audacity, csv_labels, jams_file, songform_report])
def test_no_label_breaks_out_of_its_line(module):
    made = Annotation(np.array([[0.0, 1.0]]), ["a\n0\t9\tb\r\\\t1\t2\x1b]0;x\x07\u2028c\x85d\x1ce"])
    text = module.write(made)
    assert len(module.read(text)) == 1
    assert not {"\x1b", "\x07", "\r", "\x1c", "\x85", "\u2028"} & set(text)


def test_reading_confidences_of_a_report():
    text = json.dumps({"segments": [{"start": 0, "end": 1, "label": "a", "confidence": None}], "track": 3})
    assert np.isnan(songform_report.read(text).confidences).all()


SONG = Annotation(np.array([[0.0, 8.0], [8.0, 15.5]]), ["A", "B"], np.array([0.5, np.nan]), title="T", duration=15.5)
WRITTEN = {**WRITERS, ".json": songform_report.write}


@settings(deadline=None, max_examples=100)
@given(st.data())
@pytest.mark.parametrize("suffix", [*WRITTEN, ".txt"])
def test_whatever_a_file_holds_it_is_read_or_is_one_sentence(suffix, data):
    """Any text, and files of ours of which a piece was lost, doubled or overwritten."""
    whole = WRITTEN.get(suffix, lab.write)(SONG)
    first, last = sorted(data.draw(st.tuples(*[st.integers(0, len(whole))] * 2)))
    text = data.draw(st.text(max_size=60) | st.text('0123456789.,-eE+\t\n "{}[]:=;\\nulNaInfity', max_size=60))
    if data.draw(st.booleans()):
        text = whole[:first] + text + whole[last:]
    found, said = read_or_told(text, f"x{suffix}")
    assert (found is None) != (said is None)
    assert "\n" not in (said or "")
    if found is not None:
        assert len(found) > 0
        assert np.isfinite(found.intervals).all()


def read_or_told(text: str, name: str) -> tuple[Annotation | None, str | None]:
    try:
        return parsed_annotation(text, name), None
    except AnnotationError as error:
        return None, str(error)
