"""HTML pages of one song and of a corpus.

==============  ===================================================================================
`song_page`     Player, form, curves and meaning of the states of one song, with an editor for labels.
`index_page`    List of the songs of a corpus with their timelines, to search and sort.
==============  ===================================================================================

Conventions
-----------
A page is a string of HTML: a single file that can be opened from a disk and makes no network requests. Bokeh draws the
curves with the JavaScript from its wheel; songform's own JavaScript, CSS and HTML templates are in `assets`. Untrusted
text, such as titles from the web, is always escaped (`songform.pages.markup`). The same song gives the same page.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__all__ = ["VERSION", "SongEntry", "SongView", "Sound", "index_page", "song_page"]

VERSION = 4  # increase this when the same song gives a different page, so that existing pages are written again

# Importing Bokeh takes most of a second. This is not needed when a page is up to date.
_LAZY = {
    "SongEntry": "songform.pages.index",
    "SongView": "songform.pages.song",
    "Sound": "songform.pages.song",
    "index_page": "songform.pages.index",
    "song_page": "songform.pages.song",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        msg = f"module 'songform.pages' has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(_LAZY[name]), name)
