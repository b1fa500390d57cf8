"""The tones of composed songs: what has a pitch.

Tones come in three kinds, as in a small hardware synthesizer:

- *harmonic*: a periodic wave read from two tables, a dull and a bright one, and a filter that closes from the bright
  one to the dull one: strings, flute, organ, brass, leads, basses;
- *FM*: one sine bends the phase of another [1]_: electric piano, bell, metallic bass;
- *plucked*: a burst of noise in a tuned, damped delay line [2]_: guitar, harp.

Conventions
-----------
An instrument is a function of a `Stroke` (one note or one hit) that returns a mono waveform in any scale, the attack
first and the release included, so it is longer than the stroke is held. Its noise comes from the stroke's seed: it
sounds the same each time it is played.

References
----------
.. [1] Chowning, "The synthesis of complex audio spectra by means of frequency modulation", JAES 21(7), 1973.
.. [2] Karplus and Strong, "Digital synthesis of plucked-string and drum timbres", Computer Music Journal 7(2), 1983.
       Tuned as in Jaffe and Smith, "Extensions of the Karplus-Strong plucked-string algorithm", ibid.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

__all__ = ["TONES", "Instrument", "Samples", "Stroke"]

Samples = NDArray[np.float64]

TABLE_SIZE = 4096
N_HARMONICS = 40


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

    def noise(self, n: int) -> Samples:
        """Return `n` samples of white noise."""
        return np.random.default_rng([self.seed, self.pitch]).standard_normal(n)


Instrument = Callable[[Stroke], Samples]


@dataclass(frozen=True)
class _Patch:
    """The knobs of a tone: spectrum, tuning and envelope; times in seconds."""

    slope: float = 1.0  # harmonic k has the amplitude 1 / k ** slope
    even: float = 1.0  # amplitude of the even harmonics
    detune: tuple[float, ...] = (0.0,)  # cents, one voice each
    closing: float = 1e3  # time constant of the filter, or of the FM index
    vibrato: float = 0.0  # cents
    attack: float = 0.005
    decay: float = 1e3  # time constant of the fall to the sustained level
    sustain: float = 1.0
    release: float = 0.08
    ratio: float = 1.0  # FM: modulator to carrier
    index: float = 2.0  # FM: radians
    dying: float = 2.0  # plucked: time to fall by 60 dB


def _envelope(t: Samples, patch: _Patch, seconds: float) -> Samples:
    """Attack, decay to the sustained level, and release once the stroke is let go."""
    shape = np.minimum(1.0, t / patch.attack) * (patch.sustain + (1.0 - patch.sustain) * np.exp(-t / patch.decay))
    return np.asarray(shape * np.clip((seconds + patch.release - t) / patch.release, 0.0, 1.0))


def _table(frequency: float, patch: _Patch, cutoff: float, sr: int) -> Samples:
    """One period of the wave, low-passed at `cutoff` Hz and free of harmonics that would alias."""
    k = np.arange(1, 1 + max(1, min(N_HARMONICS, int(0.45 * sr / frequency))))
    amplitudes = k**-patch.slope * np.where(k % 2 == 0, patch.even, 1.0) / (1.0 + (k * frequency / cutoff) ** 4)
    # Quadratic phases spread the harmonics over the period, which keeps the wave's crest low.
    spectrum = np.zeros(TABLE_SIZE // 2 + 1, dtype=np.complex128)
    spectrum[k] = amplitudes * np.exp(1j * np.pi * k**2 / k.size)
    return np.asarray(np.fft.irfft(spectrum) * TABLE_SIZE)


def _harmonic(stroke: Stroke, patch: _Patch) -> Samples:
    """Read a tone from a dull and a bright table while the filter closes from the one to the other."""
    t = stroke.times(patch.release)
    cutoff = stroke.frequency + 500.0 * 2.0 ** (4.0 * stroke.brightness)
    bright = _table(stroke.frequency, patch, cutoff, stroke.sr)
    dull = _table(stroke.frequency, patch, cutoff / 4, stroke.sr)
    opening = np.exp(-t / patch.closing)
    bend = patch.vibrato * np.log(2.0) / 1200 * (1.0 - np.cos(2 * np.pi * 5.2 * t)) / (2 * np.pi * 5.2)
    y = np.zeros(t.size)
    for voice, cents in enumerate(patch.detune):
        cycles = stroke.frequency * 2.0 ** (cents / 1200) * (t + bend) + 0.37 * voice
        place = (cycles * TABLE_SIZE).astype(np.int64) % TABLE_SIZE
        y += dull[place] + opening * (bright - dull)[place]
    return y * _envelope(t, patch, stroke.seconds)


def _fm(stroke: Stroke, patch: _Patch) -> Samples:
    """Bend the phase of a sine by another whose index falls."""
    t = stroke.times(patch.release)
    turn = 2.0 * np.pi * stroke.frequency * t
    index = patch.index * (0.4 + 1.2 * stroke.brightness) * np.exp(-t / patch.closing)
    return np.asarray(np.sin(turn + index * np.sin(patch.ratio * turn)) * _envelope(t, patch, stroke.seconds))


def _plucked(stroke: Stroke, patch: _Patch) -> Samples:
    """Excite a damped delay line of one period with a burst of noise."""
    t = stroke.times(patch.release)
    # The average of neighbouring samples damps, and delays by half a sample; a linear interpolation makes up the rest.
    delay, fraction = divmod(stroke.sr / stroke.frequency - 0.5, 1.0)
    gain = 10.0 ** (-3.0 / (stroke.frequency * patch.dying))
    loop = np.zeros(int(delay) + 3)
    loop[0] = 1.0
    loop[-3:] -= gain * np.array([0.5 * (1.0 - fraction), 0.5, 0.5 * fraction])
    noise = stroke.noise(min(t.size, int(delay) + 1))
    burst = np.zeros(t.size)
    burst[: noise.size] = noise - noise.mean()  # a constant would ring on: the loop hardly damps it
    softness = 0.9 * (1.0 - stroke.brightness)
    burst = lfilter([1.0 - softness], [1.0, -softness], burst)
    return np.asarray(lfilter([1.0], loop, burst) * _envelope(t, patch, stroke.seconds))


_SAWS = (-9.0, 0.0, 8.0)

TONES: dict[str, Instrument] = {
    # Pads: slow to speak, slow to leave.
    "strings": partial(_harmonic, patch=_Patch(slope=1.1, detune=(-6.0, 0.0, 5.0), attack=0.5, release=0.9)),
    "choir": partial(_harmonic, patch=_Patch(slope=1.6, even=0.6, detune=(-4.0, 5.0), attack=0.6, release=1.0)),
    "organ": partial(_harmonic, patch=_Patch(slope=1.8, even=0.9, detune=(0.0, 3.0), attack=0.3, release=0.7)),
    # Voices for slow melodies.
    "flute": partial(_harmonic, patch=_Patch(slope=2.4, even=0.7, vibrato=14.0, attack=0.09, release=0.25)),
    "epiano": partial(_fm, patch=_Patch(ratio=1.0, index=1.3, closing=0.6, decay=0.9, sustain=0.1, release=0.35)),
    "bell": partial(_fm, patch=_Patch(ratio=3.5, index=1.2, closing=0.5, decay=0.8, sustain=0.05, release=0.6)),
    # Short voices for loops.
    "guitar": partial(_plucked, patch=_Patch(dying=1.6, release=0.15)),
    "harp": partial(_plucked, patch=_Patch(dying=2.4, release=0.4)),
    "marimba": partial(_fm, patch=_Patch(ratio=4.0, index=0.9, closing=0.05, decay=0.16, sustain=0.0, release=0.1)),
    # Leads and chords for loud sections.
    "saws": partial(_harmonic, patch=_Patch(slope=0.9, detune=_SAWS, closing=0.8, attack=0.01, release=0.12)),
    "brass": partial(_harmonic, patch=_Patch(slope=0.8, detune=(0.0, 4.0), closing=1.5, attack=0.03, release=0.1)),
    "reeds": partial(_harmonic, patch=_Patch(slope=1.0, even=0.15, vibrato=10.0, attack=0.015, release=0.08)),
    "stab": partial(_harmonic, patch=_Patch(slope=0.9, detune=_SAWS, closing=0.09, decay=0.2, sustain=0.2)),
    # Basses.
    "sub": partial(_harmonic, patch=_Patch(slope=2.6, attack=0.01, release=0.06)),
    "growl": partial(_harmonic, patch=_Patch(slope=0.9, detune=(0.0, 6.0), closing=0.15, decay=0.4, sustain=0.6)),
    "clang": partial(_fm, patch=_Patch(ratio=2.0, index=1.8, closing=0.12, decay=0.5, sustain=0.5)),
}
