"""Patterns of BuildUp: density and brightness increase until the last bar, and the bass, if any, drops out [1]_.

============  =====================================================================================================
`riser`       Chords, snare and a rising figure increase from two to sixteen strokes per bar, with a riser.
`crescendo`   Orchestra: tremolo strings become faster and higher; brass, a drum roll, a final reversed cymbal.
`layers`      Voices enter one after another, slow ones first.
`sweep`       A filter opens over pulsing chords, which accelerate from quarter to sixteenth notes.
`climb`       A figure rises through the scale in shorter and shorter notes.
============  =====================================================================================================

References
----------
.. [1] Solberg, "Waiting for the bass to drop", Dancecult 6(1), 2014: musical means of a build-up.
"""

from __future__ import annotations

import numpy as np

from songform.synth.patterns.pattern import Pattern
from songform.synth.score.notes import Note, moved
from songform.synth.score.rhythms import PULSES, pulse
from songform.synth.score.themes import Theme, voicings

__all__ = ["BUILD_UP"]


def _riser(theme: Theme, n_bars: int, rng: np.random.Generator) -> list[Note]:
    """Write the pattern `riser`: more strokes, brighter and higher with each bar, while the bass drops out."""
    notes = [Note(0, theme.metre * n_bars, "riser", 0, 0.25)]
    top = int(rng.integers(5, 9))
    for bar, chord in enumerate(voicings(theme, n_bars, lowest=50)):
        start = theme.metre * bar
        notes += [Note(start, theme.metre, "pad", pitch, 0.2 * (1 - bar / n_bars), 0.4) for pitch in chord]
        for position, step in enumerate(PULSES[theme.metre]):
            progress = (bar + step / theme.metre) / n_bars
            if position < 2 + (theme.metre - 2) * progress:
                notes += _pulse(theme, start + step, chord, progress)
                degree = theme.chord(bar)[position % 3] + round(top * progress)
                notes.append(Note(start + step, 1, "loop", theme.pitch(degree + 7), 0.3, progress))
    return notes


