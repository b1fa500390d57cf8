from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from songform.bundle import Bundle, SequenceModel
from songform.errors import ModelError
from songform.features.extraction import describe_audio
from songform.features.frame_features import FEATURE_COLUMNS
from songform.learning.calibration import Calibration, tempered
from songform.learning.recurrent_network import RecurrentNetwork
from songform.learning.sequence_inputs import SongTables, song_inputs
from songform.learning.sequences import WindowShape, standard_inputs
from songform.structure.silence import SILENCE
from songform.structure.states import fit_states, state_posterior, unit_vectors
from songform.structure.viterbi import joint_posterior

SR, HOP, SECONDS = 22050, 512, 20.3


class FakeNetwork:
    """A substitute for a trained network, without TensorFlow; depends on the last and the first unit of a window."""

    def predict_on_batch(self, windows):
        """Return probabilities of three states, shape (n, 3)."""
        scores = np.stack([windows[:, -1, 0], windows[:, 0, 1], windows[:, -1, 2] - windows[:, 0, 3]], axis=1)
        odds = np.exp(scores - scores.max(axis=1, keepdims=True))
        return (odds / odds.sum(axis=1, keepdims=True)).astype(np.float32)


def lstm(n_inputs, *, every_step=False, n_units=8):
    """Return an LSTM network of three states with random weights."""
    rng = np.random.default_rng(2)
    shapes = [(n_inputs, 4 * n_units), (n_units, 4 * n_units), (4 * n_units,), (n_units, 3), (3,)]
    weights = [rng.normal(scale=0.3, size=shape) for shape in shapes]
    return RecurrentNetwork.from_weights(weights, [False], every_step=every_step)


@pytest.fixture(scope="module")
def song():
    """Return features, overview and duration of 20 s of increasing loudness, with tones and noise in turn."""
    rng = np.random.default_rng(5)
    t = np.arange(round(SECONDS * SR)) / SR
    tone = np.sin(2 * np.pi * 220 * 2 ** (np.floor(2 * t) % 4 / 12) * t)
    y = (0.01 + 0.02 * t) * np.where(t % 10 < 5, tone, rng.standard_normal(len(t)))
    features, overview, n_samples = describe_audio([y.astype(np.float32)])
    return features, overview, n_samples / SR


@pytest.fixture(scope="module")
def bundle(song):
    features, overview, _ = song
    states = fit_states([unit_vectors(features, overview)], n_states=3)
    center, scale = features.mean().to_numpy(np.float64), features.std().to_numpy(np.float64)
    shape = WindowShape(seconds=2.0)
    return Bundle(states, SequenceModel(FakeNetwork(), center, scale, shape), 0.5, tuple(features.columns))


def with_sequence(bundle, **changes):
    return replace(bundle, sequence=replace(bundle.sequence, **changes))


def plain_answers(bundle, features):
    """Return the probabilities of the network for each frame, computed window by window."""
    shape = bundle.sequence.shape
    center, scale = bundle.sequence.center, bundle.sequence.scale
    inputs = standard_inputs(features.to_numpy(np.float64), center, scale, shape)
    first_row = standard_inputs(features.to_numpy(np.float64)[:1], center, scale, shape)
    unit_of_frame = [int(i * HOP / SR / shape.unit_seconds + 1e-9) for i in range(len(features))]
    rows = []
    for unit in unit_of_frame:
        end = max(unit, min(shape.n_steps, len(inputs)) - 1) + 1
        window = inputs[max(0, end - shape.n_steps) : end]
        window = np.concatenate([np.repeat(first_row, shape.n_steps - len(window), axis=0), window])
        rows.append(bundle.sequence.network.predict_on_batch(window[None])[0])
    return np.array(rows, dtype=np.float64)


@pytest.mark.parametrize("pool_seconds", [0.25, 0.0])
def test_predict_returns_the_answer_of_the_network_for_each_frame(bundle, song, pool_seconds):
    bundle = with_sequence(bundle, shape=WindowShape(pool_seconds, seconds=2.0))
    features, _, _ = song
    answer = bundle.predict(features)
    rows = plain_answers(bundle, features)
    assert list(answer.columns) == ["state", "confidence"]
    assert answer.index.equals(features.index)
    assert answer["state"].tolist() == [bundle.states.states[k] for k in rows.argmax(axis=1)]
    assert np.allclose(answer["confidence"], rows.max(axis=1), atol=1e-6)
    assert answer["confidence"].dtype == np.float64
    assert answer["state"].nunique() == 3


