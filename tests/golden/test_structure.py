"""Golden values of the stages from frame features to segments."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from songform.structure import (
    boundaries,
    change_points,
    context,
    naming,
    normalized_curves,
    pooling,
    segments,
    self_similarity,
    silence,
    states,
    viterbi,
)
from songform.structure.normalized_curves import Curves

SR, HOP_LENGTH = 8000, 800
UNIT_SECONDS = 0.5


def series(n_rows, n_columns, *, change=20):
    """Return smooth signals that jump every `change` rows; their values are between -2 and 2."""
    row, column = np.arange(n_rows)[:, None], np.arange(n_columns)
    return np.asarray(1.5 * np.sin(2.7 * (row // change) + 1.9 * column) + 0.5 * np.sin(0.8 * row + column))


@pytest.fixture(scope="module")
def curves():
    """Return the curves of a song of 80 units that changes every 20 units."""
    four = series(80, 4)
    return Curves(
        before=2,
        after=3,
        level_db=-30 + 5 * four[:, 0],
        loudness=four[:, 0],
        onset=four[:, 1],
        brightness=four[:, 2] + np.linspace(-1, 1, 80),
        bass=four[:, 3],
        mfcc=series(80, 3),
        chroma=series(80, 12),
        columns=series(80, 10),
    )


@pytest.fixture(scope="module")
def posterior():
    """Return the probabilities of five states in 60 units; every 12 units, another state is favored."""
    unit, state = np.arange(60)[:, None], np.arange(5)
    odds = np.exp(2.5 * (unit // 12 == state) + 1.5 * np.sin(1.1 * unit + 2 * state))
    return odds / odds.sum(axis=1, keepdims=True)


def test_pooling_matches_stored_values(golden):
    units = pooling.frame_units(50, sr=SR, hop_length=HOP_LENGTH, unit_seconds=0.25)
    mean, std = pooling.pooled(series(50, 3), units)
    output = {"units": units, "mean": mean, "std": std, "smoothed": pooling.smoothed(series(12, 2, change=4), 5)}
    golden.check("pooling", [pooling], output)


def test_song_units_match_stored_values(golden, song_features, song_overview):
    whole = pooling.song_units(song_features, song_overview, sr=SR, hop_length=HOP_LENGTH)
    assert len(whole) == 80
    means = dict(zip(whole.columns, whole.mean[::8].T, strict=True))
    deviations = dict(zip(whole.columns, whole.std[::8].T, strict=True))
    rest = {name: value[::4] for name, value in vars(whole).items() if name not in {"columns", "mean", "std"}}
    golden.check("song_units", [pooling], {"means": means, "deviations": deviations, **rest})


def test_normalized_curves_match_stored_values(golden, song_features, song_overview):
    units = pooling.song_units(song_features, song_overview, sr=SR, hop_length=HOP_LENGTH)
    found = vars(normalized_curves.song_curves(units))
    parts = {name: value[::4] if isinstance(value, np.ndarray) else value for name, value in found.items()}
    golden.check("normalized_curves", [normalized_curves, pooling], parts)


def test_change_points_match_stored_values(golden, curves):
    bounds = change_points.song_stretches(curves)
    output = {
        "bounds": bounds,
        "signals": change_points.stretch_signals(curves)[::10],
        "means": change_points.stretch_means(curves.mfcc, bounds),
        "climbs": change_points.stretch_climbs(curves.brightness, bounds),
    }
    golden.check("change_points", [change_points], output)


def test_self_similarity_matches_stored_values(golden, curves):
    vectors = self_similarity.similarity_vectors(curves.mfcc, curves.chroma)
    output = {
        "vectors": vectors[::10],
        "novelty": self_similarity.novelty(vectors, unit_seconds=UNIT_SECONDS),
        "recurrence": self_similarity.recurrence(vectors, unit_seconds=UNIT_SECONDS),
        "loop": self_similarity.loop_similarity(vectors[:20], unit_seconds=UNIT_SECONDS),
    }
    golden.check("self_similarity", [self_similarity, pooling], output)


def test_context_of_stretches_matches_stored_values(golden, curves):
    found = context.stretch_context(curves, np.array([0, 7, 20, 34, 40, 60, 80]))
    output = dict(zip(context.CONTEXT_COLUMNS, found.T, strict=True))
    golden.check("stretch_context", [context, self_similarity, change_points, pooling], output)


def test_context_of_a_song_matches_stored_values(golden, song_features, song_overview):
    given = {"sr": SR, "hop_length": HOP_LENGTH}
    table = context.context_descriptors(song_features, song_overview, **given)
    seen = context.context_curves(song_features, song_overview, **given)
    output = {name: table[name].to_numpy() for name in table}
    output |= {f"seen_{name}": seen[name].to_numpy() for name in ("energy", "novelty")}
    earlier = [self_similarity, change_points, normalized_curves, pooling]
    golden.check("context", [context, *earlier], output)


def test_names_of_clusters_match_stored_values(golden):
    shape = naming.ARCHETYPES.shape
    profile = naming.ARCHETYPES[[3, 0, 4, 2, 1]] + 0.4 * np.sin(np.arange(naming.ARCHETYPES.size).reshape(shape))
    more = np.vstack([profile, 0.3 * np.cos(np.arange(shape[1]))])
    output = {name: vars(naming.name_clusters(each)) for name, each in {"five": profile, "six": more}.items()}
    golden.check("naming", [naming], {**output, "scores": naming.archetype_scores(profile)})


def test_unit_vectors_match_stored_values(golden, song_features, song_overview):
    vectors = states.unit_vectors(song_features, song_overview, sr=SR, hop_length=HOP_LENGTH)
    known = pooling.CausalUnits(song_features, song_overview, sr=SR, hop_length=HOP_LENGTH).until(203)
    earlier = [context, self_similarity, change_points, normalized_curves, pooling]
    output = {"whole": vectors[::8], "last": states.last_unit_vector(known)}
    golden.check("unit_vectors", [states, *earlier], output)


def test_fitted_states_match_stored_values(golden, song_states, song_vectors):
    posterior = states.state_posterior(song_states, song_vectors)
    output = {**vars(song_states), "posterior": posterior[::3]}
    golden.check("states", [states, naming], output)


def test_states_without_anchors_match_stored_values(golden, song_vectors):
    model = states.fit_states([song_vectors], n_states=6, context_weight=0.5, seed=3)
    golden.check("states_without_anchors", [states, naming], vars(model))


def test_viterbi_paths_match_stored_values(golden, posterior):
    transitions = viterbi.transition_matrix(np.array([4.0, 4.0, 4.0, 3.0, 4.0]), unit_seconds=UNIT_SECONDS)
    joint = viterbi.joint_posterior(posterior, np.roll(posterior, 3, axis=0), 0.5)
    output = {
        "transitions": transitions,
        "joint": joint[::4],
        "path": viterbi.state_path(posterior, transitions),
        "joint_path": viterbi.state_path(joint, transitions),
    }
    golden.check("viterbi", [viterbi], output)


def test_state_sequence_with_short_transitions_matches_stored_values(golden, song_states):
    """One transition lasts 8 s, the maximum, and one lasts half a second longer."""
    turn = song_states.states.index("Transition")
    state = np.repeat([0, turn, 1, turn, 2], [10, 16, 12, 17, 10])
    odds = np.exp(4.0 * np.eye(5)[state] + np.sin(1.1 * np.arange(len(state))[:, None] + 2 * np.arange(5)))
    path = states.state_sequence(song_states, odds / odds.sum(axis=1, keepdims=True))
    golden.check("state_sequence", [viterbi, states], {"path": path})


def test_segments_match_stored_values(golden, posterior):
    path = np.repeat([0, 1, 3, 2, 4, 0], 10)
    found = segments.state_segments(path, posterior, naming.STATES, unit_seconds=UNIT_SECONDS, duration=29.7)
    golden.check("segments", [segments], {"segments": [segment._asdict() for segment in found]})


def test_boundaries_match_stored_values(golden, song_overview, song_segments):
    """The first boundary has a strong change and a closer, weak one nearby."""
    levels = song_overview.logmel.copy()
    levels[72:80, :20] += 12
    overview = replace(song_overview, logmel=levels)
    refined = boundaries.refined_segments(song_segments, overview)
    output = {
        "distance": np.sqrt(boundaries.close_novelty(overview)[::5]),
        "starts": [segment.start for segment in refined],
        "ends": [segment.end for segment in refined],
    }
    golden.check("boundaries", [boundaries], output)


def test_silence_matches_stored_values(golden, posterior):
    """The level falls below one step of 16 bits for 0.5 s, for 2.5 s, and for the last 3 s."""
    time = np.arange(300) / 10
    level = np.where((time >= 4) & (time < 4.5) | (time >= 12) & (time < 14.5) | (time >= 27), 2e-5, 0.1)
    spans = silence.silent_spans(level, sr=SR, hop_length=HOP_LENGTH, frame_length=2048, duration=30.0)
    path = posterior.argmax(axis=1)
    found = segments.state_segments(path, posterior, naming.STATES, unit_seconds=UNIT_SECONDS, duration=30.0)
    cut = silence.with_silence(found, spans, posterior, naming.STATES)
    golden.check("silence", [silence, segments], {"spans": spans, "segments": [segment._asdict() for segment in cut]})
