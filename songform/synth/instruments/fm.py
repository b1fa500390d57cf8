"""FM tones: one sine bends the phase of another [1]_. Electric piano, bells, brass, basses and a drum.

References
----------
.. [1] Chowning, "The synthesis of complex audio spectra by means of frequency modulation", JAES 21(7), 1973.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from songform.synth.instruments.instrument import Envelope, Instrument, Samples, Stroke

__all__ = ["FM"]


@dataclass(frozen=True)
class _Operators:
    """A carrier and a modulator; the index (radians) falls to a floor with a time constant in seconds."""

    envelope: Envelope
    ratio: float = 1.0  # modulator to carrier
    index: float = 2.0
    closing: float = 1e3
    floor: float = 0.0  # of the index, once closed
    rising: float = 0.0  # time constant with which the index opens first, as in brass
    detune: float = 0.0  # cents of a second voice; 0: none


def _fm(stroke: Stroke, operators: _Operators) -> Samples:
    """Bend the phase of a sine by another whose index falls."""
    t = stroke.times(operators.envelope.release)
    # High notes take less bending, or the sidebands would fold back at the Nyquist frequency.
    most = max(0.2, 0.4 * stroke.sr / (operators.ratio * stroke.frequency) - 2.0)
    opened = min(most, operators.index * (0.4 + 1.2 * stroke.brightness))
    index = opened * (operators.floor + (1.0 - operators.floor) * np.exp(-t / operators.closing))
    if operators.rising:
        index *= 1.0 - np.exp(-t / operators.rising)
    y = np.zeros(t.size)
    for cents in (0.0, operators.detune)[: 2 if operators.detune else 1]:
        turn = 2.0 * np.pi * stroke.frequency * 2.0 ** (cents / 1200) * t
        y += np.sin(turn + index * np.sin(operators.ratio * turn))
    return y * operators.envelope(t, stroke.seconds)


_DYING = Envelope(decay=0.9, sustain=0.1, release=0.35)
_OPERATORS = {
    "fm epiano": _Operators(_DYING, ratio=1.0, index=1.3, closing=0.6),
    "fm bell": _Operators(Envelope(decay=0.8, sustain=0.05, release=0.6), ratio=3.5, index=1.2, closing=0.5),
    "fm kalimba": _Operators(Envelope(decay=0.16, sustain=0.0, release=0.1), ratio=4.0, index=0.9, closing=0.05),
    "fm brass": _Operators(Envelope(attack=0.03, release=0.1), ratio=1.0, index=3.2, rising=0.06, detune=5.0),
    "fm reed": _Operators(Envelope(attack=0.07, release=0.2), ratio=2.0, index=1.1),
    "fm pad": _Operators(Envelope(attack=0.6, release=1.0), ratio=1.0, index=0.9, detune=7.0),
    "fm clav": _Operators(Envelope(decay=0.25, sustain=0.1), ratio=3.0, index=2.2, closing=0.12, floor=0.2),
    "fm clang": _Operators(Envelope(decay=0.5, sustain=0.5), ratio=2.0, index=1.8, closing=0.12),
    "fm lead": _Operators(
        Envelope(attack=0.008, release=0.1), ratio=2.0, index=3.0, closing=0.6, floor=0.5, detune=9.0
    ),
}

FM: dict[str, Instrument] = {name: partial(_fm, operators=operators) for name, operators in _OPERATORS.items()}