def test_frames_before_the_first_complete_window_get_its_answer(bundle, song):
    features, _, _ = song
    answer = bundle.predict(features)
    first = answer[features.index < 2.0]  # length of the window
    assert (first == first.iloc[-1]).all(axis=None)
    assert answer["confidence"].iloc[len(first)] != first["confidence"].iloc[-1]


@settings(max_examples=20)
@given(n=st.integers(1, 90))
def test_table_shorter_than_a_window_gets_an_answer_for_each_frame(bundle, song, n):
    features = song[0].iloc[300 : 300 + n]
    answer = bundle.predict(features)
    assert answer.index.equals(features.index)
    assert np.allclose(answer["confidence"], plain_answers(bundle, features).max(axis=1), atol=1e-6)
    assert answer["confidence"].between(1 / 3, 1).all()
    assert set(answer["state"]) <= set(bundle.states.states)


def test_index_order_of_columns_and_additional_columns_do_not_change_the_answer(bundle, song):
    features, _, _ = song
    other = features[list(features.columns[::-1])].astype(np.float64).assign(tempo="fast")
    other.index = pd.Index(["same"] * len(other), name="label")
    answer = bundle.predict(other)
    assert answer.index.equals(other.index)
    assert answer.reset_index(drop=True).equals(bundle.predict(features).reset_index(drop=True))


def test_predict_does_not_modify_the_table(bundle, song):
    features, _, _ = song
    before = features.copy()
    bundle.predict(features)
    pd.testing.assert_frame_equal(features, before)


@pytest.mark.parametrize("ask", ["predict", "form"])
def test_table_without_rows_or_columns_is_an_error(bundle, song, ask):
    features, overview, duration = song
    more = (overview, duration) if ask == "form" else ()
    missing = features.drop(columns=["mfcc_01", "rms_mean"])
    with pytest.raises(
        ModelError, match=r"feature table lacks .*rms_mean, mfcc_01;.*songform\.frame_features.* 38 columns"
    ):
        getattr(bundle, ask)(missing, *more)
    with pytest.raises(ModelError, match=r"feature table has no rows.* 38 columns"):
        getattr(bundle, ask)(features.iloc[:0], *more)


def test_predict_returns_states_even_in_silence_which_form_labels_as_silence(bundle):
    loud = np.random.default_rng(1).standard_normal(5 * SR).astype(np.float32)
    features, overview, n_samples = describe_audio([np.concatenate([loud, np.zeros(5 * SR, np.float32)])])
    answer, probabilities = bundle.predict(features), plain_answers(bundle, features)
    assert answer["state"].tolist() == [bundle.states.states[k] for k in probabilities.argmax(axis=1)]
    assert [segment.state for segment in bundle.form(features, overview, n_samples / SR).segments][-1] == SILENCE
    assert SILENCE not in set(answer["state"])


def test_predict_without_a_network_is_an_error(bundle, song):
    with pytest.raises(ModelError, match=r"no network.*songform train"):
        replace(bundle, sequence=None).predict(song[0])


@settings(max_examples=15)
@given(seconds=st.floats(0.01, 20.0), weight=st.sampled_from([0.0, 1.0]), ear=st.booleans(), ahead=st.booleans())
def test_segments_of_a_form_partition_the_song(bundle, seconds, weight, ear, ahead):
    t = np.arange(max(1, round(seconds * SR))) / SR
    features, overview, n_samples = describe_audio([np.sin(2 * np.pi * 300 * t * (1 + t % 3)) * (t % 4)])
    duration = n_samples / SR
    bundle = with_sequence(bundle, target="ahead" if ahead else "current").with_weight(weight)
    form = (bundle if ear else replace(bundle, sequence=None)).form(features, overview, duration)
    assert form.segments[0].start == 0
    assert form.segments[-1].end == duration
    assert all(
        one.end == other.start and one.state != other.state
        for one, other in zip(form.segments, form.segments[1:], strict=False)
    )
    assert all(segment.start < segment.end and 0 < segment.confidence <= 1 for segment in form.segments)
    n_units = int((len(features) - 1) * HOP / SR / 0.5 + 1e-9) + 1
    assert len(form.path) == n_units
    for part in (form.clusters, form.joint, *([form.sequence] if ear else [])):
        assert part.shape == (n_units, 3)
        assert np.allclose(part.sum(axis=1), 1, atol=1e-6)
    assert (form.sequence is None) == (not ear)


