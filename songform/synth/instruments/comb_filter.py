"""Percussion from noise through comb filters, whose echoes are so close that they sound as resonances [1]_ [2]_.

References
----------
.. [1] Schroeder, "Natural sounding artificial reverberation", JAES 10(3), 1962: feedback comb filters.
.. [2] Moorer, "About this reverberation business", Computer Music Journal 3(2), 1979: comb filters with a low-pass
   filter in the feedback.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from scipy.signal import lfilter

from songform.synth.instruments.instrument import Instrument, Samples, Stroke, filtered

__all__ = ["COMB_FILTER"]


def _comb(y: Samples, delay: float, gain: float, damping: float, sr: int) -> Samples:
    """Apply a feedback comb filter.

    Parameters
    ----------
    y : np.ndarray, shape=(n,)
        Input.
    delay : float
        Delay in seconds.
    gain : float
        Gain of each echo, less than 1 in magnitude. If it is negative, only odd multiples of 1 / (2 * delay) resonate.
    damping : float
        Coefficient of the low-pass filter in the feedback, from 0 (none) to 1.
    sr : int
        Sampling rate in Hz.

    Returns
    -------
    np.ndarray, shape=(n,)
        Output.
    """
    feedback = np.zeros(max(2, round(delay * sr)) + 1)
    feedback[0], feedback[-1] = 1.0, -gain * (1.0 - damping)
    if not damping:
        return np.asarray(lfilter([1.0], feedback, y))
    # 1 / (1 - g (1 - d) z^-N / (1 - d z^-1)), multiplied by the denominator of the low-pass filter.
    feedback[1] -= damping
    return np.asarray(lfilter([1.0, -damping], feedback, y))


def _head(stroke: Stroke, hz: float, ring: float, damping: float) -> Samples:
    """Synthesize kicks and toms: a burst of noise through a damped comb filter tuned to `hz`."""
    t = stroke.ringing(6.0 * ring)
    burst = filtered(stroke.noise(t.size) * np.exp(-t * hz / 0.2), "lowpass", 3.0 * hz, stroke.sr)
    gain = 10.0 ** (-0.5 / (hz * ring) / 2.3)
    # Negative feedback of half a period has no resonance at 0 Hz.
    return _comb(burst, 0.5 / hz, -gain, damping, stroke.sr) * np.exp(-t / ring)


def _tom(stroke: Stroke) -> Samples:
    """Synthesize a tom with the stroke's pitch."""
    return _head(stroke, stroke.frequency, 0.13, 0.5)


def _snare(stroke: Stroke, hz: float, corner: float, ring: float) -> Samples:
    """Synthesize a snare: noise, and a part of it through a comb filter tuned to the head."""
    t = stroke.ringing(8.0 * ring)
    noise = stroke.noise(t.size)
    wires = filtered(noise, "highpass", corner, stroke.sr) * np.exp(-t / ring)
    return np.asarray(wires + 0.7 * _comb(noise * np.exp(-t / 0.012), 0.5 / hz, -0.85, 0.6, stroke.sr))


def _clap(stroke: Stroke) -> Samples:
    """Synthesize a clap: a short burst of noise and its echoes of 12 ms."""
    t = stroke.ringing(0.3)
    burst = filtered(stroke.noise(t.size), "bandpass", (900.0, 4000.0), stroke.sr) * np.exp(-t / 0.004)
    return _comb(burst, 0.012, 0.62, 0.0, stroke.sr)


def _metal(stroke: Stroke, t: Samples, corner: float) -> Samples:
    """Return noise through two comb filters in parallel, high-pass filtered; the pitch selects one of three tunings."""
    noise = stroke.noise(t.size)
    tune = 1.0 + 0.06 * (stroke.pitch % 3)
    combs = sum(_comb(noise, delay / tune, gain, 0.0, stroke.sr) for delay, gain in ((1.4e-4, -0.8), (3.2e-4, -0.75)))
    return filtered(np.asarray(combs), "highpass", corner, stroke.sr)


def _cymbal(stroke: Stroke, corner: float, ring: float) -> Samples:
    """Synthesize hats and crash cymbals."""
    t = stroke.ringing(5.0 * ring)
    return _metal(stroke, t, corner) * np.exp(-t / ring)


def _reversed(stroke: Stroke) -> Samples:
    """Synthesize a reversed cymbal of the stroke's length."""
    t = stroke.times()
    return (_metal(stroke, t, 2200.0) * np.exp(-5.0 * t / stroke.seconds))[::-1]


def _flanger(stroke: Stroke) -> Samples:
    """Synthesize a riser: noise and its echo, whose delay falls from 4 to 0.15 ms, while the level rises by 20 dB."""
    t = stroke.times()
    noise = filtered(stroke.noise(t.size), "bandpass", (250.0, 5000.0), stroke.sr)
    delay = 4e-3 * (0.15 / 4.0) ** (t / stroke.seconds)
    return (noise + np.interp(t - delay, t, noise)) * 10.0 ** (t / stroke.seconds)


COMB_FILTER: dict[str, Instrument] = {
    "comb kick": partial(_head, hz=56.0, ring=0.1, damping=0.5),
    "comb boom": partial(_head, hz=44.0, ring=0.4, damping=0.4),
    "comb tom": _tom,
    "comb snare": partial(_snare, hz=185.0, corner=1500.0, ring=0.05),
    "tight comb snare": partial(_snare, hz=230.0, corner=2500.0, ring=0.03),
    "comb clap": _clap,
    "comb hat": partial(_cymbal, corner=5000.0, ring=0.03),
    "comb open hat": partial(_cymbal, corner=4500.0, ring=0.15),
    "comb crash": partial(_cymbal, corner=2200.0, ring=0.38),
    "comb reverse": _reversed,
    "comb riser": _flanger,
}
