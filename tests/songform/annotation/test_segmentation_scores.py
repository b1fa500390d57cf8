"""Segmentation scores equal those of mir_eval, have known properties, and need little memory for long mixes."""

from __future__ import annotations

import tracemalloc

import mir_eval
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from songform.annotation.annotations import Annotation, partition
from songform.annotation.segmentation_scores import (
    BASELINES,
    MEASURES,
    agreement,
    boundary_scores,
    compare_with_people,
    mean_scores,
    pairwise_scores,
    regular_annotation,
    song_scores,
)
from songform.errors import ParameterError

DURATION = 90.0


def annotation(*rows):
    return Annotation(np.array([row[:2] for row in rows], float), [row[2] for row in rows])


@st.composite
def partitions(draw):
    inner = draw(st.lists(st.integers(1, 899), min_size=1, max_size=12, unique=True).map(sorted))
    edges = np.array([0, *inner, 900]) / 10
    labels = draw(st.lists(st.sampled_from("ABC"), min_size=len(edges) - 1, max_size=len(edges) - 1))
    return Annotation(np.column_stack((edges[:-1], edges[1:])), labels)


@given(partitions(), partitions())
def test_scores_equal_those_of_mir_eval(reference, estimate):
    scores = agreement(reference, estimate, DURATION)
    expected = mir_eval.segment.evaluate(
        reference.intervals, list(reference.labels), estimate.intervals, list(estimate.labels)
    )
    for window, name in (("0.5", "0.5"), ("3.0", "3")):
        for theirs, ours in (("Precision", "precision"), ("Recall", "recall"), ("F-measure", "f")):
            assert scores[f"boundary_{ours}_{name}"] == pytest.approx(expected[f"{theirs}@{window}"])
    trimmed = mir_eval.segment.detection(reference.intervals, estimate.intervals, window=0.5, trim=True)
    assert [scores[f"trimmed_{part}_0.5"] for part in ("precision", "recall", "f")] == pytest.approx(trimmed)
    assert scores["pairwise_f"] == pytest.approx(expected["Pairwise F-measure"])
    assert scores["pairwise_precision"] == pytest.approx(expected["Pairwise Precision"])
    assert scores["pairwise_recall"] == pytest.approx(expected["Pairwise Recall"])
    assert scores["v_f"] == pytest.approx(expected["V-measure"])
    assert scores["v_precision"] == pytest.approx(expected["V Precision"])
    assert scores["v_recall"] == pytest.approx(expected["V Recall"])


@given(partitions(), partitions())
def test_swapping_reference_and_estimate_swaps_precision_and_recall(one, other):
    """Boundaries exactly one window apart are excluded, because rounding decides whether they match."""
    gaps = np.abs(one.intervals.ravel()[:, None] - other.intervals.ravel())
    assume(not np.isclose(gaps[..., None], [0.5, 3.0], atol=1e-6).any())
    there, back = agreement(one, other, DURATION), agreement(other, one, DURATION)
    for name in MEASURES:
        assert there[name] == pytest.approx(
            back[name.replace("precision", "-").replace("recall", "precision").replace("-", "recall")]
        )


@given(partitions())
def test_scores_of_a_segmentation_with_renamed_labels_are_perfect(given):
    renamed = Annotation(given.intervals, [{"A": "x", "B": "A", "C": "B"}[label] for label in given.labels])
    scores = agreement(given, renamed, DURATION)
    expected = 1.0 if len(set(given.labels)) > 1 else 0.0  # a single label has no information
    assert all(scores[name] == pytest.approx(expected if name.startswith("v_") else 1.0) for name in MEASURES)


def test_scores_of_a_known_pair():
    reference = annotation((0, 30, "A"), (30, 60, "B"), (60, 90, "A"))
    estimate = annotation((0, 30.4, "x"), (30.4, 62, "y"), (62, 80, "x"), (80, 90, "z"))
    scores = agreement(reference, estimate, DURATION)
    assert scores["boundary_precision_0.5"] == pytest.approx(3 / 5)
    assert scores["boundary_recall_0.5"] == pytest.approx(3 / 4)
    assert scores["trimmed_precision_0.5"] == pytest.approx(1 / 3)
    assert scores["trimmed_recall_0.5"] == pytest.approx(1 / 2)
    assert scores["trimmed_recall_3"] == pytest.approx(1.0)
    assert set(scores) == set(MEASURES)


@pytest.mark.filterwarnings("error")
def test_one_section_has_no_inner_boundaries_to_score():
    one = regular_annotation(DURATION, BASELINES["one_section"])
    assert one.intervals.tolist() == [[0.0, DURATION]]
    scores = agreement(annotation((0, 30, "A"), (30, 90, "B")), one, DURATION)
    assert scores["trimmed_f_0.5"] == 0
    assert scores["boundary_f_0.5"] == pytest.approx(0.8)
    assert scores["pairwise_recall"] == 1
    assert scores["v_f"] == 0


def test_regular_annotation_has_boundaries_at_regular_intervals():
    made = regular_annotation(50.0, BASELINES["every_20_s"])
    assert made.intervals.tolist() == [[0.0, 20.0], [20.0, 40.0], [40.0, 50.0]]
    assert len(set(made.labels)) == 3
    assert regular_annotation(40.0, 20.0).intervals.tolist() == [[0.0, 20.0], [20.0, 40.0]]


