"""Page of a song: player, form, curves, tables, meaning of the states, and an editor for labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from bokeh.resources import Resources

from songform.beats.beat_tracking import Beats
from songform.pages.figures import BORDERS, HEIGHTS, diverging_palette, figures_json, song_figures
from songform.pages.form_levels import FormLevel, bar_lines_of, form_levels, tempo_words
from songform.pages.markup import asset, data_block, page, program
from songform.pages.page_colors import Tone, section_tone, state_tone
from songform.pages.state_descriptions import DESCRIPTORS, ORIGINS, Origin, state_meanings
from songform.plots.palette import SECTION_COLORS
from songform.sections.letters import letters
from songform.sections.section_finding import Sections
from songform.structure.silence import SILENCE, silence_seconds
from songform.time_format import clock

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from songform.features.overview import Overview
    from songform.structure.segments import Segment
    from songform.structure.states import StateModel

__all__ = ["SongView", "Sound", "song_page"]

_SCRIPTS = (
    *("theme.js", "words.js", "signals.js", "levels.js", "labels.js", "bars.js", "view.js", "player.js"),
    *("lanes.js", "tables.js", "ribbon.js", "returns.js"),
    *("edits.js", "exports.js", "edges.js", "editor.js", "keys.js", "song.js"),
)
_TRACKS: dict[str, tuple[str, str]] = {
    "confidence": ("Confidence", "probability of the displayed state; the line is the mean of each segment"),
    "states": ("All states", "probability of each state over time"),
    **{name: DESCRIPTORS[name] for name in HEIGHTS if name in DESCRIPTORS},
    "mfcc": ("MFCC", "timbre; blue is below the song\N{RIGHT SINGLE QUOTATION MARK}s mean, red is above"),
}


@dataclass(frozen=True)
class Sound:
    """Audio of a song's page.

    Attributes
    ----------
    source : str
        URL of the audio: a `data:` URL, or a URL relative to the page. Empty if there is no audio.
    note : str
        Why there is no audio and how to add it, shown if `source` is empty.
    """

    source: str = ""
    note: str = ""


@dataclass(frozen=True, eq=False)
class SongView:
    """Contents of a song's page.

    Attributes
    ----------
    key, title : str
        Key of the track, from which the names of its files are formed, and title of the track.
    source : str
        Source of the song, for display.
    segments : sequence of Segment
        Segments of the song, without gaps or overlaps.
    posterior : np.ndarray, shape=(n_units, n_states)
        Probability of each state in each unit of 0.5 s.
    states : StateModel
        State model, with the states and their profiles.
    model : str
        Name of the model, for display.
    overview, features : Overview, pd.DataFrame
        Overview and frame features of the song.
    context : pd.DataFrame, shape=(n_units, 6)
        Context descriptors of the song, from `songform.context_descriptors`.
    sound : Sound
        Audio of the song.
    notes : sequence of str
        What is unusual about the audio file, such as damaged places.
    sections : Sections
        Sections and phrases of the song, or the reason why it has none.
    beats : Beats, optional
        Beats of the song, from which the bar lines are computed.
    origin : str
        Where the states come from; see `songform.pages.state_descriptions.ORIGINS`.
    """

    key: str
    title: str
    source: str
    segments: Sequence[Segment]
    posterior: NDArray[np.float64]
    states: StateModel
    model: str
    overview: Overview
    features: pd.DataFrame
    context: pd.DataFrame
    sound: Sound
    notes: Sequence[str] = ()
    sections: Sections = field(default_factory=Sections)
    beats: Beats | None = None
    origin: Origin = "clusters"


def song_page(song: SongView, *, stamp: str = "") -> str:
    """Return the page of a song.

    Parameters
    ----------
    song : SongView
        Contents of the page.
    stamp : str
        Digest of everything that the page depends on, to detect later whether the page is out of date.

    Returns
    -------
    str
        HTML of the page. The browser loads no other file, except the audio if that is not embedded.

    Raises
    ------
    ParameterError
        If a table has no rows, or the features have no MFCC columns.
    """
    levels = form_levels(song.segments, _labels(song), song.sections)
    duration = song.segments[-1].end
    bars = bar_lines_of(song.beats, duration)
    figures = song_figures(
        song.segments,
        song.posterior,
        song.states.states,
        overview=song.overview,
        features=song.features,
        context=song.context,
    )
    bokeh = Resources(mode="inline", components=["bokeh"], log_level="warn").js_raw
    style = [asset("theme.css"), asset("song.css"), *(level.rules for level in levels), _border_rules()]
    is_beside = bool(song.sound.source) and not song.sound.source.startswith("data:")
    return page(
        "song.html",
        title=f"{song.title} \N{MIDDLE DOT} songform",
        style="\n".join(style),
        scripts=[*bokeh, program(*_SCRIPTS)],
        media="'self' file:" if is_beside else "data:",
        stamp=stamp,
        song=song,
        duration=duration,
        levels=levels,
        has_bars=bool(bars.times),
        tempo=tempo_words(song.beats),
        tracks=[_track(name, song) for name in HEIGHTS if name != "wave"],
        meanings=state_meanings(song.states),
        about_states=ORIGINS[song.origin],
        descriptors=DESCRIPTORS,
        shares=_shares(song.segments),
        silence=SILENCE,
        silence_seconds=silence_seconds(song.segments),
        n_silences=sum(segment.state == SILENCE for segment in song.segments),
        data=data_block("song-data", {**_data(song, levels), "bars": bars._asdict(), "figures": figures_json(figures)}),
    )


def _labels(song: SongView) -> list[str]:
    """Return the states of the model and, if the song contains silence, the label of silence."""
    return [*song.states.states, *([SILENCE] if silence_seconds(song.segments) else [])]


class _Track(NamedTuple):
    """Figure below the waveform: its name, its heading with an explanation, and its description as text."""

    name: str
    heading: str
    explanation: str
    summary: str


def _track(name: str, song: SongView) -> _Track:
    return _Track(name, *_TRACKS[name], _summary(name, song))


class _Share(NamedTuple):
    """Share of a state in the sound of a song, and its number of segments."""

    of_sound: float
    n_segments: int


def _shares(segments: Sequence[Segment]) -> dict[str, _Share]:
    """Return the share of each state that occurs in the sound, without silence."""
    lengths: dict[str, list[float]] = {}
    for segment in segments:
        if segment.state != SILENCE:
            lengths.setdefault(segment.state, []).append(segment.end - segment.start)
    sound = segments[-1].end - silence_seconds(segments)
    return {state: _Share(sum(each) / sound, len(each)) for state, each in lengths.items()}


def _summary(name: str, song: SongView) -> str:
    """Describe in words what a figure shows, for screen readers."""
    if name in song.context:
        values, times = song.context[name].to_numpy(), song.context.index.to_numpy()
        low, high = (clock(float(times[place])) for place in (values.argmin(), values.argmax()))
        return f"{DESCRIPTORS[name][0]} over time: lowest at {low}, highest at {high}."
    if name == "mfcc":
        return "Mel-frequency cepstral coefficients over time, shown as colors."
    least = min(song.segments, key=lambda segment: segment.confidence)
    lowest = f"{least.state} at {clock(least.start, 1)} has the lowest confidence, {round(100 * least.confidence)} %"
    return f"{_TRACKS[name][0]} over time. The table of segments lists the confidences. {lowest}."


def _data(song: SongView, levels: Sequence[FormLevel]) -> dict[str, Any]:
    """Return the data for the page's scripts, without the figures and the bar lines."""
    return {
        "key": song.key,
        "title": song.title,
        "duration": song.segments[-1].end,
        "levels": [level.data for level in levels],
        "states": [_named(state, state_tone(state)) for state in _labels(song)],
        "silence": _named(SILENCE, state_tone(SILENCE)),
        "letters": [_named(letter, section_tone(letter)) for letter in letters(range(len(SECTION_COLORS)))],
        "palettes": {ground: diverging_palette(ground) for ground in ("light", "dark")},
    }


def _named(label: str, tone: Tone) -> dict[str, str]:
    return {"name": label, **tone._asdict()}


def _border_rules() -> str:
    left, right = BORDERS
    heights = "\n".join(f"#plot-{name} {{ min-height: {height}px }}" for name, height in HEIGHTS.items())
    return f":root {{ --border-left: {left}px; --border-right: {right}px }}\n{heights}"
