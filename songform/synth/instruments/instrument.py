"""Definition of instruments: functions that turn a stroke (one note or one hit) into sound.

Conventions
-----------
An instrument returns a mono waveform of arbitrary scale, from the attack to the end of the release, so it is longer
than the stroke is held. Noise is generated from the stroke's seed, so the same stroke always gives the same sound. The
length of a drum sound does not depend on the length of the stroke, except for risers and reversed cymbals.
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
        MIDI note number; 69 is A4, 440 Hz. Drums without pitch ignore it.
    seconds : float
        Time for which the note is held, in seconds. Most drums ignore it.
    brightness : float
        Brightness from 0 (dull) to 1 (bright).
    sr : int
        Sampling rate in Hz.
    seed : int
        Seed of the noise.
    """

    pitch: int
    seconds: float
    brightness: float = 0.5
    sr: int = 22050
    seed: int = 0

    @property
    def frequency(self) -> float:
        """Fundamental frequency in Hz, in equal temperament."""
        return float(440.0 * 2.0 ** ((self.pitch - 69) / 12))

    def times(self, ring: float = 0.0) -> Samples:
        """Return the time of each sample in seconds, until `ring` seconds after the end of the stroke."""
        return np.arange(max(1, round((self.seconds + ring) * self.sr))) / self.sr

    def ringing(self, seconds: float) -> Samples:
        """Return the time of each sample of a sound with a given duration, independent of the stroke's length."""
        return np.arange(max(1, round(seconds * self.sr))) / self.sr

    def noise(self, n: int) -> Samples:
        """Return `n` samples of white noise."""
        return np.random.default_rng([self.seed, self.pitch]).standard_normal(n)


Instrument = Callable[[Stroke], Samples]


@dataclass(frozen=True)
class Envelope:
    """ADSR envelope.

    Parameters
    ----------
    attack : float
        Time from the start to the peak in seconds.
    decay : float
        Time constant of the fall to the sustain level in seconds.
    sustain : float
        Sustain level, as a fraction of the peak.
    release : float
        Time from the end of the stroke to silence in seconds.
    """

    attack: float = 0.005
    decay: float = 1e3
    sustain: float = 1.0
    release: float = 0.08

    def __call__(self, t: Samples, seconds: float) -> Samples:
        """Return the gain at times `t` for a tone that is held for `seconds`."""
        shape = np.minimum(1.0, t / self.attack) * (self.sustain + (1.0 - self.sustain) * np.exp(-t / self.decay))
        return np.asarray(shape * np.clip((seconds + self.release - t) / self.release, 0.0, 1.0))


def filtered(y: Samples, kind: str, hz: float | tuple[float, float], sr: int) -> Samples:
    """Apply a second-order Butterworth filter; corner frequencies are limited to 0.45 times the sampling rate."""
    corners = np.minimum(hz, 0.45 * sr)
    return np.asarray(sosfilt(butter(2, corners, kind, fs=sr, output="sos"), y))
