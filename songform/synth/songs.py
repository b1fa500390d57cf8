"""Generation of demo songs and study songs from a seed.

The notes do not depend on the instruments. They do not depend on the sampling rate either, except that the length of a
step is rounded to whole samples.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from songform.errors import ParameterError
from songform.synth.composition import Composition, Traits
from songform.synth.contrast import with_contrast
from songform.synth.demo_composition import demo_composition
from songform.synth.instruments import SETS
from songform.synth.rendering.note_player import Player, Sound
from songform.synth.sections import Section
from songform.synth.song_assembly import RING_SECONDS, bounds, produced
from songform.synth.study_composition import study_composition

__all__ = ["Song", "compose", "finished", "playlist", "study_song", "study_songs"]


@dataclass(frozen=True, eq=False)
class Song:
    """A synthetic song and its true form.

    Parameters
    ----------
    title : str
        Title of the song.
    y : np.ndarray, shape=(n,)
        Samples, mono float32, between -0.9 and 0.9.
    sr : int
        Sampling rate in Hz.
    sections : tuple of Section
        Sections, which cover [0, n / sr] without gaps or overlaps.
    traits : Traits, optional
        Tempo, meter, dynamics and fades.
    """

    title: str
    y: Sound
    sr: int
    sections: tuple[Section, ...]
    traits: Traits | None = None


def compose(seed: int, *, sr: int = 22050, duration: float = 75.0, instruments: str = "study") -> Song:
    """Compose a demo song.

    Parameters
    ----------
    seed : int >= 0
        Random seed. The same seed gives the same samples (with the same NumPy and SciPy on the same machine).
    sr : int
        Sampling rate in Hz, at least 8000.
    duration : float
        Minimum duration in seconds, at least 5. The song ends at the end of a bar. Songs of 60 s or more have all five
        states; a shorter song has as many sections as fit.
    instruments : str
        Set of instruments: `study`, `unseen` or `reference`. The sets have no instrument in common; the notes are the
        same.

    Returns
    -------
    Song
        Samples and true form.

    Raises
    ------
    ParameterError
        If an argument is out of range.

    Examples
    --------
    >>> song = compose(seed=0, duration=10.0)
    >>> song.sr, len(song.y) / song.sr >= 10.0
    (22050, True)
    """
    _require_playable(seed, sr, duration, instruments)
    return _performance(demo_composition(seed, sr, duration, SETS[instruments].players), sr, instruments)


def study_song(
    seed: int, *, sr: int = 22050, duration: float | None = None, instruments: str = "study", contrast: float = 1.0
) -> Song:
    """Compose a study song, which varies more widely than a demo song.

    The tempo is between 60 and 180 beats per minute, in 4/4 or 3/4, with straight or swung rhythm. The sections have 1
    to 16 bars, in random order; some states may be missing. Each state has up to three patterns. Dynamics, fades, noise
    and mastering are random.

    Parameters
    ----------
    seed : int >= 0
        Random seed. The same seed gives the same song.
    sr : int
        Sampling rate in Hz, at least 8000.
    duration : float, optional
        Minimum duration in seconds, at least 5. By default it is random, and the song lasts 60 to 150 s.
    instruments : str
        Set of instruments: `study`, `unseen` or `reference`. The sets have no instrument in common; the notes are the
        same.
    contrast : float, 0 to 1
        Differences of loudness between notes and between sections, as a fraction of those that were composed.

    Returns
    -------
    Song
        Samples and true form.

    Raises
    ------
    ParameterError
        If an argument is out of range.
    """
    _require_playable(seed, sr, duration, instruments)
    composition = study_composition(seed, sr, duration, SETS[instruments].players)
    return _performance(with_contrast(composition, contrast), sr, instruments)


def playlist(
    n_songs: int, seed: int, *, sr: int = 22050, duration: float = 75.0, instruments: str = "study"
) -> Iterator[Song]:
    """Compose several demo songs, one at a time.

    Parameters
    ----------
    n_songs : int >= 0
        Number of songs.
    seed : int >= 0
        Random seed. Playlists with different seeds have no song in common. With the same seed, a longer playlist starts
        with the songs of a shorter one.
    sr, duration, instruments : int, float, str
        See `compose`.

    Yields
    ------
    Song
        The next song. Songs are composed lazily, so only one of them has to be in memory.

    Raises
    ------
    ParameterError
        If an argument is out of range.
    """
    _require_playable(seed, sr, duration, instruments)
    seeds = _seeds(n_songs, seed)
    return (compose(each, sr=sr, duration=duration, instruments=instruments) for each in seeds)


def study_songs(
    n_songs: int, seed: int, *, sr: int = 22050, duration: float | None = None, instruments: str = "study"
) -> Iterator[Song]:
    """Compose several study songs, one at a time.

    Parameters
    ----------
    n_songs : int >= 0
        Number of songs.
    seed : int >= 0
        Random seed, see `playlist`.
    sr, duration, instruments : int, float, str
        See `study_song`.

    Yields
    ------
    Song
        The next song, composed lazily.

    Raises
    ------
    ParameterError
        If an argument is out of range.
    """
    _require_playable(seed, sr, duration, instruments)
    seeds = _seeds(n_songs, seed)
    return (study_song(each, sr=sr, duration=duration, instruments=instruments) for each in seeds)


def finished(composition: Composition, played: Sequence[Sound], sr: int) -> Song:
    """Mix and master a song from its played sections.

    The sections may have been played by songform's instruments or by another synthesizer.

    Parameters
    ----------
    composition : Composition
        Composition from `songform.synth.study_composition` or `songform.synth.demo_composition`.
    played : sequence of Sound, each of shape (2, n)
        Dry bus of each section, and bus that is also sent to the room reverb. They include the decay of the last notes
        after the end of the section.
    sr : int
        Sampling rate of the composition in Hz.

    Returns
    -------
    Song
        Samples and true form.
    """
    times = [sample / sr for sample in bounds(composition)]
    sections = tuple(
        Section(start, end, passage.state, passage.pattern)
        for (start, end), passage in zip(pairwise(times), composition.passages, strict=True)
    )
    return Song(composition.title, produced(composition, played, sr), sr, sections, composition.traits)


def _require_playable(seed: int, sr: int, duration: float | None, instruments: str) -> None:
    """Raise a `ParameterError` for arguments that are out of range."""
    if seed < 0:
        raise ParameterError(f"seed must be a non-negative integer, not {seed}")
    if sr < 8000:
        raise ParameterError(f"sr must be at least 8000 Hz to represent cymbals, not {sr}; 22050 is usual")
    if duration is not None and not (np.isfinite(duration) and duration >= 5):
        raise ParameterError(
            f"duration must be at least 5 seconds, not {duration}; 75 seconds leave enough time for all five states"
        )
    if instruments not in SETS:
        raise ParameterError(f"instruments must be one of {', '.join(SETS)}, not {instruments!r}")


def _seeds(n_songs: int, seed: int) -> list[int]:
    """Derive the seed of each song from the seed of the playlist."""
    if n_songs < 0:
        raise ParameterError(f"n_songs must be at least 0, not {n_songs}; 8 songs make a small playlist")
    return [int(each) for each in np.random.SeedSequence(seed).generate_state(n_songs, np.uint64)]


def _performance(composition: Composition, sr: int, instruments: str) -> Song:
    """Render a composition with the instruments of a set."""
    chosen = SETS[instruments].instruments
    players = {role: chosen[name] for role, name in composition.band.items()}
    player = Player(players, sr, composition.step, composition.seed)
    ring = round(RING_SECONDS * sr)
    played = [player.played(each.notes, each.clock, each.clock.n_samples + ring) for each in composition.passages]
    return finished(composition, played, sr)
