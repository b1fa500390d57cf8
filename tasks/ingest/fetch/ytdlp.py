"""yt-dlp, embedded with care: one object a run, made for the guard, for silence and for patience.

yt-dlp is made to be a program. As a library it has other defaults: it never retries, it prints, it keeps a cache, it
loads plugins from the working folder, it goes wherever a playlist sends it and it lets ffmpeg fetch what it cannot
fetch itself. `youtube_dl` puts all that right, once, for listing and for fetching alike. Every call makes a new
`YoutubeDL`: an object holds the state of its run and is not made to be shared between threads.

yt-dlp costs two seconds to import, so it is imported where it is used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tasks.ingest.fetch.cookies import private_cookies
from tasks.ingest.fetch.deadline import Deadline
from tasks.settings import DownloadSettings

if TYPE_CHECKING:
    from yt_dlp import YoutubeDL
    from yt_dlp.extractor.common import InfoExtractor

__all__ = ["youtube_dl"]

RETRIES = 3  # within one attempt, where the connection resumes; whole attempts are the flow's business


def youtube_dl(
    params: Mapping[str, Any],
    extractors: Sequence[type[InfoExtractor]] = (),
    *,
    settings: DownloadSettings = DownloadSettings(),  # noqa: B008  frozen
    deadline: Deadline | None = None,
) -> YoutubeDL:
    """Make a careful YoutubeDL for one run.

    Parameters
    ----------
    params : mapping
        yt-dlp's parameters beside the careful ones, or instead of them.
    extractors : sequence of InfoExtractor classes
        Asked before yt-dlp's own; tests play sites with them.
    settings : DownloadSettings
        Whether private addresses and plugins are allowed, the cookies, the limits. As they are, they are strict.
    deadline : Deadline, optional
        When the run ends; `download.max_minutes` from now if left out.

    Returns
    -------
    YoutubeDL
        A context manager: it closes its connections.

    Raises
    ------
    TrackError
        Of the class `environment`, if the cookies cannot be read.
    """
    from yt_dlp.globals import plugin_dirs

    from tasks.ingest.fetch.embedded_ytdlp import EmbeddedYoutubeDL
    from tasks.ingest.fetch.guard import Guard

    # yt-dlp would run any `yt_dlp_plugins/` that lies in the working folder.
    plugin_dirs.value = ["default"] if settings.allow_plugins else []
    cookies = {"cookiefile": private_cookies(settings.cookies)} if settings.cookies else {}
    end = Deadline(settings.max_minutes) if deadline is None else deadline
    ydl = EmbeddedYoutubeDL({**_careful_params(), **cookies, **params}, guard=Guard(settings.allow_private, end))
    for extractor in extractors:
        ydl.add_info_extractor(extractor(ydl))
    ydl.add_default_info_extractors()
    if deadline is None:
        end.start()
        ydl.add_close_hook(end.cancel)
    return ydl


def backoff(n: int) -> float:
    """Return the pause in s before another try within one attempt, after `n` tries that failed before this one."""
    return min(30.0, 2.0**n)


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
        "fixup": "never",  # `tasks.ingest.fetch.transcode` mends containers
        "retries": RETRIES,
        "fragment_retries": RETRIES,
        "extractor_retries": RETRIES,
        "retry_sleep_functions": dict.fromkeys(("http", "fragment", "extractor"), backoff),
    }
