from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from songform.errors import ParameterError
from songform.features.stft import Framer, frame_times, n_frames, sliding_frames, validate_framing

quarters = st.integers(1, 16)


def framed_in_chunks(y, cuts, **how):
    """Feed a Framer with `y` cut at `cuts`; return its frames, and where each block began."""
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
    """Cut a signal into all its frames as the equation in the module's docstring says, sample by sample."""
    frames = np.zeros((n_frames(len(y), hop_length), frame_length))
    for i, frame in enumerate(frames):
        for place, position in enumerate(range(hop_length * i - frame_length // 2, hop_length * i + frame_length // 2)):
            frame[place] = y[position] if 0 <= position < len(y) else 0
    return frames


@given(st.integers(0, 300), quarters, st.integers(1, 9), st.data())
def test_a_stream_gives_the_frames_that_the_equation_names_however_it_is_cut(n_samples, quarter, block_frames, data):
    frame_length = 4 * quarter
    hop_length = data.draw(st.integers(1, frame_length))
    cuts = data.draw(st.lists(st.integers(0, n_samples), max_size=6))
    y = np.arange(1.0, n_samples + 1)
    how = {"frame_length": frame_length, "hop_length": hop_length}
    frames, starts = framed_in_chunks(y, cuts, block_frames=block_frames, dtype=np.float64, **how)
    np.testing.assert_array_equal(frames, whole_frames(y, **how))
    assert starts == list(range(0, len(frames), block_frames))


def test_a_block_once_handed_on_is_never_written_to_again(rng):
    framer = Framer(frame_length=8, hop_length=2, block_frames=3)
    blocks = list(framer.push(rng.standard_normal(100).astype(np.float32)))
    copies = [block.copy() for block in blocks]
    blocks += list(framer.push(rng.standard_normal(100).astype(np.float32)))
    np.testing.assert_array_equal(blocks[: len(copies)], copies)


def test_times_are_the_centres_of_the_frames_even_after_twelve_hours():
    """float32 would be off by milliseconds there."""
    n = 12 * 3600 * 22050 // 512
    times = frame_times(n)
    assert times.dtype == np.float64
    assert times[[0, 1, -1]].tolist() == [0, 512 / 22050, 512 * (n - 1) / 22050]


def test_times_may_begin_at_any_frame():
    np.testing.assert_array_equal(frame_times(7, first_frame=100), frame_times(107)[100:])


def test_frames_slide_over_the_last_axis_and_cannot_be_written_to(rng):
    y = rng.standard_normal((3, 50))
    frames = sliding_frames(y, 8, 5)
    np.testing.assert_array_equal(frames, np.lib.stride_tricks.sliding_window_view(y, 8, axis=-1)[:, ::5])
    assert not frames.flags.writeable


def test_the_number_of_frames_is_librosas():
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
def test_impossible_lengths_are_refused_with_their_value(how, message):
    how = {"frame_length": 2048, "hop_length": 512} | how
    with pytest.raises(ParameterError, match=message):
        validate_framing(**how)
    with pytest.raises(ParameterError, match=message):
        Framer(**how)
