"""Composed songs. They are short here, while the real ones last more than a minute."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import f1_score, log_loss

import tasks.train.reference_songs
from songform import synth
from songform.bundle import Bundle, SequenceModel
from songform.features.extraction import describe_audio
from songform.learning.sequences import WindowShape
from songform.learning.splits import Split
from songform.structure.context import UNIT_SECONDS
from songform.structure.states import fit_states, unit_vectors
from tasks.settings import FramesSettings, Settings, digest
from tasks.store.corpus import Corpus
from tasks.store.tables import features_config
from tasks.train.reference_songs import (
    COMPARISON_SEEDS,
    INSTRUMENTS,
    TUNING_SEEDS,
    WEIGHTS,
    best_weight,
    calibrated,
    composed_songs,
    named_f1,
    tuning_songs,
)
from tasks.train.training_plan import Plan

SEEDS = (1, 2)
compose = synth.compose


class Adviser:
    """Stand-in for a network: predicts the state whose index is the mean of the last feature column."""

    def predict_on_batch(self, windows):
        """Return the probabilities of five states, shape (n, 5)."""
        return 0.96 * np.eye(5)[np.rint(windows[:, -1, 37]).astype(int)] + 0.008


@pytest.fixture(scope="module")
def composed():
    """Record the seeds of the songs that are composed, and make the songs short."""
    seeds = []

    def short(seed, *, sr, instruments):
        seeds.append(seed)
        return compose(seed, sr=sr, duration=20.0, instruments=instruments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tasks.train.reference_songs.synth, "compose", short)
        yield seeds


@pytest.fixture(scope="module")
def home(composed, tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    composed_songs(home, SEEDS, Settings())
    return home


@pytest.fixture(scope="module")
def songs(home):
    return composed_songs(home, SEEDS, Settings())


@pytest.fixture(scope="module")
def bundle(songs):
    vectors = [unit_vectors(song.features, song.overview) for song in songs]
    return Bundle(fit_states(vectors), None, 0.0, tuple(songs[0].features.columns))


def advised(bundle, songs, *, well):
    """Add a network to the bundle, and write the true state, or always a wrong one, to the songs' last column.

    The clusters were fitted on these two songs and are certain of each unit. With larger variances, the network can
    change their states.
    """
    states = list(bundle.states.states)
    marked = []
    for song in songs:
        truth = np.array([states.index(state) for state in song.truth])
        unit = (song.features.index.to_numpy() / UNIT_SECONDS).astype(int)
        said = truth[unit] if well else (truth[unit] + 1) % len(states)
        marked.append(replace(song, features=song.features.assign(mfcc_delta_13=said)))
    shape = WindowShape(pool_seconds=UNIT_SECONDS, seconds=2 * UNIT_SECONDS)
    in_doubt = replace(bundle.states, variances=20 * bundle.states.variances)
    adviser = SequenceModel(Adviser(), np.zeros(38), np.ones(38), shape)
    return replace(bundle, states=in_doubt, sequence=adviser), marked


def test_comparison_and_tuning_songs_are_different():
    assert len({*COMPARISON_SEEDS, *TUNING_SEEDS}) == 8


def test_song_has_the_features_and_states_of_its_composition(songs):
    for seed, song in zip(SEEDS, songs, strict=True):
        original = compose(seed, duration=20.0, instruments=INSTRUMENTS)
        features, overview, n_samples = describe_audio([original.y])
        assert song.duration == n_samples / 22050
        assert song.features.equals(features)
        assert all(np.array_equal(value, getattr(overview, name)) for name, value in vars(song.overview).items())
        centres = (np.arange(len(song.truth)) + 0.5) * 0.5
        assert song.truth.tolist() == synth.states_at(original.sections, centres).tolist()
        assert len(song.truth) == len(unit_vectors(features, overview))


def test_a_song_is_composed_once_in_a_home_and_again_only_for_other_frames(composed, home):
    before = len(composed)
    composed_songs(home, SEEDS, Settings())
    assert len(composed) == before
    other = Settings(frames=FramesSettings(hop_length=1024))
    (song,) = composed_songs(home, SEEDS[:1], other)
    assert composed[before:] == [1]
    assert song.features.index[1] == pytest.approx(1024 / 22050)


def test_interrupted_song_is_made_again(composed, home, songs):
    """The description is written last. If it is missing, the other files are not used."""
    config = digest(features_config(Settings()), synth.VERSION, later={"instruments": INSTRUMENTS})
    about = Corpus(home).composed_path(config, "1.json")
    facts = json.loads(about.read_text())
    about.unlink()
    about.with_name("1.features.parquet").write_bytes(b"half")
    (song,) = composed_songs(home, SEEDS[:1], Settings())
    assert song.features.equals(songs[0].features)
    assert json.loads(about.read_text()) == facts


def test_units_without_a_label_do_not_count_and_any_name_may_be_true(bundle, songs):
    path = bundle.form(songs[0].features, songs[0].overview, songs[0].duration).path
    found = np.array(bundle.states.states)[path]
    assert named_f1(bundle, [replace(songs[0], truth=np.where(np.arange(len(found)) % 2, found, ""))]) == 1
    assert named_f1(bundle, [replace(songs[0], truth=np.full(len(found), "verse"))]) == 0


def log_losses(bundle, songs, factors):
    """Return the log-loss of the true states for multiples of the temperature of a bundle."""
    found = []
    for factor in factors:
        warm = replace(bundle.calibration, temperature=factor * bundle.calibration.temperature)
        forms = [replace(bundle, calibration=warm).form(s.features, s.overview, s.duration) for s in songs]
        truth = [[bundle.states.states.index(name) for name in song.truth] for song in songs]
        found.append(log_loss(np.concatenate(truth), np.concatenate([f.joint for f in forms]), labels=range(5)))
    return found


@pytest.mark.parametrize("share_changed", [0.1, 0.3])
def test_calibration_has_the_temperature_with_the_smallest_log_loss(bundle, songs, share_changed):
    rng = np.random.default_rng(3)
    changed = [np.where(rng.random(len(s.truth)) < share_changed, rng.permutation(s.truth), s.truth) for s in songs]
    known = [replace(song, truth=truth) for song, truth in zip(songs, changed, strict=True)]
    found = calibrated(bundle, known, "people")
    assert found.calibration.truth == "people"
    losses = log_losses(found, known, [0.8, 1, 1.25])
    assert min(losses) == losses[1]
    assert calibrated(found, known, "people") == found  # an earlier calibration does not matter


def test_without_songs_a_network_gets_no_weight(bundle):
    assert best_weight(bundle, []) == (0.0, {})


def test_units_with_another_state_are_left_out_of_the_calibration(bundle, songs):
    partly = [replace(song, truth=np.where(np.arange(len(song.truth)) % 2, song.truth, "verse")) for song in songs]
    none = [replace(song, truth=np.full(len(song.truth), "verse")) for song in songs]
    assert 0 < calibrated(bundle, partly, "composed").calibration.temperature < np.inf
    assert calibrated(bundle, none, "composed").calibration.temperature == 1


@pytest.mark.parametrize(("prior_songs", "instruments"), [(0.0, "study"), (100.0, INSTRUMENTS)])
def test_weight_is_chosen_on_the_songs_of_earlier_versions_only_without_a_prior(
    tmp_path, monkeypatch, prior_songs, instruments
):
    asked = []
    monkeypatch.setattr("tasks.train.reference_songs.composed_songs", lambda *which, **how: asked.append((which, how)))
    settings = Settings.model_validate({"states": {"prior_songs": prior_songs}})
    tuning_songs(tmp_path, Plan(Split(), "", "", ""), settings)
    assert asked == [((tmp_path, TUNING_SEEDS, settings), {"instruments": instruments})]


def test_named_f1_is_that_of_scikit_learn(bundle, songs):
    paths = [bundle.form(song.features, song.overview, song.duration).path for song in songs]
    answers = np.concatenate([np.array(bundle.states.states)[path] for path in paths])
    truth = np.concatenate([song.truth for song in songs])
    expected = f1_score(truth, answers, average="macro", labels=np.unique(truth), zero_division=0)
    assert named_f1(bundle, songs) == pytest.approx(expected)


def test_unnamed_state_counts_as_wrong(bundle, songs):
    nameless = replace(bundle, states=replace(bundle.states, states=tuple(f"State {k}" for k in range(6, 11))))
    assert named_f1(nameless, songs) == 0


def test_network_that_does_not_help_gets_no_weight(bundle, songs):
    weight, tried = best_weight(bundle, songs)
    assert weight == 0
    assert set(tried) == set(WEIGHTS)
    assert set(tried.values()) == {named_f1(bundle, songs)}


@pytest.mark.parametrize("well", [True, False])
def test_network_gets_the_weight_with_the_best_score(bundle, songs, well):
    asked, marked = advised(bundle, songs, well=well)
    weight, tried = best_weight(asked, marked)
    assert tried == {each: named_f1(asked.with_weight(each), marked) for each in WEIGHTS}
    assert tried[weight] == max(tried.values())
    assert all(score < tried[weight] for each, score in tried.items() if each < weight)  # the smallest of the best
    assert (weight > 0) == well
    assert tried[2.0] > 0.9 if well else tried[2.0] < tried[0.0]
