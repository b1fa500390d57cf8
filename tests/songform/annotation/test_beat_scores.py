"""Scores of beats equal those of mir_eval, and have known answers."""

from __future__ import annotations

import mir_eval
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from songform.annotation.beat_annotation import BeatAnnotation
from songform.annotation.beat_scores import BEAT_MEASURES, beat_f_measure, beat_scores, mean_beat_scores

STEADY = BeatAnnotation(np.arange(0.5, 60, 0.5), 1 + np.arange(119) % 4)


def with_downbeats(times, first=0):
    return BeatAnnotation(np.asarray(times), 1 + (first + np.arange(len(times))) % 4)


@st.composite
def beats(draw):
    times = 4 + np.cumsum(draw(st.lists(st.integers(2, 12), min_size=4, max_size=30))) / 10
    return with_downbeats(times, draw(st.integers(0, 3)))


@given(beats(), beats())
def test_scores_equal_those_of_mir_eval(reference, estimate):
    scores = beat_scores(reference, estimate)
    for what, pair in (
        ("beat", (reference.times, estimate.times)),
        ("downbeat", (reference.downbeats, estimate.downbeats)),
    ):
        truth, found = map(mir_eval.beat.trim_beats, pair)
        if not len(truth):
            assert f"{what}_f" not in scores
            continue
        if not len(found):
            assert scores[f"{what}_f"] == 0
            continue
        assert scores[f"{what}_f"] == mir_eval.beat.f_measure(truth, found)
        if min(len(truth), len(found)) > 1:
            _, cmlt, _, amlt = mir_eval.beat.continuity(truth, found)
            assert (scores[f"{what}_cmlt"], scores[f"{what}_amlt"]) == (cmlt, amlt)


def test_equal_beats_have_perfect_scores():
    assert beat_scores(STEADY, STEADY) == dict.fromkeys(BEAT_MEASURES, 1.0)


def test_scores_at_double_the_tempo():
    double = with_downbeats(np.arange(0.25, 60, 0.25))
    scores = beat_scores(STEADY, double)
    assert scores["beat_f"] == pytest.approx(2 / 3, abs=0.01)  # every beat is found, and half of those found are wrong
    assert scores["beat_cmlt"] == 0
    assert scores["beat_amlt"] == pytest.approx(1, abs=0.02)


def test_scores_with_the_bar_shifted_by_one_beat():
    scores = beat_scores(STEADY, with_downbeats(STEADY.times, 1))
    assert scores["beat_f"] == 1
    assert scores["downbeat_f"] == 0


def test_first_five_seconds_are_not_scored():
    late = with_downbeats(STEADY.times[STEADY.times >= 5], 1)
    assert beat_scores(STEADY, late)["beat_f"] == 1


@pytest.mark.filterwarnings("error")
def test_songs_with_few_or_no_beats_have_scores_without_warnings():
    nothing, one = BeatAnnotation(np.empty(0), np.empty(0, int)), BeatAnnotation(np.array([6.0]))
    assert beat_scores(STEADY, nothing) == dict.fromkeys(BEAT_MEASURES, 0.0)
    assert beat_f_measure(STEADY.times, np.empty(0)) == 0
    assert beat_scores(one, STEADY)["beat_cmlt"] == 0
    assert beat_scores(BeatAnnotation(np.array([1.0, 2.0])), STEADY) == {}


def test_downbeats_are_scored_only_if_both_have_positions():
    for pair in ((STEADY, BeatAnnotation(STEADY.times)), (BeatAnnotation(STEADY.times), STEADY)):
        assert set(beat_scores(*pair)) == {"beat_f", "beat_cmlt", "beat_amlt"}


def test_beats_after_more_than_eight_hours_are_not_scored():
    far = BeatAnnotation(np.append(STEADY.times, 40_000.0))
    assert beat_scores(far, BeatAnnotation(STEADY.times))["beat_f"] == 1


def test_mean_of_each_measure_is_taken_over_the_scores_that_contain_it():
    assert mean_beat_scores([{"beat_f": 0.5, "downbeat_f": 0.25}, {"beat_f": 1.0}]) == {
        "beat_f": 0.75,
        "downbeat_f": 0.25,
    }
    assert mean_beat_scores([]) == {}
