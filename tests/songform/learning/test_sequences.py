from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from songform.errors import ParameterError
from songform.features.frame_features import frame_features
from songform.features.stft import frame_times
from songform.learning.sequences import SongWindows, Windows, WindowShape, standard_inputs, window_probabilities
from songform.structure.pooling import frame_units, pooled

SR, HOP = 22050, 512

shapes = st.builds(
    WindowShape,
    pool_seconds=st.sampled_from([0.0, 0.1, 0.25, 0.5]),
    seconds=st.floats(0.5, 3.0),
    hop_seconds=st.floats(0.1, 2.0),
    hop_length=st.sampled_from([512, 1024]),
)
# Intervals of a song in seconds, in order of time.
spans = (
    st.lists(st.integers(0, 2000), min_size=2, max_size=6, unique=True)
    .map(sorted)
    .map(lambda edges: [(a / 100, b / 100) for a, b in zip(edges[::2], edges[1::2], strict=False)])
)


def units_of(n_frames, shape):
    return frame_units(n_frames, sr=SR, hop_length=shape.hop_length, unit_seconds=shape.pool_seconds)


def numbered(n_frames, shape):
    """Return inputs that are the indices of the units, and labels that are the indices of the frames."""
    units = np.unique(units_of(n_frames, shape))
    return units[:, None].astype(np.float32), np.arange(n_frames)


def cut(n_frames, shape, spans, **how):
    return SongWindows.of(*numbered(n_frames, shape), shape, spans=spans, **how)


@given(st.integers(1, 900), shapes, spans, st.sampled_from(["current", "ahead"]), st.floats(0.1, 3.0))
def test_windows_equal_those_of_a_plain_loop(n_frames, shape, spans, target, ahead_seconds):
    expected = []
    n_units = units_of(n_frames, shape)[-1] + 1
    for start, end in spans:
        since_last = None
        for first in range(n_units - shape.n_steps + 1):
            last = first + shape.n_steps - 1
            if first * shape.unit_seconds < start - 1e-9 or (last + 1) * shape.unit_seconds > end + 1e-9:
                continue
            since_last = 0 if since_last is None else since_last + 1
            moment = (last + 0.5) * shape.unit_seconds
            if target == "ahead":
                moment = (last + 1) * shape.unit_seconds + shape.reach_seconds + ahead_seconds
            distances = np.abs(np.arange(n_frames + 200) * shape.hop_length / SR - moment)
            frame = distances.round(9).argmin()  # midway between two, the earlier
            if since_last % shape.hop_units == 0 and moment < end and frame < n_frames:
                expected.append((last, frame))
    windows = cut(n_frames, shape, spans, target=target, ahead_seconds=ahead_seconds)
    assert list(zip(windows.ends, windows.targets, strict=True)) == expected


@given(st.integers(1, 900), shapes, spans, st.sampled_from(["current", "ahead"]), st.floats(0.1, 3.0))
def test_no_window_and_no_target_crosses_a_span(n_frames, shape, spans, target, ahead_seconds):
    windows = cut(n_frames, shape, spans, target=target, ahead_seconds=ahead_seconds)
    begins = (windows.ends - shape.n_steps + 1) * shape.unit_seconds
    half_frame = 0.5 * shape.hop_length / SR
    # Each window up to its end, and each window up to its target, lies within one span.
    for last in ((windows.ends + 1) * shape.unit_seconds, windows.targets * shape.hop_length / SR - half_frame):
        within = [(begins >= start - 1e-6) & (last <= end + 1e-6) for start, end in spans]
        assert np.any(within, axis=0).all()


@pytest.mark.parametrize("pool_seconds", [0.0, HOP / SR, 0.1, 0.25])
def test_the_current_target_is_the_state_of_a_frame_of_the_last_unit(pool_seconds):
    """If each frame is a unit, the target is the state of that frame and not of its neighbor."""
    shape = WindowShape(pool_seconds=pool_seconds, seconds=1.0, hop_seconds=0.1)
    windows = cut(2000, shape, [(0.0, np.inf)])
    assert len(windows.ends) > 50
    assert np.array_equal(units_of(2000, shape)[windows.targets], windows.ends)


