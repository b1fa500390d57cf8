"""Note player, which renders notes as sound.

Conventions
-----------
A *bus* is a mono float32 signal. A section is played on two buses: a dry one, and one that is also sent to the room
reverb. Each waveform is scaled so that its loudest 50 ms have an RMS of 1, so levels of notes are comparable between
instruments.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from songform.synth.instruments.instrument import Instrument, Samples, Stroke
from songform.synth.score.notes import Note
from songform.synth.score.step_times import Clock

__all__ = ["Player", "Sound"]

Sound = NDArray[np.float32]

LOUDNESS_SECONDS = 0.05
UNSENT = frozenset({"kick", "boom", "bass", "crunch", "riser"})  # low notes and long noise are unclear with reverb
SHADES = 8  # brightness is rounded to this number of steps, which is inaudible and makes the cache more effective


class Player:
    """Renderer of notes, with a cache of waveforms.

    Parameters
    ----------
    instruments : mapping of str to Instrument
        Instrument of each role.
    sr : int
        Sampling rate in Hz.
    step : int
        Length of a sixteenth note in samples.
    seed : int
        Seed of all noise.
    """

    def __init__(self, instruments: Mapping[str, Instrument], sr: int, step: int, seed: int) -> None:
        self.instruments = instruments
        self.sr = sr
        self.step = step
        self.seed = seed
        self._sounds: dict[tuple[str, int, float, int], Sound] = {}

    def played(self, notes: Iterable[Note], clock: Clock, n_samples: int) -> Sound:
        """Render the notes of a section.

        Parameters
        ----------
        notes : iterable of Note
            Notes, with steps counted from the start of the section.
        clock : Clock
            Conversion of steps to samples.
        n_samples : int
            Length of the result. If it is greater than the length of the section, it includes the decay of the last
            notes.

        Returns
        -------
        Sound, shape=(2, n_samples)
            Dry bus, and bus that is also sent to the room reverb.
        """
        buses = np.zeros((2, n_samples), dtype=np.float32)
        for note in notes:
            start = clock.sample(note.step)
            sound = self._sound(note)[: max(0, n_samples - start)]
            buses[int(note.role not in UNSENT), start : start + sound.size] += np.float32(note.level) * sound
        return buses

    def _sound(self, note: Note) -> Sound:
        """Return the waveform of a note, from the cache if possible."""
        shade = round(SHADES * note.brightness)
        key = (note.role, note.pitch, note.length, shade)
        if key not in self._sounds:
            stroke = Stroke(note.pitch, note.length * self.step / self.sr, shade / SHADES, self.sr, self.seed)
            self._sounds[key] = _scaled(self.instruments[note.role](stroke), round(LOUDNESS_SECONDS * self.sr))
        return self._sounds[key]


def _scaled(y: Samples, window: int) -> Sound:
    """Scale a waveform so that its loudest window has an RMS of 1; `window` is in samples."""
    window = min(y.size, window)
    power = np.square(y[: y.size // window * window]).reshape(-1, window).mean(axis=1)
    return np.asarray(y / np.sqrt(power.max()), dtype=np.float32)
