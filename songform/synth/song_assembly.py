"""Assembly of rendered sections into a song."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from songform.synth.composition import Composition
from songform.synth.rendering.mastering import mastered
from songform.synth.rendering.mixing import levelled
from songform.synth.rendering.note_player import Sound

__all__ = ["RING_SECONDS", "bounds", "produced"]

RING_SECONDS = 1.5  # maximum time for which the last notes of a section decay into the next section


def bounds(composition: Composition) -> list[int]:
    """Return the first sample of each section, and the length of the song in samples."""
    return [0, *np.cumsum([passage.clock.n_samples for passage in composition.passages]).tolist()]


def produced(composition: Composition, played: Sequence[Sound], sr: int) -> Sound:
    """Set the sections to their levels, join them, and master the song.

    Parameters
    ----------
    composition : Composition
        Composition that was played.
    played : sequence of Sound, each of shape (2, n)
        Buses of each section, including the decay of its last notes after its end.
    sr : int
        Sampling rate in Hz.

    Returns
    -------
    Sound, shape=(n_samples,)
        Samples of the song.
    """
    edges = bounds(composition)
    bar = 4 * composition.traits.beats * composition.step
    buses = np.zeros((2, edges[-1]), dtype=np.float32)
    for passage, sound, (start, end) in zip(composition.passages, played, pairwise(edges), strict=True):
        after = min(edges[-1], start + sound.shape[1])
        buses[:, start:after] += levelled(sound, end - start, bar, passage.levels)[:, : after - start]
    return mastered(buses, composition.master, sr, composition.seed)
