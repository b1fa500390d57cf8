"""The mixdown of a file to one channel: the mean of its channels, or another one if the mean loses the sound.

The mean of two channels with opposite signs is silent, a silent channel halves the amplitude of the other one, and a
constant offset hides how quiet a passage is. `ChannelStatistics` finds these defects from means and covariances of the
channels, which are computed while the file is read; `suitable_mixdown` returns the mixdown that avoids them.

The statistics use windows of 4,096 samples every 1.5 s. This takes less than one percent of the time of an extraction,
and a song has more than a hundred windows.

References
----------
For zero-mean channels with the covariance matrix C, the power of a mixdown with the weights w is w' C w.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["MEAN", "ChannelStatistics", "Mixdown", "suitable_mixdown"]

WINDOW = 4096  # samples
PERIOD = 1.5  # seconds between the starts of two windows, if a block is as long; it is at 44.1 and 48 kHz
SOUNDING = 1e-4  # power of a window that counts, relative to the loudest window (-40 dB) ...
AUDIBLE = 1e-7  # ... and to full scale (-70 dB); encoders fill quiet windows with noise of any phase

# Music: in seven stereo recordings with 1,339 such windows, the sum of the channels was 6.5 dB below the louder channel
# in the worst window, and above it in the median window of each. A channel without its counterpart gives 0 dB, channels
# of equal power with a correlation of -0.95 give -10 dB, and a right channel of -0.98 times the left one gives -34 dB.
CANCELED = 0.1  # power of the sum of the channels, relative to the loudest channel
EQUAL = 0.98  # power of a channel that is as loud as the loudest one; the first of them is used
MIN_CANCELED = 0.15  # share of the sounding windows; a short effect with opposite signs is not a defect

# A channel that has no sound from beginning to end: the noise of an open input, or of 16-bit dither. A channel of music
# may be that quiet if all of it is, so the level is also compared with that of the loudest channel.
SILENT = 1e-6  # power relative to full scale (-60 dB)
MUCH_QUIETER = 1e-3  # power relative to the loudest channel (-30 dB)

# In the recordings mentioned above, and in songs encoded as MP3, the offset was at most 0.00015.
MIN_OFFSET = 0.01  # times full scale
MAX_DRIFT = 0.25  # difference between the offset of a quarter of the file and that of the file, relative to the latter
MIN_CONSTANT = 0.75  # share of the quarters with the same offset; one may be digital silence


@dataclass(frozen=True)
class Mixdown:
    """A weighted sum of the channels of a file, without their constant offsets.

    Attributes
    ----------
    weights : tuple of float
        Weight of each channel. Blocks with another number of channels are averaged.
    offsets : tuple of float
        Constant that is subtracted from each channel, relative to full scale.
    notes : tuple of str
        Why the mean of the channels is not used, one sentence per reason, as in `songform.audio.stream.AudioStream`.
    """

    weights: tuple[float, ...] = ()
    offsets: tuple[float, ...] = ()
    notes: tuple[str, ...] = ()

    def mixed(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return a block of shape (n, channels) as one channel of shape (n,)."""
        if block.shape[1] != len(self.weights):
            return _mean_of_channels(block)
        total = np.full(len(block), -np.dot(self.weights, self.offsets), np.float32)
        for channel, weight in zip(block.T, self.weights, strict=True):
            if weight:
                total += np.float32(weight) * channel
        return total


MEAN = Mixdown()


