"""Timelines of a song's sections and segments for the terminal, readable with and without colors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from songform.beats.tempo_text import tempo_text
from songform.plots.palette import state_color
from songform.structure.silence import SILENCE
from songform.time_format import clock

__all__ = ["beat_text", "legend", "section_lines", "segment_table", "timeline"]

# Colors of the letters that return. They are those of the terminal, so they are readable on its background.
_RETURNING = ("cyan", "magenta", "green", "red", "bright_blue")


def timeline(document: dict[str, Any], *, width: int) -> Text:
    """Return the segments of a report as one line of colored blocks.

    Each block begins with the name of its state, or with the first letter of the name if the block is too narrow.

    Parameters
    ----------
    document : dict
        Report of a song.
    width : int
        Number of columns.
    """
    line = Text()
    for segment, _, room in _blocks(document["segments"], width):
        state = segment["state"]
        line.append((state if room > len(state) else state[:1]).ljust(room), style=_style(state))
    return line


def section_lines(
    document: dict[str, Any], *, width: int, rule: str = "\N{BOX DRAWINGS LIGHT HORIZONTAL}"
) -> list[Text]:
    """Return the sections of a report as two lines: their starts where there is room, and their letters.

    Each letter is followed by a line to the end of its section. Letters that return have a color.

    Parameters
    ----------
    document : dict
        Report of a song with sections.
    width : int
        Number of columns.
    rule : str
        Character of the lines.
    """
    sections = document["sections"]
    returning = dict.fromkeys(section["label"] for section in sections if section["occurrences"] > 1)
    colors = {label: _RETURNING[number % len(_RETURNING)] for number, label in enumerate(returning)}
    times, letters = Text(style="dim"), Text()
    for section, column, room in _blocks(sections, width):
        start, color = clock(section["start"]), colors.get(section["label"], "default")
        if column >= len(times) + bool(times) and column + len(start) <= width:
            times.append(start.rjust(column - len(times) + len(start)))
        label = section["label"][:room]
        line = rule * (room - len(label) - (column + room < width))
        letters.append(label, f"bold {color}").append(line.ljust(room - len(label)), color)
    return [times, letters]


def beat_text(document: dict[str, Any]) -> str:
    """Return tempo and metre of a report, such as `120 BPM, 4/4`; empty if the song has no beats."""
    beats = document["beats"]
    return "" if beats is None else tempo_text(beats["tempo"], beats["metre"], is_metre_sure=beats["is_metre_sure"])


def _blocks(parts: Sequence[dict[str, Any]], width: int) -> Iterator[tuple[dict[str, Any], int, int]]:
    """Yield the parts of a song that fit into a line, each with its first column and its number of columns."""
    duration, column = parts[-1]["end"], 0
    for part in parts:
        if column >= width:
            return
        end = max(column + 1, round(part["end"] / duration * width))
        yield part, column, min(end, width) - column
        column = end


def segment_table(document: dict[str, Any]) -> Table:
    """Return the segments of a report as a table."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("start", "end", "state", "confidence"):
        table.add_column(name, justify="left" if name == "state" else "right", no_wrap=True)
    for segment in document["segments"]:
        state = Text(f" {segment['state']} ", style=_style(segment["state"]))
        table.add_row(clock(segment["start"], 1), clock(segment["end"], 1), state, f"{segment['confidence']:.2f}")
    return table


def legend(documents: Sequence[dict[str, Any]]) -> Text:
    """Return the names of the states of some reports in their colors, and silence if a song contains any."""
    states = list(dict.fromkeys(state for each in documents for state in each["model"]["states"]))
    states += [SILENCE] * any(segment["state"] == SILENCE for each in documents for segment in each["segments"])
    return Text(" ").join(Text(f" {state} ", style=_style(state)) for state in states)


def _style(state: str) -> str:
    """Return a style with the state's color as background, and black or white text, whichever is easier to read."""
    color = state_color(state)
    red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    bright = 0.299 * red + 0.587 * green + 0.114 * blue > 110
    return f"{'black' if bright else 'white'} on {color}"
