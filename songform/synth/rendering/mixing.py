"""Mixing: gain that sets a section to a constant level or to a steady rise.

Levels are RMS in dB; 0 dB is the level of the loudest sections. Buses are defined in
`songform.synth.rendering.note_player`.
"""

from __future__ import annotations

import numpy as np

from songform.synth.rendering.note_player import Sound

__all__ = ["LOUDEST_DB", "levelled"]

LOUDEST_DB = -15.0  # RMS at the level 0 dB, in dB relative to full scale
LEAST_STEPS = 4  # minimum number of parts of a rise


def levelled(buses: Sound, n_section: int, bar: int, levels_db: tuple[float, float]) -> Sound:
    """Set a section to a constant level, or to a level that changes linearly in dB.

    Parameters
    ----------
    buses : Sound, shape=(2, n)
        Section as played.
    n_section : int
        Length of the section in samples, at most n. The decay after it has the last gain.
    bar : int
        Length of a bar in samples.
    levels_db : tuple of float
        RMS at the start and at the end of the section in dB; 0 dB is the level of the loudest sections. If they are
        equal, the whole section gets one gain, so that its loops stay exact. Otherwise each bar, or each quarter of a
        section of few bars, is set to its level on the line from start to end.

    Returns
    -------
    Sound, shape=(2, n)
        Section with the requested level.
    """
    first, last = levels_db
    y = buses[:, :n_section].sum(axis=0)
    if first == last:
        return np.asarray(buses * _gain(y, first), dtype=np.float32)
    n_parts = max(LEAST_STEPS, round(n_section / bar))
    centres = (np.arange(n_parts) + 0.5) / n_parts
    parts = np.array_split(y, n_parts)
    gains = np.log([_gain(part, level) for part, level in zip(parts, first + (last - first) * centres, strict=True)])
    # The gain is interpolated between the centers of the parts, and constant before the first and after the last.
    ridden = np.interp(np.arange(buses.shape[1]) / n_section, centres, gains)
    return np.asarray(buses * np.exp(ridden), dtype=np.float32)


def _gain(y: Sound, level_db: float) -> np.float32:
    """Return the gain that sets a signal to a level."""
    rms = np.sqrt(np.mean(np.square(y)) + 1e-12)
    return np.float32(10.0 ** ((LOUDEST_DB + level_db) / 20) / rms)
