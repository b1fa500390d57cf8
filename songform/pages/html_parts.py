"""Parts of a song's page that are generated as HTML and need no script: table of segments, states, colors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from songform.pages.markup import text
from songform.pages.page_colors import state_tone
from songform.pages.state_descriptions import DESCRIPTORS, Meaning
from songform.time_format import clock

if TYPE_CHECKING:
    from songform.structure.segments import Segment

__all__ = ["segment_rows", "state_articles", "tone_rules"]

_MAX_DEVIATIONS = 2.5  # a profile's bars are clipped at this number of standard deviations


def tone_rules(states: Sequence[str]) -> str:
    """Return the CSS classes `.tone-0`, `.tone-1`, ... with the colors of the states, in their order."""
    tones = map(state_tone, states)
    return "\n".join(
        f".tone-{i} {{ --tone: light-dark({tone.light}, {tone.dark}); "
        f"--on-tone: light-dark({tone.light_ink}, {tone.dark_ink}) }}"
        for i, tone in enumerate(tones)
    )


def segment_rows(segments: Sequence[Segment], states: Sequence[str]) -> str:
    """Return the rows of the table of segments."""
    return "\n".join(_segment_row(number, segment, states) for number, segment in enumerate(segments, start=1))


def _segment_row(number: int, segment: Segment, states: Sequence[str]) -> str:
    start, percent = clock(segment.start, 1), round(100 * segment.confidence)
    return (
        f'<tr data-row="{number - 1}"><th scope="row">{number}</th>'
        f'<td><button type="button" class="from" aria-label="Play from {start}">{start}</button></td>'
        f"<td>{clock(segment.end, 1)}</td><td>{clock(segment.end - segment.start, 1)}</td>"
        f'<td class="label"><span class="swatch tone-{states.index(segment.state)}"></span>{text(segment.state)}</td>'
        f'<td class="sure"><span class="meter" style="--share: {segment.confidence:.3f}"></span>{percent} %</td></tr>'
    )


def state_articles(meanings: Sequence[Meaning], segments: Sequence[Segment]) -> str:
    """Return one `article` element per state that explains its meaning."""
    return "\n".join(_state_article(number, meaning, segments) for number, meaning in enumerate(meanings))


def _state_article(number: int, meaning: Meaning, segments: Sequence[Segment]) -> str:
    mine = [segment.end - segment.start for segment in segments if segment.state == meaning.state]
    share = sum(mine) / segments[-1].end
    count = f"{len(mine)} segment{'' if len(mine) == 1 else 's'}"
    found = f"{100 * share:.0f} % of this song, {count}" if mine else "not in this song"
    weak = (
        f'<p class="weak"><strong>Weak name:</strong> {text(meaning.state)} may not describe this cluster well '
        f"({text(meaning.weak)}). Trust the measured values more than the name.</p>"
        if meaning.weak
        else ""
    )
    name = text(meaning.state)
    profile = "".join(_profile_row(descriptor, value) for descriptor, value in meaning.profile.items())
    return (
        f'<article class="state tone-{number}" aria-labelledby="state-{number}">'
        f'<h3 id="state-{number}"><span class="swatch"></span>{name}</h3>'
        f'<p class="found">{found}</p><p>{text(meaning.sentence)}</p>{weak}'
        f'<table class="profile"><caption>Mean of each descriptor in {name}, in standard deviations from the mean '
        f"over all training songs</caption><tbody>{profile}</tbody></table></article>"
    )


def _profile_row(descriptor: str, value: float) -> str:
    """Return a table row with a descriptor's name, its value as a bar from the middle, and its value as text."""
    length = min(abs(value), _MAX_DEVIATIONS) / _MAX_DEVIATIONS / 2
    start = 0.5 - length if value < 0 else 0.5
    shown = f"{round(value, 1) or 0.0:+.1f}".replace("-", "\N{MINUS SIGN}")
    name, explanation = DESCRIPTORS[descriptor]
    return (
        f'<tr><th scope="row" title="{text(explanation)}">{name}</th>'
        f'<td class="bar"><span style="--start: {start:.3f}; --length: {length:.3f}"></span></td><td>{shown}</td></tr>'
    )
