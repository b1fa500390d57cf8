"""Beat files: variants that are read, what is refused, and any text at all."""

from __future__ import annotations

import io
import json

import mir_eval
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from songform.annotation.annotations import Annotation
from songform.annotation.beat_annotation import BeatAnnotation
from songform.annotation.formats import beat_lines, jams_file, read_beats, read_labels
from songform.errors import AnnotationError


@pytest.mark.parametrize(
    "text",
    [
        "0.5\t4\n1\t1\n1.5\t2\n",
        "0.5 4\r\n1.0 1\r\n1.5 2\r\n",
        "0.5,4\n1.0, 1\n1.5 , 2",
        "# by ear\n\n 0.5 4.0 \n1.0 1 # the drums begin\n1.5 2\n",
    ],
)
def test_variants_of_beat_files_are_read(text):
    beats = beat_lines.read(text)
    assert beats.times.tolist() == [0.5, 1.0, 1.5]
    assert beats.positions.tolist() == [4, 1, 2]


def test_file_without_positions_has_no_downbeats():
    beats = beat_lines.read("0.5\n1.0\n")
    assert (beats.times.tolist(), beats.positions, beats.downbeats) == ([0.5, 1.0], None, None)


REFUSED = {
    "0.5\n0.5\n": "line 2 has the time 0.5, but the beat before it has 0.5",
    "0.5\n1.0\n\n0.9\n": "line 4 has the time 0.9, but the beat before it has 1",
    "0.5\n0.50000001\n": "each beat must be later than the one before it",
    "-0.5\n1.0\n": "line 1 has the time -0.5; times must be seconds from the beginning",
    "0.5\nnan\n": "line 2 has the time nan",
    "0.5\n1e999\n": "line 2 has the time inf",
    "time,position\n0.5,1\n": "line 1 has 'time', which is not a number",
    "0.5,\n": "line 1 has '', which is not a number",
    "0.0\t9.5\tIntro\n": "line 1 has 3 columns",
    "0.5 1\n1.0 2\n1.5 4\n": "line 3 has the position 4 after 2",
    "0.5 0\n1.0 1\n": "line 1 has the position 0; positions count the beats of a bar from 1 to at most 32",
    "0.5 1.5\n": "line 1 has the position 1.5",
    "0.0 9.5\n9.5 20.0\n": "line 1 has the position 9.5",  # starts and ends of sections
    "0.5 1\n1.0\n": "line 2 has no position, but line 1 has a position",
    "0.5 1\n1.0 1\n": "all of its beats have the position 1",
    "# nothing\n": "it contains no beats",
    "": "it contains no beats",
}


@pytest.mark.parametrize("text", REFUSED)
def test_other_text_is_refused_with_one_sentence(text):
    with pytest.raises(AnnotationError) as error:
        beat_lines.read(text)
    assert REFUSED[text] in str(error.value)
    assert "\n" not in str(error.value)


def test_numbers_of_all_beats_of_a_song_are_no_positions():
    with pytest.raises(AnnotationError, match="line 33 has the position 33"):
        beat_lines.read("".join(f"{number} {number}\n" for number in range(1, 60)))


@st.composite
def beats(draw):
    steps = draw(st.lists(st.integers(1, 5_000_000), min_size=2, max_size=20))
    times = np.cumsum(steps) / 1e6
    first, metre = draw(st.integers(0, 11)), draw(st.integers(2, 12))
    positions = 1 + (first + np.arange(len(times))) % metre
    is_counted = draw(st.booleans()) and 1 in positions
    return BeatAnnotation(times, positions if is_counted else None, draw(st.text()))


@given(beats())
def test_beats_that_were_written_are_read_again(given):
    found = beat_lines.read(beat_lines.write(given))
    assert np.array_equal(found.times, given.times)
    assert np.array_equal(found.positions, given.positions) or (found.positions is None and given.positions is None)
    assert found.annotator == given.annotator


