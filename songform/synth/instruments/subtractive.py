"""Subtractive synthesis of strings, flute, organ, brass, leads and basses, as in an analog synthesizer.

A tone is a wave with many harmonics and a closing low-pass filter. The filter is approximated by a crossfade from a
bright to a dull wavetable.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from songform.synth.instruments.instrument import Envelope, Instrument, Samples, Stroke

__all__ = ["SUBTRACTIVE"]

TABLE_SIZE = 4096
N_HARMONICS = 40
VIBRATO_HZ = 5.2


@dataclass(frozen=True)
class _Wave:
    """Parameters of a tone: envelope, spectrum, tuning and filter."""

    envelope: Envelope
    slope: float = 1.0  # harmonic k has the amplitude 1 / k ** slope
    even: float = 1.0  # amplitude of the even harmonics
    detune: tuple[float, ...] = (0.0,)  # cents, one voice each
    closing: float = 1e3  # time constant of the closing filter in seconds
    vibrato: float = 0.0  # depth in cents


def _table(frequency: float, wave: _Wave, cutoff: float, sr: int) -> Samples:
    """Return one period of the wave, low-pass filtered at `cutoff` Hz, without harmonics that would alias."""
    k = np.arange(1, 1 + max(1, min(N_HARMONICS, int(0.45 * sr / frequency))))
    amplitudes = k**-wave.slope * np.where(k % 2 == 0, wave.even, 1.0) / (1.0 + (k * frequency / cutoff) ** 4)
    # Quadratic phases spread the energy over the period, which keeps the crest factor low.
    spectrum = np.zeros(TABLE_SIZE // 2 + 1, dtype=np.complex128)
    spectrum[k] = amplitudes * np.exp(1j * np.pi * k**2 / k.size)
    return np.asarray(np.fft.irfft(spectrum) * TABLE_SIZE)


def _harmonic(stroke: Stroke, wave: _Wave) -> Samples:
    """Synthesize a tone as a crossfade from a bright to a dull wavetable."""
    t = stroke.times(wave.envelope.release)
    cutoff = stroke.frequency + 500.0 * 2.0 ** (4.0 * stroke.brightness)
    bright = _table(stroke.frequency, wave, cutoff, stroke.sr)
    dull = _table(stroke.frequency, wave, cutoff / 4, stroke.sr)
    opening = np.exp(-t / wave.closing)
    bend = wave.vibrato * np.log(2.0) / 1200 * (1.0 - np.cos(2 * np.pi * VIBRATO_HZ * t)) / (2 * np.pi * VIBRATO_HZ)
    y = np.zeros(t.size)
    for voice, cents in enumerate(wave.detune):
        cycles = stroke.frequency * 2.0 ** (cents / 1200) * (t + bend) + 0.37 * voice
        place = (cycles * TABLE_SIZE).astype(np.int64) % TABLE_SIZE
        y += dull[place] + opening * (bright - dull)[place]
    return y * wave.envelope(t, stroke.seconds)


_SAWS = (-9.0, 0.0, 8.0)
_SLOW, _SOFT = Envelope(attack=0.5, release=0.9), Envelope(attack=0.09, release=0.25)
_FIRM, _SHORT = Envelope(attack=0.01, release=0.1), Envelope(decay=0.2, sustain=0.2)

_WAVES = {
    # Pads, with slow attack and release.
    "strings": _Wave(_SLOW, slope=1.1, detune=(-6.0, 0.0, 5.0)),
    "choir": _Wave(Envelope(attack=0.6, release=1.0), slope=1.6, even=0.6, detune=(-4.0, 5.0)),
    "organ": _Wave(Envelope(attack=0.3, release=0.7), slope=1.8, even=0.9, detune=(0.0, 3.0)),
    # Voices for slow melodies.
    "flute": _Wave(_SOFT, slope=2.4, even=0.7, vibrato=14.0),
    "clarinet": _Wave(_SOFT, slope=1.5, even=0.08),
    "violin": _Wave(Envelope(attack=0.12, release=0.2), slope=1.2, vibrato=18.0),
    # Leads and chords for loud sections.
    "saws": _Wave(_FIRM, slope=0.9, detune=_SAWS, closing=0.8),
    "brass": _Wave(Envelope(attack=0.03, release=0.1), slope=0.8, detune=(0.0, 4.0), closing=1.5),
    "reeds": _Wave(Envelope(attack=0.015), slope=1.0, even=0.15, vibrato=10.0),
    "stab": _Wave(_SHORT, slope=0.9, detune=_SAWS, closing=0.09),
    "drawbars": _Wave(_FIRM, slope=1.2, even=1.0, detune=(0.0, 2.0)),
    "fuzz": _Wave(Envelope(attack=0.006, decay=0.9, sustain=0.5), slope=0.55, detune=(-5.0, 6.0), closing=1.2),
    "bows": _Wave(Envelope(attack=0.04, release=0.15), slope=1.0, detune=(-8.0, -1.0, 7.0)),
    "blip": _Wave(Envelope(decay=0.12, sustain=0.05), slope=1.0, even=0.4, closing=0.06),
    # Basses.
    "sub": _Wave(Envelope(attack=0.01, release=0.06), slope=2.6),
    "growl": _Wave(Envelope(decay=0.4, sustain=0.6), slope=0.9, detune=(0.0, 6.0), closing=0.15),
    "hollow": _Wave(Envelope(decay=0.6, sustain=0.4), slope=1.2, even=0.1, closing=0.3),
}

SUBTRACTIVE: dict[str, Instrument] = {name: partial(_harmonic, wave=wave) for name, wave in _WAVES.items()}
