"""Tables of the scores of segments against people's labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

__all__ = ["mean_table", "track_table"]

_COLUMNS = {
    "boundaries\n0.5 s": "boundary_f_0.5",
    "\n3 s": "boundary_f_3",
    "trimmed\n0.5 s": "trimmed_f_0.5",
    " \n3 s": "trimmed_f_3",
    "labels\npairwise": "pairwise_f",
    "  \nV": "v_f",
}
_WHO = {
    "songform": "songform",
    "people": "person against person",
    "every_20_s": "a boundary every 20 s",
    "one_section": "one section per song",
}


def mean_table(mean: Mapping[str, Mapping[str, float]]) -> Table:
    """Return a table of the mean scores of songform, of people and of the baselines, with one row each."""
    table = _table("mean F")
    for who, words in _WHO.items():
        if who in mean:
            style = "bold" if who == "songform" else ""
            table.add_row(Text(words), *_values(mean[who]), style=style)
    return table


def track_table(tracks: Sequence[Mapping[str, Any]], titles: Sequence[Text]) -> Table:
    """Return a table of songform's scores, with one row per track.

    Parameters
    ----------
    tracks : sequence of dict
        Tracks with their `scores`.
    titles : sequence of Text
        Printable titles of the tracks.
    """
    table = _table("track")
    for track, title in zip(tracks, titles, strict=True):
        table.add_row(title, *_values(track["scores"]["songform"]))
    return table


def _table(first: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(f"\n{first}", overflow="fold")
    for name in _COLUMNS:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _values(scores: Mapping[str, float]) -> list[str]:
    return [f"{scores[name]:.3f}" for name in _COLUMNS.values()]
