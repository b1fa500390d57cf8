"""Annotations: times are exact, ignored labels are reported, and partitions have no gaps or overlaps."""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from songform.annotation.annotations import (
    TOLERANCE_SECONDS,
    UNLABELLED,
    Annotation,
    fitted,
    partition,
    segment_annotation,
)
from songform.errors import AnnotationError, ParameterError
from songform.structure.segments import Segment

DURATION = 60.0
stretches = st.lists(st.tuples(st.floats(0, 70), st.floats(0, 20)), max_size=12)


def annotation(*rows, **about):
    return Annotation(np.array([row[:2] for row in rows], float).reshape(-1, 2), [row[2] for row in rows], **about)


def rows_of(given):
    return [(*interval, label) for interval, label in zip(given.intervals.tolist(), given.labels, strict=True)]


def labelled(pairs):
    return annotation(*((start, start + length, f"label {n}") for n, (start, length) in enumerate(pairs)))


def test_rows_are_sorted_and_times_are_rounded_to_the_microsecond():
    made = Annotation(np.array([[5, 9.1234567], [-0.0, 5]]), ["b", "a"], np.array([0.5, np.nan]))
    assert rows_of(made) == [(0.0, 5.0, "a"), (5.0, 9.123457, "b")]
    assert np.array_equal(made.confidences, [np.nan, 0.5], equal_nan=True)
    assert not np.signbit(made.intervals).any()


@given(st.floats(0, 100_000))
def test_rounded_time_equals_its_text_with_six_decimals(time):
    """Formats that write six decimals therefore read back the same number."""
    (rounded, _), *_ = annotation((time, time, "a")).intervals
    assert float(f"{rounded:.6f}") == rounded
    assert abs(rounded - time) <= 5.1e-7


def test_labels_fit_on_one_line():
    made = annotation((0, 1, "a\tb\nc\x00\x1b[31md\u202e"), title="x\ny")
    assert made.labels == ("a b c d",)
    assert made.title == "x y"


@pytest.mark.parametrize(
    ("intervals", "labels", "confidences", "message"),
    [
        (np.zeros((2, 2)), ["a"], [], r"its 1 labels.*intervals have shape \(2, 2\)"),
        (np.zeros((1, 3)), ["a"], [], r"its 1 labels.*intervals have shape \(1, 3\)"),
        (np.zeros((1, 2)), ["a"], [0.5, 0.5], r"its 1 labels.*confidences have shape \(2,\)"),
        ([[2.0, 1.0]], ["a"], [], "must not end before it starts.* 2.0 to 1.0"),
        ([[-1.0, 1.0]], ["a"], [], "must start at 0 s or later.*-1.0 to 1.0"),
        ([[0.0, np.nan]], ["a"], [], "interval.*0.0 to nan"),
        ([[0.0, np.inf]], ["a"], [], "interval.*0.0 to inf"),
        ([[0.0, 1.0]], ["a"], [1.5], "between 0 and 1, not 1.5"),
    ],
)
def test_invalid_annotations_are_rejected(intervals, labels, confidences, message):
    with pytest.raises(ParameterError, match=message):
        Annotation(np.array(intervals), labels, np.array(confidences))


def test_segment_annotation_has_the_segments():
    made = segment_annotation([Segment(0.0, 4.5, "Calm", 0.4), Segment(4.5, 9.0, "Energetic", 0.6)], title="Song")
    assert rows_of(made) == [(0.0, 4.5, "Calm"), (4.5, 9.0, "Energetic")]
    assert made.confidences.tolist() == [0.4, 0.6]
    assert (made.title, made.duration) == ("Song", 9.0)


@given(stretches, st.floats(1, 80))
def test_partition_covers_the_song_without_gaps_and_overlaps(pairs, duration):
    parts = partition(labelled(pairs), duration)
    assert parts.intervals[0, 0] == 0
    assert parts.intervals[-1, 1] == np.round(duration, 6)
    assert (parts.intervals[:, 0] < parts.intervals[:, 1]).all()
    assert all(before[1] == after[0] for before, after in pairwise(parts.intervals))


