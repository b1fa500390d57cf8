"""The fader: a section is set to its level, or to a steady rise.

Levels are RMS in dB, 0 being the loudest of a song. Buses are those of `songform.synth.rendering.note_player`.
"""

from __future__ import annotations

import numpy as np

from songform.synth.rendering.note_player import Sound

__all__ = ["LOUDEST_DB", "levelled"]

LOUDEST_DB = -15.0  # RMS at the level 0 dB, in dB of full scale
LEAST_STEPS = 4  # of a rise


def levelled(buses: Sound, n_section: int, bar: int, levels_db: tuple[float, float]) -> Sound:
    """Set a section to its level, or to a steady rise.

    Parameters
    ----------
    buses : Sound, shape=(2, n)
        A section as played.
    n_section : int
        The section's length in samples, at most n; what is beyond rings on at the last gain.
    bar : int
        Samples in a bar.
    levels_db : tuple of float
        The RMS at the start and at the end in dB, 0 being the loudest of the song. If they are equal one gain holds
        for the whole section, which leaves its loops exact; else every bar, or every part of a section of few bars,
        is brought onto the straight line.

    Returns
    -------
    Sound, shape=(2, n)
        With the RMS that was asked for.
    """
    first, last = levels_db
    y = buses[:, :n_section].sum(axis=0)
    if first == last:
        return np.asarray(buses * _gain(y, first), dtype=np.float32)
    n_parts = max(LEAST_STEPS, round(n_section / bar))
    centres = (np.arange(n_parts) + 0.5) / n_parts
    parts = np.array_split(y, n_parts)
    gains = np.log([_gain(part, level) for part, level in zip(parts, first + (last - first) * centres, strict=True)])
    # Between the parts' centres the fader glides; beyond the outer ones it rests.
    ridden = np.interp(np.arange(buses.shape[1]) / n_section, centres, gains)
    return np.asarray(buses * np.exp(ridden), dtype=np.float32)


def _gain(y: Sound, level_db: float) -> np.float32:
    """Return the factor that gives a signal its level."""
    rms = np.sqrt(np.mean(np.square(y)) + 1e-12)
    return np.float32(10.0 ** ((LOUDEST_DB + level_db) / 20) / rms)
