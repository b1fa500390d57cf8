"""Drums and effects from swept sines and filtered noise, as in the drum machines of the 1980s."""

from __future__ import annotations

from functools import partial

import numpy as np

from songform.synth.instruments.instrument import Instrument, Samples, Stroke, filtered

__all__ = ["SWEPT"]


def _drum(stroke: Stroke, low: float, drop: float, ring: float, click: float) -> Samples:
    """Synthesize kicks and toms: a decaying sine that sweeps down to `low` Hz, and a click of noise."""
    t = stroke.ringing(6.0 * ring)
    turn = 2.0 * np.pi * (low * t + drop * 0.03 * (1.0 - np.exp(-t / 0.03)))
    skin = click * stroke.noise(t.size) * np.exp(-t / 0.004)
    return np.asarray(np.sin(turn) * np.exp(-t / ring) + filtered(skin, "lowpass", 4000.0, stroke.sr))


def _tom(stroke: Stroke) -> Samples:
    """Synthesize a tom with the stroke's pitch."""
    return _drum(stroke, stroke.frequency, 0.7 * stroke.frequency, 0.11, 0.5)


def _cymbal(stroke: Stroke, corner: float, ring: float) -> Samples:
    """Synthesize hats and crash cymbals: decaying high-pass filtered noise."""
    t = stroke.ringing(5.0 * ring)
    return filtered(stroke.noise(t.size), "highpass", corner, stroke.sr) * np.exp(-t / ring)


def _snare(stroke: Stroke, skin: float, wires: tuple[float, float], ring: float) -> Samples:
    """Synthesize a snare: decaying band-pass filtered noise and a short tone."""
    t = stroke.ringing(8.0 * ring)
    rattle = filtered(stroke.noise(t.size), "bandpass", wires, stroke.sr) * np.exp(-t / ring)
    return np.asarray(1.4 * rattle + 0.5 * np.sin(2.0 * np.pi * skin * t) * np.exp(-t / 0.05))


def _clap(stroke: Stroke) -> Samples:
    """Synthesize a clap: three bursts of noise, 11 ms apart, and a short reverberation."""
    t = stroke.ringing(0.35)
    bursts = sum(np.where(t >= 0.011 * i, np.exp(-np.maximum(t - 0.011 * i, 0.0) / 0.006), 0.0) for i in range(3))
    return filtered(stroke.noise(t.size), "bandpass", (800.0, 3500.0), stroke.sr) * (bursts + 0.4 * np.exp(-t / 0.08))


def _shaker(stroke: Stroke) -> Samples:
    """Synthesize a shaker: high-pass filtered noise with an attack of 20 ms."""
    t = stroke.ringing(0.12)
    grains = filtered(stroke.noise(t.size), "highpass", 4500.0, stroke.sr)
    return grains * np.minimum(t / 0.02, 1.0) * np.exp(-t / 0.03)


def _reverse(stroke: Stroke) -> Samples:
    """Synthesize a reversed cymbal of the stroke's length."""
    t = stroke.times()
    return (filtered(stroke.noise(t.size), "highpass", 2500.0, stroke.sr) * np.exp(-5.0 * t / stroke.seconds))[::-1]


def _riser(stroke: Stroke) -> Samples:
    """Synthesize a riser: noise that rises from 300 Hz to 4 kHz and by 20 dB during the stroke."""
    t = stroke.times()
    noise = stroke.noise(t.size)
    centres = 300.0 * 13.3 ** np.linspace(0.0, 1.0, 6)
    place = 5.0 * t / stroke.seconds
    y = np.zeros(t.size)
    for band, centre in enumerate(centres):
        share = np.clip(1.0 - np.abs(place - band), 0.0, 1.0)
        y += share * filtered(noise, "bandpass", (centre / 1.4, centre * 1.4), stroke.sr) / np.sqrt(centre)
    return y * 10.0 ** (t / stroke.seconds)


SWEPT: dict[str, Instrument] = {
    "kick": partial(_drum, low=48.0, drop=140.0, ring=0.09, click=0.6),
    "deep kick": partial(_drum, low=42.0, drop=90.0, ring=0.16, click=0.25),
    "boom": partial(_drum, low=38.0, drop=60.0, ring=0.35, click=0.3),
    "tom": _tom,
    "snare": partial(_snare, skin=190.0, wires=(900.0, 7500.0), ring=0.05),
    "tight snare": partial(_snare, skin=240.0, wires=(1800.0, 9000.0), ring=0.03),
    "clap": _clap,
    "shaker": _shaker,
    "hat": partial(_cymbal, corner=6000.0, ring=0.025),
    "long hat": partial(_cymbal, corner=7000.0, ring=0.045),
    "open hat": partial(_cymbal, corner=5500.0, ring=0.14),
    "crash": partial(_cymbal, corner=2500.0, ring=0.35),
    "reverse": _reverse,
    "riser": _riser,
}
