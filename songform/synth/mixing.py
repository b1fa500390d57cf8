"""From notes to sound: the player, the fader, the room and the limiter.

Conventions
-----------
A *bus* is a mono float32 signal. Sections are played on two of them, a dry one and one that is also sent to the room,
and set to their level together. Every waveform is scaled so that its loudest 50 ms have an RMS of 1: a note's level
then means the same on every instrument.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from scipy.signal import oaconvolve

from songform.synth.drums import DRUMS, filtered
from songform.synth.score import Note
from songform.synth.tones import TONES, Instrument, Stroke

__all__ = ["INSTRUMENTS", "PEAK", "Player", "Sound", "faded", "levelled", "mixed"]

Sound = NDArray[np.float32]

INSTRUMENTS: dict[str, Instrument] = TONES | DRUMS

PEAK = 0.9  # no sample is louder
LOUDEST_DB = -15.0  # RMS at the level 0 dB, in dB of full scale
LOUDNESS_SECONDS = 0.05
REVERBERATION_SECONDS = 1.2
ROOM = 0.3  # the room's share of what is sent to it
UNSENT = frozenset({"kick", "boom", "sub", "growl", "clang", "riser"})  # low notes and long noise would only blur
HISS_DB = -66.0  # RMS, in dB of full scale
FADE_SECONDS = 0.3


class Player:
    """Plays notes, and remembers how each of them sounds.

    Parameters
    ----------
    sr : int
        Sampling rate in Hz.
    step : int
        Samples in a sixteenth note.
    seed : int
        Seed of all noise.
    """

    def __init__(self, sr: int, step: int, seed: int) -> None:
        self.sr = sr
        self.step = step
        self.seed = seed
        self._sounds: dict[tuple[str, int, float, int], Sound] = {}

    def played(self, notes: Iterable[Note], n_samples: int) -> Sound:
        """Play the notes of a section.

        Parameters
        ----------
        notes : iterable of Note
            Their steps count from the section's start.
        n_samples : int
            How much to keep; the last notes ring into the next section when this is longer than the section.

        Returns
        -------
        Sound, shape=(2, n_samples)
            The dry bus and the one for the room.
        """
        buses = np.zeros((2, n_samples), dtype=np.float32)
        for note in notes:
            start = round(note.step * self.step)
            sound = self._sound(note)[: n_samples - start]
            buses[int(note.instrument not in UNSENT), start : start + sound.size] += np.float32(note.level) * sound
        return buses

    def room(self) -> Sound:
        """Return a room's impulse response: dull noise that dies away by 60 dB, of unit energy."""
        stroke = Stroke(pitch=0, seconds=REVERBERATION_SECONDS, sr=self.sr, seed=self.seed)
        t = stroke.times()
        tail = filtered(stroke.noise(t.size), "bandpass", (200.0, 3500.0), self.sr)
        tail *= 10.0 ** (-3.0 * t / REVERBERATION_SECONDS)
        return np.asarray(tail / np.linalg.norm(tail), dtype=np.float32)

    def hiss(self, n_samples: int) -> Sound:
        """Return the faint noise that is under every recording: without it, a rest would be digital silence."""
        noise = np.random.default_rng(self.seed).standard_normal(n_samples, dtype=np.float32)
        return np.asarray(noise * np.float32(10.0 ** (HISS_DB / 20)), dtype=np.float32)

    def _sound(self, note: Note) -> Sound:
        """Make a note's waveform, or take it from memory."""
        # Nobody hears an eighth of the filter's way, and a song has far fewer different sounds by it.
        key = (note.instrument, note.pitch, note.length, round(8 * note.brightness))
        if key not in self._sounds:
            seconds = note.length * self.step / self.sr
            stroke = Stroke(note.pitch, seconds, round(8 * note.brightness) / 8, self.sr, self.seed)
            self._sounds[key] = _scaled(INSTRUMENTS[note.instrument](stroke), round(LOUDNESS_SECONDS * self.sr))
        return self._sounds[key]


def levelled(buses: Sound, n_section: int, bar: int, levels_db: tuple[float, float]) -> Sound:
    """Set a section to its level, or to a steady rise.

    Parameters
    ----------
    buses : Sound, shape=(2, n)
        A section as played.
    n_section : int
        The section's length in samples, whole bars, at most n; what is beyond rings on at the last gain.
    bar : int
        Samples in a bar.
    levels_db : tuple of float
        The RMS at the start and at the end in dB, 0 being the loudest of the song. If they are equal one gain holds
        for the whole section, which leaves its loops exact; else every bar is brought onto the straight line.

    Returns
    -------
    Sound, shape=(2, n)
        With the RMS that was asked for.
    """
    first, last = levels_db
    y = buses[:, :n_section].sum(axis=0)
    if first == last:
        return np.asarray(buses * _gain(y, first), dtype=np.float32)
    n_bars = n_section // bar
    centres = np.arange(n_bars) + 0.5
    wanted = first + (last - first) * centres / n_bars
    gains = np.log([_gain(y[i * bar : (i + 1) * bar], level) for i, level in enumerate(wanted)])
    # Between the bars' centres the fader glides; beyond the outer ones it rests.
    ridden = np.interp(np.arange(buses.shape[1]) / bar, centres, gains)
    return np.asarray(buses * np.exp(ridden), dtype=np.float32)


def mixed(buses: Sound, room: Sound) -> Sound:
    """Join the buses, the second heard through the room as well, and hold the peaks below `PEAK`.

    Parameters
    ----------
    buses : Sound, shape=(2, n)
        The dry bus, and the one for the room.
    room : Sound
        The room's impulse response.

    Returns
    -------
    Sound, shape=(n,)
        The song; the limiter has no memory, so equal bars stay equal.
    """
    wet = oaconvolve(buses[1], room)[: buses.shape[1]]
    y = buses.sum(axis=0) + np.float32(ROOM) * wet
    return np.asarray(PEAK * np.tanh(y / PEAK), dtype=np.float32)


def faded(y: Sound, sr: int) -> Sound:
    """Fade the last moment out, so that a song cut at its last bar does not click."""
    n_fade = min(y.size, round(FADE_SECONDS * sr))
    return np.concatenate([y[: y.size - n_fade], y[y.size - n_fade :] * np.linspace(1, 0, n_fade, dtype=np.float32)])


def _scaled(y: NDArray[np.float64], window: int) -> Sound:
    """Scale a waveform so that its loudest window has an RMS of 1."""
    window = min(y.size, window)
    power = np.square(y[: y.size // window * window]).reshape(-1, window).mean(axis=1)
    return np.asarray(y / np.sqrt(power.max()), dtype=np.float32)


def _gain(y: Sound, level_db: float) -> np.float32:
    """Return the factor that gives a signal its level."""
    rms = np.sqrt(np.mean(np.square(y)) + 1e-12)
    return np.float32(10.0 ** ((LOUDEST_DB + level_db) / 20) / rms)
