"""A track's audio, fetched: one attempt.

yt-dlp fetches the best audio that there is. Then, as `audio.codec` says, ffmpeg makes an MP3 of it, or it stays as it
was served; a source that is MP3 already stays as it is either way, and a film is never kept, only its sound. Nothing
here retries a whole attempt: what an error's class asks for is done by the flow, with a new call.

Three of yt-dlp's ways are guarded against. It reports success for what it chose not to fetch, so success is a file
with something in it. It takes whatever lies in its folder for an earlier part of the same file, so each attempt works
in an empty one. And it never tires of a stream without an end, so there is a limit of bytes.

Whether the file is sound from beginning to end is known when it is decoded, which the next step does anyway. What can
be known without decoding is looked at here, where another attempt costs least: the length of the packets that came is
compared with what the site announced, and with what the fetched file announced before it was converted, for its header
does not survive that.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from songform.containers import announced_duration, is_cut_short
from songform.errors import AudioError, ParameterError, TrackError
from songform.settings import AudioSettings, DownloadSettings
from songform.sources import Track
from tasks.failures import named, track_error
from tasks.soundtracks import packet_seconds, sound_alone
from tasks.web import plain_text, youtube_dl

__all__ = ["Download", "Progress", "download_track"]

Progress = Callable[[int, int | None], None]
"""Called now and then with the bytes fetched so far, and with all there will be if that is known."""

MAX_BYTES = 8 * 2**30  # twelve hours of uncompressed CD sound; more is a stream without an end


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
    """

    path: Path
    title: str
    duration: float | None


def download_track(
    track: Track,
    folder: Path,
    *,
    audio: AudioSettings,
    download: DownloadSettings,
    ffmpeg: str,
    progress: Progress | None = None,
) -> Download:
    """Fetch a track once.

    Parameters
    ----------
    track : Track
        As it was listed, with its entry.
    folder : Path
        Where the file goes: into a new folder below this one, which is removed again if the attempt fails.
    audio, download : settings
        The codec and its bit rate; the patience.
    ffmpeg : str
        The program, as `find_ffmpeg` gives it.
    progress : callable, optional
        Is told of the bytes.

    Raises
    ------
    TrackError
        With the class that says what may be done.
    ParameterError
        If the track is a local file: there is nothing to fetch.
    """
    if track.entry is None:
        raise ParameterError(f"{track.title} is a file on this machine ({track.source}): read it where it is")
    watch = _Watch(ffmpeg, progress)
    params = _params(track.entry, audio=audio, download=download, ffmpeg=ffmpeg)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        attempt = Path(tempfile.mkdtemp(prefix="attempt-", dir=folder))
    except OSError as error:
        raise track_error(error, track) from error
    try:
        fetched = _fetched(track, {**params, "paths": {"home": str(attempt)}, "progress_hooks": [watch]})
        fetched = _checked(track, fetched, audio=audio, announced_by_file=watch.announced, ffmpeg=ffmpeg)
    except BaseException:
        shutil.rmtree(attempt, ignore_errors=True)
        raise
    return fetched


class _Watch:
    """yt-dlp's progress hook: tells of the bytes, stops at too many, and asks the fetched file for its duration."""

    def __init__(self, ffmpeg: str, progress: Progress | None) -> None:
        self.ffmpeg, self.progress = ffmpeg, progress
        self.announced: float | None = None

    def __call__(self, state: Mapping[str, Any]) -> None:
        done = int(state.get("downloaded_bytes") or 0)
        if done > MAX_BYTES:
            msg = f"the stream has no end: {done} bytes came, and more; give the address of a recording"
            raise TrackError(msg, "permanent")
        if self.progress is not None:
            total = state.get("total_bytes") or state.get("total_bytes_estimate")
            self.progress(done, int(total) if total else None)
        path = Path(state.get("filename") or "")
        if state.get("status") == "finished" and path.is_file():
            self.announced = announced_duration(path, ffmpeg=self.ffmpeg)


