"""Sonification of a song with its states, beats and sections, as a FLAC file in the folder of its report.

The audio is read block by block and written as mono FLAC at its own sampling rate. It cannot be recovered from the
features, so the song must be a local file, or its audio must have been kept (`audio.keep`). The comment of a FLAC file
contains a digest of everything that it was made from; a file that is up to date is not made again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import soundfile

from songform.audio.stream import AudioStream, read_audio
from songform.beats.beat_tracking import Beats
from songform.errors import AudioError, TrackError, UnreadableFileError
from songform.output.sonification import VERSION, sonified
from songform.sections.section_finding import SongPart
from songform.structure.segments import Segment
from tasks.ingest.fetch_audio import existing_audio
from tasks.ingest.ffmpeg import error_without_ffmpeg, find_ffmpeg
from tasks.progress import announce
from tasks.recorded_task import task
from tasks.settings import Settings, digest
from tasks.store.atomic_files import atomic_path
from tasks.store.beat_tables import read_beats
from tasks.store.corpus import Corpus
from tasks.store.tracks import TrackRecord

__all__ = ["sonify_tracks"]


@task()
def sonify_tracks(
    home: Path, reports: Sequence[dict[str, Any]], settings: Settings
) -> tuple[list[dict[str, Any]], list[str]]:
    """Write the sonification of each song: the song with sounds that mark its states, beats and sections.

    Parameters
    ----------
    home : Path
        Path of the home.
    reports : sequence of dict
        Reports, each with its `path`.
    settings : Settings
        All settings; the section `audio` determines where to look for kept audio.

    Returns
    -------
    reports : list of dict
        The reports; those of sonified songs have the path of the FLAC file as `sonified`.
    problems : list of str
        One sentence per song that could not be sonified: why, and how to fix it.
    """
    corpus = Corpus(home)
    sonified_reports: list[dict[str, Any]] = []
    problems: list[str] = []
    for count, report in enumerate(reports, start=1):
        try:
            sonified_reports.append({**report, "sonified": str(_sonified(corpus, report, settings))})
        except TrackError as error:
            sonified_reports.append(report)
            problems.append(f"{report['track']['title']} cannot be sonified: {error}")
        announce("sonify", count, len(reports), report["track"]["title"])
    return sonified_reports, problems


def _sonified(corpus: Corpus, report: dict[str, Any], settings: Settings) -> Path:
    record = corpus.record(report["track"]["key"])
    if record is None:
        raise TrackError("its record is missing; ingest it again")
    marked = _marked(corpus, record, report, settings)
    target = Path(report["path"]).with_suffix(".sonified.flac")
    made_of = f"songform {digest([VERSION, record.audio_sha256, *marked.content()])}"
    if _comment(target) != made_of:
        audio = _audio(corpus, record, settings)
        with atomic_path(target) as temporary:
            _write(temporary, audio, record, marked, made_of)
    return target


@dataclass(frozen=True)
class _Marked:
    """What the sounds of the sonification of a song mark."""

    segments: list[Segment]
    sections: list[SongPart]
    beats: Beats | None

    def content(self) -> list[Any]:
        """Return everything that determines the added sounds, as JSON values."""
        parts = [[section.start, section.label] for section in self.sections]
        beats = None if self.beats is None else [self.beats.times.tolist(), (self.beats.positions == 1).tolist()]
        return [self.segments, parts, beats]


def _marked(corpus: Corpus, record: TrackRecord, report: dict[str, Any], settings: Settings) -> _Marked:
    parts = report.get("sections", ())
    sections = [SongPart(part["start"], part["end"], part["label"], part["confidence"]) for part in parts]
    try:
        beats = None if report.get("beats") is None else read_beats(corpus, record, settings)
    except UnreadableFileError as error:
        raise TrackError(str(error)) from error
    return _Marked([Segment(**segment) for segment in report["segments"]], sections, beats)


def _audio(corpus: Corpus, record: TrackRecord, settings: Settings) -> Path:
    path = existing_audio(corpus.home, record, settings)
    if path is not None:
        return path
    raise TrackError(
        f"its audio was not kept; delete {corpus.record_path(record.key)} and analyze it again with "
        "--set audio.keep=true"
    )


def _write(target: Path, source: Path, record: TrackRecord, marked: _Marked, made_of: str) -> None:
    def write(audio: AudioStream) -> None:
        with soundfile.SoundFile(target, "w", audio.sr, 1, "PCM_16", format="FLAC") as file:
            file.title, file.comment = record.title, made_of
            offset = 0
            for block in audio:
                file.write(
                    sonified(
                        block, audio.sr, marked.segments, beats=marked.beats, sections=marked.sections, offset=offset
                    )
                )
                offset += len(block)
        if record.audio_sha256 not in (None, audio.sha256):
            raise TrackError(f"{source} was changed after it was ingested; ingest it again, as a new track")

    try:
        read_audio(source, write, ffmpeg=_ffmpeg_or_none())
    except AudioError as error:
        raise error_without_ffmpeg(error) from error


def _comment(path: Path) -> str | None:
    """Return the comment of a FLAC file, or None if there is no such file or it is not an audio file."""
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
        return None  # only some formats need it; reading one of them raises an error
