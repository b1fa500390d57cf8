"""Digital waveguides of blown tubes and bowed strings [1]_ [2]_.

- *Tube*: a reed lets air into a cylinder. The wave returns inverted from the open end, so that mainly odd harmonics
  sound.
- *String*: a bow holds the string until the waves that return from both ends pull it off.

The waves travel a whole number of samples, at a sampling rate that is a multiple of the frequency; the result is
resampled. After `SETTLED_PERIODS` the vibration is steady, and its last period is repeated.

References
----------
.. [1] McIntyre, Schumacher and Woodhouse, "On the oscillations of musical instruments", JASA 74(5), 1983.
.. [2] Smith, "Efficient simulation of the reed-bore and bow-string mechanisms", ICMC, 1986.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.signal import lfilter

from songform.synth.instruments.instrument import Envelope, Instrument, Samples, Stroke

__all__ = ["WAVEGUIDE"]

SETTLED_PERIODS = 20
VIBRATO_HZ = 4.8


@dataclass(frozen=True)
class _Guide:
    """Parameters of a tone."""

    envelope: Envelope
    force: float  # pressure of the breath, or steepness of the friction at the bow
    softness: float = 3e-4  # half of the time over which a reflection spreads in seconds, in a dull tone
    place: float = 0.0  # place of the bow as a fraction of the string; unused in tubes
    detune: tuple[float, ...] = (0.0,)  # cents, one player each
    vibrato: float = 0.0  # depth in cents
    breath: float = 0.0  # amplitude of the noise


def _reflection(guide: _Guide, stroke: Stroke, rate: float, longest: int) -> Samples:
    """Return the impulse response of a reflection that is spread symmetrically, so that it does not change the pitch.

    Brightness divides its width by up to four.
    """
    half = int(np.clip(round(guide.softness * 0.25**stroke.brightness * rate), 1, max(1, longest)))
    window = np.hanning(2 * half + 3)[1:-1]
    return np.asarray(0.95 * window / window.sum())


def _tube(stroke: Stroke, guide: _Guide) -> tuple[Samples, int]:
    """Return the pressure at the reed until the vibration is steady, and the number of samples of a period."""
    length = max(8, int(np.ceil(stroke.sr / (2.0 * stroke.frequency))))
    spread = _reflection(guide, stroke, 2.0 * length * stroke.frequency, length // 6)
    reach = spread.size // 2
    block = length - reach  # samples whose reflections are known
    p = np.zeros(length + reach + 2 * SETTLED_PERIODS * length)
    for start in range(length + reach, p.size, block):
        n = min(block, p.size - start)
        returned = -np.convolve(p[start - length - reach : start - length + n + reach], spread, "valid")
        difference = returned - guide.force
        p[start : start + n] = guide.force + difference * np.clip(0.5 - 0.6 * difference, -1.0, 1.0)
    return p[length + reach :], 2 * length


def _string(stroke: Stroke, guide: _Guide) -> tuple[Samples, int]:
    """Return the velocity at the bridge until the vibration is steady, and the number of samples of a period."""
    length = max(24, int(np.ceil(stroke.sr / stroke.frequency)))
    bridge = max(6, round(guide.place * length))
    nut = length - bridge
    spread = _reflection(guide, stroke, length * stroke.frequency, bridge // 3)
    reach = spread.size // 2
    first = nut + reach
    to_bridge, to_nut = np.zeros((2, first + SETTLED_PERIODS * length))
    for start in range(first, to_nut.size, bridge - reach):
        n = min(bridge - reach, to_nut.size - start)
        from_bridge = -np.convolve(to_bridge[start - bridge - reach : start - bridge + n + reach], spread, "valid")
        from_nut = -to_nut[start - nut : start - nut + n]
        slip = 0.25 - from_bridge - from_nut  # velocity of the bow relative to the string
        grip = slip * np.minimum(1.0, (guide.force * np.abs(slip) + 0.75) ** -4.0)
        to_bridge[start : start + n], to_nut[start : start + n] = from_nut + grip, from_bridge + grip
    return to_bridge[first:], length


def _radiated(vibration: Samples, period: int, brightness: float) -> Samples:
    """Add the derivative of the vibration, because high frequencies leave an open end or a bridge more easily."""
    derivative = np.diff(vibration, prepend=vibration[:1]) * period / (2.0 * np.pi)
    return np.asarray(vibration + brightness * derivative)


def _read(vibration: Samples, period: int, cycles: Samples) -> Samples:
    """Return the vibration at some times in periods, by linear interpolation; the last period is repeated."""
    place = cycles * period
    last = vibration.size - 1 - period
    place = np.where(place < last, place, last + (place - last) % period)
    below = place.astype(np.intp)
    return np.asarray(vibration[below] + (place - below) * np.diff(vibration)[below])


def _sustained(stroke: Stroke, guide: _Guide, vibrating: Callable[[Stroke, _Guide], tuple[Samples, int]]) -> Samples:
    """Synthesize one or more players of a tube or a string."""
    t = stroke.times(guide.envelope.release)
    vibration, period = vibrating(stroke, guide)
    turn = 2.0 * np.pi * VIBRATO_HZ
    bend = guide.vibrato * np.log(2.0) / 1200 * (1.0 - np.cos(turn * t)) / turn
    vibration = _radiated(vibration, period, stroke.brightness)
    y = np.zeros(t.size)
    for player, cents in enumerate(guide.detune):
        y += _read(vibration, period, stroke.frequency * 2.0 ** (cents / 1200) * (t + bend) + 0.13 * player)
    if guide.breath:
        y += guide.breath * lfilter([0.15], [1.0, -0.85], stroke.noise(t.size))
    pole = np.exp(-2.0 * np.pi * 20.0 / stroke.sr)  # a constant pressure is not heard
    return np.asarray(lfilter([1.0, -1.0], [1.0, -pole], y)) * guide.envelope(t, stroke.seconds)


_SLOW = Envelope(attack=0.5, release=0.9)
_TUBES = {
    "chalumeau": _Guide(Envelope(attack=0.07, release=0.2), 0.57, 4e-4, vibrato=8.0, breath=0.04),
    "chalumeaux": _Guide(_SLOW, 0.55, 6e-4, detune=(-4.0, 5.0), breath=0.04),
    "reed pipe": _Guide(Envelope(attack=0.015, release=0.1), 0.7, 1.6e-4, detune=(0.0, 4.0), vibrato=6.0),
}
_STRINGS = {
    "bowed solo": _Guide(Envelope(attack=0.1, release=0.2), 1.0, 5e-4, 0.16, vibrato=16.0),
    "bowed ensemble": _Guide(Envelope(attack=0.04, release=0.15), 0.8, 3e-4, 0.13, detune=(-8.0, 1.0, 9.0)),
}

WAVEGUIDE: dict[str, Instrument] = {
    name: partial(_sustained, guide=guide, vibrating=vibrating)
    for guides, vibrating in ((_TUBES, _tube), (_STRINGS, _string))
    for name, guide in guides.items()
}
