"""Reduction of the differences of loudness of a composition, as in recordings that are compressed or played evenly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from songform.errors import ParameterError
from songform.synth.composition import Composition, Passage
from songform.synth.score.notes import Note

__all__ = ["with_contrast"]


def with_contrast(composition: Composition, contrast: float) -> Composition:
    """Move the levels of all notes and sections towards their means.

    Parameters
    ----------
    composition : Composition
        Composition whose levels are to be changed.
    contrast : float, 0 to 1
        Fraction of the distance to the mean that remains: 1 changes nothing, 0 makes all levels equal. The mean of
        the notes is that of their MIDI velocities (the square roots of their levels); that of the sections is in dB.

    Returns
    -------
    Composition

    Raises
    ------
    ParameterError
        If the contrast is out of range.
    """
    if not 0 <= contrast <= 1:
        raise ParameterError(f"contrast must be between 0 and 1, not {contrast}; 1 keeps the levels as composed")
    if contrast == 1:
        return composition
    velocities = [np.sqrt(note.level) for passage in composition.passages for note in passage.notes]
    velocity = float(np.mean(velocities)) if velocities else 0.0
    level = float(np.mean([passage.levels for passage in composition.passages]))
    passages = [_pressed(passage, contrast, velocity, level) for passage in composition.passages]
    return replace(composition, passages=passages)


def _pressed(passage: Passage, contrast: float, velocity: float, level: float) -> Passage:
    """Move the levels of a section and of its notes towards a velocity and a level in dB."""
    notes = [_with_velocity(note, velocity + contrast * (note.level**0.5 - velocity)) for note in passage.notes]
    start, end = (level + contrast * (each - level) for each in passage.levels)
    return replace(passage, notes=notes, levels=(start, end))


def _with_velocity(note: Note, velocity: float) -> Note:
    return note._replace(level=velocity**2)
