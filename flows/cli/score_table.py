"""Tables of the scores of states, sections, phrases and beats against people's labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

__all__ = ["beat_table", "mean_table", "track_table"]

_COLUMNS = {
    "boundaries\n0.5 s": "boundary_f_0.5",
    "\n3 s": "boundary_f_3",
    "trimmed\n0.5 s": "trimmed_f_0.5",
    " \n3 s": "trimmed_f_3",
    "labels\npairwise": "pairwise_f",
    "  \nV": "v_f",
}
_BEAT_COLUMNS = {
    "beats\nF": "beat_f",
    "\nCMLt": "beat_cmlt",
    "\nAMLt": "beat_amlt",
    "downbeats\nF": "downbeat_f",
    " \nCMLt": "downbeat_cmlt",
    " \nAMLt": "downbeat_amlt",
}
_OURS = {"songform": "states", "sections": "sections", "phrases": "phrases"}
_OTHERS = {
    "people": "person against person",
    "every_20_s": "a boundary every 20 s",
    "one_section": "one section per song",
}


def mean_table(mean: Mapping[str, Mapping[str, float]], n_songs: Mapping[str, int]) -> Table:
    """Return a table of the mean scores of songform, of people and of the baselines, with one row each.

    Parameters
    ----------
    mean : mapping of str to mapping
        Mean scores by who is scored, then by measure.
    n_songs : mapping of str to int
        Number of songs of which each mean is taken.
    """
    table = _table("mean F", "songs", *_COLUMNS)
    ours = {who: f"songform: {words}" for who, words in _OURS.items()}
    for who, words in {**ours, **_OTHERS}.items():
        if who in mean:
            style = "bold" if who in _OURS else ""
            table.add_row(Text(words), str(n_songs[who]), *_values(mean[who], _COLUMNS), style=style)
    return table


def track_table(tracks: Sequence[Mapping[str, Any]], titles: Sequence[Text]) -> Table:
    """Return a table of songform's scores, with rows for the states, the sections and the phrases of each track.

    Parameters
    ----------
    tracks : sequence of dict
        Tracks with their `scores`.
    titles : sequence of Text
        Printable titles of the tracks.
    """
    table = _table("track", "", *_COLUMNS)
    for track, title in zip(tracks, titles, strict=True):
        for who, words in _OURS.items():
            if who in track["scores"]:
                first = title if who == "songform" else Text()
                table.add_row(first, words, *_values(track["scores"][who], _COLUMNS))
    return table


def beat_table(tracks: Sequence[Mapping[str, Any]], titles: Sequence[Text], mean: Mapping[str, float]) -> Table:
    """Return a table of the scores of beats and downbeats, with one row per track and one for the mean.

    Parameters
    ----------
    tracks : sequence of dict
        Tracks with scores of their `beats`.
    titles : sequence of Text
        Printable titles of the tracks.
    mean : mapping of str to float
        Mean scores; of downbeats, over the tracks whose downbeats are known.
    """
    table = _table("track", *_BEAT_COLUMNS)
    for track, title in zip(tracks, titles, strict=True):
        table.add_row(title, *_values(track["beats"], _BEAT_COLUMNS))
    table.add_row(Text("mean"), *_values(mean, _BEAT_COLUMNS), style="bold")
    return table


def _table(first: str, *columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(f"\n{first}", overflow="fold")
    for name in columns:
        table.add_column(name if "\n" in name else f"\n{name}", justify="right" if name else "left", no_wrap=True)
    return table


def _values(scores: Mapping[str, float], columns: Mapping[str, str]) -> list[str]:
    return [f"{scores[name]:.3f}" if name in scores else "" for name in columns.values()]
