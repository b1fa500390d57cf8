"""Index page: a list of all songs of a corpus whose form a model has found.

The songs are one block of JSON. The page's script shows a hundred of them at a time, so the page stays fast with
thousands of songs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from songform.errors import ParameterError
from songform.pages.markup import asset, data_block, page, program
from songform.pages.page_colors import state_tone, tone_rules
from songform.plots.palette import state_order
from songform.structure.silence import SILENCE, silence_seconds

if TYPE_CHECKING:
    from songform.structure.segments import Segment

__all__ = ["SongEntry", "index_page"]


class SongEntry(NamedTuple):
    """Entry of one song in the index."""

    title: str
    page: str
    """URL of the song's page relative to the index; empty if the song has no page."""
    segments: Sequence[Segment]

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return self.segments[-1].end

    @property
    def silence(self) -> float:
        """Length of the digital silence in seconds."""
        return silence_seconds(self.segments)

    @property
    def confidence(self) -> float:
        """Mean confidence over the sound of the song, weighted by the segments' durations; 1 if there is none."""
        sound = [segment for segment in self.segments if segment.state != SILENCE] or self.segments
        weights = [segment.end - segment.start for segment in sound]
        return sum(w * segment.confidence for w, segment in zip(weights, sound, strict=True)) / sum(weights)

    @property
    def least(self) -> Segment:
        """Segment with the lowest confidence."""
        return min(self.segments, key=lambda segment: segment.confidence)


def index_page(songs: Sequence[SongEntry], *, model: str) -> str:
    """Return the index page of songs.

    Parameters
    ----------
    songs : sequence of SongEntry
        Songs in any order, each with at least one segment.
    model : str
        Name of the model that found their form, for display.

    Returns
    -------
    str
        HTML of the page.

    Raises
    ------
    ParameterError
        If a song has no segments.
    """
    for song in songs:
        if not song.segments:
            raise ParameterError(f"each song of the index must have at least one segment, but {song.title} has none")
    states = state_order(segment.state for song in songs for segment in song.segments)
    return page(
        "index.html",
        title="Songs \N{MIDDLE DOT} songform",
        style="\n".join([asset("theme.css"), asset("index.css"), tone_rules(states)]),
        scripts=[program("theme.js", "words.js", "index.js")],
        model=model,
        n_songs=len(songs),
        shares={state: _share(state, songs) for state in states if state != SILENCE},
        silence=SILENCE,
        silence_seconds=sum(song.silence for song in songs),
        data=data_block("index-data", _data(songs, states)),
    )


def _share(state: str, songs: Sequence[SongEntry]) -> float:
    """Return a state's share of the sound of all songs."""
    of_state = sum(segment.end - segment.start for song in songs for segment in song.segments if segment.state == state)
    return of_state / sum(song.duration - song.silence for song in songs)


def _data(songs: Sequence[SongEntry], states: Sequence[str]) -> dict[str, Any]:
    numbers = {state: number for number, state in enumerate(states)}
    return {
        "states": [{"name": state, **state_tone(state)._asdict()} for state in states],
        "songs": [_song(song, numbers) for song in songs],
    }


def _song(song: SongEntry, numbers: dict[str, int]) -> list[Any]:
    """Return title, page, duration, confidence, lowest confidence and its time, and end and state of each segment."""
    parts = [value for segment in song.segments for value in (round(segment.end, 1), numbers[segment.state])]
    least = song.least
    # The duration is not rounded here: the page rounds it, and rounding twice could change the displayed second.
    found = [song.duration, round(song.confidence, 3), round(least.confidence, 3), round(least.start, 1)]
    return [song.title, song.page, *found, parts]