def test_gaps_and_overlaps_are_removed_before_scoring():
    loose = annotation((10, 40, "A"), (30, 90, "B"))
    settled = partition(loose, DURATION)
    assert agreement(loose, settled, DURATION)["boundary_f_0.5"] == 1


@pytest.mark.parametrize("duration", [0.0, -1.0, float("nan"), float("inf")])
def test_invalid_duration_is_rejected(duration):
    with pytest.raises(ParameterError, match=f"duration must be a positive number of seconds, not {duration}"):
        agreement(annotation((0, 1, "A")), annotation((0, 1, "A")), duration)


def test_song_shorter_than_a_frame_has_scores():
    scores = agreement(annotation((0, 0.05, "A")), annotation((0, 0.05, "A")), 0.05)
    assert scores["boundary_f_3"] == 1
    assert scores["pairwise_f"] == 0


def test_mean_scores_average_each_measure():
    rows = [dict.fromkeys(MEASURES, 0.0), {**dict.fromkeys(MEASURES, 1.0), "v_f": 0.5}]
    assert mean_scores(rows) == {**dict.fromkeys(MEASURES, 0.5), "v_f": 0.25}
    assert mean_scores([]) == {}


def test_pairwise_scores_of_two_hours_need_little_memory():
    """A matrix of all pairs of frames would need 5 GB."""
    mix = regular_annotation(7200.0, 60.0)
    tracemalloc.start()
    scores = pairwise_scores(mix, regular_annotation(7200.0, 45.0))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 0 < scores[2] < 1
    assert peak < 100e6


def test_each_boundary_matches_at_most_once():
    reference, estimate = np.array([[0, 10], [10, 90.0]]), np.array([[0, 9.8], [9.8, 10.2], [10.2, 90.0]])
    precision, recall, _ = boundary_scores(reference, estimate, window=0.5, trim=True)
    assert (precision, recall) == (0.5, 1.0)


def test_song_scores_compare_the_estimate_with_each_person_and_people_with_each_other():
    one = annotation((0, 30, "A"), (30, 90, "B"))
    two = annotation((0, 40, "x"), (40, 90, "y"))
    scores = song_scores({"Ana": one, "Bo": two}, one, DURATION)
    assert set(scores) == {"songform", "people", *BASELINES}
    assert scores["songform"]["trimmed_f_3"] == 0.5  # mean of 1 against Ana and 0 against Bo
    assert scores["people"]["trimmed_f_3"] == 0
    assert scores["people"]["boundary_precision_3"] == scores["people"]["boundary_recall_3"]
    assert scores["every_20_s"]["trimmed_precision_0.5"] == pytest.approx((0 + 1 / 4) / 2)
    assert "people" not in song_scores({"Ana": one}, two, DURATION)


def test_several_estimates_are_compared_with_each_person():
    one, two = annotation((0, 30, "A"), (30, 90, "B")), annotation((0, 40, "x"), (40, 90, "y"))
    estimates = {"songform": regular_annotation(DURATION, np.inf), "sections": one, "phrases": two}
    scores, by_annotator = compare_with_people({"Ana": one, "Bo": two}, estimates, DURATION)
    assert set(scores) == {*estimates, "people", *BASELINES}
    assert {who: set(named) for who, named in by_annotator.items()} == {who: set(estimates) for who in ("Ana", "Bo")}
    assert by_annotator["Ana"]["sections"] == agreement(one, one, DURATION)
    assert by_annotator["Bo"]["sections"]["trimmed_f_3"] == 0
    assert scores["sections"] == mean_scores(named["sections"] for named in by_annotator.values())


@settings(max_examples=10)  # each example compares all pairs of people
@given(st.lists(partitions(), min_size=2, max_size=3), partitions())
def test_order_of_people_does_not_matter(given, estimate):
    people = {str(number): person for number, person in enumerate(given)}
    there = compare_with_people(people, {"sections": estimate}, DURATION)
    back = compare_with_people(dict(reversed(people.items())), {"sections": estimate}, DURATION)
    assert there.by_annotator == back.by_annotator
    for who, scores in there.scores.items():
        assert back.scores[who] == pytest.approx(scores)


def test_song_without_annotations_is_rejected():
    with pytest.raises(ParameterError, match="people is empty; it must contain at least one annotation"):
        song_scores({}, annotation((0, 90, "A")), DURATION)


@pytest.mark.parametrize("label", ["silence", "Silence", "end", None])
def test_silence_agrees_with_the_label_of_a_person_or_with_a_part_without_a_label(label):
    """The names of labels do not matter, and a part without a label is a section of its own."""
    estimate = annotation((0, 5, "Silence"), (5, 50, "Calm"), (50, 86, "Energetic"), (86, 90, "Silence"))
    ends = [(0, 5, label), (86, 90, label)] if label else []
    person = annotation(*ends, (5, 50, "verse"), (50, 86, "chorus"))
    assert set(agreement(person, estimate, DURATION).values()) == {1.0}
