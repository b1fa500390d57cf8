"""Page of a song, in the folder of its report; the audio is embedded in it, lies next to it, or is omitted.

The head of a page contains a stamp, a digest of everything that the page is made from. A page whose stamp is up to date
is not written again; to find that out, only its first bytes are read.
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
from tasks.song_sections import SongSections
from tasks.store.atomic_files import atomic_path
from tasks.store.corpus import Corpus
from tasks.store.tracks import TrackRecord
from tasks.train.stage_versions import states_versions

if TYPE_CHECKING:
    import pandas as pd

    from songform.features.overview import Overview
    from songform.pages.song import Sound
    from songform.pages.state_descriptions import Origin
    from tasks.store.bundles import ModelInfo

__all__ = ["PLAYABLE", "is_page_current", "write_song_page"]

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
"""MIME types of audio that browsers can play, by the suffix of the file."""

_HEAD = 4096  # number of bytes that contain the stamp


def is_page_current(
    folder: Path, home: Path, *, record: TrackRecord, settings: Settings, document: dict[str, Any]
) -> bool:
    """Return whether the page of a song, and the audio next to it, need not be written again.

    The parameters are those of `write_song_page`.
    """
    audio, silence = _audio_file(Corpus(home), record, settings)
    beside = _audio_beside(folder, record, settings, audio)
    stamp = _new_stamp(document, settings, audio, silence)
    return _stamp(folder / f"{record.key}.html") == stamp and (beside is None or beside.is_file())


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
    sections: SongSections,
) -> Path:
    """Write the page of a song, unless it is up to date; return its path.

    Parameters
    ----------
    folder : Path
        Folder of the report.
    home : Path
        Path of the home, in which the audio may have been kept.
    record : TrackRecord
        Record of the track.
    features, overview : pd.DataFrame, Overview
        Features and overview of the song.
    settings : Settings
        All settings; the section `report` determines where the audio goes.
    bundle, form : Bundle, Form
        The model, and the form of the song by this model.
    document : dict
        Content of the report. Together with the audio, it determines the content of the page.
    model : ModelInfo
        Address and ids of the model.
    sections : SongSections
        Beats, sections and phrases of the song.
    """
    path = folder / f"{record.key}.html"
    audio, silence = _audio_file(Corpus(home), record, settings)
    if is_page_current(folder, home, record=record, settings=settings, document=document):
        return path
    beside, stamp = _audio_beside(folder, record, settings, audio), _new_stamp(document, settings, audio, silence)
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
        notes=record.notes,
        sections=sections.sections,
        beats=sections.beats,
        origin=_origin(model, bundle),
    )
    with atomic_path(path) as temporary:
        temporary.write_text(song_page(view, stamp=stamp), encoding="utf-8")
    return path


def _origin(model: ModelInfo, bundle: Bundle) -> Origin:
    """Return where the states of a model come from."""
    if model.is_pretrained:
        return "shipped"
    if bundle.settings.get("sequences", {}).get("target") == "expert":
        return "people" if bundle.calibration else "few people"
    return "adapted" if bundle.calibration else "clusters"  # names of clusters are guessed, so that none is calibrated


def _context(features: pd.DataFrame, overview: Overview, bundle: Bundle) -> pd.DataFrame:
    """Return the context descriptors, the energy and the novelty of the song as time series."""
    model = bundle.states
    return context_curves(features[list(bundle.columns)], overview, sr=model.sr, hop_length=model.hop_length)


def _new_stamp(document: dict[str, Any], settings: Settings, audio: Path | None, silence: str) -> str:
    """Return the stamp that a page has if it is up to date."""
    versions = [VERSION, __version__, context.VERSION]
    about = settings.report.model_dump(mode="json", exclude={"pictures"})
    return digest(*versions, document, about, _identity(audio), silence, later=states_versions())


def _stamp(path: Path) -> str | None:
    """Return the stamp of a page, or None if there is no page."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD).decode("utf-8", "replace")
    except OSError:
        return None
    return head.partition('<meta name="songform-stamp" content="')[2].partition('"')[0]


def _audio_file(corpus: Corpus, record: TrackRecord, settings: Settings) -> tuple[Path | None, str]:
    """Return the audio file of a song if the page can play it, else a note that says why not and how to fix it."""
    if settings.report.audio == "none":
        return None, (
            "No sound: the setting report.audio is none. To hear the song here, analyze it again with "
            "--set report.audio=embed."
        )
    path = Path(record.path) if record.path else corpus.kept_audio(record.key, settings.audio.encoding)
    if path is None:
        return None, (
            "No sound: the audio was deleted after its features were extracted. To hear it here, delete "
            f"data/tracks/{record.key}.json and analyze the song again with --set audio.keep=true."
        )
    if not path.is_file():
        return None, f"No sound: {path.name} was moved or deleted after the song was ingested."
    if path.suffix.lower() not in PLAYABLE:
        kind = f"{path.suffix.lower()} files" if path.suffix else "files without a suffix"
        return None, f"No sound: browsers do not play {kind}."
    return path, ""


def _identity(audio: Path | None) -> list[Any]:
    """Return facts that identify an audio file without reading it: its suffix, size and modification time."""
    if audio is None:
        return []
    about = audio.stat()
    return [audio.suffix.lower(), about.st_size, about.st_mtime_ns]


def _audio_beside(folder: Path, record: TrackRecord, settings: Settings, audio: Path | None) -> Path | None:
    """Return the path of the audio next to the page, or None if there is none."""
    if audio is None or _is_embedded(audio, settings):
        return None
    return folder / f"{record.key}{audio.suffix.lower()}"


def _is_embedded(audio: Path, settings: Settings) -> bool:
    report = settings.report
    return report.audio == "embed" and audio.stat().st_size <= report.embed_megabytes * 1e6


def _sound(audio: Path | None, beside: Path | None, silence: str) -> Sound:
    """Return how the page plays the song; if the audio lies next to the page, put it there."""
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
    except OSError:  # another disk, or one without hard links
        shutil.copyfile(source, target)
