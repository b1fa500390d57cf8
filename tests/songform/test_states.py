"""States: clusters that are there must be found, named, kept in a file, and followed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.cluster import KMeans
from sklearn.preprocessing import StandardScaler

from songform.context import context_descriptors
from songform.errors import ModelError, ParameterError
from songform.extraction import describe_audio
from songform.naming import ARCHETYPES, STATES, name_clusters
from songform.states import StateModel, fit_states, state_posterior, unit_vectors
from songform.synth import compose, states_at
from songform.units import frame_units, pooled

N_FEATURES = 8


@pytest.fixture
def truth(rng):
    return np.repeat(rng.permutation(np.repeat(np.arange(5), 12)), 5)


@pytest.fixture
def units(rng, truth):
    """Make 300 units whose features and context tell plainly which archetype they follow."""
    features = 100 * rng.standard_normal((5, N_FEATURES))[truth] + rng.standard_normal((300, N_FEATURES))
    return np.hstack([features, ARCHETYPES[truth] + 0.1 * rng.standard_normal((300, 6))])


def test_states_that_are_there_are_found_and_named(units, truth):
    model = fit_states([units[:100], units[100:]])
    assert model.states == STATES
    assert model.weak == ("",) * 5
    assert_array_equal(state_posterior(model, units).argmax(axis=1), truth)


def test_the_model_is_what_sklearn_makes_of_the_weighed_units(units, truth):
    model = fit_states([units], context_weight=0.5)
    standard = StandardScaler().fit_transform(units)
    weighed = np.hstack([standard[:, :N_FEATURES] / np.sqrt(N_FEATURES), 0.5 * standard[:, N_FEATURES:] / np.sqrt(6)])
    assert_allclose((units - model.center) / model.scale * model.weight, weighed, atol=1e-12)
    expected = KMeans(5, n_init=10, random_state=0).fit(weighed)
    assert model.variance == pytest.approx(expected.inertia_ / 300)
    assert_allclose(model.centroids, [weighed[truth == k].mean(axis=0) for k in range(5)], atol=1e-9)
    assert_allclose(model.profile, [standard[truth == k, N_FEATURES:].mean(axis=0) for k in range(5)], atol=1e-9)
    named = name_clusters(model.profile)
    assert (named.names, named.weak) == (model.states, model.weak)
    assert_allclose([named.scores, named.margins], [model.scores, model.margins])


def test_the_posterior_is_a_softmax_of_distances_to_the_centroids(rng, units):
    model = replace(fit_states([units]), variance=0.3)
    others = (units[rng.permutation(300)[:40]] + units[rng.permutation(300)[:40]]) / 2
    weighed = (others - model.center) / model.scale * model.weight
    squares = np.array([[np.sum((row - centroid) ** 2) for centroid in model.centroids] for row in weighed])
    odds = np.exp(-squares / (2 * 0.3))
    assert_allclose(state_posterior(model, others), odds / odds.sum(axis=1, keepdims=True), atol=1e-9)
    assert_allclose(state_posterior(replace(model, variance=1e9), others), 0.2, atol=1e-6)


def test_a_unit_far_from_everything_still_has_probabilities(units):
    posterior = state_posterior(fit_states([units]), np.full((1, N_FEATURES + 6), 1e6))
    assert posterior.sum() == pytest.approx(1)


@pytest.mark.parametrize("n_states", range(2, 9))
def test_any_number_of_states_is_named_and_kept_in_order(rng, n_states):
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


def test_the_same_seed_gives_the_same_model(rng):
    units = rng.standard_normal((200, N_FEATURES + 6))
    for n_states in (5, 7):
        one, other = (fit_states([units], n_states=n_states, seed=3) for _ in range(2))
        assert_array_equal(one.centroids, other.centroids)
        assert one.states == other.states


def test_a_model_comes_back_from_its_file_without_pickle(tmp_path, units):
    model = fit_states([units], threshold=0.55, sr=44100, hop_length=1024, n_states=7)
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
        "changed": content.replace("threshold".encode("utf-32-le"), "Threshold".encode("utf-32-le")),
    }


@pytest.mark.parametrize("kind", ["missing", *broken(b"")])
def test_a_file_that_is_no_model_is_refused_by_name(tmp_path, units, kind):
    path = tmp_path / "model.npz"
    if kind != "missing":
        fit_states([units]).save(path)
        path.write_bytes(broken(path.read_bytes())[kind])
    with pytest.raises(ModelError, match=r"model\.npz is no state model .*; train again"):
        StateModel.load(path)


def test_an_archive_of_something_else_and_one_with_pickles_are_refused(tmp_path, units):
    np.savez(tmp_path / "other.npz", y=np.zeros(3))
    np.savez(tmp_path / "pickle.npz", rest=np.array([{}], dtype=object))
    np.save(tmp_path / "array.npy", np.zeros(3))
    fit_states([units]).save(tmp_path / "less.npz")
    with np.load(tmp_path / "less.npz") as archive:
        np.savez(tmp_path / "less.npz", **{name: archive[name] for name in archive.files if name != "scale"})
    for name in ("other.npz", "pickle.npz", "array.npy", "less.npz"):
        with pytest.raises(ModelError, match=f"{name} is no state model"):
            StateModel.load(tmp_path / name)


def test_too_few_different_units_are_refused():
    with pytest.raises(ParameterError, match=r"80 units of 0\.5 s cannot make 5 different states; .* lower states"):
        fit_states([np.tile(np.eye(4, 14), (20, 1))])


@pytest.mark.parametrize("shape", [(3, 13), (14,), (3, 15)])
def test_units_of_other_settings_are_refused(units, shape):
    with pytest.raises(ModelError, match="the model reads units of 14 dimensions, not of shape"):
        state_posterior(fit_states([units]), np.zeros(shape))


def test_unit_vectors_are_means_and_deviations_against_the_song_s_own_and_context(song):
    features, overview, _ = describe_audio([song])
    units = frame_units(len(features), unit_seconds=0.5)
    mean, std = pooled(features.to_numpy(np.float64), units)
    vectors = unit_vectors(features, overview, threshold=0.3)
    assert_allclose(vectors[:, :38], mean - mean.mean(axis=0), atol=1e-9)
    assert_allclose(vectors[:, 38:76], std - std.mean(axis=0), atol=1e-9)
    assert_array_equal(vectors[:, 76:], context_descriptors(features, overview, threshold=0.3))


@pytest.mark.parametrize("seconds", [0.1, 0.6, 1.2, 3.9])
def test_a_song_of_a_few_units_is_followed(song, units, seconds):
    features, overview, _ = describe_audio([song[: round(seconds * 22050)]])
    vectors = unit_vectors(features, overview)
    model = fit_states([np.hstack([np.tile(units[:, :N_FEATURES], (1, 10))[:, :76], units[:, N_FEATURES:]])])
    assert_allclose(state_posterior(model, vectors).sum(axis=1), 1)


def test_the_states_of_composed_songs_are_found_by_their_names():
    """Three units in four, though nothing but the archetypes says which cluster is which."""
    songs = [compose(seed, sr=22050, duration=60) for seed in (1, 2, 3)]
    vectors = [unit_vectors(*describe_audio([each.y])[:2]) for each in songs]
    model = fit_states(vectors)
    right = []
    for each, units in zip(songs, vectors, strict=True):
        found = np.array(model.states)[state_posterior(model, units).argmax(axis=1)]
        right.append(found == states_at(each.sections, (np.arange(len(units)) + 0.5) * 0.5))
    assert np.concatenate(right).mean() > 0.75
