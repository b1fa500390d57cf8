"""Framing: a signal cut into overlapping frames as it streams by.

Conventions
-----------
Frame ``i`` of a signal of ``n_samples`` samples is centred on sample ``hop_length * i``::

    frames[i] == y[hop_length * i - frame_length // 2 : hop_length * i + frame_length // 2]

where ``y`` is zero on both sides of the signal, and ``n_frames == 1 + n_samples // hop_length``. This is librosa's
``center=True, pad_mode="constant"``. A frame's time is that of its centre, in seconds and in float64, because float32
is off by milliseconds in a long file.

References
----------
`librosa.util.frame`, `librosa.stft` and `librosa.frames_to_time` (McFee et al., 2015).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from songform.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import DTypeLike, NDArray

__all__ = ["Framer", "frame_times", "n_frames", "sliding_frames", "validate_framing"]

BLOCK_FRAMES = 128  # 128 frames of 2,048 samples and their spectra stay in a core's second-level cache


def n_frames(n_samples: int, hop_length: int) -> int:
    """Count the frames of a signal: one on its first sample, and one more every `hop_length` samples."""
    return 1 + n_samples // hop_length


def frame_times(
    n_frames: int, *, sr: float = 22050, hop_length: int = 512, first_frame: int = 0
) -> NDArray[np.float64]:
    """Give the centres of consecutive frames in seconds, of shape (n_frames,), like `librosa.times_like`."""
    return np.arange(first_frame, first_frame + n_frames, dtype=np.float64) * hop_length / sr


def sliding_frames(y: NDArray[Any], frame_length: int, hop_length: int) -> NDArray[Any]:
    """View the frames that lie wholly in the last axis of `y`: `sliding_window_view`, with less ado a call."""
    step = y.strides[-1]
    shape = (*y.shape[:-1], 1 + (y.shape[-1] - frame_length) // hop_length, frame_length)
    strides = (*y.strides[:-1], hop_length * step, step)
    return np.lib.stride_tricks.as_strided(y, shape, strides, writeable=False)


class Framer:
    """Collects chunks of any size, and hands on the samples of a whole block of frames at a time.

    A block's bounds depend on the frames' numbers alone, never on the chunks. So whatever is computed block by block is
    the same, bit for bit, however the signal arrives.

    Parameters
    ----------
    frame_length : int
        Samples in a frame; a multiple of 4, because descriptors also look at the quarters of a frame.
    hop_length : int
        Samples from one frame's centre to the next; at most `frame_length`, so that every sample is in a frame.
    block_frames : int
        Frames in a block.
    dtype : dtype
        Type of the samples handed on.

    Attributes
    ----------
    n_samples : int
        Samples taken in so far.
    first_frame : int
        Number of the first frame of the block that is being collected.

    Raises
    ------
    ParameterError
        If `frame_length` or `hop_length` is impossible.
    """

    def __init__(
        self,
        *,
        frame_length: int = 2048,
        hop_length: int = 512,
        block_frames: int = BLOCK_FRAMES,
        dtype: DTypeLike = np.float32,
    ) -> None:
        validate_framing(frame_length, hop_length)
        self.frame_length, self.hop_length, self.block_frames = frame_length, hop_length, block_frames
        self.n_samples = self.first_frame = 0
        self._buffer = np.zeros((block_frames - 1) * hop_length + frame_length, dtype)
        self._filled = frame_length // 2  # the silence before the signal

    def push(self, y: NDArray[Any]) -> Iterator[NDArray[Any]]:
        """Take in a chunk of shape (n_samples,); yield the samples of each block that it completes.

        Yields
        ------
        np.ndarray, shape ((n - 1) * hop_length + frame_length,)
            The samples under the next n frames, zeros where the signal has none.
        """
        self.n_samples += len(y)
        yield from self._fill(y)

    def flush(self) -> Iterator[NDArray[Any]]:
        """Add the silence after the signal; yield the blocks that are left, the last one mostly shorter."""
        yield from self._fill(np.zeros(self.frame_length // 2, self._buffer.dtype))
        if rest := n_frames(self.n_samples, self.hop_length) - self.first_frame:
            yield self._buffer[: (rest - 1) * self.hop_length + self.frame_length]
            self.first_frame += rest

    def _fill(self, y: NDArray[Any]) -> Iterator[NDArray[Any]]:
        at = 0
        while at < len(y):
            n = min(len(y) - at, len(self._buffer) - self._filled)
            self._buffer[self._filled : self._filled + n] = y[at : at + n]
            self._filled += n
            at += n
            if self._filled == len(self._buffer):
                yield self._buffer
                self._advance()

    def _advance(self) -> None:
        # A fresh buffer, so that a block already handed on is never written to again.
        block, overlap = self._buffer, self.frame_length - self.hop_length
        self._buffer = np.empty_like(block)
        self._buffer[:overlap] = block[len(block) - overlap :]
        self._filled = overlap
        self.first_frame += self.block_frames


def validate_framing(frame_length: int, hop_length: int) -> None:
    """Refuse lengths that no signal can be framed with.

    Raises
    ------
    ParameterError
        If `frame_length` is not a positive multiple of 4, or `hop_length` not a whole number from 1 to `frame_length`.
    """
    if frame_length < 4 or frame_length % 4:
        raise ParameterError(
            f"frame_length must be a positive multiple of 4 samples, because a frame is looked at in quarters, "
            f"not {frame_length}; librosa's usual value is 2048"
        )
    if not 0 < hop_length <= frame_length or hop_length != int(hop_length):
        raise ParameterError(
            f"hop_length must be a whole number of samples from 1 to frame_length ({frame_length}), "
            f"not {hop_length}; librosa's usual value is 512"
        )
