"""Tempo and metre of a song as text, which is the same in the terminal, in pictures and on pages."""

from __future__ import annotations

__all__ = ["tempo_text"]


def tempo_text(tempo: float | None, metre: int | None, *, is_metre_sure: bool) -> str:
    """Return tempo and metre as text; empty if the song has no beats.

    Parameters
    ----------
    tempo : float or None
        Beats per minute; None without beats.
    metre : int or None
        Beats per bar; None without beats.
    is_metre_sure : bool
        Whether the other metre is clearly less probable.

    Examples
    --------
    >>> tempo_text(119.6, 3, is_metre_sure=True)
    '120 BPM, 3/4'
    >>> tempo_text(90.0, 4, is_metre_sure=False)
    '90 BPM, 4/4 (unsure)'
    """
    if tempo is None or metre is None:
        return ""
    return f"{tempo:.0f} BPM, {metre}/4{'' if is_metre_sure else ' (unsure)'}"
