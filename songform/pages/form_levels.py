"""Levels of a song's form on its page: states, sections and phrases.

Each level divides the song into parts without gaps or overlaps. The page shows a row, a table and an editor for each
level; `songform/pages/assets/levels.js` has the same concept.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from songform.beats.tempo_text import tempo_text
from songform.pages.page_colors import letter_rules, tone_rules
from songform.sections.bar_similarity import bar_lines

if TYPE_CHECKING:
    from songform.beats.beat_tracking import Beats
    from songform.sections.section_finding import Sections, SongPart
    from songform.structure.segments import Segment

__all__ = ["STATES", "BarLines", "FormLevel", "PagePart", "bar_lines_of", "form_levels", "tempo_words"]

STATES = "states"
"""Name of the level of the states; the others have letters."""

_LETTER_LEVELS = {"sections": "section", "phrases": "phrase"}
_DECIMALS = 3  # of times on the page, in seconds


class PagePart(NamedTuple):
    """Part of a song on one level."""

    start: float
    end: float
    label: str
    confidence: float
    occurrence: str = ""
    """Which of the parts with its label it is, such as `2 of 3`; empty for states."""
    facts: str = ""
    """What else is true of it, such as `first, most repeated`."""


class FormLevel(NamedTuple):
    """Level of the form.

    Attributes
    ----------
    name, noun : str
        Name of the level, and what one of its parts is called.
    parts : tuple of PagePart
        Parts in order of time.
    labels : tuple of str
        Its labels, each once, in the order of their CSS classes.
    loudest : int or None
        Index of the loudest part; None for states.
    """

    name: str
    noun: str
    parts: tuple[PagePart, ...]
    labels: tuple[str, ...]
    loudest: int | None = None

    @property
    def has_letters(self) -> bool:
        """Whether its labels are letters, which say what returns."""
        return self.name != STATES

    @property
    def tone_class(self) -> str:
        """Start of the names of the CSS classes of its labels."""
        return self.name if self.has_letters else "tone"

    @property
    def rules(self) -> str:
        """CSS classes with the colors of its labels."""
        return letter_rules(self.tone_class, self.labels) if self.has_letters else tone_rules(self.labels)

    @property
    def data(self) -> dict[str, Any]:
        """Data for the page's scripts, which compute occurrences and facts again when parts are edited."""
        parts = [
            {"start": part.start, "end": part.end, "label": part.label, "confidence": part.confidence}
            for part in self.parts
        ]
        return {"name": self.name, "noun": self.noun, "parts": parts, "loudest": self.loudest}


class BarLines(NamedTuple):
    """Bar lines of a song in seconds, and how many of them are before the first downbeat, which begins bar 1."""

    times: list[float]
    n_before: int


def form_levels(segments: Sequence[Segment], states: Sequence[str], sections: Sections) -> list[FormLevel]:
    """Return the levels of a song: its states and, if it has any, sections and phrases.

    Parameters
    ----------
    segments : sequence of Segment
        Segments of the song.
    states : sequence of str
        Labels of the segments, in their order on the page.
    sections : Sections
        Sections and phrases of the song.
    """
    of_states = FormLevel(STATES, "segment", tuple(PagePart(*each) for each in segments), tuple(states))
    parts = {name: getattr(sections, name) for name in _LETTER_LEVELS} if sections.sections else {}
    return [of_states, *(_letter_level(name, found) for name, found in parts.items() if found)]


def _letter_level(name: str, parts: Sequence[SongPart]) -> FormLevel:
    labels = dict.fromkeys(part.label for part in parts)
    loudest = next((i for i, part in enumerate(parts) if part.is_loudest), None)
    return FormLevel(name, _LETTER_LEVELS[name], _with_facts(parts), tuple(labels), loudest)


def _with_facts(parts: Sequence[SongPart]) -> tuple[PagePart, ...]:
    last = len(parts) - 1
    return tuple(
        PagePart(
            part.start,
            part.end,
            part.label,
            part.confidence,
            f"{part.occurrence} of {part.n_occurrences}",
            ", ".join(_facts(part, is_first=i == 0, is_last=i == last)),
        )
        for i, part in enumerate(parts)
    )


def _facts(part: SongPart, *, is_first: bool, is_last: bool) -> list[str]:
    facts = {
        "first": is_first,
        "last": is_last,
        "most repeated": part.is_most_repeated,
        "loudest": part.is_loudest,
    }
    return [fact for fact, is_true in facts.items() if is_true]


def bar_lines_of(beats: Beats | None, duration: float) -> BarLines:
    """Return the bar lines within a song.

    Parameters
    ----------
    beats : Beats, optional
        Beats of the song.
    duration : float
        Length of the song in seconds.
    """
    if beats is None or len(beats.downbeats) < 2:
        return BarLines([], 0)
    times = sorted({round(max(float(time), 0.0), _DECIMALS) for time in bar_lines(beats.downbeats, duration)})
    within = [time for time in times if time < duration]
    first = round(float(beats.downbeats[0]), _DECIMALS)
    return BarLines(within, sum(time < first for time in within))


def tempo_words(beats: Beats | None) -> str:
    """Return tempo and metre as text, such as `96 BPM, 4/4`; empty without beats."""
    return "" if beats is None else tempo_text(beats.tempo, beats.metre, is_metre_sure=beats.is_metre_sure)
