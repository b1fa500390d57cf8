from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from songform.errors import ParameterError
from songform.features.stft import Framer, frame_times, n_frames, sliding_frames, validate_framing

quarters = st.integers(1, 16)


def framed_in_chunks(y, cuts, **how):
    """Push `y`, cut at `cuts`, into a Framer, and return its frames and the first frame of each block."""
    framer = Framer(**how)
    frames, starts = [], []

    def collect(stretches):
        for samples in stretches:
            starts.append(framer.first_frame)
            view = np.lib.stride_tricks.sliding_window_view(samples, framer.frame_length)[:: framer.hop_length]
            frames.append(view.copy())

    for chunk in np.split(y, sorted(cuts)):
        collect(framer.push(chunk))
    collect(framer.flush())
    return np.concatenate(frames), starts


def whole_frames(y, frame_length, hop_length):
    """Return all frames of a signal, sample by sample, by the equation in the docstring of the module."""
    frames = np.zeros((n_frames(len(y), hop_length), frame_length))
    for i, frame in enumerate(frames):
        for place, position in enumerate(range(hop_length * i - frame_length // 2, hop_length * i + frame_length // 2)):
            frame[place] = y[position] if 0 <= position < len(y) else 0
    return frames


@given(st.integers(0, 300), quarters, st.integers(1, 9), st.data())
def test_frames_follow_the_equation_for_any_division_into_chunks(n_samples, quarter, block_frames, data):
    frame_length = 4 * quarter
    hop_length = data.draw(st.integers(1, frame_length))
    cuts = data.draw(st.lists(st.integers(0, n_samples), max_size=6))
    y = np.arange(1.0, n_samples + 1)
    how = {"frame_length": frame_length, "hop_length": hop_length}
    frames, starts = framed_in_chunks(y, cuts, block_frames=block_frames, dtype=np.float64, **how)
    np.testing.assert_array_equal(frames, whole_frames(y, **how))
    assert starts == list(range(0, len(frames), block_frames))


def test_yielded_blocks_are_not_overwritten(rng):
    framer = Framer(frame_length=8, hop_length=2, block_frames=3)
    blocks = list(framer.push(rng.standard_normal(100).astype(np.float32)))
    copies = [block.copy() for block in blocks]
    blocks += list(framer.push(rng.standard_normal(100).astype(np.float32)))
    np.testing.assert_array_equal(blocks[: len(copies)], copies)


def test_times_of_frames_are_exact_after_twelve_hours():
    """In float32 the error would be milliseconds."""
    n = 12 * 3600 * 22050 // 512
    times = frame_times(n)
    assert times.dtype == np.float64
    assert times[[0, 1, -1]].tolist() == [0, 512 / 22050, 512 * (n - 1) / 22050]


def test_times_can_start_at_any_frame():
    np.testing.assert_array_equal(frame_times(7, first_frame=100), frame_times(107)[100:])


def test_sliding_frames_are_read_only_views_along_the_last_axis(rng):
    y = rng.standard_normal((3, 50))
    frames = sliding_frames(y, 8, 5)
    np.testing.assert_array_equal(frames, np.lib.stride_tricks.sliding_window_view(y, 8, axis=-1)[:, ::5])
    assert not frames.flags.writeable


def test_number_of_frames_equals_that_of_librosa():
    import librosa

    for n_samples in (2048, 5119, 5120, 5121):
        assert n_frames(n_samples, 512) == librosa.stft(np.zeros(n_samples)).shape[1]


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"frame_length": 2046}, "multiple of 4 samples.*not 2046"),
        ({"frame_length": 0}, "multiple of 4 samples"),
        ({"hop_length": 0}, "from 1 to frame_length.*not 0"),
        ({"hop_length": 4096}, "from 1 to frame_length.*not 4096"),
        ({"hop_length": 1.5}, "whole number.*not 1.5"),
    ],
)
def test_error_for_an_invalid_length_contains_its_value(how, message):
    how = {"frame_length": 2048, "hop_length": 512} | how
    with pytest.raises(ParameterError, match=message):
        validate_framing(**how)
    with pytest.raises(ParameterError, match=message):
        Framer(**how)
