"""Reading of label files: variants of the formats are accepted, and errors name the line or segment."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from songform.annotation.annotations import Annotation
from songform.annotation.formats import (
    FORMATS,
    MAX_BYTES,
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
def test_variants_of_lab_files_are_read(text):
    assert rows_of(lab.read(text)) == TWO


def test_lab_file_without_ends_has_points():
    assert rows_of(lab.read("0.0\tSilence\n0.372\tverse, A\n12\tEnd\n")) == [
        (0.0, 0.0, "Silence"),
        (0.372, 0.372, "verse, A"),
        (12.0, 12.0, "End"),
    ]
    assert rows_of(lab.read("0.0 pre chorus")) == [(0.0, 0.0, "pre chorus")]


def test_label_track_may_have_points_frequencies_and_empty_labels():
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
def test_variants_of_csv_files_are_read(text):
    assert rows_of(csv_labels.read(text)) == TWO


def jam(*annotations: dict, **about) -> str:
    return json.dumps({"annotations": list(annotations), "file_metadata": about, "sandbox": {}})


def segments(namespace: str, label: str, **about) -> dict:
    data = [{"time": 0.0, "duration": 2.0, "value": label, "confidence": 100}]
    return {"namespace": namespace, "data": data, "annotation_metadata": about, "sandbox": {}}


def test_segment_open_is_preferred_in_a_jams_file_with_several_annotations():
    beats = {"namespace": "beat", "data": [], "annotation_metadata": {}, "sandbox": {}}
    found = jams_file.read(jam(beats, segments("segment_salami_upper", "A"), segments("segment_open", "verse")))
    assert rows_of(found) == [(0.0, 2.0, "verse")]
    assert np.isnan(found.confidences).all()  # 100 is not between 0 and 1
    found = jams_file.read(jam(segments("segment_salami_upper", "A", curator={"name": "Bo", "email": "b@c.d"})))
    assert (found.labels, found.annotator) == (("A",), "Bo")


def jams_with_data(data) -> dict:
    return {"annotations": [{"namespace": "segment_open", "data": data, "annotation_metadata": {}, "sandbox": {}}]}


def observation(**changes) -> dict:
    return {"time": 0.0, "duration": 2.0, "value": "a", "confidence": 1, **changes}


# Words of error messages of Python, jams and jsonschema.
PYTHON_WORDS = re.compile(
    r"NoneType|object is not|argument|float\(\)|\bdict\b|\bint\b|__init__|is not of type '|KeyError"
)

BROKEN = {
    "a lab file's time": ("x.lab", "0.0\t1.0\ta\n1.0\tzwei\tb\n", "line 2 has 'zwei' where a time in seconds"),
    "a lab file's start": ("x.lab", "# x\n\nnull 1.0 a\n", "line 3 has 'null' where a time in seconds"),
    "a lab file's columns": ("x.lab", "0 1 a\n1\n", "line 2 has only one column; a start, an end and a label are"),
    "an end before the start": ("x.lab", "0 1 a\n3 2 b\n", "line 2 goes from 3 to 2 s; a label must start"),
    "a negative time": ("x.txt", "-1.0\t2.0\ta\n", "line 1 goes from -1 to 2 s"),
    "NaN": ("x.lab", "0 nan a\n", "line 1 goes from 0 to nan s"),
    "a time of months": ("x.lab", "0 1e300 a\n", "line 1 ends at 1e+300; times must be seconds"),
    "an infinite end": ("x.lab", "0 inf a\n", "line 1 goes from 0 to inf s"),
    "a label track's time": ("x.txt", "0\t1\ta\n\\\t1\t2\nb\t1\tc\n", "line 3 has 'b' where a time in seconds"),
    "a CSV without a header": ("x.csv", "0,1,a\n", "line 1 must be a header with the columns start, end, label"),
    "a CSV without labels": ("x.csv", "start,end\n0,1\n", "label is missing (the line has 2 columns)"),
    "a time in a CSV": ("x.csv", 'start,end,label\n0,1,"a\nb"\nx,2,c\n', "line 4 has 'x' where a time in seconds"),
    "a short line in a CSV": ("x.csv", "start,end,label\n0,1\n", "line 2 has 2 cells, fewer than the header"),
    "a confidence of 7": ("x.csv", "start,end,label,confidence\n0,1,a,7\n", "line 2 has a confidence of 7"),
    "a confidence in a CSV": ("x.csv", "start,end,label,confidence\n0,1,a,?\n", "line 2 has '?' where a confidence"),
    "a cell without end": ("x.csv", "start,end,label\n0,1," + "x" * 200_000, "line 2 cannot be split into cells"),
    "JSON": ("x.json", '{\n "segments": [\n', r"it is not valid JSON (line 3, column 1)"),
    "JAMS": ("x.jams", '{\n "annotations": [}', r"it is not valid JSON (line 2, column 18)"),
    "text in place of JSON": ("x.json", "not json{", "it is not valid JSON (line 1, column 1)"),
    "labels in place of JSON": ("x.json", "0 5 A\n5 9 B\n", "it is not valid JSON"),
    "lyrics with times": ("x.txt", "[00:12.00]One, two\n[00:15.00]Three\n", "line 1 has '[00:12.00]One,' where"),
    "JSON with other content": ("x.json", '{"a": 1}', "not a songform report; it has no list of segments"),
    "a list": ("x.json", "[1, 2]", "not a songform report"),
    "deeply nested JSON": ("x.json", "[" * 100_000, "nested too deeply"),
    "a number of 5,000 digits": ("x.json", '{"a": ' + "1" * 5_000 + "}", "too many digits"),
    "a report's times": (
        "x.json",
        '{"segments": [{"start": 2, "end": 1, "state": "a"}]}',
        "segment 1 goes from 2 to 1",
    ),
    "a report without segments": ("x.json", '{"segments": []}', "contains no labels"),
    "JAMS of beats": (
        "x.jams",
        jam({"namespace": "beat", "data": [], "annotation_metadata": {}}),
        "no segments; an annotation in the namespace segment_open is expected, but there is only beat",
    ),
    "JAMS without annotations": ("x.jams", jam(), "no segments; an annotation in the namespace segment_open"),
    "deeply nested JAMS": ("x.jams", "[" * 100_000, "nested too deeply"),
    "JAMS with a list": ("x.jams", "[1]", "not a JAMS file: it contains a list instead of an object"),
    "an empty file": ("x.lab", "", "contains no labels"),
    "only comments": ("x.lab", "# nothing\n", "contains no labels"),
    "white space": ("x.csv", " \n", "line 1 must be a header"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_error_for_an_invalid_file_is_one_sentence_with_the_place(tmp_path, case):
    name, text, message = BROKEN[case]
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(AnnotationError) as caught:
        read_annotation(tmp_path / name)
    error = str(caught.value)
    assert error.startswith(f"{name} cannot be used: ")
    assert message in error
    assert "\n" not in error
    assert len(error) < 400


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xfe0\x00", r"^x\.lab is not UTF-8 .*byte 0 .*save it as UTF-8"),
        (b"0 1 a\n" * (MAX_BYTES // 6 + 1), r"^x\.lab is larger than 16 MiB; .*label file\?"),
    ],
)
def test_files_that_are_not_text_or_too_large_are_rejected(tmp_path, content, message):
    (tmp_path / "x.lab").write_bytes(content)
    with pytest.raises(AnnotationError, match=message):
        read_annotation(tmp_path / "x.lab")


def test_missing_file_is_rejected_with_the_reason(tmp_path):
    with pytest.raises(AnnotationError, match=r"^x\.lab cannot be read \(No such file or directory\)"):
        read_annotation(tmp_path / "x.lab")


def test_byte_order_mark_is_ignored(tmp_path):
    (tmp_path / "x.lab").write_bytes(b"\xef\xbb\xbf0 1 a\n")
    assert rows_of(read_annotation(tmp_path / "x.lab")) == [(0.0, 1.0, "a")]


@pytest.mark.parametrize("label", ["=1+1", "+1", "-1", "@SUM(A1)", "'=1", "''", "'", "=cmd|' /C calc'!A0", "\t=1"])
def test_csv_cells_are_not_formulas_and_labels_are_read_back(label):
    made = Annotation(np.array([[0.0, 1.0]]), [label])
    text = csv_labels.write(made)
    cell = text.splitlines()[1].split(",", 2)[2].strip('"')
    assert cell[0] not in "=+-@\t\r"
    assert csv_labels.read(text).labels == made.labels


@pytest.mark.parametrize("name", FORMATS)
def test_label_with_line_breaks_stays_on_one_line(name):
    made = Annotation(np.array([[0.0, 1.0]]), ["a\n0\t9\tb\r\\\t1\t2\x1b]0;x\x07\u2028c\x85d\x1ce"])
    text = FORMATS[name].write(made)
    assert len(FORMATS[name].read(text)) == 1
    assert not {"\x1b", "\x07", "\r", "\x1c", "\x85", "\u2028"} & set(text)


ALLOWED = {"start": 0, "end": 1, "state": "a", "confidence": 0.5}
SEGMENTS = {
    "null": ("null", "segment 2 is null; an object"),
    "a number": ("3", "segment 2 is 3; an object"),
    "a list": ("[0, 1]", "segment 2 is a list; an object"),
    "no start": ('{"end": 1, "state": "a"}', "segment 2 has no start"),
    "no end": ('{"start": 0, "state": "a"}', "segment 2 has no end"),
    "no state": ('{"start": 0, "end": 1}', "segment 2 has no state"),
    "a null state": ('{"start": 0, "end": 1, "state": null}', "segment 2 has no state"),
    "a list as state": ('{"start": 0, "end": 1, "state": ["a"]}', "segment 2 has a list as its state"),
    "a start of NaN": ('{"start": NaN, "end": 1, "state": "a"}', "segment 2 has NaN as its start, which is not a"),
    "a start of true": ('{"start": true, "end": 1, "state": "a"}', "segment 2 has true as its start, which is not a"),
    "a start of null": ('{"start": null, "end": 1, "state": "a"}', "segment 2 has null as its start, which is not a"),
    "a start of text": ('{"start": "x", "end": 1, "state": "a"}', "segment 2 has 'x' as its start, which is not a"),
    "an infinite end": ('{"start": 0, "end": 1e999, "state": "a"}', "segment 2 has Infinity as its end"),
    "an end of 400 digits": ('{"start": 0, "end": 1' + "0" * 400 + ', "state": "a"}', "as its end, which is not a"),
    "a list as confidence": (
        '{"start": 0, "end": 1, "state": "a", "confidence": [1]}',
        "segment 2 has a list as its confidence, which is not a valid number",
    ),
}


@pytest.mark.parametrize("case", SEGMENTS)
def test_error_for_an_invalid_segment_of_a_report_names_segment_and_field(case):
    segment, message = SEGMENTS[case]
    with pytest.raises(AnnotationError) as caught:
        songform_report.read(f'{{"segments": [{json.dumps(ALLOWED)}, {segment}]}}')
    assert message in str(caught.value)
    assert not PYTHON_WORDS.search(str(caught.value))


@pytest.mark.parametrize("duration", ["NaN", "-3", "true", "null", '"long"', "1" + "0" * 400])
def test_invalid_duration_of_a_report_is_ignored(duration):
    text = f'{{"segments": [{json.dumps(ALLOWED)}], "track": {{"duration": {duration}}}}}'
    assert songform_report.read(text).duration is None


JAMS_ERRORS = {
    "an unknown field": ({"colour": 1}, "the field 'colour' is unknown"),
    "a text as annotations": ({"annotations": "a"}, "a field is unknown or has the wrong type"),
    "a number as annotation": ({"annotations": [3]}, "annotation 1 is 3, not an object"),
    "no namespace": ({"annotations": [{}]}, "annotation 1 has no namespace"),
    "an unknown namespace": (
        {"annotations": [segments("verses", "a")]},
        "annotation 1 has the unknown namespace 'vers",
    ),
    "a number as data": (jams_with_data(3), "a field is unknown or has the wrong type"),
    "a null observation": (jams_with_data([None]), "observation 1 of annotation 1 is null, not an object"),
    "no duration": (jams_with_data([{"time": 0, "value": "a"}]), "observation 1 of annotation 1 has no duration"),
    "a text as time": (jams_with_data([observation(time="x")]), "the time of observation 1 of annotation 1 is 'x'"),
    "a time of 400 digits": (jams_with_data([observation(time=10**400)]), "which is not a valid number"),
    "a negative time": (
        jams_with_data([observation(time=-1)]),
        "the time of observation 1 is -1.0, which is less than 0",
    ),
    "a number as label": (
        jams_with_data([observation(value=7)]),
        "the value of observation 1 is 7, which is not of type",
    ),
    "a SALAMI label": (
        {"annotations": [segments("segment_salami_upper", "verse")]},
        "the value of observation 1 is 'verse', which is not allowed",
    ),
    "a text as duration": (
        {"annotations": [segments("segment_open", "a")], "file_metadata": {"duration": "x"}},
        "file_metadata.duration is 'x', which is not of type number",
    ),
}


@pytest.mark.parametrize("case", JAMS_ERRORS)
def test_error_for_an_invalid_jams_file_names_the_place(case):
    document, message = JAMS_ERRORS[case]
    with pytest.raises(AnnotationError, match="does not follow the JAMS schema") as caught:
        jams_file.read(json.dumps(document))
    assert message in str(caught.value)
    assert not PYTHON_WORDS.search(str(caught.value))


def test_confidences_of_a_report_may_be_null():
    text = json.dumps({"segments": [{"start": 0, "end": 1, "label": "a", "confidence": None}], "track": 3})
    assert np.isnan(songform_report.read(text).confidences).all()


SONG = Annotation(np.array([[0.0, 8.0], [8.0, 15.5]]), ["A", "B"], np.array([0.5, np.nan]), title="T", duration=15.5)
WRITTEN = {**WRITERS, ".json": songform_report.write}


@settings(max_examples=100)
@given(st.data())
@pytest.mark.parametrize("suffix", [*WRITTEN, ".txt"])
def test_any_file_is_read_or_rejected_with_one_sentence(suffix, data):
    """The text is arbitrary, or a valid file of which a part is missing, repeated or overwritten."""
    whole = WRITTEN.get(suffix, lab.write)(SONG)
    first, last = sorted(data.draw(st.tuples(*[st.integers(0, len(whole))] * 2)))
    text = data.draw(st.text(max_size=60) | st.text('0123456789.,-eE+\t\n "{}[]:=;\\nulNaInfity', max_size=60))
    if data.draw(st.booleans()):
        text = whole[:first] + text + whole[last:]
    found, message = read_or_message(text, f"x{suffix}")
    assert (found is None) != (message is None)
    assert "\n" not in (message or "")
    if found is not None:
        assert len(found) > 0
        assert np.isfinite(found.intervals).all()


def read_or_message(text: str, name: str) -> tuple[Annotation | None, str | None]:
    try:
        return parsed_annotation(text, name), None
    except AnnotationError as error:
        return None, str(error)


HEADERS = {
    "Sonic Visualiser's regions": "TIME,VALUE,DURATION,LABEL\n0.0,0,13.389,i\n13.389,1,10.666,verse 1\n",
    "REAPER's regions": "#,Name,Start,End,Length\nR1,i,0.0,13.389,13.389\nR2,verse 1,13.389,24.055,10.666\n",
    "REAPER's regions in minutes": "#,Name,Start,End,Length,Color\nR1,i,0:00.000,0:13.389,0:13.389,\n"
    "R2,verse 1,0:13.389,0:24.055,0:10.666,FF0000\n",
    "Audition's markers": "Name\tStart\tDuration\tTime Format\ni\t0:00.000\t0:13.389\tdecimal\n"
    "verse 1\t0:13.389\t0:10.666\tdecimal\n",
    "onset and offset": "onset,offset,label\n0,13.389,i\n13.389,24.055,verse 1\n",
    "start_time and end_time": "start_time;end_time;label\n0;13,389;i\n13,389;24,055;verse 1\n",
    "units": "Start (s),End (s),Section\n0,13.389,i\n13.389,24.055,verse 1\n",
    "a line for spreadsheets": "sep=;\nstart;end;label\n0;13,389;i\n13,389;24,055;verse 1\n",
    "a name for each row": "id,start,end,label,duration\n7,0,13.389,i,300\n8,13.389,24.055,verse 1,300\n",
}


@pytest.mark.parametrize("name", ["x.csv", "x.txt", "x.lab"])
@pytest.mark.parametrize("case", HEADERS)
def test_headers_of_other_programs_are_read(name, case):
    assert rows_of(parsed_annotation(HEADERS[case], name)) == TWO


def test_markers_of_reaper_are_points_and_instants_have_no_ends():
    text = "#,Name,Start,End,Length\nM1,drop,5.0,,\nR1,i,0.0,13.389,13.389\n"
    assert rows_of(csv_labels.read(text)) == [(0.0, 13.389, "i"), (5.0, 5.0, "drop")]
    assert rows_of(csv_labels.read("TIME,LABEL\n0.5,i\n13.389,verse 1\n")) == [
        (0.5, 0.5, "i"),
        (13.389, 13.389, "verse 1"),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("#,Name,Start,End,Length\nR1,i,1.1.00,5.1.00,4.0.00\n", r"line 2 .*'1\.1\.00' in bars.* seconds"),
        ("FRAME,LABEL\n0,i\n", "start and end are missing .*in audio frames.*seconds"),
        ("start,finale,label\n0,5,i\n", "end is missing"),
        ("start,end,name,section\n0,5,song,i\n", "name and section; rename the one"),
        ("start,end,label\n0,0,5,5,A\n", "line 2 has 5 cells, but the header has 3; write decimals with points"),
        ("start,end,label\n0,5,A, loud\n", "line 2 has 4 cells, but the header has 3; .*quotes"),
        ("start;end;label\n0.5;5,5;A\n", "line 2 .*'0.5' with a decimal point, but line 2 has '5,5' with a comma"),
        ("start,end,label\n0:75,1:80,A\n", "line 2 has '0:75' where a time in seconds"),
    ],
)
def test_header_that_does_not_fit_its_rows_is_reported(text, message):
    with pytest.raises(AnnotationError, match=message):
        csv_labels.read(text)


@pytest.mark.parametrize("suffix", [".txt", ".csv", ".tsv", ".lab", ".labels.txt"])
@pytest.mark.parametrize(
    "text",
    [
        "1. Intro\n2. Verse\n3. Chorus\n",
        "1. Intro 0:30\n2. Verse 1:20",
        "# Form\n\n0. Intro\n1. Verse, soft\n",
        "1.\tIntro\n2.\tVerse\n",
        "1) Intro\n2) Verse\n",
        "1.Intro\n2.Verse\n",
        "1.,Intro\n2.,Verse\n",
        "1. 99 Problems\n2. 7 Rings\n",
        "1. 30.5 Intro\n2. 80.2 Verse\n",
        "1. Intro\n",
    ],
)
def test_numbered_list_is_not_read_as_times(suffix, text):
    with pytest.raises(
        AnnotationError, match=r"^it contains no labels with times, but a numbered list \(line \d begins"
    ):
        parsed_annotation(text, f"x{suffix}")


@pytest.mark.parametrize("suffix", [".txt", ".lab", ".tsv"])
@pytest.mark.parametrize(
    ("text", "starts"),
    [
        ("1\t2\tA\n2\t3\tB\n3\t9\tC\n", [1, 2, 3]),
        ("1\tA\n2\tB\n3\tC\n", [1, 2, 3]),
        ("1.0\tA\n2.0\tB\n", [1, 2]),
        ("0.\t1.\tA\n1.\t2.\tB\n2.\t30.\tC\n", [0, 1, 2]),
        ("0.\tA\n12.\tB\n20.\tC\n", [0, 12, 20]),
    ],
)
def test_times_that_count_by_one_are_read(suffix, text, starts):
    assert parsed_annotation(text, f"x{suffix}").intervals[:, 0].tolist() == starts
