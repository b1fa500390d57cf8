from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from songform.errors import ParameterError
from songform.features.framing import Framer, Framing, frame_times, frames_of, n_frames, sliding_frames

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


@given(st.integers(0, 300), quarters, st.data())
def test_a_frame_is_the_slice_of_the_padded_signal_that_the_equation_names(n_samples, quarter, data):
    frame_length = 4 * quarter
    hop_length = data.draw(st.integers(1, frame_length))
    y = np.arange(1.0, n_samples + 1)
    frames = frames_of(y, frame_length=frame_length, hop_length=hop_length)
    assert frames.shape == (n_frames(n_samples, hop_length), frame_length)
    for i, frame in enumerate(frames):
        positions = np.arange(hop_length * i - frame_length // 2, hop_length * i + frame_length // 2)
        expected = [y[p] if 0 <= p < n_samples else 0 for p in positions]
        np.testing.assert_array_equal(frame, expected)


@given(st.integers(0, 300), quarters, st.integers(1, 9), st.data())
def test_a_stream_gives_the_frames_of_the_whole_signal_however_it_is_cut(n_samples, quarter, block_frames, data):
    frame_length = 4 * quarter
    hop_length = data.draw(st.integers(1, frame_length))
    cuts = data.draw(st.lists(st.integers(0, n_samples), max_size=6))
    y = np.arange(1.0, n_samples + 1)
    how = {"frame_length": frame_length, "hop_length": hop_length}
    frames, starts = framed_in_chunks(y, cuts, block_frames=block_frames, dtype=np.float64, **how)
    np.testing.assert_array_equal(frames, frames_of(y, **how))
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


def test_a_framing_counts_its_frames_as_soon_as_the_length_is_known():
    assert Framing().n_frames is None
    assert Framing(n_samples=5120).n_frames == 11


def test_a_framing_reads_its_source_from_the_start_each_time():
    framing = Framing(source=lambda: iter([np.ones(3, np.float32), np.zeros(2, np.float32)]))
    assert [len(block) for block in framing.blocks()] == [3, 2]
    assert [len(block) for block in framing.blocks()] == [3, 2]


def test_a_framing_without_source_says_so():
    with pytest.raises(ParameterError, match="no source"):
        list(Framing().blocks())


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"sr": 0}, "sr must be"),
        ({"frame_length": 2046}, "multiple of 4 samples.*not 2046"),
        ({"frame_length": 0}, "multiple of 4 samples"),
        ({"hop_length": 0}, "from 1 to frame_length.*not 0"),
        ({"hop_length": 4096}, "from 1 to frame_length.*not 4096"),
        ({"hop_length": 1.5}, "whole number.*not 1.5"),
    ],
)
def test_an_impossible_framing_is_refused_with_its_value(how, message):
    with pytest.raises(ParameterError, match=message):
        Framing(**how)
