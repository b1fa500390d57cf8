"""Timeline of a song's segments for the terminal, readable with and without colors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from songform.plots.palette import state_color
from songform.structure.silence import SILENCE
from songform.time_format import clock

__all__ = ["legend", "segment_table", "timeline"]


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
    segments, duration = document["segments"], document["segments"][-1]["end"]
    line = Text()
    column = 0
    for segment in segments:
        end = max(column + 1, round(segment["end"] / duration * width))
        if column >= width:
            break
        room, state = min(end, width) - column, segment["state"]
        line.append((state if room > len(state) else state[:1]).ljust(room), style=_style(state))
        column = end
    return line


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
