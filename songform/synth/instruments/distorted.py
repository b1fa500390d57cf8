"""Phase distortion and wavetable synthesis, as in early digital synthesizers.

- *Phase distortion*: one part of a cosine's period is read faster than the rest; the greater the difference, the
  brighter the tone [1]_.
- *Wavetable*: the tone moves back and forth between two single-cycle waves.

References
----------
.. [1] Ishibashi, "Electronic musical instrument", US patent 4,658,691, 1987 (phase distortion).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from songform.synth.instruments.instrument import Envelope, Instrument, Samples, Stroke

__all__ = ["DISTORTED"]

TABLE_SIZE = 2048


@dataclass(frozen=True)
class _Bent:
    """Parameters of phase distortion. The amount of distortion (0 to 1) falls from `bend` to `settled`."""

    envelope: Envelope
    bend: float = 0.8
    settled: float = 0.3
    settling: float = 0.3  # time constant in seconds
    detune: tuple[float, ...] = (0.0,)  # cents, one voice each


def _bent(stroke: Stroke, patch: _Bent) -> Samples:
    """Synthesize a tone by phase distortion."""
    t = stroke.times(patch.envelope.release)
    bend = patch.settled + (patch.bend - patch.settled) * np.exp(-t / patch.settling)
    # The fast part takes at least three samples; otherwise the wave would alias.
    knee = np.maximum(
        0.5 * (1.0 - bend * (0.35 + 0.6 * stroke.brightness)), min(0.5, 3.0 * stroke.frequency / stroke.sr)
    )
    y = np.zeros(t.size)
    for voice, cents in enumerate(patch.detune):
        phase = (stroke.frequency * 2.0 ** (cents / 1200) * t + 0.29 * voice) % 1.0
        uneven = np.where(phase < knee, 0.5 * phase / knee, 0.5 + 0.5 * (phase - knee) / (1.0 - knee))
        y -= np.cos(2.0 * np.pi * uneven)
    return y * patch.envelope(t, stroke.seconds)


@dataclass(frozen=True)
class _Wandering:
    """Two single-cycle waves as amplitudes of harmonics, and the rate of the change between them in Hz."""

    envelope: Envelope
    one: tuple[float, ...]
    other: tuple[float, ...]
    rate: float
    detune: tuple[float, ...] = (-5.0, 6.0)  # cents, one voice each


def _cycle(strengths: tuple[float, ...], stroke: Stroke) -> Samples:
    """Return one period with the harmonics that do not alias; brightness amplifies the upper ones."""
    spectrum = np.zeros(TABLE_SIZE // 2 + 1, dtype=np.complex128)
    for k, strength in enumerate(strengths, start=1):
        if k == 1 or k * stroke.frequency < 0.45 * stroke.sr:
            spectrum[k] = strength * k ** (1.5 * (stroke.brightness - 0.5)) * np.exp(2.4j * k * k)
    return np.asarray(np.fft.irfft(spectrum) * TABLE_SIZE)


def _wandering(stroke: Stroke, patch: _Wandering) -> Samples:
    """Synthesize a tone that moves back and forth between two waves."""
    t = stroke.times(patch.envelope.release)
    one, other = _cycle(patch.one, stroke), _cycle(patch.other, stroke)
    way = 0.5 - 0.5 * np.cos(2.0 * np.pi * patch.rate * t)
    y = np.zeros(t.size)
    for voice, cents in enumerate(patch.detune):
        cycles = stroke.frequency * 2.0 ** (cents / 1200) * t + 0.41 * voice
        place = (cycles * TABLE_SIZE).astype(np.int64) % TABLE_SIZE
        y += one[place] + way * (other - one)[place]
    return y * patch.envelope(t, stroke.seconds)


_GLASS = ((1.0, 0.1, 0.5, 0.0, 0.3, 0.0, 0.0, 0.2), (1.0, 0.6, 0.0, 0.4, 0.0, 0.25, 0.2, 0.0, 0.15))
_PIPES = ((1.0, 0.0, 0.2, 0.0, 0.1), (0.8, 0.5, 0.1, 0.3, 0.0, 0.1))
_BOWED = (tuple(0.85**k for k in range(16)), tuple((-0.8) ** k for k in range(16)))

DISTORTED: dict[str, Instrument] = {
    "bent lead": partial(_bent, patch=_Bent(Envelope(attack=0.01, release=0.1), 0.95, 0.6, 0.5, (-6.0, 5.0))),
    "bent stab": partial(_bent, patch=_Bent(Envelope(decay=0.15, sustain=0.15), 0.95, 0.1, 0.1, (0.0, 7.0))),
    "bent bass": partial(_bent, patch=_Bent(Envelope(decay=0.5, sustain=0.6), 1.0, 0.85, 0.15, (0.0, 6.0))),
    "glass": partial(_wandering, patch=_Wandering(Envelope(attack=0.5, release=1.0), *_GLASS, 0.21)),
    "pipes": partial(_wandering, patch=_Wandering(Envelope(attack=0.25, release=0.6), *_PIPES, 0.13)),
    "bowed": partial(_wandering, patch=_Wandering(Envelope(attack=0.05, release=0.2), *_BOWED, 2.3, (-9.0, 1.0, 8.0))),
}
