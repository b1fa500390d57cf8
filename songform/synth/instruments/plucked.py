"""Karplus-Strong synthesis of plucked strings [1]_ with fractional tuning [2]_, optionally with distortion.

References
----------
.. [1] Karplus and Strong, "Digital synthesis of plucked-string and drum timbres", Computer Music Journal 7(2), 1983.
.. [2] Jaffe and Smith, "Extensions of the Karplus-Strong plucked-string algorithm", Computer Music Journal 7(2), 1983.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from scipy.signal import lfilter

from songform.synth.instruments.instrument import Envelope, Instrument, Samples, Stroke, filtered

__all__ = ["PLUCKED"]


def _string(stroke: Stroke, dying: float, ring: float) -> Samples:
    """Excite a damped delay line of one period with a burst of noise; the tone decays by 60 dB in `dying` seconds."""
    n = stroke.times(ring).size
    # Averaging adjacent samples damps the tone and delays it by half a sample. Linear interpolation adds the fraction.
    delay, fraction = divmod(stroke.sr / stroke.frequency - 0.5, 1.0)
    gain = 10.0 ** (-3.0 / (stroke.frequency * dying))
    loop = np.zeros(int(delay) + 3)
    loop[0] = 1.0
    loop[-3:] -= gain * np.array([0.5 * (1.0 - fraction), 0.5, 0.5 * fraction])
    noise = stroke.noise(min(n, int(delay) + 1))
    burst = np.zeros(n)
    burst[: noise.size] = noise - noise.mean()  # the loop would hardly damp a constant
    softness = 0.97 * np.sqrt(1.0 - stroke.brightness)  # low brightness sounds like a thumb, high like a plectrum
    return np.asarray(lfilter([1.0], loop, lfilter([1.0 - softness], [1.0, -softness], burst)))


def _plucked(stroke: Stroke, dying: float, release: float) -> Samples:
    """Synthesize a plucked string that is damped at the end of the stroke."""
    return _string(stroke, dying, release) * Envelope(release=release)(stroke.times(release), stroke.seconds)


def _distorted(stroke: Stroke, drive: float) -> Samples:
    """Synthesize a distorted guitar: a string through a clipping amplifier and the low-pass filter of a loudspeaker."""
    y = _string(stroke, 6.0, 0.1)
    clipped = np.tanh(drive * y / (np.max(np.abs(y)) + 1e-12))
    speaker = 1500.0 * 2.0 ** (1.5 * stroke.brightness)
    return filtered(clipped, "lowpass", speaker, stroke.sr) * Envelope(release=0.1)(stroke.times(0.1), stroke.seconds)


PLUCKED: dict[str, Instrument] = {
    "steel guitar": partial(_plucked, dying=1.6, release=0.15),
    "harp": partial(_plucked, dying=2.4, release=0.4),
    "koto": partial(_plucked, dying=0.8, release=0.2),
    "string bass": partial(_plucked, dying=2.0, release=0.08),
    "distorted guitar": partial(_distorted, drive=14.0),
    "overdriven guitar": partial(_distorted, drive=5.0),
}
