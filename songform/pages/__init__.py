"""Pages: a song, and a corpus, to see and to hear in a browser.

==============  ===================================================================================
`song_page`     plays a song, shows its form, its curves and what its states mean, and lets it be edited
`index_page`    lists the songs of a corpus: search, sort, a timeline each
==============  ===================================================================================

Conventions
-----------
A page is a string of HTML: one file that opens from a disk, of which nothing is fetched from any network. Bokeh draws
the curves, with the JavaScript that its wheel carries; what is our own lies in `assets`. Text of strangers stays text,
see `songform.pages.markup`. The same song gives the same page.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__all__ = ["VERSION", "SongEntry", "SongView", "Sound", "index_page", "song_page"]

VERSION = 2  # counts up when the same song gives another page: pages that stand are then written anew

# Bokeh takes most of a second to import, which a page that stands does not need.
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