@pytest.mark.parametrize(
    "shape",
    [
        WindowShape(seconds=1.0),
        WindowShape(pool_seconds=0.1, seconds=0.5, hop_seconds=0.1),
        WindowShape(pool_seconds=0.0, seconds=0.2, hop_seconds=0.1),
        WindowShape(seconds=1.0, frame_length=1024, hop_length=256),
        WindowShape(seconds=1.0, sr=16000, frame_length=4096),
    ],
)
def test_window_does_not_depend_on_sound_after_t_and_target_is_ahead_of_t(rng, shape):
    """The last sample on which a window depends is found by changing the sound."""
    y = 0.1 * rng.standard_normal(round(8 * shape.sr))
    n_frames = 1 + len(y) // shape.hop_length
    ahead_seconds = 1.5

    def song(sound):
        features = frame_features(
            sound, int(shape.sr), frame_length=shape.frame_length, hop_length=shape.hop_length
        ).to_numpy(np.float64)
        inputs = standard_inputs(features, np.zeros(38), np.ones(38), shape)
        return SongWindows.of(inputs, np.arange(n_frames), shape, target="ahead", ahead_seconds=ahead_seconds)

    plain = song(y)
    assert len(plain.ends) > 5
    times = frame_times(n_frames, sr=shape.sr, hop_length=shape.hop_length)[plain.targets]
    for which in (0, len(plain.ends) // 2, len(plain.ends) - 1):
        t = (plain.ends[which] + 1) * shape.unit_seconds + shape.reach_seconds
        assert abs(times[which] - (t + ahead_seconds)) <= 0.501 * shape.hop_length / shape.sr
        after = int(np.ceil(t * shape.sr))
        for first, same in ((after, True), (after - shape.frame_length // 2 - shape.hop_length, False)):
            changed = y.copy()
            changed[first:] = 0.9 * rng.standard_normal(len(y) - first)
            heard = song(changed).windows(np.array([which]), shape.n_steps)
            assert np.array_equal(heard, plain.windows(np.array([which]), shape.n_steps)) == same


def test_unknown_target_is_rejected():
    with pytest.raises(ParameterError, match="'current' or 'ahead', not 'expert'"):
        cut(100, WindowShape(seconds=1.0), [(0.0, np.inf)], target="expert")


def test_windows_are_consecutive_units_up_to_their_end(rng):
    inputs = rng.standard_normal((30, 3)).astype(np.float32)
    song = SongWindows(inputs, np.array([4, 9, 29]), np.zeros(3, np.intp))
    windows = song.windows(np.array([2, 0]), 5)
    assert np.array_equal(windows, np.stack([inputs[25:30], inputs[0:5]]))
    assert windows.flags.c_contiguous
    assert windows.dtype == np.float32


def test_inputs_are_standardised_before_they_are_pooled(rng):
    features = rng.standard_normal((100, 4)) * [1, 10, 100, 1000] + 5
    center, scale = features.mean(axis=0), features.std(axis=0)
    shape = WindowShape()
    standard = (features - center) / scale
    mean, std = pooled(standard, units_of(100, shape))
    inputs = standard_inputs(features, center, scale, shape)
    assert inputs.dtype == np.float32
    assert np.allclose(inputs, np.hstack([mean, std]), atol=1e-6)
    bare = standard_inputs(features, center, scale, WindowShape(pool_seconds=0.0))
    assert np.allclose(bare, standard, atol=1e-5)


def predicted(windows):
    """Return probabilities that depend on every value of a window and on its position."""
    weights = np.arange(1.0, windows[0].size + 1).reshape(windows.shape[1:])
    first = 1 / (1 + np.exp(-np.tensordot(windows, np.sin(weights), axes=2)))
    return np.stack([first, 1 - first], axis=1).astype(np.float32)


@given(st.integers(1, 40), st.integers(2, 12), st.integers(1, 50))
@example(1, 12, 256)
@example(12, 12, 1)
def test_window_probabilities_equal_those_of_a_plain_loop(n_units, n_steps, batch_size):
    inputs = np.random.default_rng(n_units).standard_normal((n_units, 3)).astype(np.float32)
    expected = []
    for end in range(n_units):
        start = max(end, n_steps - 1, 0) - n_steps + 1  # units before the end of the first full window use that window
        window = inputs[start : start + n_steps]
        missing = n_steps - len(window)
        window = np.concatenate([inputs[:1]] * missing + [window])
        expected.append(predicted(window[None])[0])
    answers = window_probabilities(predicted, inputs, n_steps, batch_size=batch_size)
    assert answers.dtype == np.float64
    assert np.allclose(answers, expected, atol=1e-6)


class Library:
    """Songs with a different number in every unit, so that every window is unique."""

    def __init__(self, counts, n_steps=4):
        self.n_steps = n_steps
        self.songs = {}
        for number, count in enumerate(counts):
            inputs = (1000 * number + np.arange(count + n_steps + 1, dtype=np.float32))[:, None]
            ends = np.arange(count) + n_steps - 1
            self.songs[f"song-{number}"] = SongWindows(inputs, ends, inputs[ends, 0].astype(np.intp))
        self.read = []

    def load(self, key):
        """Return the windows of a song, and record its key."""
        self.read.append(key)
        return self.songs[key]

    def stream(self, seed, batch_size=7):
        """Return a new stream of all songs."""
        return Windows(self.load, list(self.songs), n_steps=self.n_steps, batch_size=batch_size, seed=seed)

    def in_memory(self):
        """Return all windows and all targets, in order."""
        parts = [song.windows(np.arange(len(song.ends)), self.n_steps) for song in self.songs.values()]
        return np.concatenate(parts), np.concatenate([song.targets for song in self.songs.values()])


@settings(max_examples=40)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=150), st.integers(1, 20), st.sampled_from([None, 0, 5]))
@example([3] * 70, 7, None)
@example([0, 0], 7, 1)
def test_each_pass_yields_every_window_once_with_its_target(counts, batch_size, seed):
    library = Library(counts)
    stream = library.stream(seed, batch_size)
    whole, targets = library.in_memory()
    for _ in range(2):
        batches = list(stream)
        assert len(batches) == len(stream)
        assert [len(batch) for _, batch in batches[:-1]] == [batch_size] * (len(batches) - 1)
        windows = np.concatenate([np.zeros((0, 4, 1)), *(windows for windows, _ in batches)])
        answers = np.concatenate([np.zeros(0, np.intp), *(batch for _, batch in batches)])
        assert np.array_equal(windows[:, -1, 0], answers)
        order = np.argsort(answers)
        assert np.array_equal(windows[order], whole[np.argsort(targets)])
    assert np.array_equal(stream.targets(), targets)


def test_batches_without_a_seed_equal_those_of_all_windows_in_memory():
    library = Library([5, 0, 12, 3, 1] * 20)  # the first 64 songs do not fill their last batch
    whole, targets = library.in_memory()
    stream = library.stream(None)
    for _ in range(2):
        for first, (windows, answers) in zip(range(0, len(targets), 7), stream, strict=True):
            assert np.array_equal(windows, whole[first : first + 7])
            assert np.array_equal(answers, targets[first : first + 7])


def test_seed_shuffles_each_pass_differently_and_every_stream_equally():
    library = Library([20, 30, 10])
    one, other = library.stream(3), library.stream(3)
    passes = [np.concatenate([targets for _, targets in one]) for _ in range(3)]
    again = [np.concatenate([targets for _, targets in other]) for _ in range(3)]
    assert all(map(np.array_equal, passes, again))
    assert len({tuple(order) for order in passes}) == 3
    assert tuple(passes[0]) != tuple(np.concatenate([targets for _, targets in library.stream(4)]))


def test_windows_of_different_songs_are_mixed():
    _, targets = next(iter(Library([100] * 10).stream(0, batch_size=50)))
    assert len(np.unique(targets // 1000)) > 5


def test_at_most_64_songs_are_loaded_at_once():
    library = Library([2] * 130)
    batches = iter(library.stream(0))
    next(batches)
    assert len(library.read) == 64
    assert len(set(library.read) | {key for _ in batches for key in library.read}) == 130
    assert len(library.read) == 130
