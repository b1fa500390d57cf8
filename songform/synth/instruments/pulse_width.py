"""Pulse-width synthesis of leads, plucks, ensembles and basses, as in the sound chips of game consoles.

A tone is a rectangular wave whose duty cycle changes. Its edges are polynomials instead of steps, so that it hardly
aliases [1]_. Wide edges sound dull, narrow edges bright. The bass is a triangle wave that is quantized to a few levels.

References
----------
.. [1] Välimäki, Pekonen and Nam, "Perceptually informed synthesis of bandlimited classical waveforms using integrated
   polynomial interpolation", JASA 131(1), 2012.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from songform.synth.instruments.instrument import Envelope, Instrument, Samples, Stroke

__all__ = ["PULSE_WIDTH"]


@dataclass(frozen=True)
class _Pulse:
    """Parameters of a tone: envelope, duty cycle and tuning."""

    envelope: Envelope
    duty: float = 0.5  # fraction of the period for which the wave is high, at the start
    settled: float = 0.5  # duty cycle that it approaches
    settling: float = 0.2  # time constant of this change in seconds
    sway: float = 0.0  # depth of the periodic change of the duty cycle
    rate: float = 0.0  # frequency of the periodic change in Hz
    detune: tuple[float, ...] = (0.0,)  # cents, one voice each


def _sawtooth(phase: Samples, edge: float) -> Samples:
    """Return a sawtooth wave from -1 to 1 whose edge takes `edge` periods on each side of its center."""
    after, before = np.maximum(1.0 - phase / edge, 0.0), np.maximum(1.0 - (1.0 - phase) / edge, 0.0)
    return np.asarray(2.0 * phase - 1.0 + after * after - before * before)


def _pulsed(stroke: Stroke, pulse: _Pulse) -> Samples:
    """Synthesize a rectangular wave as the difference of two sawtooth waves."""
    t = stroke.times(pulse.envelope.release)
    # An edge takes 0.6 ms in a dull tone and 0.05 ms in a bright one, but at least a sample.
    seconds = max(1.0 / stroke.sr, 6e-4 * 0.08**stroke.brightness)
    edge = min(0.5, stroke.frequency * seconds)
    duty = pulse.settled + (pulse.duty - pulse.settled) * np.exp(-t / pulse.settling)
    duty += pulse.sway * np.sin(2.0 * np.pi * pulse.rate * t)
    y = np.zeros(t.size)
    for voice, cents in enumerate(pulse.detune):
        phase = (stroke.frequency * 2.0 ** (cents / 1200) * t + 0.21 * voice) % 1.0
        y += _sawtooth(phase, edge) - _sawtooth((phase + duty) % 1.0, edge)
    return y * pulse.envelope(t, stroke.seconds)


def _stepped(stroke: Stroke, envelope: Envelope) -> Samples:
    """Synthesize a triangle wave of 48 levels in a dull tone, and of 4 levels in a bright one."""
    t = stroke.times(envelope.release)
    triangle = np.abs(4.0 * ((stroke.frequency * t + 0.25) % 1.0) - 2.0) - 1.0
    steps = 0.5 * np.round(48.0 * (4.0 / 48.0) ** stroke.brightness)
    return np.asarray(np.round(steps * triangle) / steps * envelope(t, stroke.seconds))


_PULSES = {
    "pulse lead": _Pulse(Envelope(attack=0.006, release=0.08), 0.06, 0.1, 0.4, 0.02, 5.5),
    "square lead": _Pulse(Envelope(attack=0.01, release=0.1), 0.45, 0.5, 0.1, 0.02, 4.7, (0.0, 6.0)),
    "pulse stab": _Pulse(Envelope(decay=0.18, sustain=0.15), 0.05, 0.16, 0.12, detune=(-5.0, 6.0)),
    "pulse pluck": _Pulse(Envelope(decay=0.14, sustain=0.03, release=0.05), 0.25, 0.5, 0.06),
    "pulse ensemble": _Pulse(Envelope(attack=0.06, release=0.2), 0.4, 0.4, 1.0, 0.22, 0.9, (-8.0, 7.0)),
    "pulse bass": _Pulse(Envelope(attack=0.008, decay=0.5, sustain=0.6), 0.2, 0.4, 0.15),
}

PULSE_WIDTH: dict[str, Instrument] = {
    **{name: partial(_pulsed, pulse=pulse) for name, pulse in _PULSES.items()},
    "triangle bass": partial(_stepped, envelope=Envelope(attack=0.006, decay=1.2, sustain=0.5, release=0.06)),
}
