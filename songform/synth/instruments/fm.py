"""FM synthesis: one sine modulates the phase of another [1]_. Electric piano, bell, kalimba, brass, pad and others.

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
    """Parameters of a carrier and a modulator. The modulation index falls exponentially to a minimum."""

    envelope: Envelope
    ratio: float = 1.0  # frequency of the modulator relative to the carrier
    index: float = 2.0  # modulation index at the start in radians, at medium brightness
    closing: float = 1e3  # time constant of the fall of the index, in seconds
    floor: float = 0.0  # minimum of the index, as a fraction of its start
    rising: float = 0.0  # time constant of an initial rise of the index in seconds, as in brass; 0: none
    detune: float = 0.0  # detuning of a second voice in cents; 0: no second voice


def _fm(stroke: Stroke, operators: _Operators) -> Samples:
    """Synthesize a tone by phase modulation with a falling index."""
    t = stroke.times(operators.envelope.release)
    # The index is limited for high notes; otherwise the sidebands would alias.
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
