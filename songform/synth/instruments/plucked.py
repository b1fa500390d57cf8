"""Plucked strings: a burst of noise in a tuned, damped delay line [1]_, at times through a distorting amplifier.

References
----------
.. [1] Karplus and Strong, "Digital synthesis of plucked-string and drum timbres", Computer Music Journal 7(2), 1983.
       Tuned as in Jaffe and Smith, "Extensions of the Karplus-Strong plucked-string algorithm", ibid.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from scipy.signal import lfilter

from songform.synth.instruments.instrument import Envelope, Instrument, Samples, Stroke, filtered

__all__ = ["PLUCKED"]


def _string(stroke: Stroke, dying: float, ring: float) -> Samples:
    """Excite a damped delay line of one period with a burst of noise; it falls by 60 dB in `dying` seconds."""
    n = stroke.times(ring).size
    # The average of neighbouring samples damps, and delays by half a sample; a linear interpolation makes up the rest.
    delay, fraction = divmod(stroke.sr / stroke.frequency - 0.5, 1.0)
    gain = 10.0 ** (-3.0 / (stroke.frequency * dying))
    loop = np.zeros(int(delay) + 3)
    loop[0] = 1.0
    loop[-3:] -= gain * np.array([0.5 * (1.0 - fraction), 0.5, 0.5 * fraction])
    noise = stroke.noise(min(n, int(delay) + 1))
    burst = np.zeros(n)
    burst[: noise.size] = noise - noise.mean()  # a constant would ring on: the loop hardly damps it
    softness = 0.97 * np.sqrt(1.0 - stroke.brightness)  # a thumb's pluck, or a plectrum's
    return np.asarray(lfilter([1.0], loop, lfilter([1.0 - softness], [1.0, -softness], burst)))


def _plucked(stroke: Stroke, dying: float, release: float) -> Samples:
    """Pluck a string, and damp it when it is let go."""
    return _string(stroke, dying, release) * Envelope(release=release)(stroke.times(release), stroke.seconds)


def _distorted(stroke: Stroke, drive: float) -> Samples:
    """Drive a string and its fifth into an amplifier that clips, and listen through a dull loudspeaker."""
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
