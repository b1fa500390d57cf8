"""Index page: a list of all songs of a corpus whose form a model has found.

The songs are one block of JSON. The page's script shows forty of them at a time, so the page stays fast with 10,000
songs. While the page is made, only its JSON is in memory, and not the songs.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from songform.errors import ParameterError
from songform.pages.markup import asset, encoded_block, encoded_json, page, program
from songform.pages.page_colors import letter_rules, state_tone, tone_rules
from songform.plots.palette import state_order
from songform.structure.silence import SILENCE, silence_seconds

if TYPE_CHECKING:
    from songform.sections.section_finding import SongPart
    from songform.structure.segments import Segment

__all__ = ["SongEntry", "index_page"]

_SCRIPTS = ("theme.js", "words.js", "index-songs.js", "index-query.js", "index-rows.js", "index.js")


class SongEntry(NamedTuple):
    """Entry of one song in the index."""

    title: str
    page: str
    """URL of the song's page relative to the index; empty if the song has no page."""
    segments: Sequence[Segment]
    sections: Sequence[SongPart] = ()
    """Sections that cover the song; empty if it has none."""
    tempo: float | None = None
    """Beats per minute; None if the song has no regular beat."""

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


def index_page(songs: Iterable[SongEntry], *, model: str) -> str:
    """Return the index page of songs.

    Parameters
    ----------
    songs : iterable of SongEntry
        Songs in any order, each with at least one segment. They are read once, one after the other.
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
    content = _Content()
    for song in songs:
        content.add(song)
    states = state_order(content.seconds)
    sound = sum(content.seconds[state] for state in states if state != SILENCE)
    return page(
        "index.html",
        title="Songs \N{MIDDLE DOT} songform",
        style="\n".join(
            [asset("theme.css"), asset("index.css"), tone_rules(states), letter_rules("letter", list(content.letters))]
        ),
        scripts=[program(*_SCRIPTS)],
        model=model,
        n_songs=len(content.rows),
        shares={state: content.seconds[state] / sound for state in states if state != SILENCE},
        silence=SILENCE,
        silence_seconds=content.seconds.get(SILENCE, 0.0),
        has_sections=bool(content.letters),
        data=encoded_block("index-data", content.data(states)),
    )


class _Content:
    """Rows of the songs as JSON, and what the page says about all songs together.

    Attributes
    ----------
    rows : list of str
        Title, page, duration, confidence, lowest confidence and its time, end and state of each segment, tempo, and end
        and letter of each section. States and letters are numbers, in the order of their first occurrence.
    seconds : dict of str to float
        Length of each state in all songs.
    letters : dict of str to int
        Number of each letter of sections.
    """

    def __init__(self) -> None:
        self.rows: list[str] = []
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.letters: dict[str, int] = {}
        self._numbers: dict[str, int] = {}

    def add(self, song: SongEntry) -> None:
        """Add a song."""
        if not song.segments:
            raise ParameterError(f"each song of the index must have at least one segment, but {song.title} has none")
        for segment in song.segments:
            self.seconds[segment.state] += segment.end - segment.start
        segments = _ends(((segment.end, segment.state) for segment in song.segments), self._numbers)
        sections = _ends(((section.end, section.label) for section in song.sections), self.letters)
        least = song.least
        # The duration is not rounded here: the page rounds it, and rounding twice could change the displayed second.
        numbers = [song.duration, round(song.confidence, 3), round(least.confidence, 3), round(least.start, 1)]
        tempo = None if song.tempo is None else round(song.tempo, 2)
        self.rows.append(encoded_json([song.title, song.page, *numbers, segments, tempo, sections]))

    def data(self, states: Sequence[str]) -> str:
        """Return the data of the page as JSON; `states` are all states in the order of the page."""
        tones = [{"name": state, **state_tone(state)._asdict()} for state in states]
        numbers = [states.index(state) for state in self._numbers]
        lists = {"states": tones, "numbers": numbers, "letters": list(self.letters)}
        fields = [f"{json.dumps(name)}:{encoded_json(value)}" for name, value in lists.items()]
        return f'{{{",".join(fields)},"songs":[{",".join(self.rows)}]}}'


def _ends(parts: Iterable[tuple[float, str]], numbers: dict[str, int]) -> list[Any]:
    """Return the end and the number of the label of each part; a label that is new gets the next number."""
    return [value for end, label in parts for value in (round(end, 1), numbers.setdefault(label, len(numbers)))]
