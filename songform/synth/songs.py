"""Songs: composed from a seed, one at a time or as a playlist.

What a seed draws is drawn in a fixed order: title, tempo, plan, levels, band, themes and scores, noise. The music does
not depend on the sampling rate but for the rounding of a step to whole samples.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from songform.errors import ParameterError
from songform.synth.mixing import Player, Sound, faded, levelled, mixed
from songform.synth.plan import Plan, new_levels, new_plan, new_title
from songform.synth.score import Note, build_up, calm, energetic, new_band, repetitive
from songform.synth.themes import STEPS, modulated, new_theme
from songform.synth.transitions import transition

__all__ = ["Section", "Song", "compose", "playlist", "states_at"]

TEMPI = (84.0, 140.0)  # beats a minute
RING_SECONDS = 1.5  # the last notes of a section die away in the next

SCORES = {"Calm": calm, "BuildUp": build_up, "Energetic": energetic, "Repetitive": repetitive}


@dataclass(frozen=True)
class Section:
    """A stretch of a song in one state.

    Parameters
    ----------
    start, end : float
        In seconds; the end belongs to the next section.
    state : str
        Calm, BuildUp, Energetic, Transition or Repetitive.
    """

    start: float
    end: float
    state: str


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
    """

    title: str
    y: Sound
    sr: int
    sections: tuple[Section, ...]


def compose(seed: int, *, sr: int = 22050, duration: float = 75.0) -> Song:
    """Compose a song.

    Parameters
    ----------
    seed : int >= 0
        The same seed gives the same song, to the sample (with the same NumPy and SciPy on the same machine).
    sr : int
        Sampling rate in Hz, at least 8000.
    duration : float
        How long it lasts at least, in seconds, at least 5; it ends with the bar. From 60 s on all five states occur;
        a shorter song has as many sections as fit.

    Returns
    -------
    Song
        The samples and the true form.

    Raises
    ------
    ParameterError
        If an argument makes no sense.
    """
    _require_playable(seed, sr, duration)
    rng = np.random.default_rng(seed)
    title = new_title(rng)
    step = round(sr * 15.0 / rng.uniform(*TEMPI))
    plan = new_plan(rng, duration, STEPS * step / sr)
    levels = new_levels(rng, plan)
    scores = _scores(plan, rng)
    bounds = STEPS * step * np.cumsum([0, *(n_bars for _, n_bars in plan)])
    y = _performance(scores, levels, bounds, Player(sr, step, int(rng.integers(2**31))))
    times = [float(sample) / sr for sample in bounds]
    sections = tuple(Section(*span, state) for span, (state, _) in zip(pairwise(times), plan, strict=True))
    return Song(title, y, sr, sections)


def playlist(n_songs: int, seed: int, *, sr: int = 22050, duration: float = 75.0) -> Iterator[Song]:
    """Compose songs one after another.

    Parameters
    ----------
    n_songs : int >= 0
        How many.
    seed : int >= 0
        Playlists of different seeds share no song; a longer playlist begins with the songs of a shorter one.
    sr, duration : int, float
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
    _require_playable(seed, sr, duration)
    if n_songs < 0:
        raise ParameterError(f"n_songs must not be negative, but is {n_songs}; 8 make a small playlist")
    seeds = np.random.SeedSequence(seed).generate_state(n_songs, np.uint64)
    return (compose(int(each), sr=sr, duration=duration) for each in seeds)


def states_at(sections: Sequence[Section], times: ArrayLike) -> NDArray[np.str_]:
    """Look up the true state at some times.

    Parameters
    ----------
    sections : sequence of Section
        A song's, in order.
    times : array_like, shape=(n,)
        In seconds, not negative. A section's end belongs to the next; what is past the song's end, to the last.

    Returns
    -------
    np.ndarray of str, shape=(n,)
        A state for each time.

    Raises
    ------
    ParameterError
        If there is no section, or a time is negative or no number.
    """
    seconds = np.asarray(times, dtype=np.float64)
    if not sections:
        raise ParameterError("sections is empty, so no time has a state; give the sections of a song")
    if not np.all(seconds >= 0):
        raise ParameterError(f"times must be seconds from the song's start, not {seconds[~(seconds >= 0)].flat[0]}")
    index = np.searchsorted([section.start for section in sections], seconds, side="right") - 1
    return np.array([section.state for section in sections])[np.maximum(index, 0)]


def _require_playable(seed: int, sr: int, duration: float) -> None:
    """Refuse what no song can be made of."""
    if seed < 0:
        raise ParameterError(f"seed must be a whole number from 0 on, not {seed}")
    if sr < 8000:
        raise ParameterError(f"sr must be 8000 Hz at least, not {sr}: cymbals need the room; 22050 is usual")
    if not (np.isfinite(duration) and duration >= 5):
        raise ParameterError(
            f"duration must be 5 seconds at least, not {duration}; 75 gives all five states their time"
        )


def _scores(plan: Plan, rng: np.random.Generator) -> list[list[Note]]:
    """Write the notes of every section; a transition changes the theme."""
    band, theme = new_band(rng), new_theme(rng)
    scores = []
    for state, n_bars in plan:
        if state == "Transition":
            before, theme = theme, modulated(theme, rng)
            scores.append(transition(before, theme, band, n_bars, rng))
        else:
            scores.append(SCORES[state](theme, band, n_bars, rng))
    return scores


def _performance(
    scores: list[list[Note]], levels: list[tuple[float, float]], bounds: NDArray[np.int64], player: Player
) -> Sound:
    """Play the sections, each into the next, and mix them."""
    n_samples = int(bounds[-1])
    buses = np.zeros((2, n_samples), dtype=np.float32)
    for notes, level, start, end in zip(scores, levels, bounds[:-1], bounds[1:], strict=True):
        ring = min(n_samples, end + round(RING_SECONDS * player.sr))
        played = player.played(notes, int(ring - start))
        buses[:, start:ring] += levelled(played, int(end - start), STEPS * player.step, level)
    buses[0] += player.hiss(n_samples)
    return faded(mixed(buses, player.room()), player.sr)
