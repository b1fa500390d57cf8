"""Composed songs with true states: the same scores in all families, changed sounds, and files that keep them."""

from __future__ import annotations

import numpy as np
import pytest

from songform.structure.naming import STATES
from training.state_song_files import kept_songs
from training.state_songs import INPUTS, state_songs

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def songs():
    return {
        "study": list(state_songs("study", 2, 5, contrast=1.0)),
        "soft": list(state_songs("study", 2, 5, contrast=0.4)),
        "unseen": list(state_songs("unseen", 2, 5, contrast=1.0)),
        "changed": list(state_songs("study", 6, 5, contrast=1.0, is_augmented=True)),
    }


def test_every_unit_has_inputs_and_a_true_state(songs):
    for song in (song for several in songs.values() for song in several):
        n_units = len(song.truth)
        assert n_units >= 100
        assert song.vectors.shape == (n_units, 82)
        assert {name: len(song.inputs[name]) for name in INPUTS} == dict.fromkeys(INPUTS, n_units)
        assert set(song.truth) <= set(range(len(STATES)))


def test_families_and_contrasts_have_the_same_scores_and_other_sounds(songs):
    for one, soft, other in zip(songs["study"], songs["soft"], songs["unseen"], strict=True):
        np.testing.assert_array_equal(one.truth, soft.truth)
        np.testing.assert_array_equal(one.truth, other.truth)
        assert not np.allclose(one.inputs["features"], soft.inputs["features"])
        assert not np.allclose(one.inputs["features"], other.inputs["features"])


def test_a_changed_speed_changes_the_times_of_the_states(songs):
    lengths = [len(song.truth) for song in songs["changed"]]
    again = [len(song.truth) for song in state_songs("study", 6, 5, contrast=1.0)]
    assert lengths != again
    for song in songs["changed"]:
        assert len(np.unique(song.truth)) >= 3


def test_songs_are_made_once_and_kept(songs, tmp_path):
    made = []

    def make():
        made.append(True)
        return songs["study"]

    for _ in range(2):
        kept = kept_songs(tmp_path / "songs.npz", make)
        for one, other in zip(kept, songs["study"], strict=True):
            assert (one.name, one.family, one.contrast) == (other.name, other.family, other.contrast)
            np.testing.assert_array_equal(one.vectors, other.vectors)
            np.testing.assert_array_equal(one.truth, other.truth)
            for name in INPUTS:
                np.testing.assert_array_equal(one.inputs[name], other.inputs[name])
    assert len(made) == 1
