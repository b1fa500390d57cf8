"""yt-dlp as a library, with checked connections, without output and without external programs.

As a library, yt-dlp has other defaults than as a program: it never retries, prints messages, keeps a cache, loads
plugins from the working folder, connects to any address and lets ffmpeg download what it does not support itself.
`youtube_dl` changes these defaults for listing and for downloading. Every call makes a new `YoutubeDL`, because an
object holds the state of its run and cannot be shared between threads.

If yt-dlp's own downloaders do not support a stream, yt-dlp passes the address to ffmpeg or rtmpdump, which bypass the
address check and the limits. Therefore only yt-dlp's own downloaders are allowed, and HLS playlists are examined first:
streams that need another program are refused. Live streams are refused, too, because yt-dlp would download only the
current half minute and report success.

Importing this module imports yt-dlp, which takes two seconds: import `youtube_dl` inside the function that calls it.
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

RETRIES = 3  # within one attempt, resuming the download; Prefect retries whole attempts
NO_PROGRAM = str(Path(__file__).with_name("no ffmpeg for yt-dlp"))  # path of a file that does not exist
OWN_DOWNLOADERS = (HttpFD, HlsFD, DashSegmentsFD, IsmFD)

_WHOLE = re.compile(r"(?m)^#EXT-X-(ENDLIST|PLAYLIST-TYPE:VOD)\b")  # RFC 8216, 4.3.3.4 and 4.3.3.5


def youtube_dl(
    params: Mapping[str, Any],
    extractors: Sequence[type[InfoExtractor]] = (),
    *,
    settings: DownloadSettings = DownloadSettings(),  # noqa: B008  frozen
    deadline: Deadline | None = None,
) -> YoutubeDL:
    """Create a `YoutubeDL` with safe defaults for one run.

    Parameters
    ----------
    params : mapping
        Parameters of yt-dlp, which override the safe defaults.
    extractors : sequence of InfoExtractor classes
        Extractors that take precedence over yt-dlp's own; tests simulate sites with them.
    settings : DownloadSettings
        Settings with the permissions, the cookies and the limits. The default is strict.
    deadline : Deadline, optional
        Deadline of the run. Default: `download.max_minutes` from now.

    Returns
    -------
    YoutubeDL
        Context manager that closes its connections.

    Raises
    ------
    TrackError
        Of the class `environment`, if the cookies file cannot be used.
    """
    # By default, yt-dlp runs code from any folder `yt_dlp_plugins/` in the working folder.
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
    """Return the delay before retry number `n + 1` within one attempt, in seconds."""
    return min(30.0, 2.0**n)


class _GuardedYoutubeDL(YoutubeDL):
    """`YoutubeDL` whose requests all pass the address check.

    Parameters
    ----------
    params : dict
        Parameters of yt-dlp.
    guard : Guard
        Address check and deadline of the attempt.
    """

    def __init__(self, params: dict[str, Any], *, guard: Guard) -> None:
        self._guard = guard
        super().__init__({**params, "ffmpeg_location": NO_PROGRAM}, auto_init=False)

    def build_request_director(self, handlers: Iterable[Any], preferences: Any = None) -> Any:  # noqa: ARG002
        """Build the request director of yt-dlp with `GuardedRH` as its only handler."""
        return super().build_request_director([functools.partial(GuardedRH, guard=self._guard)], preferences)

    def get_info_extractor(self, ie_key: str) -> Any:
        """Return an extractor by its key; the generic extractor is replaced by one that tolerates broken feeds."""
        if ie_key == GenericIE.ie_key() and ie_key not in self._ies_instances:
            self.add_info_extractor(GenericIE())
        return super().get_info_extractor(ie_key)

    def add_default_extra_info(self, *args: Any) -> None:
        """Add information from the address of an entry; ignore invalid addresses, so that the list does not fail."""
        with suppress(ValueError):
            super().add_default_extra_info(*args)

    def _forceprint(self, key: str, info_dict: dict[str, Any]) -> None:
        """Print nothing; preparing the output of every entry would take most of the time of a listing."""

    def process_info(self, info_dict: dict[str, Any]) -> Any:
        """Download an item with a fixed extension, because yt-dlp rejects extensions that it does not know."""
        info_dict["ext"] = "mka"
        return super().process_info(info_dict)

    def dl(self, name: str, info: dict[str, Any], subtitle: bool = False, test: bool = False) -> Any:
        """Download a file with yt-dlp's own downloaders.

        Raises
        ------
        TrackError
            If yt-dlp would start another program, or the stream is live. With `test`, a failure is returned instead.
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
                f"its protocol ({determine_protocol(info)}) is not supported: yt-dlp would start another program, "
                "which ignores songform's limits; find another copy of it"
            )
            raise TrackError(msg, "permanent")
        return info

    def _whole_playlist(self, info: dict[str, Any]) -> dict[str, Any]:
        """Read and check an HLS playlist; return the information with its content, which is then not read again."""
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
    """Logger without output; failures are reported as exceptions."""

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
        "noplaylist": True,  # the address of a track within a list means the track
        "geo_bypass": False,  # do not send a false location
        "fixup": "never",  # `tasks.ingest.fetch.transcode` fixes containers
        "retries": RETRIES,
        "fragment_retries": RETRIES,
        "extractor_retries": RETRIES,
        "retry_sleep_functions": dict.fromkeys(("http", "fragment", "extractor"), backoff),
    }