def test_form_combines_the_probabilities_of_clusters_and_network(bundle, song):
    features, overview, duration = song
    form = bundle.form(features, overview, duration)
    vectors = unit_vectors(features, overview)
    assert np.allclose(form.clusters, state_posterior(bundle.states, vectors))
    assert np.allclose(form.joint, joint_posterior(form.clusters, form.sequence, 0.5))
    assert np.allclose(bundle.with_weight(0.0).form(features, overview, duration).joint, form.clusters, atol=1e-9)
    assert form.segments[0].state == bundle.states.states[form.path[0]]


def test_additional_columns_do_not_change_the_form(bundle, song):
    features, overview, duration = song
    assert bundle.form(features.assign(tempo=1.0), overview, duration).segments == bundle.form(*song).segments


def test_probabilities_at_a_time_are_those_of_the_window_with_its_target_there(bundle, song):
    """All states are equally likely before the first complete window."""
    values = SongTables(song[0])
    current, ahead = bundle.sequence, replace(bundle.sequence, target="ahead", ahead_seconds=1.5)
    rows = current.probabilities(values)
    rows[: current.shape.n_steps - 1] = 1 / 3
    unit, reach = 0.25, current.shape.reach_seconds
    assert np.array_equal(current.at(values, (np.arange(len(rows)) + 0.5) * unit), rows)
    targets = (np.arange(len(rows)) + 1) * unit + reach + 1.5
    assert np.array_equal(ahead.at(values, targets), rows)
    assert np.array_equal(ahead.at(values, targets - 0.12)[20], rows[20])
    assert np.array_equal(ahead.at(values, targets + 0.12)[20], rows[20])
    assert np.array_equal(ahead.at(values, np.array([0.0, 1e3])), rows[[0, -1]])


@pytest.fixture
def unitwise(bundle):
    """Return a function that gives the bundle a network with a prediction at each unit and some groups of inputs."""

    def make(*inputs, n_inputs=76, **changes):
        shape = WindowShape(0.5, every_unit=True)
        return with_sequence(
            bundle, network=lstm(n_inputs, every_step=True), shape=shape, inputs=inputs or ("features",), **changes
        )

    return make


def test_network_with_a_prediction_at_each_unit_reads_the_whole_song(unitwise, song):
    features, overview, duration = song
    bundle = unitwise("features")
    sequence = bundle.sequence
    inputs = standard_inputs(features.to_numpy(np.float64), sequence.center, sequence.scale, sequence.shape)
    expected = sequence.network(inputs)
    form = bundle.form(features, overview, duration)
    np.testing.assert_allclose(form.sequence, expected, atol=1e-6)
    of_frame = (np.arange(len(features)) * HOP / SR / 0.5 + 1e-9).astype(int)
    np.testing.assert_allclose(bundle.predict(features)["confidence"], expected.max(axis=1)[of_frame], atol=1e-6)


def test_before_the_first_target_ahead_all_states_are_equally_likely(unitwise, song):
    ahead = unitwise("features", target="ahead", ahead_seconds=2.0).sequence
    rows = ahead.at(SongTables(song[0]), np.arange(0.25, 12, 0.5))
    first = 0.5 + ahead.shape.reach_seconds + 2.0  # target of the first unit
    is_known = np.arange(0.25, 12, 0.5) >= first - 0.25
    assert (rows[~is_known] == 1 / 3).all()
    np.testing.assert_array_equal(rows[is_known], ahead.probabilities(SongTables(song[0]))[: is_known.sum()])


