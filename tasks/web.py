"""yt-dlp, embedded with care; and what strangers wrote, made safe to show.

yt-dlp is made to be a program. As a library it has other defaults: it never retries, it prints, it keeps a cache, it
loads plugins from the working folder, and it skips missing fragments without a word. `youtube_dl` puts all that
right, once, for listing and for fetching alike. Every call makes a new `YoutubeDL`: an object holds the state of its
run and is not made to be shared between threads.

yt-dlp costs two seconds to import, so it is imported where it is used.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from yt_dlp import YoutubeDL
    from yt_dlp.extractor.common import InfoExtractor

__all__ = ["plain_text", "youtube_dl"]

RETRIES = 3  # within one attempt, where the connection resumes; whole attempts are the flow's business

_ANSI = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
# These turn the direction of all that follows: a title must not be able to rewrite the line it stands in.
_DIRECTION = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")


def youtube_dl(params: Mapping[str, Any], extractors: Sequence[type[InfoExtractor]] = ()) -> YoutubeDL:
    """Make a careful YoutubeDL for one run.

    Parameters
    ----------
    params : mapping
        yt-dlp's parameters beside the careful ones, or instead of them.
    extractors : sequence of InfoExtractor classes
        Asked before yt-dlp's own; tests play sites with them.

    Returns
    -------
    YoutubeDL
        A context manager: it closes its connections.
    """
    import yt_dlp
    from yt_dlp.globals import plugin_dirs

    plugin_dirs.value = []  # or any `yt_dlp_plugins/` in the working folder would be run
    ydl = yt_dlp.YoutubeDL({**_careful_params(), **params}, auto_init=False)
    for extractor in extractors:
        ydl.add_info_extractor(extractor(ydl))
    ydl.add_default_info_extractors()
    return ydl


def backoff(n: int) -> float:
    """Return the pause in s before another try within one attempt, after `n` tries that failed before this one."""
    return min(30.0, 2.0**n)


def plain_text(text: object, length: int = 200) -> str:
    """Make text from strangers safe to show: one line, no control characters, bounded.

    Parameters
    ----------
    text : object
        A title or a message; None is empty.
    length : int > 0
        Most characters to keep.
    """
    line = _DIRECTION.sub("", _ANSI.sub("", "" if text is None else str(text)))
    line = line.encode("utf-8", "replace").decode("utf-8")  # a lone surrogate cannot be written to a file
    line = " ".join("".join(" " if unicodedata.category(char) == "Cc" else char for char in line).split())
    return line if len(line) <= length else line[: length - 1].rstrip() + "…"


class _Silence:
    """A logger that says nothing: what matters arrives as an exception."""

    def debug(self, message: str) -> None: ...

    def info(self, message: str) -> None: ...

    def warning(self, message: str) -> None: ...

    def error(self, message: str) -> None: ...


def _careful_params() -> dict[str, Any]:
    return {
        "quiet": True,
        "noprogress": True,
        "color": "no_color",
        "logger": _Silence(),
        "cachedir": False,
        "noplaylist": True,  # an address of a track within a list means the track
        "geo_bypass": False,  # no pretending to be elsewhere
        "retries": RETRIES,
        "fragment_retries": RETRIES,
        "extractor_retries": RETRIES,
        "retry_sleep_functions": dict.fromkeys(("http", "fragment", "extractor"), backoff),
    }
