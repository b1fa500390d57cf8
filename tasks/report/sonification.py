"""Sonification: a song with its segments made audible, beside its report.

The song is read from where it lies, block by block at its own sampling rate, and written as FLAC, one channel. What is
kept of a song after its ingest does not sound: the audio must be a local file, or have been kept (`audio.keep`). A file
that stands says in its comment what it was made of, and is not made again.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import soundfile
from prefect import task
from prefect.cache_policies import NO_CACHE

from songform.audio.stream import open_audio
from songform.errors import TrackError
from songform.output.sonification import VERSION, sonified
from songform.structure.segments import Segment
from tasks.ingest.fetch_audio import existing_audio
from tasks.ingest.ffmpeg import find_ffmpeg
from tasks.progress import announce
from tasks.settings import Settings, digest
from tasks.store.atomic_files import atomic_path
from tasks.store.corpus import Corpus
from tasks.store.tracks import TrackRecord

__all__ = ["sonify_tracks"]


@task(cache_policy=NO_CACHE)
def sonify_tracks(
    home: Path, reports: Sequence[dict[str, Any]], settings: Settings
) -> tuple[list[dict[str, Any]], list[str]]:
    """Write each song with clicks and tones; return the reports and a sentence for each song without sound.

    Parameters
    ----------
    home : Path
        The corpus's home.
    reports : sequence of dict
        With the `path` of each.
    settings : Settings
        All settings: `audio` says which audio was kept.

    Returns
    -------
    reports : list of dict
        Each song that could be heard has the path of its file as `sonified`.
    problems : list of str
        Why others could not, and what to do.
    """
    corpus = Corpus(home)
    heard: list[dict[str, Any]] = []
    problems: list[str] = []
    for count, report in enumerate(reports, start=1):
        try:
            heard.append({**report, "sonified": str(_sonified(corpus, report, settings))})
        except TrackError as error:
            heard.append(report)
            problems.append(f"{report['track']['title']} cannot be sonified: {error}")
        announce("sonify", count, len(reports), report["track"]["title"])
    return heard, problems


def _sonified(corpus: Corpus, report: dict[str, Any], settings: Settings) -> Path:
    record = corpus.record(report["track"]["key"])
    if record is None:
        raise TrackError("its record is gone; ingest it again")
    segments = [Segment(**segment) for segment in report["segments"]]
    target = Path(report["path"]).with_suffix(".sonified.flac")
    made_of = f"songform {digest([VERSION, record.audio_sha256, segments])}"
    if _comment(target) != made_of:
        audio = _audio(corpus, record, settings)
        with atomic_path(target) as temporary:
            _write(temporary, audio, record, segments, made_of)
    return target


def _audio(corpus: Corpus, record: TrackRecord, settings: Settings) -> Path:
    path = existing_audio(corpus.home, record, settings)
    if path is not None:
        return path
    raise TrackError(
        f"its audio was not kept; delete {corpus.record_path(record.key)} and analyze it again with "
        "--set audio.keep=true"
    )


def _write(target: Path, source: Path, record: TrackRecord, segments: list[Segment], made_of: str) -> None:
    with (
        open_audio(source, ffmpeg=_ffmpeg_or_none()) as audio,
        soundfile.SoundFile(target, "w", audio.sr, 1, "PCM_16", format="FLAC") as file,
    ):
        file.title, file.comment = record.title, made_of
        offset = 0
        for block in audio:
            file.write(sonified(block, audio.sr, segments, offset=offset))
            offset += len(block)
        if record.audio_sha256 not in (None, audio.sha256):
            raise TrackError(f"{source} was changed since it was ingested; ingest it again, as another song")


def _comment(path: Path) -> str | None:
    """Return what a file says it was made of; None if it is not there, or none of ours."""
    if not path.is_file():
        return None
    try:
        with soundfile.SoundFile(path) as file:
            return str(file.comment)
    except soundfile.SoundFileError:
        return None


def _ffmpeg_or_none() -> str | None:
    try:
        return find_ffmpeg()
    except TrackError:
        return None  # a song that needs it says so
