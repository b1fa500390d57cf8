"""Tests of the discovery, naming, storage and probabilities of states."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import softmax
from scipy.stats import norm
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score
from sklearn.preprocessing import StandardScaler

from songform.errors import ModelError, ParameterError
from songform.features.extraction import describe_audio
from songform.features.overview import Overview
from songform.learning.sequences import DELTA_REACH
from songform.structure.boundaries import refined_segments
from songform.structure.change_points import song_stretches
from songform.structure.context import CONTEXT_COLUMNS, context_descriptors
from songform.structure.naming import ARCHETYPES, STATES, archetype_scores, name_clusters
from songform.structure.normalized_curves import song_curves
from songform.structure.pooling import CausalUnits, song_units
from songform.structure.segments import state_segments
from songform.structure.states import (
    StateModel,
    fit_states,
    last_unit_vector,
    last_unit_vectors,
    state_posterior,
    state_sequence,
    unit_vectors,
)
from songform.synth import compose, states_at

N_FEATURES = 8
# The descriptor of each name, and whether the state must have its lowest (-1) or highest (1) value.
TRUTHS = {
    "Calm": ("energy", -1),
    "BuildUp": ("rise", 1),
    "Energetic": ("energy", 1),
    "Transition": ("novelty", 1),
    "Repetitive": ("recurrence", 1),
}


@pytest.fixture
def truth(rng):
    return np.repeat(rng.permutation(np.repeat(np.arange(5), 12)), 5)


@pytest.fixture
def units(rng, truth):
    """Return 300 units with features and context close to those of one of the archetypes."""
    features = 100 * rng.standard_normal((5, N_FEATURES))[truth] + rng.standard_normal((300, N_FEATURES))
    return np.hstack([features, ARCHETYPES[truth] + 0.1 * rng.standard_normal((300, 6))])


def test_distinct_clusters_are_found_and_named(units, truth):
    model = fit_states([units[:100], units[100:]])
    assert model.states == STATES
    assert model.weak == ("",) * 5
    assert_array_equal(state_posterior(model, units).argmax(axis=1), truth)


def weighted_units(units: np.ndarray, context_weight: float) -> np.ndarray:
    """Standardize and weight the units as in the documentation of the model."""
    standard = np.clip(StandardScaler().fit_transform(units), -2, 2)
    context = context_weight * standard[:, N_FEATURES:] / np.sqrt(6) * [1, 1, 1, 1.5, 1, 1]
    return np.hstack([standard[:, :N_FEATURES] / np.sqrt(N_FEATURES), context])


def test_model_equals_the_clustering_of_weighted_units_by_sklearn(units, truth):
    model = fit_states([units], context_weight=0.5)
    weighted = weighted_units(units, 0.5)
    assert_allclose(np.clip((units - model.center) / model.scale, -2, 2) * model.weight, weighted, atol=1e-12)
    expected = KMeans(5, n_init=10, random_state=0).fit(weighted)
    assert adjusted_rand_score(expected.labels_, truth) == 1
    members = [weighted[truth == k] for k in range(5)]
    assert_allclose(model.centroids, [each.mean(axis=0) for each in members], atol=1e-9)
    within = np.array([each.var(axis=0) for each in members])
    assert_allclose(model.variances, within + 0.01 * weighted.var(axis=0), atol=1e-9)
    assert (model.shares @ (within.sum(axis=1))) == pytest.approx(expected.inertia_ / 300)
    assert_allclose(model.shares, 0.2)
    standard = np.clip(StandardScaler().fit_transform(units), -2, 2)
    assert_allclose(model.profile, [standard[truth == k, N_FEATURES:].mean(axis=0) for k in range(5)], atol=1e-9)
    named = name_clusters(model.profile)
    assert (named.names, named.weak) == (model.states, model.weak)
    assert_allclose([named.scores, named.margins], [model.scores, model.margins])


@pytest.mark.parametrize("context_weight", [0.3, 1.0])
def test_posterior_follows_bayes_rule_with_normal_distributions(rng, context_weight):
    """Log-likelihoods are scaled to three independent dimensions of the features and one of the context."""
    units = rng.standard_normal((200, N_FEATURES + 6)) * rng.uniform(0.1, 9, N_FEATURES + 6)
    model = fit_states([units], n_states=4, context_weight=context_weight)
    others = 1.5 * units[rng.permutation(200)[:60]]
    weighted = np.clip((others - model.center) / model.scale, -2, 2) * model.weight
    evidence = np.r_[np.full(N_FEATURES, 3 / N_FEATURES), np.full(6, 1 / 6)]
    logits = [
        np.log(share) + norm.logpdf(weighted, mean, np.sqrt(variance)) @ evidence
        for mean, variance, share in zip(model.centroids, model.variances, model.shares, strict=True)
    ]
    assert_allclose(state_posterior(model, others), softmax(np.transpose(logits), axis=1), atol=1e-9)


def test_posterior_equals_the_shares_if_variances_are_very_large(units):
    model = replace(fit_states([units[:200]]), variances=np.full((5, N_FEATURES + 6), 1e12))
    assert_allclose(state_posterior(model, units), np.tile(model.shares, (300, 1)), atol=1e-6)


@given(
    absurd=arrays(
        float,
        st.tuples(st.integers(0, 5), st.just(N_FEATURES + 6)),
        elements=st.one_of(st.floats(-1e30, 1e30), st.sampled_from([np.inf, -np.inf, 0.0, 5e-324])),
    )
)
def test_posterior_of_extreme_units_is_valid(planted_model, absurd):
    posterior = state_posterior(planted_model, absurd)
    assert posterior.shape == (len(absurd), 5)
    assert_allclose(posterior.sum(axis=1), 1)
    assert ((posterior >= 0) & (posterior <= 1)).all()


@pytest.fixture(scope="module")
def planted_model():
    """Return a model of five distinct clusters of very different sizes."""
    rng = np.random.default_rng(1)
    truth = np.repeat(np.arange(5), [5, 20, 60, 10, 200])
    features = rng.standard_normal((5, N_FEATURES))[truth] + 0.1 * rng.standard_normal((295, N_FEATURES))
    return fit_states([np.hstack([features, ARCHETYPES[truth] + 0.1 * rng.standard_normal((295, 6))])])


def test_outliers_do_not_get_a_cluster(units, truth):
    """Three units are ten standard deviations away from the mean in all dimensions, like clicks."""
    odd = units.copy()
    odd[17:20] = units.mean(axis=0) + 10 * units.std(axis=0)
    model = fit_states([odd])
    assert model.shares.min() > 0.15
    found = state_posterior(model, odd).argmax(axis=1)
    assert adjusted_rand_score(np.delete(found, range(17, 20)), np.delete(truth, range(17, 20))) == 1


def random_corpus(seed: int, n_features: int) -> list[np.ndarray]:
    """Return unit vectors of several songs and stretches, with clusters, outliers and nearly constant columns."""
    rng = np.random.default_rng(seed)
    n_columns = n_features + len(CONTEXT_COLUMNS)
    centres = rng.standard_normal((rng.integers(1, 9), n_columns)) * rng.choice([0.0, 1.0, 4.0])
    size = rng.choice([1e-3, 1.0, 50.0], n_columns)
    songs = []
    for _ in range(rng.integers(1, 4)):
        lengths = rng.integers(4, 16, rng.integers(3, 9))
        stretches = centres[rng.integers(len(centres), size=len(lengths))] + rng.standard_t(
            2, (len(lengths), n_columns)
        )
        spread = 0.2 * rng.standard_normal((lengths.sum(), n_columns))
        songs.append(size * (np.repeat(stretches, lengths, axis=0) + spread))
    return songs


corpora = st.builds(random_corpus, st.integers(0, 2**32 - 1), st.sampled_from([1, 4, 20]))


@settings(max_examples=60)
@given(
    songs=corpora, n_states=st.sampled_from([2, 3, 5, 5, 5, 8]), context_weight=st.sampled_from([0.0, 0.5, 1.0, 4.0])
)
def test_every_name_is_correct_or_weak(songs, n_states, context_weight):
    """In any corpus, Calm has the lowest mean energy of all states, Energetic the highest, and so on."""
    model = fit_states(songs, n_states=n_states, context_weight=context_weight)
    units = np.vstack(songs)
    standard = np.clip((units - units.mean(axis=0)) / units.std(axis=0), -2, 2)
    means = standard[:, -6:].mean(axis=0)
    assert_allclose(model.shares @ model.profile, means, atol=1e-6)  # the profile is a mean over all units
    for name, weak, row in zip(model.states, model.weak, model.profile, strict=True):
        if name in TRUTHS:
            descriptor, sign = TRUTHS[name]
            column = CONTEXT_COLUMNS.index(descriptor)
            true = sign * row[column] >= (sign * model.profile[:, column]).max()
            assert true or f"not the {'highest' if sign > 0 else 'lowest'} in {descriptor}" in weak


@settings(max_examples=15)
@given(songs=corpora)
def test_clusters_equal_those_of_kmeans_with_anchors(songs):
    """The means of the units nearest to each archetype are added, with the total weight of all units."""
    units = np.vstack(songs)
    model = fit_states(songs)
    standard = np.clip(StandardScaler().fit_transform(units), -2, 2)
    nearest = archetype_scores(standard[:, -6:]).argmax(axis=1)
    assume(len(set(nearest)) == 5)
    anchors = [(standard * model.weight)[nearest == k].mean(axis=0) for k in range(5)]
    weights = np.r_[np.ones(len(units)), np.full(5, 0.2 * len(units))]
    kmeans = KMeans(5, init=np.array(anchors), n_init=1)
    labels = kmeans.fit(np.vstack([standard * model.weight, anchors]), sample_weight=weights).labels_[: len(units)]
    assume(len(set(labels)) == 5)
    means = np.array([standard[labels == k, -6:].mean(axis=0) for k in range(5)])
    order = sorted(range(5), key=lambda k: STATES.index(name_clusters(means).names[k]))
    assert_allclose(model.shares, [(labels == k).mean() for k in order])
    assert_allclose(model.profile, means[order], atol=1e-9)


def test_anchor_without_units_does_not_become_a_cluster():
    """Anchors depend on the context, but with a context weight of 0 only the features are clustered."""
    songs = random_corpus(1168301, 4)
    model = fit_states(songs, context_weight=0.0)
    assert model.shares.min() > 0
    assert np.isfinite(model.centroids).all()


@settings(max_examples=20)
@given(order=st.permutations(range(6)))
def test_model_does_not_depend_on_the_order_of_the_songs(order):
    rng = np.random.default_rng(2)
    songs = [ARCHETYPES[rng.integers(5, size=40)] + 0.5 * rng.standard_normal((40, 6)) for _ in range(6)]
    songs = [np.hstack([rng.standard_normal((40, N_FEATURES)), song]) for song in songs]
    one, other = fit_states(songs), fit_states([songs[i] for i in order])
    assert (one.states, one.weak) == (other.states, other.weak)
    for name in ("center", "scale", "centroids", "variances", "shares", "profile", "scores", "margins"):
        assert_allclose(getattr(other, name), getattr(one, name), atol=1e-9, err_msg=name)


@pytest.mark.parametrize("n_states", range(2, 9))
def test_any_number_of_states_is_named_and_ordered(rng, n_states):
    units = rng.standard_normal((200, N_FEATURES + 6))
    model = fit_states([units], n_states=n_states)
    allowed = [*STATES, *(f"State {number}" for number in range(6, n_states + 1))]
    assert list(model.states) == [state for state in allowed if state in model.states]
    assert len(set(model.states)) == n_states
    assert set(allowed[:5]) <= set(model.states) or n_states < 5
    named = name_clusters(model.profile)
    assert (named.names, named.weak) == (model.states, model.weak)
    assert model.centroids.shape == (n_states, N_FEATURES + 6)
    assert_allclose(state_posterior(model, units).sum(axis=1), 1)
    assert_array_equal(model.dwell, [3.0 if state == "Transition" else 4.0 for state in model.states])


def test_model_is_reproducible_with_the_same_seed(rng):
    units = rng.standard_normal((200, N_FEATURES + 6))
    for n_states in (5, 7):
        one, other = (fit_states([units], n_states=n_states, seed=3) for _ in range(2))
        assert_array_equal(one.centroids, other.centroids)
        assert one.states == other.states


def test_saved_and_loaded_model_is_equal_and_has_no_pickles(tmp_path, units):
    model = fit_states([units], sr=44100, hop_length=1024, n_states=7)
    model = replace(model, weak=("score 0.10 under 0.3", *model.weak[1:]))
    model.save(tmp_path / "model.npz")
    again = StateModel.load(tmp_path / "model.npz")
    for name, value in vars(model).items():
        assert_array_equal(getattr(again, name), value, strict=isinstance(value, np.ndarray))
        assert type(getattr(again, name)) is type(value)
    assert_array_equal(state_posterior(again, units), state_posterior(model, units))
    with np.load(tmp_path / "model.npz", allow_pickle=False) as archive:
        assert all(archive[name].dtype != object for name in archive.files)


def broken(content: bytes) -> dict[str, bytes]:
    return {
        "empty": b"",
        "text": b"a model",
        "cut": content[: len(content) // 2],
        "changed": content.replace("hop_length".encode("utf-32-le"), "Hop_length".encode("utf-32-le")),
    }


@pytest.mark.parametrize("kind", ["missing", *broken(b"")])
def test_error_for_a_damaged_model_contains_its_path(tmp_path, units, kind):
    path = tmp_path / "model.npz"
    if kind != "missing":
        fit_states([units]).save(path)
        path.write_bytes(broken(path.read_bytes())[kind])
    with pytest.raises(ModelError, match=r"model\.npz is not a state model .*; train again"):
        StateModel.load(path)


def test_other_archives_and_pickles_are_an_error(tmp_path, units):
    np.savez(tmp_path / "other.npz", y=np.zeros(3))
    np.savez(tmp_path / "pickle.npz", rest=np.array([{}], dtype=object))
    np.save(tmp_path / "array.npy", np.zeros(3))
    fit_states([units]).save(tmp_path / "less.npz")
    with np.load(tmp_path / "less.npz") as archive:
        np.savez(tmp_path / "less.npz", **{name: archive[name] for name in archive.files if name != "scale"})
    for name in ("other.npz", "pickle.npz", "array.npy", "less.npz"):
        with pytest.raises(ModelError, match=f"{name} is not a state model.*train again"):
            StateModel.load(tmp_path / name)


def test_too_few_different_units_are_an_error():
    with pytest.raises(
        ParameterError, match=r"80 units of 0\.5 s .* 5 different states.*longer audio.*states\.n_states"
    ):
        fit_states([np.tile(np.eye(4, 14), (20, 1))])


def test_units_that_are_equal_after_clipping_are_too_few():
    """There are five different units, but four of them are outliers and equal after clipping."""
    units = np.zeros((300, 14))
    units[:4, 3] = [100, 101, 102, 103]
    with pytest.raises(ParameterError, match=r"300 units of 0\.5 s .* 5 different states.*states\.n_states"):
        fit_states([units])


def test_units_that_differ_only_in_columns_without_weight_are_too_few(rng):
    units = np.hstack([np.zeros((300, N_FEATURES)), rng.standard_normal((300, 6))])
    with pytest.raises(ParameterError, match=r"300 units of 0\.5 s .* 5 different states.*states\.n_states"):
        fit_states([units], context_weight=0.0)


@pytest.mark.parametrize("shape", [(3, 13), (14,), (3, 15)])
def test_units_of_other_settings_are_an_error(units, shape):
    with pytest.raises(
        ModelError, match=rf"\(n_units, 14\), not {re.escape(str(shape))};.*different settings.*train again"
    ):
        state_posterior(fit_states([units]), np.zeros(shape))


def test_unit_vectors_are_the_mean_of_unit_and_stretch_and_the_context(forms):
    """There are 38 means and 38 standard deviations, both normalized within the song."""
    features, overview, _ = forms[0]
    curves = song_curves(song_units(features, overview))
    bounds = song_stretches(curves)
    assert len(bounds) > 4
    vectors = unit_vectors(features, overview)
    for a, b in zip(bounds[:-1] + curves.before, bounds[1:] + curves.before, strict=True):
        own = curves.columns[a - curves.before : b - curves.before]
        assert_allclose(vectors[a:b, :76], (own + own.mean(axis=0)) / 2, atol=1e-9)
    assert_array_equal(vectors[:, 76:], context_descriptors(features, overview))


def beginning(features, overview, n_cells: int) -> tuple:
    """Return the tables of the beginning of a song, up to the end of a cell of the overview."""
    n = int(np.cumsum(overview.frame_counts)[n_cells - 1])
    rows = {name: value[: n if name == "onset" else n_cells] for name, value in vars(overview).items()}
    return features.iloc[:n], Overview(**rows)


@pytest.mark.parametrize("n_cells", [1, 4, 7, 42, 133, 300, 470, 590])
def test_last_unit_vector_within_a_minute_is_the_last_of_all_vectors(forms, n_cells):
    features, overview, _ = forms[0]
    part = beginning(features, overview, n_cells)
    known = CausalUnits(features, overview).until(len(part[0]))
    assert_allclose(last_unit_vector(known), unit_vectors(*part)[-1], atol=1e-9)


def test_last_unit_vector_after_final_silence_is_that_of_the_last_sound(units_of, rng):
    units = units_of(np.r_[rng.uniform(-30, -10, 40), np.full(9, -100.0)], mfcc=rng.standard_normal((49, 13)))
    loud = units_of(units.loudness_db[:40], mfcc=units.mean[:40, 12:25])
    assert_allclose(last_unit_vector(units), last_unit_vector(loud), atol=1e-9)


def test_last_stretch_depends_only_on_the_last_minute(units_of, rng):
    """Older units only affect the mean and the standard deviation of the song."""
    n = 400
    level = np.r_[rng.uniform(-30, -10, n - 30), rng.uniform(-12, -10, 30)]
    mfcc = 10 * rng.standard_normal((n, 13))
    order = np.r_[rng.permutation(n - 120), np.arange(n - 120, n)]
    shuffled = last_unit_vector(units_of(level[order], mfcc=mfcc[order]))
    assert_allclose(last_unit_vector(units_of(level, mfcc=mfcc)), shuffled, atol=1e-9)


def test_last_unit_vectors_equal_single_vectors(forms, units_of, rng):
    """Use songs of equal and different lengths, one of which ends in silence, and beginnings of one song."""
    levels = [rng.uniform(-30, -10, n) for n in (1, 5, 40, 40, 40, 90, 150, 300, 150)]
    levels[3] = np.r_[levels[3][:30], np.full(10, -100.0)]
    songs = [units_of(level, mfcc=rng.standard_normal((len(level), 13))) for level in levels]
    moments = list(CausalUnits(*forms[0][:2]).beginnings(np.arange(300, 2600, 100)))
    for several in (songs, moments):
        assert_allclose(last_unit_vectors(several), [last_unit_vector(units) for units in several], atol=1e-12)


@pytest.mark.parametrize("seconds", [0.7, 2.3, 9.1, 31.6])
def test_last_unit_vector_does_not_depend_on_later_audio(rng, seconds):
    """Changing all later samples does not change the vector at the last frame that depends only on earlier ones."""
    t = np.arange(40 * 22050) / 22050
    y = 0.3 * np.sin(2 * np.pi * 220 * 2 ** (np.floor(t / 3) % 5 / 12) * t) * (0.2 + (t % 8) / 8)
    y = (y + 0.01 * rng.standard_normal(len(y))).astype(np.float32)
    cut = round(seconds * 22050)
    other = np.where(np.arange(len(y)) < cut, y, np.float32(0.9) * np.sign(np.sin(9000 * t))).astype(np.float32)
    n_known = (cut - 1024) // 512 + 1 - DELTA_REACH
    one, another = (last_unit_vector(CausalUnits(*describe_audio([x])[:2]).until(n_known)) for x in (y, other))
    assert_allclose(another, one, atol=1e-6)
    assert np.abs(unit_vectors(*describe_audio([other])[:2]) - unit_vectors(*describe_audio([y])[:2])).max() > 0.5


@pytest.mark.parametrize("seconds", [0.1, 0.6, 1.2, 3.9])
def test_posterior_of_a_song_of_a_few_units(song, units, seconds):
    features, overview, _ = describe_audio([song[: round(seconds * 22050)]])
    vectors = unit_vectors(features, overview)
    model = fit_states([np.hstack([np.tile(units[:, :N_FEATURES], (1, 10))[:, :76], units[:, N_FEATURES:]])])
    assert_allclose(state_posterior(model, vectors).sum(axis=1), 1)


@pytest.fixture(scope="module")
def forms():
    """Return the tables of three composed songs of a minute, and their true states per unit."""
    songs = []
    for seed in (4, 5, 6):
        song = compose(seed, duration=60)
        features, overview, _ = describe_audio([song.y])
        n_units = len(song_units(features, overview))
        songs.append((features, overview, states_at(song.sections, (np.arange(n_units) + 0.5) * 0.5)))
    return songs


def test_states_of_composed_songs_are_found_and_no_name_is_weak(forms):
    """At least four of five units have the right name, although only the archetypes determine the names."""
    vectors = [unit_vectors(features, overview) for features, overview, _ in forms]
    model = fit_states(vectors)
    assert model.states == STATES
    assert model.weak == ("",) * 5
    found = np.array(model.states)[state_posterior(model, np.vstack(vectors)).argmax(axis=1)]
    assert (found == np.concatenate([truth for _, _, truth in forms])).mean() > 0.8


def test_most_segments_last_two_seconds_and_no_transition_is_long(forms):
    """Durations are measured after the refinement, which moves boundaries by at most 0.8 s."""
    vectors = [unit_vectors(features, overview) for features, overview, _ in forms]
    model = fit_states(vectors)
    for (_, overview, truth), units in zip(forms, vectors, strict=True):
        posterior = state_posterior(model, units)
        path, duration = state_sequence(model, posterior), len(truth) / 2
        segments = state_segments(path, posterior, model.states, unit_seconds=0.5, duration=duration)
        segments = refined_segments(segments, overview)
        assert np.median([each.end - each.start for each in segments]) >= 2.0
        assert all(each.end - each.start <= 8.0 + 2 * 0.8 for each in segments if each.state == "Transition")