def _params(
    entry: Mapping[str, Any], *, audio: AudioSettings, download: DownloadSettings, ffmpeg: str
) -> dict[str, Any]:
    to_mp3 = {"key": "FFmpegExtractAudio", "preferredcodec": "mp3", "preferredquality": str(audio.bitrate)}
    return {
        "format": "bestaudio/best",
        "outtmpl": "audio.%(ext)s",  # no stranger's word in a file name
        "restrictfilenames": True,
        "overwrites": True,
        "updatetime": False,
        "skip_unavailable_fragments": False,
        "socket_timeout": download.timeout_seconds,
        "match_filter": _wanted(entry),
        "playlistend": None if _is_part(entry) else 2,
        "postprocessors": [to_mp3] if audio.codec == "mp3" else [],
        "ffmpeg_location": ffmpeg,
    }


def _fetched(track: Track, params: Mapping[str, Any]) -> Download:
    info = _only(track, _run(track, params))
    path = _file(info)
    if path is None:
        raise _nothing(track, info)
    return Download(path, track.title or plain_text(info.get("title")), track.duration or info.get("duration"))


def _run(track: Track, params: Mapping[str, Any]) -> dict[str, Any]:
    try:
        with youtube_dl(params) as ydl:
            return dict(ydl.process_ie_result(dict(track.entry or {}), download=True) or {})
    except Exception as error:  # noqa: BLE001  extractors are strangers' code: a defect of one is this track's alone
        failure = track_error(error, track)
    # Raised out here, it does not drag along yt-dlp's frames, which hold a whole YoutubeDL and its connections.
    raise failure


def _file(info: Mapping[str, Any]) -> Path | None:
    """Return the file that was made, which a mere success does not promise."""
    path = Path((info.get("requested_downloads") or [{}])[0].get("filepath") or "")
    return path if path.is_file() and path.stat().st_size else None


def _checked(
    track: Track, fetched: Download, *, audio: AudioSettings, announced_by_file: float | None, ffmpeg: str
) -> Download:
    """Return what was fetched as it is to be kept, if it is sound and as long as it should be."""
    try:
        path = sound_alone(fetched.path, ffmpeg=ffmpeg) if audio.codec == "native" else fetched.path
        seconds = packet_seconds(path, ffmpeg=ffmpeg)
    except AudioError as error:
        raise AudioError(f"{named(track)} cannot be fetched: {error}", error.failure) from None
    except OSError as error:
        raise track_error(error, track) from None
    for who, announced in (("its source", fetched.duration), ("the file itself", announced_by_file)):
        if is_cut_short(seconds, announced):
            msg = (
                f"{named(track)} is cut short: {seconds:.1f} s came, but {who} announced "
                f"{announced:.1f} s; try again later"
            )
            raise AudioError(msg, "transient")
    return replace(fetched, path=path)


def _is_part(entry: Mapping[str, Any]) -> bool:
    """Return whether an entry is an item of a page, without an address of its own (see `tasks.playlists`)."""
    return entry.get("_type") == "url" and "playlist_index" in entry


def _wanted(entry: Mapping[str, Any]) -> Callable[..., str | None]:
    """Return yt-dlp's filter: no live streams; and of a page of many items only the one that is meant."""

    def reason_against(info: Mapping[str, Any], *, incomplete: bool = False) -> str | None:
        if info.get("is_live"):
            return "it is live"
        if _is_part(entry) and not incomplete and info.get("id") != entry.get("id"):
            return "it is another item of the page"
        return None

    return reason_against


def _only(track: Track, info: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the information of the one item that was fetched."""
    if info.get("entries") is None:
        return info
    items: list[dict[str, Any]] = [item for item in info["entries"] if item]
    fetched = [item for item in items if _file(item)]
    if len(fetched) > 1:
        msg = f"{named(track)} is a list of tracks, not a track; give its address as a source of its own"
        raise TrackError(msg, "permanent")
    return (fetched or items or [{}])[0]


def _nothing(track: Track, info: Mapping[str, Any]) -> TrackError:
    """Explain a run without an error and without a file."""
    if info.get("is_live") or info.get("live_status") in ("is_live", "is_upcoming"):
        return TrackError(f"{named(track)} is a live stream; ingest it again when it is over", "later")
    msg = f"{named(track)} could not be fetched: the site gave nothing; check the address in a browser"
    return TrackError(msg, "permanent")
