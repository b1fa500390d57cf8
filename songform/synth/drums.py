"""The drums and effects of composed songs: swept sines and filtered noise.

They ring as long as they do, whatever the stroke's length; only the riser and the reversed crash last as long as the
stroke. The conventions are those of `songform.synth.tones`.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
from scipy.signal import butter, sosfilt

from songform.synth.tones import Instrument, Samples, Stroke

__all__ = ["DRUMS", "filtered"]


def filtered(y: Samples, kind: str, hz: float | tuple[float, float], sr: int) -> Samples:
    """Filter with a second-order Butterworth, its corners kept below the Nyquist frequency."""
    corners = np.minimum(hz, 0.45 * sr)
    return np.asarray(sosfilt(butter(2, corners, kind, fs=sr, output="sos"), y))


def _drum(stroke: Stroke, low: float, drop: float, ring: float, click: float) -> Samples:
    """Sweep a sine down to `low` Hz while it dies away, with a click of noise: kicks and toms."""
    t = replace(stroke, seconds=6.0 * ring).times()
    turn = 2.0 * np.pi * (low * t + drop * 0.03 * (1.0 - np.exp(-t / 0.03)))
    skin = click * stroke.noise(t.size) * np.exp(-t / 0.004)
    return np.asarray(np.sin(turn) * np.exp(-t / ring) + filtered(skin, "lowpass", 4000.0, stroke.sr))


def _tom(stroke: Stroke) -> Samples:
    """Play a tom, tuned by the stroke's pitch."""
    return _drum(stroke, stroke.frequency, 0.7 * stroke.frequency, 0.11, 0.5)


def _cymbal(stroke: Stroke, corner: float, ring: float) -> Samples:
    """High noise that dies away: hats and crashes."""
    t = replace(stroke, seconds=5.0 * ring).times()
    return filtered(stroke.noise(t.size), "highpass", corner, stroke.sr) * np.exp(-t / ring)


def _snare(stroke: Stroke) -> Samples:
    """Rattling wires above a short skin tone."""
    t = replace(stroke, seconds=0.4).times()
    wires = filtered(stroke.noise(t.size), "bandpass", (900.0, 7500.0), stroke.sr) * np.exp(-t / 0.05)
    return np.asarray(1.4 * wires + 0.5 * np.sin(2.0 * np.pi * 190.0 * t) * np.exp(-t / 0.05))


def _reverse(stroke: Stroke) -> Samples:
    """Play a crash backwards, as long as the stroke."""
    return _cymbal(stroke, 2500.0, stroke.seconds / 5.0)[::-1]


def _riser(stroke: Stroke) -> Samples:
    """Let noise climb from 300 Hz to 4 kHz, and by 20 dB, over the stroke."""
    t = stroke.times()
    noise = stroke.noise(t.size)
    centres = 300.0 * 13.3 ** np.linspace(0.0, 1.0, 6)
    place = 5.0 * t / stroke.seconds
    y = np.zeros(t.size)
    for band, centre in enumerate(centres):
        share = np.clip(1.0 - np.abs(place - band), 0.0, 1.0)
        y += share * filtered(noise, "bandpass", (centre / 1.4, centre * 1.4), stroke.sr) / np.sqrt(centre)
    return y * 10.0 ** (t / stroke.seconds)


DRUMS: dict[str, Instrument] = {
    "kick": partial(_drum, low=48.0, drop=140.0, ring=0.09, click=0.6),
    "boom": partial(_drum, low=38.0, drop=60.0, ring=0.35, click=0.3),
    "tom": _tom,
    "snare": _snare,
    "hat": partial(_cymbal, corner=6000.0, ring=0.025),
    "open_hat": partial(_cymbal, corner=5500.0, ring=0.14),
    "crash": partial(_cymbal, corner=2500.0, ring=0.35),
    "reverse": _reverse,
    "riser": _riser,
}
