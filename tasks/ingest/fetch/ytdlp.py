"""yt-dlp as a library: it fetches through the guard only, prints nothing and starts no other program.

yt-dlp is made to be a program. As a library it has other defaults: it never retries, it prints, it keeps a cache, it
loads plugins from the working folder, it goes wherever a playlist sends it and it lets ffmpeg fetch what it cannot
fetch itself. `youtube_dl` puts all that right, once, for listing and for fetching alike. Every call makes a new
`YoutubeDL`: an object holds the state of its run and is not made to be shared between threads.

Where yt-dlp's own downloader meets something that it does not know, it hands the stream's address to ffmpeg, or to
rtmpdump. These know nothing of the guard, nor of the attempt's limits. So only the downloaders that fetch through
yt-dlp's network are used, and a playlist of fragments (HLS) is read here first: what would be handed over is refused,
and so is a live stream, of which yt-dlp would fetch the present half minute and call it done.

yt-dlp takes two seconds to import, and this module imports it: import `youtube_dl` where it is called.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from yt_dlp import YoutubeDL
from yt_dlp.downloader import get_suitable_downloader
from yt_dlp.downloader.dash import DashSegmentsFD
from yt_dlp.downloader.hls import HlsFD
from yt_dlp.downloader.http import HttpFD
from yt_dlp.downloader.ism import IsmFD
from yt_dlp.extractor.common import InfoExtractor
from yt_dlp.globals import plugin_dirs
from yt_dlp.networking.common import Request
from yt_dlp.utils import determine_protocol

from songform.errors import TrackError
from tasks.ingest.fetch.connections import GuardedRH
from tasks.ingest.fetch.cookies import load_cookies
from tasks.ingest.fetch.deadline import Deadline
from tasks.ingest.fetch.generic_extractor import GenericIE
from tasks.ingest.fetch.request_guard import Guard
from tasks.ingest.fetch.stream_manifests import refuse_long_hls
from tasks.settings import DownloadSettings

__all__ = ["youtube_dl"]

RETRIES = 3  # within one attempt, where the connection resumes; whole attempts are the flow's business
NO_PROGRAM = str(Path(__file__).with_name("no ffmpeg for yt-dlp"))  # a path at which nothing is
OWN_DOWNLOADERS = (HttpFD, HlsFD, DashSegmentsFD, IsmFD)

_WHOLE = re.compile(r"(?m)^#EXT-X-(ENDLIST|PLAYLIST-TYPE:VOD)\b")  # RFC 8216, 4.3.3.4 and 4.3.3.5


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
    # yt-dlp would run any `yt_dlp_plugins/` that lies in the working folder.
    plugin_dirs.value = ["default"] if settings.allow_plugins else []
    cookies = {"cookiefile": load_cookies(settings.cookies)} if settings.cookies else {}
    end = Deadline(settings.max_minutes) if deadline is None else deadline
    ydl = _GuardedYoutubeDL({**_careful_params(), **cookies, **params}, guard=Guard(settings.allow_private, end))
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


class _GuardedYoutubeDL(YoutubeDL):
    """A YoutubeDL that reaches the network through the guard only.

    Parameters
    ----------
    params : dict
        yt-dlp's parameters.
    guard : Guard
        The attempt's.
    """

    def __init__(self, params: dict[str, Any], *, guard: Guard) -> None:
        self._guard = guard
        super().__init__({**params, "ffmpeg_location": NO_PROGRAM}, auto_init=False)

    def build_request_director(self, handlers: Iterable[Any], preferences: Any = None) -> Any:  # noqa: ARG002
        """Build yt-dlp's director of requests, with the one handler that is guarded."""
        return super().build_request_director([functools.partial(GuardedRH, guard=self._guard)], preferences)

    def get_info_extractor(self, ie_key: str) -> Any:
        """Return an extractor by its key; feeds are read by one that bears more than yt-dlp's own."""
        if ie_key == GenericIE.ie_key() and ie_key not in self._ies_instances:
            self.add_info_extractor(GenericIE())
        return super().get_info_extractor(ie_key)

    def add_default_extra_info(self, *args: Any) -> None:
        """Add what an entry's address tells; one that is no address tells nothing, and its list is none the worse."""
        with suppress(ValueError):
            super().add_default_extra_info(*args)

    def _forceprint(self, key: str, info_dict: dict[str, Any]) -> None:
        """Print nothing: for that, yt-dlp would prepare every entry of a list, which is most of the time it takes."""

    def process_info(self, info_dict: dict[str, Any]) -> Any:
        """Fetch an item, whatever extension a site gives it; yt-dlp stumbles over those that it does not know."""
        info_dict["ext"] = "mka"
        return super().process_info(info_dict)

    def dl(self, name: str, info: dict[str, Any], subtitle: bool = False, test: bool = False) -> Any:
        """Fetch a file, if yt-dlp can do so by itself.

        Raises
        ------
        TrackError
            If it would start another program, or the stream is live. A mere test of a format fails then.
        """
        try:
            fetchable = self._fetchable(info, {} if test else self.params)
        except TrackError:
            if test:
                return False, False
            raise
        return super().dl(name, fetchable, subtitle, test)

    def _fetchable(self, info: dict[str, Any], params: Mapping[str, Any]) -> dict[str, Any]:
        if determine_protocol(info).startswith("m3u8"):
            info = self._whole_playlist(info)
        if get_suitable_downloader(dict(info), params) not in OWN_DOWNLOADERS:
            msg = (
                f"it is sent in a way ({determine_protocol(info)}) for which yt-dlp would start another program, "
                "which no limit holds; find another copy of it"
            )
            raise TrackError(msg, "permanent")
        return info

    def _whole_playlist(self, info: dict[str, Any]) -> dict[str, Any]:
        """Read a playlist of fragments; return the information with what was read, which is not asked for again."""
        playlist, url = info.get("hls_media_playlist_data"), info["url"]
        if not playlist:
            headers = info.get("http_headers") or self._calc_headers(info)
            with self.urlopen(Request(url, headers=headers)) as answer:
                playlist, url = answer.read().decode("utf-8", "ignore"), answer.url
        refuse_long_hls(playlist)
        if not HlsFD.can_download(playlist, {**info, "is_live": False}):
            raise TrackError("its stream is encrypted (DRM); find another copy of it", "permanent")
        if info.get("is_live") or not _WHOLE.search(playlist):
            raise TrackError("it is a live stream; ingest it again when it is over", "later")
        return {**info, "protocol": "m3u8_native", "url": url, "hls_media_playlist_data": playlist}


class _SilentLogger:
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
        "logger": _SilentLogger(),
        "cachedir": False,
        "noplaylist": True,  # an address of a track within a list means the track
        "geo_bypass": False,  # no pretending to be elsewhere
        "fixup": "never",  # `tasks.ingest.fetch.transcode` mends containers
        "retries": RETRIES,
        "fragment_retries": RETRIES,
        "extractor_retries": RETRIES,
        "retry_sleep_functions": dict.fromkeys(("http", "fragment", "extractor"), backoff),
    }
