"""Tests of states that are adapted from a prior, and of states that are fitted to known labels."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from songform import describe_audio, pretrained_bundle
from songform.errors import ParameterError
from songform.structure.naming import ARCHETYPES, STATES, name_clusters, scored_names
from songform.structure.state_prior import PRIOR_UNITS
from songform.structure.states import fit_states, labeled_states, state_posterior, state_sequence, unit_vectors
from songform.synth import states_at

N_FEATURES = 8
ARRAYS = ("center", "scale", "weight", "centroids", "variances", "shares", "profile", "scores", "margins", "dwell")


def planted(rng, counts, *, shift=0.0):
    """Return units near the archetypes, with features that tell the states apart, and the true states.

    Features and noise are uniform, so that few values are clipped at two standard deviations.
    """
    truth = rng.permutation(np.repeat(np.arange(5), counts))
    codes = np.array([[number >> bit & 1 for bit in range(N_FEATURES)] for number in (3, 53, 78, 153, 172)])
    features = codes[truth] + rng.uniform(-0.1, 0.1, (len(truth), N_FEATURES)) + shift
    return np.hstack([features, ARCHETYPES[truth] + rng.uniform(-0.05, 0.05, (len(truth), 6))]), truth


@pytest.fixture
def prior(rng):
    units, truth = planted(rng, [60, 50, 80, 20, 90])
    return labeled_states([units], [truth], STATES)


def close(one, other, **tolerance):
    for name in ARRAYS:
        assert_allclose(getattr(one, name), getattr(other, name), err_msg=name, **tolerance)


def test_prior_of_no_songs_is_bit_identical_to_no_prior(rng, prior):
    songs = [planted(rng, [9, 8, 7, 6, 5])[0], planted(rng, [5, 5, 5, 5, 5])[0]]
    alone, adapted = fit_states(songs, seed=3), fit_states(songs, seed=3, prior=prior, prior_songs=0)
    for field in fields(alone):
        assert_array_equal(getattr(alone, field.name), getattr(adapted, field.name))


def test_very_large_prior_is_given_back(rng, prior):
    adapted = fit_states([planted(rng, [0, 40, 0, 0, 9], shift=2.0)[0]], prior=prior, prior_songs=1e12)
    close(adapted, replace(prior, dwell=adapted.dwell), rtol=1e-6, atol=1e-8)
    assert adapted.states == prior.states


def test_prior_worth_its_own_songs_gives_the_statistics_of_both_corpora_together(rng):
    """Distinct clusters without clipped values: the adapted model is that of all units with known labels."""
    (before, truth_before), (after, truth_after) = planted(rng, [60, 50, 80, 20, 90]), planted(rng, [30, 90, 20, 40, 7])
    prior = labeled_states([before], [truth_before], STATES)
    adapted = fit_states([after], prior=prior, prior_songs=len(before) / PRIOR_UNITS)
    both = labeled_states([before, after], [truth_before, truth_after], STATES)
    unclipped = np.abs((np.vstack([before, after]) - both.center) / both.scale).max(axis=0) < 2
    unclipped &= np.abs((before - prior.center) / prior.scale).max(axis=0) < 2
    assert unclipped.sum() >= 6
    for name in ("center", "scale", "shares", "weight"):
        assert_allclose(getattr(adapted, name), getattr(both, name), rtol=1e-9, err_msg=name)
    assert_allclose(adapted.centroids[:, unclipped], both.centroids[:, unclipped], atol=1e-9)
    assert_allclose(adapted.profile[:, unclipped[-6:]], both.profile[:, unclipped[-6:]], atol=1e-9)
    # What is added to variances so that they are not 0 depends on the part of the corpus, by at most a hundredth.
    assert_allclose(adapted.variances[:, unclipped], both.variances[:, unclipped], atol=0.01 * both.weight.max() ** 2)


@settings(max_examples=15)
@given(order=st.permutations(range(4)))
def test_adapted_model_does_not_depend_on_the_order_of_the_songs(order):
    rng = np.random.default_rng(5)
    units, truth = planted(rng, [20] * 5)
    prior = labeled_states([units], [truth], STATES)
    songs = [planted(rng, rng.integers(1, 9, 5))[0] for _ in range(4)]
    close(
        fit_states(songs, prior=prior, prior_songs=1),
        fit_states([songs[i] for i in order], prior=prior, prior_songs=1),
        atol=1e-9,
    )


def test_uniform_corpus_leaves_the_states_it_lacks_to_the_prior(rng, prior):
    """The corpus is one loop in two intensities; alone, its clusters get all five names."""
    song, truth = planted(rng, [0, 0, 100, 0, 300])
    others, true = planted(rng, [30] * 5)
    adapted = fit_states([song], prior=prior, prior_songs=2)
    assert_array_equal(state_posterior(adapted, others).argmax(axis=1), true)
    assert_array_equal(state_posterior(adapted, song).argmax(axis=1), truth)
    assert (state_posterior(fit_states([song]), others).argmax(axis=1) == true).mean() < 0.9


@pytest.mark.parametrize("constant", [False, True])
def test_corpus_that_is_too_short_or_silent_to_be_clustered_is_adapted(rng, prior, constant):
    song = np.zeros((40, N_FEATURES + 6)) if constant else planted(rng, [1, 0, 1, 0, 0])[0]
    adapted = fit_states([song], prior=prior)
    assert adapted.states == STATES
    assert all(np.isfinite(getattr(adapted, name)).all() for name in ARRAYS)
    assert adapted.shares.sum() == pytest.approx(1)


def test_corpus_much_larger_than_the_prior_keeps_each_unit_at_the_nearest_centroid(rng, prior):
    """One blob far from all centroids of the prior would pull several clusters together."""
    blob = np.vstack([planted(rng, [0, 0, 0, 0, 400], shift=50.0)[0], planted(rng, [400, 0, 0, 0, 0], shift=-50.0)[0]])
    adapted = fit_states([blob], prior=prior, prior_songs=0.001)
    assert adapted.states == STATES
    assert all(np.isfinite(getattr(adapted, name)).all() for name in ARRAYS)


def test_other_context_weight_scales_the_context_of_the_prior(rng, prior):
    song = planted(rng, [5] * 5)[0]
    one, other = (fit_states([song], prior=prior, prior_songs=1e9, context_weight=weight) for weight in (1.0, 0.5))
    assert_allclose(other.centroids[:, -6:], one.centroids[:, -6:] / 2, atol=1e-6)
    assert_allclose(other.variances[:, -6:], one.variances[:, -6:] / 4, atol=1e-6)
    assert_allclose(other.profile, one.profile, atol=1e-6)


@pytest.mark.parametrize(
    "changed", [{"n_states": 4}, {"sr": 44100}, {"hop_length": 1024}, {"songs": [np.zeros((9, 20))]}]
)
def test_prior_of_other_states_frames_or_features_is_an_error(rng, prior, changed):
    chosen = {"songs": [planted(rng, [5] * 5)[0]], "prior": prior, **changed}
    with pytest.raises(ParameterError, match=r"the prior has .* but the corpus has .*prior_songs=0"):
        fit_states(chosen.pop("songs"), **chosen)


def test_labeled_states_are_the_means_and_variances_of_the_labels(rng):
    units, truth = planted(rng, [12, 30, 25, 9, 24])
    labels = np.where(np.arange(len(truth)) % 7 == 0, -1, truth)
    model = labeled_states([units[:40], units[40:]], [labels[:40], labels[40:]], STATES, transition_dwell_seconds=2.0)
    standard = np.clip((units - units.mean(axis=0)) / units.std(axis=0), -2, 2)[labels >= 0]
    known, weighted = labels[labels >= 0], standard * model.weight
    assert_allclose(model.shares, np.bincount(known) / len(known))
    assert_allclose(model.centroids, [weighted[known == k].mean(axis=0) for k in range(5)])
    within = np.array([weighted[known == k].var(axis=0) for k in range(5)])
    assert_allclose(model.variances, within + 0.01 * weighted.var(axis=0))
    assert_allclose(model.profile, [standard[known == k, -6:].mean(axis=0) for k in range(5)])
    assert_allclose(model.scores, name_clusters(model.profile).scores)
    assert_array_equal(model.dwell, [4, 4, 4, 2, 4])
    assert model.weak == ("",) * 5
    assert_array_equal(state_posterior(model, units).argmax(axis=1), truth)


def test_labels_may_be_any_set_of_names_in_any_order(rng):
    units, truth = planted(rng, [20] * 5)
    model = labeled_states([units], [truth % 3], ["verse", "Chorus", "Calm"])
    assert model.states == ("verse", "Chorus", "Calm")
    assert_array_equal(model.scores[:2], 0)
    assert model.scores[2] != 0
    assert_allclose(model.shares, np.bincount(truth % 3) / 100)


@pytest.mark.parametrize(
    ("labels", "names", "message"),
    [
        ([0] * 10, ["a", "b"], "no unit has the state b"),
        ([0, 1] * 4, ["a", "b"], "one state per unit"),
        ([0, 2] * 5, ["a", "b"], "between -1 and 1, not 0 to 2"),
        ([0] * 10, ["a"], "at least two states"),
        ([0, 1] * 5, ["a", "a"], "each once"),
    ],
)
def test_labels_that_do_not_match_are_an_error(rng, labels, names, message):
    with pytest.raises(ParameterError, match=message):
        labeled_states([rng.standard_normal((10, 14))], [np.array(labels)], names)


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32 - 1), n_clusters=st.integers(2, 7))
def test_scored_names_agree_with_the_assignment(seed, n_clusters):
    profile = np.random.default_rng(seed).standard_normal((n_clusters, 6))
    named = name_clusters(profile)
    again = scored_names(profile, named.names)
    assert (again.names, again.weak) == (named.names, named.weak)
    assert_allclose(again.scores, named.scores)
    assert_allclose(again.margins, named.margins, atol=1e-9)


def test_names_that_fit_worse_than_others_are_weak():
    named = scored_names(ARCHETYPES[[2, 1, 0, 3, 4]], STATES)
    assert "score -" in named.weak[0]
    assert "margin -" in named.weak[0]
    assert "not the lowest in energy" in named.weak[0]
    assert (named.weak[1], named.weak[3], named.weak[4]) == ("", "", "")


def test_corpus_of_one_song_keeps_the_names_of_other_songs_right(songs):
    """The corpus is a single composed song, ten times."""
    units, truth = [], []
    for song in songs[:3]:
        features, overview, _ = describe_audio([song.y], sr=song.sr)
        units.append(unit_vectors(features, overview))
        truth.append(states_at(song.sections, (np.arange(len(units[-1])) + 0.5) / 2))
    prior = pretrained_bundle().states

    def right(model):
        found = [state_sequence(model, state_posterior(model, each)) for each in units[1:]]
        return np.mean(np.array(model.states)[np.concatenate(found)] == np.concatenate(truth[1:]))

    corpus = units[:1] * 10
    adapted = right(fit_states(corpus, prior=prior))
    assert adapted > right(prior) - 0.05
