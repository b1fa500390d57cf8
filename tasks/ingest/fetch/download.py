"""Fetch one track once: what yt-dlp gives, and whether it is what was wanted; a failure leaves no file behind.

yt-dlp fetches the best audio that there is. Then, as `audio.codec` says, ffmpeg makes an MP3 of it, or it stays as it
was served; a source that is MP3 already stays as it is either way, and of a film only the sound is kept. Nothing here
retries: the flow does so with a new call, where the error's class allows it.

There are three limits, and a track beyond one of them is refused for good, in a sentence that names the limit:
`download.max_megabytes` counts what arrives, whatever was announced; `download.max_hours` is compared with what is
announced and with what came; `download.max_minutes` is the time of all attempts together
(`tasks.ingest.fetch.deadline`).

Two of yt-dlp's ways are guarded against. It reports success for what it chose not to fetch, so success is a file with
something in it. And it takes whatever lies in its folder for an earlier part of the same file, so each attempt works in
an empty one.

Whether the file is sound from beginning to end is known when it is decoded, which the next step does anyway. What can
be known without decoding is looked at here, where another attempt costs least: the length of the packets that came is
compared with what the site announced, and with what the fetched file announced before it was converted, for its header
does not survive that.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from songform.audio.headers import is_cut_short
from songform.errors import AudioError, ParameterError, TrackError
from songform.plain_text import plain_text
from tasks.ingest.failures.classify import track_error, track_label
from tasks.ingest.fetch.audio_length import packet_seconds
from tasks.ingest.fetch.deadline import Deadline
from tasks.ingest.fetch.transcode import announced_seconds, as_mp3, audio_only
from tasks.settings import AudioSettings, DownloadSettings
from tasks.store.tracks import Track

__all__ = ["Download", "ProgressCallback", "download_track"]

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]{0,40}):(?!\d)")  # before digits it is a host, with its port

ProgressCallback = Callable[[int, int | None], None]
"""Called now and then with the bytes fetched so far, and with all there will be if that is known."""


@dataclass(frozen=True)
class Download:
    """An audio file that was fetched.

    Parameters
    ----------
    path : Path
        The file.
    title : str
        The track's title: the listing's, or the site's if the listing had none.
    duration : float, optional
        In s, as announced by the listing or, failing that, by the site.
    warnings : tuple of str
        What is odd about it, in sentences that name the track.
    """

    path: Path
    title: str
    duration: float | None
    warnings: tuple[str, ...] = ()


def download_track(
    track: Track,
    folder: Path,
    *,
    audio: AudioSettings,
    download: DownloadSettings,
    ffmpeg: str,
    progress: ProgressCallback | None = None,
    spent: float = 0.0,
) -> Download:
    """Fetch a track once.

    Parameters
    ----------
    track : Track
        As it was listed, with its entry.
    folder : Path
        Where the file goes: into a new folder below this one, which is removed again if the attempt fails.
    audio, download : settings
        The codec and its bit rate; the patience, the limits, and what may be asked.
    ffmpeg : str
        The program, as `find_ffmpeg` gives it.
    progress : callable, optional
        Is told of the bytes.
    spent : float
        Seconds that earlier attempts of the same ingest took.

    Raises
    ------
    TrackError
        With the class that says what may be done.
    ParameterError
        If the track is a local file: there is nothing to fetch.
    """
    if track.entry is None:
        raise ParameterError(f"{track.title} is a file on this machine ({track.source}): read it where it is")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        attempt = Path(tempfile.mkdtemp(prefix="attempt-", dir=folder))
    except OSError as error:
        raise track_error(error, track) from error
    try:
        with Deadline(download.max_minutes, spent=spent) as deadline:
            return _Attempt(track, attempt, audio, download, ffmpeg, deadline, progress).download()
    except BaseException:
        shutil.rmtree(attempt, ignore_errors=True)
        raise


@dataclass
class _Attempt:
    """One call of `download_track`: its parameters, an empty folder, and when it ends."""

    track: Track
    folder: Path
    audio: AudioSettings
    settings: DownloadSettings
    ffmpeg: str
    deadline: Deadline
    progress: ProgressCallback | None
    announced_by_file: float | None = None

    def download(self) -> Download:
        """Fetch it, and return the file as it is to be kept.

        Raises
        ------
        TrackError
            With the class that says what may be done.
        """
        try:
            return self._as_wanted(self._fetched())
        except Exception as error:  # noqa: BLE001  extractors are strangers' code: a defect of one is this track's alone
            failure = self._failure(error)
        # Raised out here, it does not drag along yt-dlp's frames, which hold a whole YoutubeDL and its connections.
        raise failure

    def _fetched(self) -> Download:
        entry = dict(self.track.entry or {})
        _refuse_other_schemes(entry)
        from tasks.ingest.fetch.ytdlp import youtube_dl  # which imports yt-dlp

        with youtube_dl(self._params(), settings=self.settings, deadline=self.deadline) as ydl:
            info = _only(ydl.process_ie_result(entry, download=True) or {})
        path = _file(info)
        if path is None:
            raise _nothing(info)
        title = self.track.title or plain_text(info.get("title"))
        return Download(path, title, self.track.duration or info.get("duration"))

    def _params(self) -> dict[str, Any]:
        return {
            "format": "bestaudio/best",
            "outtmpl": "audio",  # no word of a stranger in a file name, not even the extension
            "paths": {"home": str(self.folder)},
            "overwrites": True,
            "updatetime": False,
            "skip_unavailable_fragments": False,
            "socket_timeout": self.settings.timeout_seconds,
            "match_filter": self._reason_against,
            "playlistend": None if _is_part(self.track.entry) else 2,
            "progress_hooks": [self._watch],
        }

    def _reason_against(self, info: Mapping[str, Any], *, incomplete: bool = False) -> str | None:
        """Keep yt-dlp from live streams, from what is too long, and on a page of many items from all but one."""
        if info.get("is_live"):
            return "it is live"
        if _is_part(self.track.entry) and not incomplete and info.get("id") != (self.track.entry or {}).get("id"):
            return "it is another item of the page"
        self._refuse_long(self.track.duration or info.get("duration"))
        return None

    def _watch(self, state: Mapping[str, Any]) -> None:
        """Tell of the bytes, stop at too many, and ask the fetched file for its duration."""
        done, total = int(state.get("downloaded_bytes") or 0), state.get("total_bytes")
        if max(done, total or 0) > self.settings.max_megabytes * 1e6:
            size = f"larger than download.max_megabytes = {self.settings.max_megabytes:g}"
            raise TrackError(f"it is {size}, or has no end; raise this limit if it is a recording", "permanent")
        if self.progress is not None:
            total = total or state.get("total_bytes_estimate")
            self.progress(done, int(total) if total else None)
        path = Path(state.get("filename") or "")
        if state.get("status") == "finished" and path.is_file():
            self.announced_by_file = announced_seconds(path, ffmpeg=self.ffmpeg, timeout=self.deadline.left)

    def _refuse_long(self, seconds: float | None) -> None:
        if seconds is not None and seconds > 3600.0 * self.settings.max_hours:
            length = f"it is longer than download.max_hours = {self.settings.max_hours:g} ({seconds / 3600.0:.2f} h)"
            raise TrackError(f"{length}; raise this limit if that is no mistake", "permanent")

    def _as_wanted(self, fetched: Download) -> Download:
        """Return what was fetched as it is to be kept, if it is sound and as long as it should be."""
        seconds, announced = self._seconds(fetched.path), fetched.duration
        self._refuse_long(seconds)
        path = self._encoded(fetched.path)
        if self.audio.codec != "native":
            seconds = self._seconds(path)
        for who, claim in (("its source", announced), ("the file itself", self.announced_by_file)):
            if is_cut_short(seconds, claim):
                msg = f"it is cut short: {seconds:.1f} s came, but {who} announced {claim:.1f} s; try again later"
                raise AudioError(msg, "transient", measured=seconds)
        warnings: tuple[str, ...] = ()
        if announced is not None and seconds - announced > max(2.0, 0.02 * announced):
            warnings = (f"{track_label(self.track)} has {seconds:.1f} s, but its source announced {announced:.1f} s",)
        return replace(fetched, path=path, warnings=warnings)

    def _encoded(self, path: Path) -> Path:
        if self.audio.codec == "native":
            return audio_only(path, ffmpeg=self.ffmpeg, timeout=self.deadline.left)
        longest = 3600.0 * self.settings.max_hours
        return as_mp3(path, bitrate=self.audio.bitrate, seconds=longest, ffmpeg=self.ffmpeg, timeout=self.deadline.left)

    def _seconds(self, path: Path) -> float:
        return packet_seconds(path, ffmpeg=self.ffmpeg, timeout=self.deadline.left)

    def _failure(self, error: Exception) -> TrackError:
        """Return the error as one that names the track."""
        what = f"{track_label(self.track)} cannot be fetched"
        if self.deadline.is_over:
            return TrackError(f"{what}: {self.deadline}", "permanent")
        if not isinstance(error, TrackError):
            return track_error(error, self.track)
        if isinstance(error, AudioError):
            failure: TrackError = AudioError(f"{what}: {error}", error.failure, measured=error.measured)
        else:
            failure = TrackError(f"{what}: {error}", error.failure)
        failure.retry_after, failure.robot, failure.repeated = error.retry_after, error.robot, error.repeated
        return failure


def _refuse_other_schemes(entry: Mapping[str, Any]) -> None:
    """Refuse what a feed sends elsewhere than into the web; what a site's own extractor made is that one's business."""
    scheme = _SCHEME.match(str(entry.get("url") or ""))
    if scheme and not entry.get("ie_key") and scheme[1].lower() not in ("http", "https"):
        msg = f"its address begins with {scheme[1]}:, and only http and https are fetched; check the address"
        raise TrackError(msg, "permanent")


def _is_part(entry: Mapping[str, Any] | None) -> bool:
    """Return whether an entry is an item of a page, without an address of its own."""
    return entry is not None and entry.get("_type") == "url" and "playlist_index" in entry


def _only(info: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the information of the one item that was fetched."""
    if info.get("entries") is None:
        return info
    items: list[dict[str, Any]] = [item for item in info["entries"] if item]
    fetched = [item for item in items if _file(item)]
    if len(fetched) > 1:
        raise TrackError("it is a list of tracks, not a track; give its address as a source of its own", "permanent")
    return (fetched or items or [{}])[0]


def _file(info: Mapping[str, Any]) -> Path | None:
    """Return the file that was made, which a mere success does not promise."""
    path = Path((info.get("requested_downloads") or [{}])[0].get("filepath") or "")
    return path if path.is_file() and path.stat().st_size else None


def _nothing(info: Mapping[str, Any]) -> TrackError:
    """Explain a run without an error and without a file."""
    if info.get("is_live") or info.get("live_status") in ("is_live", "is_upcoming"):
        return TrackError("it is a live stream; ingest it again when it is over", "later")
    return TrackError("the site gave nothing; check the address in a browser", "permanent")
