"""Songs: composed from a seed, one at a time or many, to listen to or to study.

The music does not depend on the sampling rate but for the rounding of a step to whole samples, nor on the instruments:
the same seed is the same score.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from songform.errors import ParameterError
from songform.synth.composition import Composition, Traits
from songform.synth.demo_composition import demo_composition
from songform.synth.instruments import SETS
from songform.synth.rendering.note_player import Player, Sound
from songform.synth.sections import Section
from songform.synth.song_assembly import RING_SECONDS, bounds, produced
from songform.synth.study_composition import study_composition

__all__ = ["Song", "compose", "finished", "playlist", "study_song", "study_songs"]


@dataclass(frozen=True, eq=False)
class Song:
    """A song and its form.

    Parameters
    ----------
    title : str
        Made of words, by the seed.
    y : np.ndarray, shape=(n,)
        The samples, mono float32, within +-0.9.
    sr : int
        Sampling rate in Hz.
    sections : tuple of Section
        They partition [0, n / sr].
    traits : Traits, optional
        Tempo, metre, dynamics and fades.
    """

    title: str
    y: Sound
    sr: int
    sections: tuple[Section, ...]
    traits: Traits | None = None


def compose(seed: int, *, sr: int = 22050, duration: float = 75.0, instruments: str = "study") -> Song:
    """Compose a song to listen to.

    Parameters
    ----------
    seed : int >= 0
        The same seed gives the same song, to the sample (with the same NumPy and SciPy on the same machine).
    sr : int
        Sampling rate in Hz, at least 8000.
    duration : float
        How long it lasts at least, in seconds, at least 5; it ends with the bar. From 60 s on all five states occur;
        a shorter song has as many sections as fit.
    instruments : str
        `study`, or `unseen`, which has no instrument in common with it. The notes are the same.

    Returns
    -------
    Song
        The samples and the true form.

    Raises
    ------
    ParameterError
        If an argument makes no sense.
    """
    _require_playable(seed, sr, duration, instruments)
    return _performance(demo_composition(seed, sr, duration, SETS[instruments].players), sr, instruments)


def study_song(seed: int, *, sr: int = 22050, duration: float | None = None, instruments: str = "study") -> Song:
    """Compose a song of the wide distribution: whatever music may do.

    Any tempo from 60 to 180 beats a minute, 4/4 or 3/4, straight or swung; free orders of sections of 1 to 16 bars;
    states that do not occur; several patterns of each state; wide, narrow, loud and soft dynamics, and none at all;
    fades; noise; several masters.

    Parameters
    ----------
    seed : int >= 0
        The same seed gives the same song.
    sr : int
        Sampling rate in Hz, at least 8000.
    duration : float, optional
        How long it lasts at least, in seconds, at least 5. Drawn if it is not given; the song then lasts 60 to 150 s.
    instruments : str
        `study`, or `unseen`, which has no instrument in common with it. The notes are the same.

    Returns
    -------
    Song
        The samples and the true form.

    Raises
    ------
    ParameterError
        If an argument makes no sense.
    """
    _require_playable(seed, sr, duration, instruments)
    return _performance(study_composition(seed, sr, duration, SETS[instruments].players), sr, instruments)


def playlist(
    n_songs: int, seed: int, *, sr: int = 22050, duration: float = 75.0, instruments: str = "study"
) -> Iterator[Song]:
    """Compose songs to listen to, one after another.

    Parameters
    ----------
    n_songs : int >= 0
        How many.
    seed : int >= 0
        Playlists of different seeds share no song; a longer playlist begins with the songs of a shorter one.
    sr, duration, instruments : int, float, str
        As for `compose`.

    Yields
    ------
    Song
        Composed when it is asked for, so a long playlist needs no memory.

    Raises
    ------
    ParameterError
        If an argument makes no sense.
    """
    _require_playable(seed, sr, duration, instruments)
    seeds = _seeds(n_songs, seed)
    return (compose(each, sr=sr, duration=duration, instruments=instruments) for each in seeds)


def study_songs(
    n_songs: int, seed: int, *, sr: int = 22050, duration: float | None = None, instruments: str = "study"
) -> Iterator[Song]:
    """Compose songs of the wide distribution, one after another.

    Parameters
    ----------
    n_songs : int >= 0
        How many.
    seed : int >= 0
        As for `playlist`.
    sr, duration, instruments : int, float, str
        As for `study_song`.

    Yields
    ------
    Song
        Composed when it is asked for.

    Raises
    ------
    ParameterError
        If an argument makes no sense.
    """
    _require_playable(seed, sr, duration, instruments)
    seeds = _seeds(n_songs, seed)
    return (study_song(each, sr=sr, duration=duration, instruments=instruments) for each in seeds)


def finished(composition: Composition, played: Sequence[Sound], sr: int) -> Song:
    """Make a song of what players, these or others, have made of a composition.

    Parameters
    ----------
    composition : Composition
        Of `songform.synth.study_composition` or `songform.synth.demo_composition`.
    played : sequence of Sound, each of shape (2, n)
        The sound of each section, as long as the section and as its last notes ring: the dry part, and the part that
        is also sent to the room.
    sr : int
        Sampling rate in Hz, that of the composition.

    Returns
    -------
    Song
        The samples and the true form.
    """
    times = [sample / sr for sample in bounds(composition)]
    sections = tuple(
        Section(start, end, passage.state, passage.pattern)
        for (start, end), passage in zip(pairwise(times), composition.passages, strict=True)
    )
    return Song(composition.title, produced(composition, played, sr), sr, sections, composition.traits)


def _require_playable(seed: int, sr: int, duration: float | None, instruments: str) -> None:
    """Refuse what no song can be made of."""
    if seed < 0:
        raise ParameterError(f"seed must be a whole number from 0 on, not {seed}")
    if sr < 8000:
        raise ParameterError(f"sr must be 8000 Hz at least, not {sr}: cymbals need the room; 22050 is usual")
    if duration is not None and not (np.isfinite(duration) and duration >= 5):
        raise ParameterError(
            f"duration must be 5 seconds at least, not {duration}; 75 gives all five states their time"
        )
    if instruments not in SETS:
        raise ParameterError(f"instruments must be one of {', '.join(SETS)}, not {instruments!r}")


def _seeds(n_songs: int, seed: int) -> list[int]:
    """Draw the seed of each song."""
    if n_songs < 0:
        raise ParameterError(f"n_songs must not be negative, but is {n_songs}; 8 make a small playlist")
    return [int(each) for each in np.random.SeedSequence(seed).generate_state(n_songs, np.uint64)]


def _performance(composition: Composition, sr: int, instruments: str) -> Song:
    """Let the band play a composition."""
    chosen = SETS[instruments].instruments
    players = {role: chosen[name] for role, name in composition.band.items()}
    player = Player(players, sr, composition.step, composition.seed)
    ring = round(RING_SECONDS * sr)
    played = [player.played(each.notes, each.clock, each.clock.n_samples + ring) for each in composition.passages]
    return finished(composition, played, sr)
