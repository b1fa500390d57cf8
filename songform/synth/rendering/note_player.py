"""From notes to sound: the player.

Conventions
-----------
A *bus* is a mono float32 signal. A section is played on two of them, a dry one and one that is also sent to the room.
Every waveform is scaled so that its loudest 50 ms have an RMS of 1: a note's level then means the same on every
instrument.
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
UNSENT = frozenset({"kick", "boom", "bass", "crunch", "riser"})  # low notes and long noise would only blur
SHADES = 8  # nobody hears an eighth of the filter's way, and a song has far fewer different sounds by it


class Player:
    """Plays notes, and remembers how each of them sounds.

    Parameters
    ----------
    instruments : mapping of str to Instrument
        Who plays each role.
    sr : int
        Sampling rate in Hz.
    step : int
        Samples in a sixteenth note.
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
        """Play the notes of a section.

        Parameters
        ----------
        notes : iterable of Note
            Their steps count from the section's start.
        clock : Clock
            When the steps are.
        n_samples : int
            How much to keep; the last notes ring into the next section when this is longer than the section.

        Returns
        -------
        Sound, shape=(2, n_samples)
            The dry bus and the one for the room.
        """
        buses = np.zeros((2, n_samples), dtype=np.float32)
        for note in notes:
            start = clock.sample(note.step)
            sound = self._sound(note)[: max(0, n_samples - start)]
            buses[int(note.role not in UNSENT), start : start + sound.size] += np.float32(note.level) * sound
        return buses

    def _sound(self, note: Note) -> Sound:
        """Make a note's waveform, or take it from memory."""
        shade = round(SHADES * note.brightness)
        key = (note.role, note.pitch, note.length, shade)
        if key not in self._sounds:
            stroke = Stroke(note.pitch, note.length * self.step / self.sr, shade / SHADES, self.sr, self.seed)
            self._sounds[key] = _scaled(self.instruments[note.role](stroke), round(LOUDNESS_SECONDS * self.sr))
        return self._sounds[key]


def _scaled(y: Samples, window: int) -> Sound:
    """Scale a waveform so that its loudest window has an RMS of 1."""
    window = min(y.size, window)
    power = np.square(y[: y.size // window * window]).reshape(-1, window).mean(axis=1)
    return np.asarray(y / np.sqrt(power.max()), dtype=np.float32)