@given(stretches.filter(lambda pairs: any(length > 1e-6 for _, length in pairs)), st.floats(0, DURATION))
def test_partition_has_the_label_that_starts_last(pairs, time):
    given = labelled(pairs)
    parts = partition(given, DURATION)
    covering = [label for (start, end), label in zip(given.intervals, given.labels, strict=True) if start <= time < end]
    (found,) = [row[2] for row in rows_of(parts) if row[0] <= time < row[1]] or [parts.labels[-1]]
    if covering and time < DURATION:
        assert found == covering[-1]
    elif found != UNLABELLED:  # a short gap, which is closed
        edges = np.unique(np.append(given.intervals.ravel().clip(0, DURATION), [0, DURATION]))
        after = int(np.searchsorted(edges, time, "right"))
        assert edges[min(after, len(edges) - 1)] - edges[max(after - 1, 0)] < TOLERANCE_SECONDS


def test_partition_of_a_partition_is_unchanged():
    given = annotation((0, 10, "a"), (10, 20, "a"), (20, 60, "b"))
    assert rows_of(partition(given, DURATION)) == rows_of(given)


@pytest.mark.parametrize(
    ("rows", "parts"),
    [
        ([(0, 60, "a"), (20, 30, "b")], [(0, 20, "a"), (20, 30, "b"), (30, 60, "a")]),
        ([(0, 30, "a"), (20, 60, "b")], [(0, 20, "a"), (20, 60, "b")]),
        ([(0, 20, "a"), (25, 60, "b")], [(0, 20, "a"), (20, 25, UNLABELLED), (25, 60, "b")]),
        ([(0, 20, "a"), (20.3, 60, "b")], [(0, 20.3, "a"), (20.3, 60, "b")]),
        ([(0.3, 20, "a"), (20, 59.7, "b")], [(0, 20, "a"), (20, 60, "b")]),
        ([(5, 60, "a")], [(0, 5, UNLABELLED), (5, 60, "a")]),
        ([(0, 20, "a"), (20, 80, "b"), (70, 80, "c")], [(0, 20, "a"), (20, 60, "b")]),
        ([(0, 0, "a"), (20, 20, "b"), (40, 40, "c")], [(0, 20, "a"), (20, 40, "b"), (40, 60, "c")]),
        ([], [(0, 60, UNLABELLED)]),
    ],
)
def test_known_partitions(rows, parts):
    assert rows_of(partition(annotation(*rows), DURATION)) == parts


def test_labels_beyond_the_end_are_clipped_up_to_half_a_second_and_rejected_above():
    made, notes = fitted(annotation((0, 30, "a"), (30, 60.5, "b")), DURATION)
    assert rows_of(made) == [(0.0, 30.0, "a"), (30.0, 60.0, "b")]
    assert notes == []
    assert made.duration == DURATION
    with pytest.raises(AnnotationError, match=r"labels.* 60\.6 s.*track ends at 60\.0 s.*another song"):
        fitted(annotation((0, 30, "a"), (30, 60.6, "b")), DURATION)


def test_gaps_overlaps_and_ignored_points_are_reported():
    rows = [(1, 10, "a"), (9, 20, "b"), (15, 15, "remark"), (20, 30, "c"), (35, 59, "d"), (58, 59.8, "e")]
    made, notes = fitted(annotation(*rows), DURATION)
    ignored, gaps, overlaps = notes
    assert re.search(r"^1 label .*length.* ignored", ignored)
    assert re.search(r"^0\.0 to 1\.0 s .*no label.* 1 more", gaps)
    assert re.search(r"^9\.0 to 10\.0 s .*more than one label.* 1 more", overlaps)
    assert "remark" not in made.labels


def test_sections_start_at_points_if_all_labels_are_points():
    made, notes = fitted(annotation((0, 0, "intro"), (12, 12, "verse"), (59.8, 59.8, "End")), DURATION)
    assert rows_of(made) == [(0.0, 12.0, "intro"), (12.0, 59.8, "verse")]
    assert notes == []
    made, _ = fitted(annotation((0, 0, "intro"), (12, 12, "verse"), (60.2, 60.2, "x")), DURATION)
    assert rows_of(made) == [(0.0, 12.0, "intro"), (12.0, 60.0, "verse")]


@pytest.mark.parametrize(
    ("rows", "message"),
    [([], "contains no labels"), ([(60.2, 60.4, "a")], "none of its labels is within the track")],
)
def test_annotation_without_labels_within_the_track_is_rejected(rows, message):
    with pytest.raises(AnnotationError, match=message):
        fitted(annotation(*rows), DURATION)
