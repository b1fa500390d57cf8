"""Pages: a song's page beside its report, with the song's sound in it, beside it, or not at all.

A page says in its head what it is made of. One that stands and says the same is left alone: what that costs is the
reading of its first bytes.
"""

from __future__ import annotations

import base64
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from songform import __version__
from songform.bundle import Bundle, Form
from songform.pages import VERSION
from songform.structure import context
from songform.structure.context import context_curves
from tasks.settings import Settings, digest
from tasks.store.atomic_files import atomic_path
from tasks.store.corpus import Corpus
from tasks.store.tracks import TrackRecord
from tasks.train.stage_versions import states_versions

if TYPE_CHECKING:
    import pandas as pd

    from songform.features.overview import Overview
    from songform.pages.song import Sound
    from tasks.train.registry import ModelInfo

__all__ = ["PLAYABLE", "write_song_page"]

PLAYABLE = {
    ".mp3": "audio/mpeg",
    ".m4a": "audio/mp4",
    ".mp4": "audio/mp4",
    ".aac": "audio/aac",
    ".webm": "audio/webm",
    ".opus": "audio/ogg",
    ".ogg": "audio/ogg",
    ".oga": "audio/ogg",
    ".flac": "audio/flac",
    ".wav": "audio/wav",
}
"""What browsers play, by the file's suffix."""

_HEAD = 4096  # bytes, in which the stamp is found


def write_song_page(
    folder: Path,
    home: Path,
    *,
    record: TrackRecord,
    features: pd.DataFrame,
    overview: Overview,
    settings: Settings,
    bundle: Bundle,
    form: Form,
    document: dict[str, Any],
    model: ModelInfo,
) -> Path:
    """Write a song's page, unless it stands; return its path.

    Parameters
    ----------
    folder : Path
        Where the report lies.
    home : Path
        The corpus's home, in which the audio may have been kept.
    record : TrackRecord
        The track.
    settings : Settings
        All settings; `report` says what becomes of the sound.
    features, overview : pd.DataFrame, Overview
        The song's.
    bundle, form : Bundle, Form
        The model and what it says of the song.
    document : dict
        The report: with the sound, all that the page is made of.
    model : ModelInfo
        Of the bundle.
    """
    path = folder / f"{record.key}.html"
    audio, silence = _audio_file(Corpus(home), record, settings)
    versions = [VERSION, __version__, context.VERSION]
    stamp = digest(*versions, document, settings.report, _identity(audio), silence, later=states_versions())
    beside = folder / f"{record.key}{audio.suffix.lower()}" if audio and not _is_embedded(audio, settings) else None
    if _stamp(path) == stamp and (beside is None or beside.is_file()):
        return path
    from songform.pages.song import SongView, song_page

    view = SongView(
        key=record.key,
        title=record.title,
        source=Path(record.path).name if record.path else record.source,
        segments=form.segments,
        posterior=form.joint,
        states=bundle.states,
        model=model.name,
        overview=overview,
        features=features,
        context=_context(features, overview, bundle),
        sound=_sound(audio, beside, silence),
    )
    with atomic_path(path) as temporary:
        temporary.write_text(song_page(view, stamp=stamp), encoding="utf-8")
    return path


def _context(features: pd.DataFrame, overview: Overview, bundle: Bundle) -> pd.DataFrame:
    """Return the context descriptors, energy and novelty from moment to moment."""
    model = bundle.states
    return context_curves(features[list(bundle.columns)], overview, sr=model.sr, hop_length=model.hop_length)


def _stamp(path: Path) -> str | None:
    """Return what a page says it is made of, or None if there is no page."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD).decode("utf-8", "replace")
    except OSError:
        return None
    return head.partition('<meta name="songform-stamp" content="')[2].partition('"')[0]


def _audio_file(corpus: Corpus, record: TrackRecord, settings: Settings) -> tuple[Path | None, str]:
    """Return the song's audio file if the page can play it, else why it cannot, and what can be done."""
    if settings.report.audio == "none":
        return None, "No sound: report.audio is none. Analyze the song with --set report.audio=embed to hear it here."
    path = Path(record.path) if record.path else corpus.kept_audio(record.key, settings.audio.encoding)
    if path is None:
        return None, (
            "No sound: the audio was deleted once it was measured. What is ingested with --set audio.keep=true can be "
            f"heard here; for this song, delete data/tracks/{record.key}.json first."
        )
    if not path.is_file():
        return None, f"No sound: {path.name} is not where it was when the song was analysed."
    if path.suffix.lower() not in PLAYABLE:
        return None, f"No sound: browsers do not play {path.suffix.lower() or 'such'} files."
    return path, ""


def _identity(audio: Path | None) -> list[Any]:
    """Return by what a file is known to be the same, without reading it."""
    if audio is None:
        return []
    about = audio.stat()
    return [audio.suffix.lower(), about.st_size, about.st_mtime_ns]


def _is_embedded(audio: Path, settings: Settings) -> bool:
    report = settings.report
    return report.audio == "embed" and audio.stat().st_size <= report.embed_megabytes * 1e6


def _sound(audio: Path | None, beside: Path | None, silence: str) -> Sound:
    """Return how the page plays the song; what shall lie beside it is put there."""
    from songform.pages.song import Sound

    if audio is None:
        return Sound(note=silence)
    if beside is None:
        content = base64.b64encode(audio.read_bytes()).decode("ascii")
        return Sound(f"data:{PLAYABLE[audio.suffix.lower()]};base64,{content}")
    with atomic_path(beside) as temporary:
        _linked_or_copied(audio, temporary)
    return Sound(quote(beside.name))


def _linked_or_copied(source: Path, target: Path) -> None:
    try:
        target.hardlink_to(source)
    except OSError:  # another disk, or one that knows no links
        shutil.copyfile(source, target)
