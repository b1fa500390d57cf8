"""What an instrument is: a function that turns a stroke, one note or one hit, into sound.

Conventions
-----------
An instrument returns a mono waveform in any scale, the attack first and the release included, so it is longer than the
stroke is held. Its noise comes from the stroke's seed: it sounds the same each time it is played. Drums ring as long as
they do, whatever the stroke's length; only risers and reversed cymbals last as long as the stroke.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt

__all__ = ["Envelope", "Instrument", "Samples", "Stroke", "filtered"]

Samples = NDArray[np.float64]


@dataclass(frozen=True)
class Stroke:
    """One note or one hit.

    Parameters
    ----------
    pitch : int
        MIDI note number; 69 is A4, 440 Hz. A drum without pitch ignores it.
    seconds : float
        How long it is held; drums and plucked strings ring as long as they do.
    brightness : float
        0 (dull) to 1 (bright).
    sr : int
        Sampling rate in Hz.
    seed : int
        Seed of its noise.
    """

    pitch: int
    seconds: float
    brightness: float = 0.5
    sr: int = 22050
    seed: int = 0

    @property
    def frequency(self) -> float:
        """The fundamental in Hz, equal temperament."""
        return float(440.0 * 2.0 ** ((self.pitch - 69) / 12))

    def times(self, ring: float = 0.0) -> Samples:
        """Return the time of each sample in seconds, to `ring` seconds after the stroke is let go."""
        return np.arange(max(1, round((self.seconds + ring) * self.sr))) / self.sr

    def ringing(self, seconds: float) -> Samples:
        """Return the time of each sample of a sound that rings for so long, however long the stroke is held."""
        return np.arange(max(1, round(seconds * self.sr))) / self.sr

    def noise(self, n: int) -> Samples:
        """Return `n` samples of white noise."""
        return np.random.default_rng([self.seed, self.pitch]).standard_normal(n)


Instrument = Callable[[Stroke], Samples]


@dataclass(frozen=True)
class Envelope:
    """How loud a tone is from its start to its end; times in seconds.

    Parameters
    ----------
    attack : float
        Until it is at its loudest.
    decay : float
        Time constant of the fall to the sustained level.
    sustain : float
        That level, of the loudest.
    release : float
        From the end of the stroke to silence.
    """

    attack: float = 0.005
    decay: float = 1e3
    sustain: float = 1.0
    release: float = 0.08

    def __call__(self, t: Samples, seconds: float) -> Samples:
        """Return the gain at the times `t` of a tone that is held for so many seconds."""
        shape = np.minimum(1.0, t / self.attack) * (self.sustain + (1.0 - self.sustain) * np.exp(-t / self.decay))
        return np.asarray(shape * np.clip((seconds + self.release - t) / self.release, 0.0, 1.0))


def filtered(y: Samples, kind: str, hz: float | tuple[float, float], sr: int) -> Samples:
    """Filter with a second-order Butterworth, its corners kept below the Nyquist frequency."""
    corners = np.minimum(hz, 0.45 * sr)
    return np.asarray(sosfilt(butter(2, corners, kind, fs=sr, output="sos"), y))
