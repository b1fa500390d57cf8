"""Song assembly: played sections, each into the next, become a song."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from songform.synth.composition import Composition
from songform.synth.rendering.mastering import mastered
from songform.synth.rendering.mixing import levelled
from songform.synth.rendering.note_player import Sound

__all__ = ["RING_SECONDS", "bounds", "produced"]

RING_SECONDS = 1.5  # the last notes of a section die away in the next


def bounds(composition: Composition) -> list[int]:
    """Return the samples at which the sections begin, and the song's end."""
    return [0, *np.cumsum([passage.clock.n_samples for passage in composition.passages]).tolist()]


def produced(composition: Composition, played: Sequence[Sound], sr: int) -> Sound:
    """Set the sections to their levels, join them, and master the song.

    Parameters
    ----------
    composition : Composition
        What was played.
    played : sequence of Sound, each of shape (2, n)
        The sections' buses, each as long as the section and as much longer as its last notes ring.
    sr : int
        Sampling rate in Hz.

    Returns
    -------
    Sound, shape=(n_samples,)
        The song.
    """
    edges = bounds(composition)
    bar = 4 * composition.traits.beats * composition.step
    buses = np.zeros((2, edges[-1]), dtype=np.float32)
    for passage, sound, (start, end) in zip(composition.passages, played, pairwise(edges), strict=True):
        after = min(edges[-1], start + sound.shape[1])
        buses[:, start:after] += levelled(sound, end - start, bar, passage.levels)[:, : after - start]
    return mastered(buses, composition.master, sr, composition.seed)
