"""Formant synthesis of voices: pulse trains filtered by the resonances of vowels [1]_ [2]_.

References
----------
.. [1] Klatt, "Software for a cascade/parallel formant synthesizer", JASA 67(3), 1980.
.. [2] Peterson and Barney, "Control methods used in a study of the vowels", JASA 24(2), 1952: formant frequencies.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.signal import lfilter

from songform.synth.instruments.instrument import Envelope, Instrument, Samples, Stroke, filtered

__all__ = ["FORMANT"]

VOWELS = {"ah": (730.0, 1090.0, 2440.0), "oo": (300.0, 870.0, 2240.0), "ee": (270.0, 2290.0, 3010.0)}


@dataclass(frozen=True)
class _Mouth:
    """Parameters of one or more singers of a vowel."""

    vowel: str
    envelope: Envelope
    singers: tuple[float, ...] = (0.0,)  # detuning of each singer in cents
    vibrato: float = 25.0  # depth in cents
    breath: float = 0.02  # amplitude of the noise


def _pulses(stroke: Stroke, mouth: _Mouth, t: Samples) -> Samples:
    """Return the sum of the singers' pulse trains and breath noise."""
    y = mouth.breath * filtered(stroke.noise(t.size), "lowpass", 3000.0, stroke.sr)
    sharpness = 2.0 + 6.0 * stroke.brightness
    for singer, cents in enumerate(mouth.singers):
        rate = 5.0 + 0.4 * singer
        bend = mouth.vibrato * np.log(2.0) / 1200 * (1.0 - np.cos(2 * np.pi * rate * t)) / (2 * np.pi * rate)
        phase = 2.0 * np.pi * (stroke.frequency * 2.0 ** (cents / 1200) * (t + bend) + 0.31 * singer)
        # The exponential of a cosine is a pulse train whose upper harmonics fall so fast that it does not alias.
        y += np.exp(sharpness * (np.cos(phase) - 1.0)) - np.exp(-sharpness)
    return y


def _sung(stroke: Stroke, mouth: _Mouth) -> Samples:
    """Synthesize a sung tone: the pulses filtered by three resonances, plus a small part of the unfiltered pulses."""
    t = stroke.times(mouth.envelope.release)
    pulses = _pulses(stroke, mouth, t)
    y = np.asarray(0.3 * (pulses - pulses.mean()))
    for hz, weight in zip(VOWELS[mouth.vowel], (1.0, 0.6, 0.35), strict=True):
        radius = np.exp(-np.pi * (60.0 + 0.06 * hz) / stroke.sr)
        angle = 2.0 * np.pi * min(hz, 0.45 * stroke.sr) / stroke.sr
        y += weight * lfilter(
            [1.0 - radius], [1.0, -2.0 * radius * np.cos(angle), radius**2], np.diff(pulses, prepend=0.0)
        )
    return y * mouth.envelope(t, stroke.seconds)


_CHOIR = (-9.0, 0.0, 8.0)
_MOUTHS = {
    "singer": _Mouth("ah", Envelope(attack=0.08, release=0.2)),
    "humming": _Mouth("oo", Envelope(attack=0.1, release=0.25), vibrato=18.0, breath=0.01),
    "voices": _Mouth("ah", Envelope(attack=0.5, release=0.9), _CHOIR, breath=0.03),
    "boys": _Mouth("oo", Envelope(attack=0.6, release=0.9), _CHOIR, breath=0.03),
    "chant": _Mouth("ee", Envelope(attack=0.03, release=0.12), _CHOIR, vibrato=12.0, breath=0.04),
}

FORMANT: dict[str, Instrument] = {name: partial(_sung, mouth=mouth) for name, mouth in _MOUTHS.items()}
