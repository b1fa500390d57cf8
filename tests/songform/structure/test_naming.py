"""Tests of the assignment of names to clusters."""

from __future__ import annotations

import re
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal

from songform.errors import ParameterError
from songform.structure.naming import ARCHETYPES, STATES, archetype_scores, name_clusters

# Multiples of 1/64, so that no two totals differ only by rounding.
profiles = st.integers(1, 8).flatmap(
    lambda k: arrays(float, (k, 6), elements=st.integers(-192, 192).map(lambda i: i / 64))
)


def brute_totals(scores: np.ndarray) -> dict[tuple[tuple[int, int], ...], float]:
    """Return the sum of scores of every assignment of clusters to states."""
    n_clusters, n_states = scores.shape
    if n_clusters <= n_states:
        ways = (tuple(enumerate(states)) for states in permutations(range(n_states), n_clusters))
    else:
        ways = (tuple(zip(clusters, range(n_states), strict=True)) for clusters in permutations(range(n_clusters), 5))
    return {way: sum(float(scores[pair]) for pair in way) for way in ways}


@pytest.mark.parametrize("n_clusters", range(2, 9))
def test_assignment_and_margins_equal_those_of_an_exhaustive_search(rng, n_clusters):
    profile = rng.standard_normal((n_clusters, 6))
    named = name_clusters(profile)
    scores = archetype_scores(profile)
    totals = brute_totals(scores)
    best = max(totals, key=totals.__getitem__)
    assert len(best) == min(n_clusters, 5)
    for cluster, state in best:
        assert named.names[cluster] == STATES[state]
        assert named.scores[cluster] == pytest.approx(scores[cluster, state])
        without = max(total for way, total in totals.items() if (cluster, state) not in way)
        assert named.margins[cluster] == pytest.approx(totals[best] - without)


def test_scores_are_cosine_similarities(rng):
    profile = np.vstack([rng.standard_normal((9, 6)), np.zeros(6)])
    expected = [
        [row @ a / (np.linalg.norm(row) * np.linalg.norm(a)) if row.any() else 0 for a in ARCHETYPES] for row in profile
    ]
    assert_allclose(archetype_scores(profile), expected)
    assert_allclose(archetype_scores(7 * profile), expected)
    assert_allclose(archetype_scores(ARCHETYPES).diagonal(), 1)


def test_archetypes_get_their_own_names_and_are_not_weak():
    named = name_clusters(ARCHETYPES[[3, 0, 4, 1, 2]])
    assert named.names == ("Transition", "Calm", "Repetitive", "BuildUp", "Energetic")
    assert_allclose(named.scores, 1)
    assert named.margins.min() > 0.5
    assert named.weak == ("",) * 5


@given(profile=profiles, data=st.data())
def test_names_do_not_depend_on_the_order_of_the_clusters(profile, data):
    """Each profile keeps its name. Equal profiles keep their set of names."""
    order = data.draw(st.permutations(range(len(profile))))
    one, other = name_clusters(profile), name_clusters(profile[order])
    facts = [
        sorted((*row, name, score, margin, weak) for row, name, score, margin, weak in zip(*each, strict=True))
        for each in (
            (profile.tolist(), one.names, one.scores.round(9), one.margins.round(9), one.weak),
            (profile[order].tolist(), other.names, other.scores.round(9), other.margins.round(9), other.weak),
        )
    ]
    assert facts[0] == facts[1]


@given(profile=profiles)
def test_every_cluster_has_one_unique_name(profile):
    named = name_clusters(profile)
    k = len(profile)
    extra = {f"State {number}" for number in range(6, k + 1)}
    assert len(set(named.names)) == k
    assert extra <= set(named.names) <= extra | set(STATES)
    assert named.margins.min() >= -1e-9
    assert all(weak == "" for name, weak in zip(named.names, named.weak, strict=True) if name in extra)


def test_clusters_without_an_archetype_are_numbered_by_energy():
    profile = np.vstack([ARCHETYPES, [[0.9, 0.9, -1, -1, 1, 0.9], [-0.9, 0.9, -1, -1, 1, 1]]])
    named = name_clusters(profile)
    assert named.names == (*STATES, "State 7", "State 6")
    assert_array_equal(named.scores[5:], 0)
    assert_array_equal(named.margins[5:], 0)


def test_name_with_a_low_score_is_weak():
    profile = ARCHETYPES.copy()
    profile[2] = [1.2, 1, 1, 1, 1, 1]
    named = name_clusters(profile)
    assert named.names == STATES
    assert named.weak[2] == f"score {named.scores[2]:.2f} under 0.3"
    assert named.scores[2] < 0.3


def test_two_names_that_could_be_exchanged_are_weak():
    """Two clusters are between BuildUp and Transition; each is slightly more similar to its own name."""
    profile = ARCHETYPES.copy()
    middle = ARCHETYPES[1] + ARCHETYPES[3]
    profile[1], profile[3] = middle + 0.02 * ARCHETYPES[1], middle + 0.02 * ARCHETYPES[3]
    named = name_clusters(profile)
    assert named.names == STATES
    assert [bool(weak) for weak in named.weak] == [False, True, False, True, False]
    assert named.weak[1] == f"margin {named.margins[1]:.2f} under 0.1"


ORDERINGS = ("lowest in energy", "highest in rise", "highest in energy", "highest in novelty", "highest in recurrence")


@pytest.mark.parametrize(("state", "descriptor"), list(enumerate([0, 1, 0, 2, 3])), ids=STATES)
def test_cluster_that_is_not_the_extreme_one_is_weak(state, descriptor):
    """The cluster keeps its name, but another cluster has a more extreme value of its descriptor."""
    profile = ARCHETYPES.copy()
    profile[state] *= 0.05
    further = (state + 1) % 5
    profile[further, descriptor] = (-1 if state == 0 else 1) * max(0.1, abs(profile[further, descriptor]))
    named = name_clusters(profile)
    assert named.names == STATES
    assert named.weak[state] == f"not the {ORDERINGS[state]}"
    assert not any(weak for k, weak in enumerate(named.weak) if k != state)


@pytest.mark.parametrize("profile", [np.zeros((5, 5)), np.zeros(6), np.full((5, 6), np.nan)])
def test_invalid_profile_is_an_error(profile):
    with pytest.raises(ParameterError, match=rf"must be finite.* 6\).*{re.escape(str(profile.shape))}"):
        name_clusters(profile)