def test_form_gives_the_context_to_a_network_that_reads_it(unitwise, song):
    features, overview, _ = song
    bundle = unitwise("features", "context", n_inputs=82)
    sequence, context = bundle.sequence, unit_vectors(features, overview)[:, -6:]
    tables = SongTables(features, context)
    inputs = song_inputs(sequence.inputs, tables, sequence.shape, center=sequence.center, scale=sequence.scale)
    np.testing.assert_allclose(bundle.form(*song).sequence, sequence.network(inputs), atol=1e-6)
    with pytest.raises(ModelError, match=r"also reads context, .*songform analyze"):
        bundle.predict(features)


@pytest.fixture(scope="module")
def saved(bundle, tmp_path_factory):
    """Return a bundle with a real network, and the folder in which it was saved."""
    folder = tmp_path_factory.mktemp("bundle")
    trained = with_sequence(bundle, network=lstm(76), target="ahead", ahead_seconds=1.5)
    trained.save(folder)
    return trained, folder


def test_saved_and_loaded_bundle_gives_the_same_answers(saved, song):
    trained, folder = saved
    loaded = Bundle.load(folder)
    pd.testing.assert_frame_equal(loaded.predict(song[0]), trained.predict(song[0]))
    one, other = trained.form(*song), loaded.form(*song)
    assert one.segments == other.segments
    assert np.array_equal(one.joint, other.joint)
    assert (loaded.weight, loaded.columns) == (0.5, FEATURE_COLUMNS)
    assert replace(loaded.sequence, network=None, center=None, scale=None) == replace(
        trained.sequence, network=None, center=None, scale=None
    )


def test_bundle_without_a_network_is_saved_without_network_files(bundle, song, tmp_path):
    alone = replace(bundle, sequence=None)
    alone.save(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bundle.json", "states.npz"]
    loaded = Bundle.load(tmp_path)
    assert loaded.sequence is None
    assert loaded.form(*song).segments == alone.form(*song).segments


def test_calibration_changes_confidences_but_not_states(bundle, song, tmp_path):
    warm = replace(bundle, calibration=Calibration(2.0, "composed"))
    before, after = bundle.form(*song), warm.form(*song)
    np.testing.assert_array_equal(after.path, before.path)
    np.testing.assert_allclose(after.joint, tempered(before.joint, 2.0))
    assert after.joint.max() < before.joint.max()
    replace(warm, sequence=None).save(tmp_path)
    assert Bundle.load(tmp_path).calibration == warm.calibration


def test_bundle_contains_no_pickled_objects(saved):
    _, folder = saved
    for name in ("states.npz", "sequence.npz"):
        with np.load(folder / name, allow_pickle=False) as arrays:
            assert all(arrays[key].dtype != object for key in arrays.files)


@pytest.mark.parametrize("name", ["bundle.json", "states.npz", "sequence.npz", "network.npz"])
@pytest.mark.parametrize("content", [None, b"", b"garbage", b"PK\x03\x04 garbage", "half"])
def test_damaged_bundle_is_an_error(saved, tmp_path, name, content):
    _, folder = saved
    for path in folder.iterdir():
        whole = path.read_bytes()
        (tmp_path / path.name).write_bytes(whole if path.name != name else whole[: len(whole) // 2])
    if content is None:
        (tmp_path / name).unlink()
    elif content != "half":
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelError, match="train again") as caught:
        Bundle.load(tmp_path)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize(
    "wrong",
    [
        [],
        {"weight": 1},
        {"weight": None, "columns": [], "sequence": None},
        {"sequence": {"shape": {"days": 1}}},
        *(
            {"weight": 1, "columns": [], "settings": {}, "sequence": None, "calibration": calibration}
            for calibration in ({"temperature": 0, "truth": "people"}, {"temperature": "hot", "truth": "people"}, {}, 3)
        ),
    ],
)
def test_bundle_with_an_incomplete_description_is_an_error(saved, tmp_path, wrong):
    saved[0].states.save(tmp_path / "states.npz")
    (tmp_path / "bundle.json").write_text(json.dumps(wrong))
    with pytest.raises(ModelError, match=rf"{re.escape(str(tmp_path))} is not a bundle.*\(.+\).*train again"):
        Bundle.load(tmp_path)