@given(beats())
def test_mir_eval_reads_what_is_written(given):
    file = io.StringIO(beat_lines.write(given))
    if given.positions is None:
        assert np.array_equal(mir_eval.io.load_events(file), given.times)
    else:
        times, positions = mir_eval.io.load_labeled_events(file)
        assert np.array_equal(times, given.times)
        assert [int(position) for position in positions] == given.positions.tolist()


CELLS = st.one_of(
    st.floats().map(str), st.integers(-2, 40).map(str), st.text("0123456789.,:eE+-#ax \t", max_size=8), st.text()
)
LINES = st.lists(CELLS, max_size=4).flatmap(
    lambda cells: st.sampled_from((" ", "\t", ",", ", ", ";")).map(lambda separator: separator.join(cells))
)


@given(st.lists(LINES, max_size=6).map("\n".join) | st.text())
def test_any_text_is_read_or_refused_with_one_sentence(text):
    try:
        found = beat_lines.read(text)
    except AnnotationError as error:
        found, message = None, str(error)
    if found is None:
        assert len(message.splitlines()) == 1
        return
    assert len(found) > 0
    assert (np.diff(found.times) > 0).all()
    assert found.times[0] >= 0
    if found.positions is not None:
        assert set(np.diff(found.positions)[found.positions[1:] != 1]) <= {1}


def jams(*annotations):
    return json.dumps({"annotations": list(annotations), "file_metadata": {"duration": 20.0}, "sandbox": {}})


def observations(namespace, *rows):
    data = [{"time": t, "duration": d, "value": value, "confidence": None} for t, d, value in rows]
    return {"namespace": namespace, "data": data, "annotation_metadata": {"annotator": {"name": "Cy"}}}


BEATS = observations("beat", (0.5, 0, 4), (1.0, 0, 1), (1.5, 0, 2))
SECTIONS = observations("segment_open", (0, 10, "A"), (10, 10, "B"))


def test_beats_of_a_jams_file_are_read(tmp_path):
    (tmp_path / "x.jams").write_text(jams(BEATS))
    sections, found = read_labels(tmp_path / "x.jams")
    assert sections is None
    assert (found.times.tolist(), found.positions.tolist(), found.annotator) == ([0.5, 1.0, 1.5], [4, 1, 2], "Cy")
    (tmp_path / "x.json").write_text(jams(BEATS, SECTIONS))
    sections, found = read_labels(tmp_path / "x.json")
    assert (sections.labels, found.downbeats.tolist()) == (("A", "B"), [1.0])
    assert jams_file.read_with_beats(jams(SECTIONS))[1] is None
    unknown = observations("beat", (0.5, 0, None), (1.0, 0, None))
    assert jams_file.read_with_beats(jams(unknown))[1].positions is None


@pytest.mark.parametrize("value", [7, 0.5, 10**400])
def test_invalid_beats_of_a_jams_file_do_not_affect_its_sections(value):
    wrong = observations("beat", (0.5, 0, 1), (1.0, 0, value))
    sections, found = jams_file.read_with_beats(jams(SECTIONS, wrong))
    assert found is None
    assert sections.labels == ("A", "B")
    (note,) = sections.notes
    assert "its beats were left out, because beat 2 has the position" in note
    with pytest.raises(AnnotationError, match="beat 2 has the position"):
        jams_file.read_with_beats(jams(wrong))


def test_other_files_contain_sections_only(tmp_path):
    (tmp_path / "x.lab").write_text("0 8 A\n8 15 B\n")
    sections, found = read_labels(tmp_path / "x.lab")
    assert isinstance(sections, Annotation)
    assert found is None


def test_error_names_the_file(tmp_path):
    (tmp_path / "x.BEATS").write_text("a\n")
    for read in (read_beats, read_labels):
        with pytest.raises(AnnotationError, match=r"^x\.BEATS cannot be used: line 1 has 'a'"):
            read(tmp_path / "x.BEATS")