def _pulse(theme: Theme, step: int, chord: tuple[int, ...], progress: float) -> list[Note]:
    """Write one stroke of a build-up: voices move up an octave one by one, and the snare replaces kick and bass."""
    swell = _swell(progress)
    raised = round(progress * len(chord))
    voiced = [pitch + 12 * (voice < raised) for voice, pitch in enumerate(chord)]
    notes = [Note(step, 1, "chords", pitch, 0.3 * swell**0.5, progress) for pitch in voiced]
    notes.append(Note(step, 1, "snare", 0, 0.65 * swell))
    if progress < 0.5 and step % 4 == 0:
        notes.append(Note(step, 1, "kick", 0, 0.5 - progress))
        notes.append(Note(step, 4, "bass", theme.bass(step // theme.metre), 0.3 - 0.6 * progress))
    return notes


def _crescendo(theme: Theme, n_bars: int, _rng: np.random.Generator) -> list[Note]:
    """Write the pattern `crescendo`: tremolo strings become faster and higher, brass joins, drums roll."""
    end = theme.metre * n_bars
    notes = []
    for bar, chord in enumerate(voicings(theme, n_bars, lowest=48)):
        density = 2 + (theme.metre - 2) * bar / max(1, n_bars - 1)
        length = theme.metre / round(density)
        for step in pulse(theme.metre, density):
            progress = (bar + step / theme.metre) / n_bars
            swell, up = _swell(progress), 12 * round(progress)
            notes += [Note(bar * theme.metre + step, length, "strings", p + up, 0.4 * swell, progress) for p in chord]
            if progress > 0.4:
                high = theme.pitch(theme.chord(bar)[step % 3] + 3 + round(6 * progress))
                notes.append(Note(bar * theme.metre + step, length, "brass", high, 0.45 * swell, progress))
            drum, pitch = ("tom", 41) if progress < 0.5 else ("snare", 0)
            notes.append(Note(bar * theme.metre + step, 1, drum, pitch, 0.35 * swell))
    last = min(theme.metre, end)
    return [*notes, Note(end - last, last, "reverse", 0, 0.35)]


def _layers(theme: Theme, n_bars: int, _rng: np.random.Generator) -> list[Note]:
    """Write the pattern `layers`: voices enter one after another."""
    notes: list[Note] = []
    for bar, chord in enumerate(voicings(theme, n_bars, lowest=53)):
        layers = _bar_of_layers(theme.metre, chord)
        # Voices may also enter at half a bar; otherwise a section of few bars could not grow.
        for half in (0, 1):
            present = 2 + int((len(layers) - 2) * (2 * bar + half + 1) / (2 * n_bars))
            first, after = half * theme.metre // 2, (1 + half) * theme.metre // 2
            sounding = [note for layer in layers[:present] for note in layer if first <= note.step < after]
            notes += [moved(note, theme.metre * bar) for note in sounding]
    return notes


def _bar_of_layers(metre: int, chord: tuple[int, ...]) -> list[list[Note]]:
    """Write one bar of each voice, in the order in which the voices enter."""
    halves, quarters, eighths, sixteenths = (range(0, metre, pace) for pace in (metre // 2, 4, 2, 1))
    tones = [*chord, *(pitch + 12 for pitch in chord)]
    return [
        [Note(step, metre // 2, "pad", pitch, 0.25, 0.3) for step in halves for pitch in chord],
        [Note(step, 3, "keys", tones[step // 4 % len(tones)], 0.35, 0.4) for step in quarters],
        [Note(step + 2, 2, "chords", pitch, 0.2, 0.5) for step in quarters for pitch in chord],
        [Note(step, 2, "loop", tones[(step * 3) % len(tones)] + 12, 0.35, 0.6) for step in eighths],
        [Note(step, 1, "shaker", 0, 0.3) for step in eighths],
        [Note(step, 1, "lead", tones[(step * 5) % len(tones)] + 12, 0.35, 0.8) for step in sixteenths],
        [Note(step, 1, "hat", 0, 0.35 + 0.1 * (step % 2)) for step in sixteenths],
        [Note(step, 1, "snare", 0, 0.5 + 0.02 * step) for step in eighths],
    ]


def _sweep(theme: Theme, n_bars: int, _rng: np.random.Generator) -> list[Note]:
    """Write the pattern `sweep`: a filter opens over pulsing chords, hats join, and the bass drops out."""
    notes = []
    for bar, chord in enumerate(voicings(theme, n_bars, lowest=52)):
        start = theme.metre * bar
        density = 4 + (theme.metre - 4) * bar / max(1, n_bars - 1) if n_bars > 1 else theme.metre
        for step in pulse(theme.metre, density):
            progress = (bar + step / theme.metre) / n_bars
            notes += [
                Note(start + step, 2, "chords", pitch, 0.35 * _swell(progress) ** 0.3, progress) for pitch in chord
            ]
            notes.append(Note(start + step, 1, "hat", 0, 0.01 + 0.5 * progress**2))
            if step % 4 == 0 and progress < 0.6:
                notes.append(Note(start + step, 4, "bass", theme.bass(bar), 0.4 * (1 - progress / 0.6), 0.3))
        rise = round(7 * bar / n_bars)
        notes.append(Note(start, theme.metre, "lead", theme.pitch(theme.chord(bar)[0] + rise), 0.25, bar / n_bars))
    return notes


def _climb(theme: Theme, n_bars: int, rng: np.random.Generator) -> list[Note]:
    """Write the pattern `climb`: a figure rises through the scale in shorter and shorter notes, with a snare roll."""
    notes = []
    figure = rng.permutation(4).tolist()
    count = 0
    for bar, chord in enumerate(voicings(theme, n_bars, lowest=50)):
        start = theme.metre * bar
        for step in pulse(theme.metre, 3 + (theme.metre - 3) * (bar + 0.5) / n_bars):
            progress = (bar + step / theme.metre) / n_bars
            degree = round(12 * progress) + figure[count % 4]
            count += 1
            swell = _swell(progress)
            notes.append(Note(start + step, 1.5, "lead", theme.pitch(degree), 0.5 * swell**0.5, progress))
            notes.append(Note(start + step, 1.5, "loop", theme.pitch(degree) + 12, 0.4 * swell**0.5, progress))
            notes.append(Note(start + step, 1, "snare", 0, 0.5 * swell))
        notes += [Note(start, theme.metre, "strings", p, 0.25, (bar + 0.5) / n_bars) for p in chord]
    return notes


def _swell(progress: float) -> float:
    """Return the gain at a moment of a crescendo that rises linearly by 30 dB."""
    return float(10.0 ** (1.5 * (progress - 1.0)))


BUILD_UP = {
    "riser": Pattern(_riser),
    "crescendo": Pattern(_crescendo),
    "layers": Pattern(_layers),
    "sweep": Pattern(_sweep),
    "climb": Pattern(_climb),
}
