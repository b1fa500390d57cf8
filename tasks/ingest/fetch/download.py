"""A track's audio, fetched: one attempt, and nothing is left of it if it fails.

yt-dlp fetches the best audio that there is. Then, as `audio.codec` says, ffmpeg makes an MP3 of it, or it stays as it
was served; a source that is MP3 already stays as it is either way, and a film is never kept, only its sound. Nothing
here retries a whole attempt: what an error's class asks for is done by the flow, with a new call.

There are three limits, and a track beyond one of them is refused for good, in a sentence that names the limit:
`download.max_megabytes` counts what arrives, whatever was announced; `download.max_hours` is compared with what is
announced and with what came; `download.max_minutes` is the time of all attempts together
(`tasks.ingest.fetch.deadline`).
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from songform.errors import ParameterError
from tasks.ingest.failures.classify import track_error
from tasks.ingest.fetch.attempts import Attempt, Download, Progress
from tasks.ingest.fetch.deadline import Deadline
from tasks.settings import AudioSettings, DownloadSettings
from tasks.store.tracks import Track

__all__ = ["Download", "Progress", "download_track"]


def download_track(
    track: Track,
    folder: Path,
    *,
    audio: AudioSettings,
    download: DownloadSettings,
    ffmpeg: str,
    progress: Progress | None = None,
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
            return Attempt(track, attempt, audio, download, ffmpeg, deadline, progress).download()
    except BaseException:
        shutil.rmtree(attempt, ignore_errors=True)
        raise
