"""Agreement: mir_eval's numbers, what is known of them, and memory that a long mix does not fill."""

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


@settings(deadline=None)
@given(partitions(), partitions())
def test_scores_are_mir_evals(reference, estimate):
    scores = agreement(reference, estimate, DURATION)
    told = mir_eval.segment.evaluate(
        reference.intervals, list(reference.labels), estimate.intervals, list(estimate.labels)
    )
    for window, name in (("0.5", "0.5"), ("3.0", "3")):
        for theirs, ours in (("Precision", "precision"), ("Recall", "recall"), ("F-measure", "f")):
            assert scores[f"boundary_{ours}_{name}"] == pytest.approx(told[f"{theirs}@{window}"])
    trimmed = mir_eval.segment.detection(reference.intervals, estimate.intervals, window=0.5, trim=True)
    assert [scores[f"trimmed_{part}_0.5"] for part in ("precision", "recall", "f")] == pytest.approx(trimmed)
    assert scores["pairwise_f"] == pytest.approx(told["Pairwise F-measure"])
    assert scores["pairwise_precision"] == pytest.approx(told["Pairwise Precision"])
    assert scores["pairwise_recall"] == pytest.approx(told["Pairwise Recall"])
    assert scores["v_f"] == pytest.approx(told["V-measure"])
    assert scores["v_precision"] == pytest.approx(told["V Precision"])
    assert scores["v_recall"] == pytest.approx(told["V Recall"])


@settings(deadline=None)
@given(partitions(), partitions())
def test_to_change_places_changes_precision_for_recall_and_no_f(one, other):
    """But where two boundaries lie a window apart, to the last bit: there rounding decides who has found whom."""
    gaps = np.abs(one.intervals.ravel()[:, None] - other.intervals.ravel())
    assume(not np.isclose(gaps[..., None], [0.5, 3.0], atol=1e-6).any())
    there, back = agreement(one, other, DURATION), agreement(other, one, DURATION)
    for name in MEASURES:
        assert there[name] == pytest.approx(
            back[name.replace("precision", "-").replace("recall", "precision").replace("-", "recall")]
        )


@given(partitions())
@settings(deadline=None)
def test_everyone_agrees_with_themselves_whatever_the_names(given):
    renamed = Annotation(given.intervals, [{"A": "x", "B": "A", "C": "B"}[label] for label in given.labels])
    scores = agreement(given, renamed, DURATION)
    expected = 1.0 if len(set(given.labels)) > 1 else 0.0  # one label for all tells nothing
    assert all(scores[name] == pytest.approx(expected if name.startswith("v_") else 1.0) for name in MEASURES)


def test_a_known_pair():
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
def test_a_song_of_one_section_has_no_boundary_to_agree_on():
    one = regular_annotation(DURATION, BASELINES["one_section"])
    assert one.intervals.tolist() == [[0.0, DURATION]]
    scores = agreement(annotation((0, 30, "A"), (30, 90, "B")), one, DURATION)
    assert scores["trimmed_f_0.5"] == 0
    assert scores["boundary_f_0.5"] == pytest.approx(0.8)
    assert scores["pairwise_recall"] == 1
    assert scores["v_f"] == 0


def test_a_regular_annotation_has_a_boundary_every_so_often():
    made = regular_annotation(50.0, BASELINES["every_20_s"])
    assert made.intervals.tolist() == [[0.0, 20.0], [20.0, 40.0], [40.0, 50.0]]
    assert len(set(made.labels)) == 3
    assert regular_annotation(40.0, 20.0).intervals.tolist() == [[0.0, 20.0], [20.0, 40.0]]


def test_gaps_and_overlaps_are_settled_before_anything_is_counted():
    loose = annotation((10, 40, "A"), (30, 90, "B"))
    settled = partition(loose, DURATION)
    assert agreement(loose, settled, DURATION)["boundary_f_0.5"] == 1


@pytest.mark.parametrize("duration", [0.0, -1.0, float("nan"), float("inf")])
def test_a_song_without_a_duration_is_refused(duration):
    with pytest.raises(ParameterError, match="duration must be positive seconds"):
        agreement(annotation((0, 1, "A")), annotation((0, 1, "A")), duration)


def test_a_song_shorter_than_a_moment_has_scores():
    scores = agreement(annotation((0, 0.05, "A")), annotation((0, 0.05, "A")), 0.05)
    assert scores["boundary_f_3"] == 1
    assert scores["pairwise_f"] == 0


def test_means_are_taken_of_each_measure():
    rows = [dict.fromkeys(MEASURES, 0.0), {**dict.fromkeys(MEASURES, 1.0), "v_f": 0.5}]
    assert mean_scores(rows) == {**dict.fromkeys(MEASURES, 0.5), "v_f": 0.25}
    assert mean_scores([]) == {}


def test_a_mix_of_two_hours_fits_into_memory():
    """A matrix of all its pairs of moments would be 5 GB."""
    mix = regular_annotation(7200.0, 60.0)
    tracemalloc.start()
    scores = pairwise_scores(mix, regular_annotation(7200.0, 45.0))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 0 < scores[2] < 1
    assert peak < 100e6


def test_each_boundary_is_found_once():
    reference, estimate = np.array([[0, 10], [10, 90.0]]), np.array([[0, 9.8], [9.8, 10.2], [10.2, 90.0]])
    precision, recall, _ = boundary_scores(reference, estimate, window=0.5, trim=True)
    assert (precision, recall) == (0.5, 1.0)


def test_a_song_is_scored_against_each_person_and_people_against_each_other():
    one = annotation((0, 30, "A"), (30, 90, "B"))
    two = annotation((0, 40, "x"), (40, 90, "y"))
    scores = song_scores({"Ana": one, "Bo": two}, one, DURATION)
    assert set(scores) == {"songform", "people", *BASELINES}
    assert scores["songform"]["trimmed_f_3"] == 0.5  # all of Ana's, none of Bo's
    assert scores["people"]["trimmed_f_3"] == 0
    assert scores["people"]["boundary_precision_3"] == scores["people"]["boundary_recall_3"]
    assert scores["every_20_s"]["trimmed_precision_0.5"] == pytest.approx((0 + 1 / 4) / 2)
    assert "people" not in song_scores({"Ana": one}, two, DURATION)


def test_a_song_of_which_nobody_said_anything_has_no_scores():
    with pytest.raises(ParameterError, match="there is nobody"):
        song_scores({}, annotation((0, 90, "A")), DURATION)