class ChannelStatistics:
    """Sums and products of the channels of a file, in windows.

    If the number of channels changes within the file, the windows of each number are kept separately.

    Parameters
    ----------
    sr : int
        Sampling rate in Hz.
    """

    def __init__(self, sr: int) -> None:
        self._stride = max(WINDOW, round(PERIOD * sr))
        self._windows: dict[int, list[tuple[NDArray[np.float64], NDArray[np.float64]]]] = {}

    def add(self, block: NDArray[np.float32]) -> None:
        """Add the next block, of shape (n, channels)."""
        for start in range(0, len(block) - WINDOW + 1, self._stride):
            # Contiguous channels in double precision, because the power of a sum that cancels out is a difference.
            y = np.array(block[start : start + WINDOW].T, np.float64, order="C")
            self._windows.setdefault(len(y), []).append((y.sum(axis=1), y @ y.T))

    def arrays(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the statistics for the number of channels that most windows have.

        Returns
        -------
        means : np.ndarray, shape (n_windows, channels)
            Means relative to full scale.
        covariances : np.ndarray, shape (n_windows, channels, channels)
            Covariances relative to the square of full scale.
        """
        windows = max(self._windows.values(), key=len, default=[])
        if not windows:
            return np.empty((0, 0)), np.empty((0, 0, 0))
        sums, products = zip(*windows, strict=True)
        means = np.array(sums) / WINDOW
        return means, np.array(products) / WINDOW - means[:, :, None] * means[:, None, :]


def suitable_mixdown(statistics: ChannelStatistics) -> Mixdown | None:
    """Return the mixdown for a file whose channels cancel out, are silent, or have a constant offset.

    Silent channels are left out. If the other channels cancel out in a substantial part of the sound, the loudest one
    is used. Constant offsets are subtracted.

    Parameters
    ----------
    statistics : ChannelStatistics
        Statistics of the whole file.

    Returns
    -------
    Mixdown or None
        None if the mean of the channels is suitable, as for almost all files.
    """
    means, covariances = statistics.arrays()
    n_channels = means.shape[1]
    if not n_channels:
        return None
    power = np.einsum("tcc->tc", covariances)
    is_used = ~_is_silent(power)
    notes = [] if is_used.all() else [_note_on_silence(power, is_used)]
    canceled = _canceled_share(power[:, is_used], covariances[:, is_used][:, :, is_used])
    if canceled >= MIN_CANCELED:
        level = power.mean(axis=0)
        loudest = int(np.argmax(level > EQUAL * level.max()))
        is_used = np.arange(n_channels) == loudest
        notes.append(
            f"the mean of its channels loses the sound, because they have opposite signs in {100 * canceled:.0f} % of "
            f"the file; only channel {loudest + 1} is used"
        )
    offsets = np.where(is_used, _constant_offsets(means), 0.0)
    if offsets.any():
        notes.append(_note_on_offsets(offsets))
    if not notes:
        return None
    return Mixdown(tuple((is_used / is_used.sum()).tolist()), tuple(offsets.tolist()), tuple(notes))


def _is_silent(power: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which channels contain no sound although another one does."""
    level = power.mean(axis=0)
    found: NDArray[np.bool_] = level < min(SILENT, MUCH_QUIETER * level.max())
    return found


def _canceled_share(power: NDArray[np.float64], covariances: NDArray[np.float64]) -> float:
    """Return the share of the sounding windows in which the channels cancel out."""
    loudest = power.max(axis=1)
    is_sounding = loudest > max(AUDIBLE, SOUNDING * loudest.max())
    if not is_sounding.any():
        return 0.0
    of_sum = covariances.sum(axis=(1, 2))
    return float(np.mean(of_sum[is_sounding] < CANCELED * loudest[is_sounding]))


def _constant_offsets(means: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the offset of each channel, or 0 where it is small or changes."""
    offsets = np.median(means, axis=0)
    quarters = np.array([np.median(part, axis=0) for part in np.array_split(means, min(4, len(means)))])
    constant = np.mean(np.abs(quarters - offsets) <= MAX_DRIFT * np.abs(offsets), axis=0)
    return np.where((np.abs(offsets) >= MIN_OFFSET) & (constant >= MIN_CONSTANT), offsets, 0.0)


def _note_on_silence(power: NDArray[np.float64], is_used: NDArray[np.bool_]) -> str:
    level = 10.0 * np.log10(max(power.mean(axis=0)[~is_used].max(), 1e-20))
    silence = "digital silence" if level < -150 else f"at most {level:.0f} dB relative to full scale"
    silent, used = np.flatnonzero(~is_used), np.flatnonzero(is_used)
    be, what = ("is", "channel") if len(silent) == 1 else ("are", "channels")
    mixed = f"the mean of channels {_numbers(used)}" if len(used) > 1 else f"channel {_numbers(used)}"
    return f"its {what} {_numbers(silent)} {be} silent ({silence}); {mixed} is used"


def _note_on_offsets(offsets: NDArray[np.float64]) -> str:
    found = [f"{offsets[channel]:+.3f} in channel {channel + 1}" for channel in np.flatnonzero(offsets)]
    return f"it has a constant offset ({', '.join(found)}, times full scale), which is subtracted"


def _numbers(channels: NDArray[np.intp]) -> str:
    """Return the numbers of channels, counted from 1, as in "1, 2 and 4"."""
    *first, last = (str(channel + 1) for channel in channels)
    return f"{', '.join(first)} and {last}" if first else last


def _mean_of_channels(block: NDArray[np.float32]) -> NDArray[np.float32]:
    if block.shape[1] == 1:
        return block[:, 0]
    # Adding channel by channel is thirty times as fast as a mean over an axis of length two.
    total: NDArray[np.float32] = block[:, 0] + block[:, 1]
    for channel in block.T[2:]:
        total += channel
    total /= block.shape[1]
    return total
