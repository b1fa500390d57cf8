"""Granular synthesis: sounds composed of many short grains [1]_ [2]_.

- *Clouds*: overlapping grains of sines at the harmonics of a tone, slightly out of tune.
- *Shakers*: grains of noise at random times, like beans that hit a shell [3]_.
- *Risers*: grains whose frequency and number increase.

References
----------
.. [1] Gabor, "Acoustical quanta and the theory of hearing", Nature 159, 1947.
.. [2] Roads, "Introduction to granular synthesis", Computer Music Journal 12(2), 1988.
.. [3] Cook, "Physically informed sonic modeling (PhISM)", Computer Music Journal 21(3), 1997.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from songform.synth.instruments.instrument import Envelope, Instrument, Samples, Stroke, filtered

__all__ = ["GRANULAR"]


@dataclass(frozen=True)
class _Cloud:
    """Parameters of a cloud: envelope, harmonics and grains."""

    envelope: Envelope
    harmonics: tuple[float, ...]  # amplitudes
    seconds: float = 0.16  # duration of a grain
    rate: float = 40.0  # grains per second, at least four times 1 / seconds
    cents: float = 7.0  # standard deviation of the tuning


def _grains(stroke: Stroke, starts: NDArray[np.intp], hz: Samples, phases: Samples, size: int) -> Samples:
    """Return the sum of sines with Hann windows; `phases` are those at the start of each grain, in periods."""
    turns = phases[:, None] + hz[:, None] * (np.arange(size) / stroke.sr)
    grains = np.hanning(size + 2)[1:-1] * np.sin(2.0 * np.pi * turns)
    y = np.zeros(int(starts[-1]) + size)
    for start, grain in zip(starts.tolist(), grains, strict=True):
        y[start : start + size] += grain
    return y


def _cloud(stroke: Stroke, cloud: _Cloud) -> Samples:
    """Synthesize a tone; each grain has one harmonic, and a phase that matches the other grains of the harmonic."""
    t = stroke.times(cloud.envelope.release)
    rng = np.random.default_rng([stroke.seed, stroke.pitch])
    size = round(cloud.seconds * stroke.sr)
    n = int(cloud.rate * t.size / stroke.sr) + round(cloud.rate * cloud.seconds) + 1
    # Grains begin before the tone, so that they overlap at its start as much as later.
    starts = np.sort((np.arange(n) + rng.uniform(-0.3, 0.3, n)).clip(0) * stroke.sr / cloud.rate).astype(np.intp)
    k = np.arange(1, len(cloud.harmonics) + 1)
    strength = (
        np.array(cloud.harmonics) * k ** (2.0 * (stroke.brightness - 0.5)) * (k * stroke.frequency < 0.45 * stroke.sr)
    )
    strength[0] = max(strength[0], 1e-3)
    # Every other grain has the fundamental, so that the tone has no gaps.
    chosen = np.where(np.arange(n) % 2 == 0, 1, k[rng.choice(k.size, n, p=strength / strength.sum())])
    hz = chosen * stroke.frequency
    y = _grains(
        stroke, starts, hz * 2.0 ** (cloud.cents * rng.standard_normal(n) / 1200), hz * starts / stroke.sr, size
    )
    return np.asarray(y[size : size + t.size] * cloud.envelope(t, stroke.seconds))


def _beans(stroke: Stroke, hz: float) -> Samples:
    """Synthesize a shaker: about sixty grains of noise within a tenth of a second, through a resonance of the shell."""
    t = stroke.ringing(0.13)
    rng = np.random.default_rng([stroke.seed, stroke.pitch])
    hits = np.zeros(t.size)
    times = rng.triangular(0.0, 0.025, 0.1, 60)
    np.add.at(hits, (times * stroke.sr).astype(np.intp), rng.exponential(1.0, 60) * np.exp(-times / 0.04))
    energy = np.convolve(hits, np.exp(-np.arange(round(0.006 * stroke.sr)) / (0.0015 * stroke.sr)))[: t.size]
    return filtered(energy * rng.standard_normal(t.size), "bandpass", (hz, 2.2 * hz), stroke.sr)


def _rising(stroke: Stroke) -> Samples:
    """Synthesize a riser: grains that rise from 200 Hz to 4 kHz and by 20 dB, while their rate increases fourfold."""
    t = stroke.times()
    rng = np.random.default_rng([stroke.seed, stroke.pitch])
    size = max(2, min(t.size, round(0.06 * stroke.sr)))
    n = max(8, round(100.0 * stroke.seconds))
    place = np.sort(rng.uniform(0.0, 1.0, n)) ** 0.5
    hz = 200.0 * 20.0 ** np.clip(place + 0.12 * rng.standard_normal(n), 0.0, 1.0)
    starts = (place * (t.size - size)).astype(np.intp)
    y = _grains(stroke, starts, np.minimum(hz, 0.45 * stroke.sr), rng.uniform(0.0, 1.0, n), size)
    return np.pad(y, (0, max(0, t.size - y.size)))[: t.size] * 10.0 ** (t / stroke.seconds)


_SLOW = Envelope(attack=0.5, release=0.9)
_CLOUDS = {
    "cloud": _Cloud(_SLOW, (1.0, 0.5, 0.25, 0.12)),
    "shimmer": _Cloud(Envelope(attack=0.4, release=1.0), (0.6, 0.8, 0.0, 0.6, 0.0, 0.0, 0.0, 0.25), 0.22, 36.0, 4.0),
    "mist": _Cloud(Envelope(attack=0.1, release=0.3), (1.0, 0.25, 0.35), 0.1, 60.0, 10.0),
}

GRANULAR: dict[str, Instrument] = {
    **{name: partial(_cloud, cloud=cloud) for name, cloud in _CLOUDS.items()},
    "bean shaker": partial(_beans, hz=2800.0),
    "grain riser": _rising,
}
