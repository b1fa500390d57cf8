"""One attempt to download a track with yt-dlp, with checks of the result; a failed attempt leaves no file.

yt-dlp downloads the best audio available. Depending on `audio.codec`, ffmpeg converts it to MP3, or it keeps its codec.
A file that is already MP3 is not encoded again, and of a video only the audio is kept. Nothing is retried here: Prefect
calls the function again if the class of the error allows it.

A track that exceeds one of three limits fails permanently: `download.max_megabytes` limits the stated and the
actual size, `download.max_hours` the stated and the actual length, and `download.max_minutes` the total time of all
attempts (`tasks.ingest.fetch.deadline`).

Two behaviors of yt-dlp need a workaround. It reports success if it decided not to download anything, so a download
counts as successful only if there is a file that is not empty. And it continues with any partial file in its folder, so
each attempt uses an empty folder.

Damage inside the file is found when the next step decodes it. Truncation is detected here, where another attempt costs
least: the length of the received packets is compared with the length that the site states, and with the length
in the header of the downloaded file, which a conversion would replace.
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
from songform.audio.mixdown import MEAN
from songform.audio.stream import open_audio
from songform.errors import AudioError, ParameterError, TrackError
from songform.plain_text import plain_text
from tasks.ingest.failures.classify import track_error, track_label
from tasks.ingest.failures.rules import TRY_AGAIN
from tasks.ingest.fetch.audio_length import packet_seconds
from tasks.ingest.fetch.deadline import Deadline
from tasks.ingest.fetch.transcode import announced_seconds, as_mp3, audio_only, stream_notes
from tasks.settings import AudioSettings, DownloadSettings
from tasks.store.tracks import Track

__all__ = ["Download", "ProgressCallback", "download_track"]

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]{0,40}):(?!\d)")  # followed by digits, it is a host and a port

ProgressCallback = Callable[[int, int | None], None]
"""Function that is called repeatedly with the number of bytes received, and with the total number if it is known."""


@dataclass(frozen=True)
class Download:
    """Downloaded audio file.

    Parameters
    ----------
    path : Path
        Path of the file.
    title : str
        Title of the track, from the listing or, if it had none, from the site.
    duration : float, optional
        Announced length in seconds, from the listing or, if it had none, from the site.
    warnings : tuple of str
        Notes on unusual properties, as sentences that name the track.
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
    """Make one attempt to download a track.

    Parameters
    ----------
    track : Track
        Track with the entry that yt-dlp listed.
    folder : Path
        Folder for the file. The file is written to a new subfolder, which is removed if the attempt fails.
    audio : AudioSettings
        Codec and bit rate.
    download : DownloadSettings
        Timeouts, limits and permissions.
    ffmpeg : str
        Path of the ffmpeg executable, as returned by `find_ffmpeg`.
    progress : callable, optional
        Function that receives the number of bytes.
    spent : float
        Duration of earlier attempts in the same ingest, in seconds.

    Raises
    ------
    TrackError
        If the download fails, with the class of the failure.
    ParameterError
        If the track is a local file.
    """
    if track.entry is None:
        raise ParameterError(
            f"{track.title} is a local file ({track.source}), which cannot be downloaded; read it directly"
        )
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
    """State of one call of `download_track`: its parameters, an empty folder and the deadline."""

    track: Track
    folder: Path
    audio: AudioSettings
    settings: DownloadSettings
    ffmpeg: str
    deadline: Deadline
    progress: ProgressCallback | None
    announced_by_file: float | None = None

    def download(self) -> Download:
        """Download, check and convert the file.

        Raises
        ------
        TrackError
            If the download fails, with the class of the failure.
        """
        try:
            return self._as_wanted(self._fetched())
        except Exception as error:  # noqa: BLE001  a defect of an extractor must not affect other tracks
            failure = self._failure(error)
        # Raised outside of the handler, so that its context does not keep yt-dlp's objects and connections alive.
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
            "outtmpl": "audio",  # no untrusted text in a file name, not even the extension
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
        """Return why yt-dlp should skip an item: a live stream, or another item of the page; refuse a long one."""
        if info.get("is_live"):
            return "it is a live stream"
        if _is_part(self.track.entry) and not incomplete and info.get("id") != (self.track.entry or {}).get("id"):
            return "it is not the requested item of the page"
        self._refuse_long(self.track.duration or info.get("duration"))
        return None

    def _watch(self, state: Mapping[str, Any]) -> None:
        """Report the number of bytes, enforce the size limit, and read the length in the header of a finished file."""
        done, total = int(state.get("downloaded_bytes") or 0), state.get("total_bytes")
        if max(done, total or 0) > self.settings.max_megabytes * 1e6:
            size = f"larger than download.max_megabytes = {self.settings.max_megabytes:g}"
            raise TrackError(f"it is {size}, or an endless stream; raise this limit if it is a recording", "permanent")
        if self.progress is not None:
            total = total or state.get("total_bytes_estimate")
            self.progress(done, int(total) if total else None)
        path = Path(state.get("filename") or "")
        if state.get("status") == "finished" and path.is_file():
            self.announced_by_file = announced_seconds(path, ffmpeg=self.ffmpeg, timeout=self.deadline.left)

    def _refuse_long(self, seconds: float | None) -> None:
        if seconds is not None and seconds > 3600.0 * self.settings.max_hours:
            length = f"it is longer than download.max_hours = {self.settings.max_hours:g} ({seconds / 3600.0:.2f} h)"
            raise TrackError(f"{length}; raise this limit if the track is really that long", "permanent")

    def _as_wanted(self, fetched: Download) -> Download:
        """Check the length of the downloaded file, and convert it."""
        seconds = self._seconds(fetched.path)
        self._refuse_long(seconds)
        self._refuse_cut(fetched, seconds)
        streams = self._stream_notes(fetched.path)
        path = self._encoded(fetched.path)
        if streams and self._stream_notes(path):
            streams = ()  # nothing was removed; the extraction adds the note to the track's record
        if self.audio.codec != "native":
            made = self._seconds(path)
            if is_cut_short(made, seconds):
                raise AudioError(f"only {made:.1f} s of its {seconds:.1f} s can be converted; {TRY_AGAIN}", "transient")
            seconds = made
        warnings = (*streams, *self._length_notes(fetched.duration, seconds))
        return replace(fetched, path=path, warnings=tuple(f"{track_label(self.track)} {note}" for note in warnings))

    def _refuse_cut(self, fetched: Download, seconds: float) -> None:
        """Refuse a file that is shorter than its source or its header states, unless it is complete."""
        for who, claim in (("its source", fetched.duration), ("its header", self.announced_by_file)):
            if claim is not None and is_cut_short(seconds, claim) and not self._is_whole(fetched.path, claim):
                arrived = f"it is cut short: {seconds:.1f} s arrived, but {who} states a length of {claim:.1f} s"
                raise AudioError(f"{arrived}; {TRY_AGAIN}", "transient", measured=seconds)

    def _is_whole(self, path: Path, claim: float) -> bool:
        """Decode a file to its end, and return whether it is complete although it is shorter than stated."""
        try:
            with open_audio(path, ffmpeg=self.ffmpeg, announced=claim, mixdown=MEAN) as audio:  # only its length
                for _ in audio:
                    self._refuse_long(audio.seconds)
                    if self.deadline.is_over:
                        return False
        except AudioError as error:
            if error.measured is None:
                raise
            return False
        return True

    def _length_notes(self, announced: float | None, seconds: float) -> tuple[str, ...]:
        """Return a note if the site states a wrong length; if the listing does, the extraction adds a note."""
        if (
            announced is None
            or self.track.duration is not None
            or abs(seconds - announced) <= max(2.0, 0.02 * announced)
        ):
            return ()
        return (f"is {seconds:.1f} s long, but its source states a length of {announced:.1f} s",)

    def _encoded(self, path: Path) -> Path:
        if self.audio.codec == "native":
            return audio_only(path, ffmpeg=self.ffmpeg, timeout=self.deadline.left)
        longest = 3600.0 * self.settings.max_hours
        return as_mp3(path, bitrate=self.audio.bitrate, seconds=longest, ffmpeg=self.ffmpeg, timeout=self.deadline.left)

    def _stream_notes(self, path: Path) -> tuple[str, ...]:
        return stream_notes(path, ffmpeg=self.ffmpeg, timeout=self.deadline.left)

    def _seconds(self, path: Path) -> float:
        return packet_seconds(path, ffmpeg=self.ffmpeg, timeout=self.deadline.left)

    def _failure(self, error: Exception) -> TrackError:
        """Return a `TrackError` whose message names the track."""
        what = f"{track_label(self.track)} cannot be downloaded"
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
    """Refuse an address in a feed that is not http(s); addresses that a site's own extractor made are not checked."""
    scheme = _SCHEME.match(str(entry.get("url") or ""))
    if scheme and not entry.get("ie_key") and scheme[1].lower() not in ("http", "https"):
        msg = f"its address begins with {scheme[1]}:, but only http and https are supported; check the address"
        raise TrackError(msg, "permanent")


