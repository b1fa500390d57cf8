"""Targets of the boundary networks, and scores of sections: known answers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from songform.annotation.annotations import Annotation
from songform.sections.repetition import N_FEATURES, RepetitionModel, repetition_model
from songform.sections.section_finding import BarSimilarity
from training.repetition_examples import repetition_pairs, trained_repetition
from training.section_examples import BarSong, boundary_targets
from training.section_scores import print_section_scores, section_scores

BARS = 2.0 * np.arange(17)  # 16 bars, to 32 s


def person(*boundaries, duration=32.0):
    edges = np.array([0.0, *boundaries, duration])
    labels = [str(number) for number in range(len(edges) - 1)]
    return Annotation(np.column_stack([edges[:-1], edges[1:]]), labels, duration=duration)


def test_targets_are_the_share_of_people_at_the_nearest_bar_line():
    targets = boundary_targets(BARS, (person(8.3, 16.0), person(15.4)), 32.0)
    expected = np.zeros(17)
    expected[[4, 8]] = 0.5, 1.0
    np.testing.assert_allclose(targets, expected)


def test_two_boundaries_of_a_person_at_one_bar_line_count_once():
    targets = boundary_targets(BARS, (person(7.4, 8.6),), 32.0)
    assert targets[4] == 1
    assert targets.sum() == 1


def test_both_ends_of_the_song_and_boundaries_far_from_the_bars_have_no_target():
    assert not boundary_targets(BARS, (person(0.6, 31.4),), 32.0).any()
    bars = BARS[:9]  # the bars end at 16 s
    assert np.flatnonzero(boundary_targets(bars, (person(8.0, 24.0),), 32.0)).tolist() == [4]


def test_targets_without_people_are_0():
    assert not boundary_targets(BARS, (), 32.0).any()


@pytest.fixture
def bar_song():
    people = (person(16.0, 32.0, 48.0, duration=64.0), person(16.0, 48.0, duration=64.0))
    bars = 2.0 * np.arange(33)
    similarity = np.eye(32)
    targets = boundary_targets(bars, people, 64.0)
    return BarSong(
        "a", 64.0, BarSimilarity(bars, similarity, similarity), np.zeros((33, 57)), targets, people, np.ones(9)
    )


def test_scores_of_the_boundaries_that_people_heard_are_those_of_people(bar_song):
    odds = np.where(boundary_targets(bar_song.similarity.bars, bar_song.people[:1], 64.0), 9.0, -9.0)
    first = section_scores(bar_song, odds, repetition_model())
    assert first["songform"]["trimmed_f_0.5"] == pytest.approx((1 + 0.8) / 2)  # F = 2 * 2 / (3 + 2) for the second
    assert first["people"]["trimmed_f_0.5"] == pytest.approx(0.8)


def test_printed_scores_are_means_over_songs(bar_song, capsys):
    odds = np.where(bar_song.targets > 0, 9.0, -9.0)
    print_section_scores([bar_song, bar_song], lambda _features: odds, repetition_model())
    out = capsys.readouterr().out
    assert "Mean of 2 songs" in out
    assert "| songform | 0.900 |" in out
    assert "| one person against the other | 0.800 |" in out


def test_pairs_of_segments_are_repetitions_if_people_gave_them_the_same_letter(bar_song):
    people = (Annotation(16.0 * np.array([[0, 1], [1, 2], [2, 3], [3, 4]]), ["A", "B", "A", "C"], duration=64.0),)
    odds = np.full(33, -9.0)
    odds[[8, 16, 24]] = 9
    features, targets = repetition_pairs(replace(bar_song, people=people), lambda _features: odds)
    assert targets.tolist() == [False, True, False, False, False, False]  # of the six pairs, the first and the third
    assert features.shape == (6, N_FEATURES)


def test_without_repetitions_the_network_takes_no_pair_for_one(bar_song):
    people = (Annotation(16.0 * np.array([[0, 1], [1, 2], [2, 3], [3, 4]]), list("ABCD"), duration=64.0),)
    odds = np.full(33, -9.0)
    odds[[8, 16, 24]] = 9
    arrays = trained_repetition([replace(bar_song, people=people)], lambda _features: odds, seed=0)
    log_odds = RepetitionModel.from_arrays(arrays)(np.ones((4, 4, N_FEATURES), np.float32))
    assert np.all(log_odds == -5)