def _is_part(entry: Mapping[str, Any] | None) -> bool:
    """Return whether an entry is an item of a page that has no address of its own."""
    return entry is not None and entry.get("_type") == "url" and "playlist_index" in entry


def _only(info: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the information on the single item that was downloaded."""
    if info.get("entries") is None:
        return info
    items: list[dict[str, Any]] = [item for item in info["entries"] if item]
    fetched = [item for item in items if _file(item)]
    if len(fetched) > 1:
        raise TrackError("it is a list of tracks, not a track; ingest its address as a separate source", "permanent")
    return (fetched or items or [{}])[0]


def _file(info: Mapping[str, Any]) -> Path | None:
    """Return the path of the downloaded file; None if it does not exist or is empty, which yt-dlp may not report."""
    path = Path((info.get("requested_downloads") or [{}])[0].get("filepath") or "")
    return path if path.is_file() and path.stat().st_size else None


def _nothing(info: Mapping[str, Any]) -> TrackError:
    """Return the error for a run of yt-dlp that ended with neither an error nor a file."""
    if info.get("is_live") or info.get("live_status") in ("is_live", "is_upcoming"):
        return TrackError("it is a live stream; ingest it again when it is over", "later")
    return TrackError("the site provided no file; check the address in a browser", "permanent")
