"""Tables of beats: one per track, found once from its other tables.

The metadata of a table contains the hash of the audio of its track. A table of other audio, such as that of a file that
was replaced at its address, is not used.
"""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa

from songform.beats import beat_tracking
from songform.beats.beat_tracking import Beats
from tasks.settings import Settings, digest
from tasks.store.corpus import Corpus
from tasks.store.tables import features_config, read_as, spectrum_config, write_table
from tasks.store.tracks import TrackRecord

__all__ = ["beats_config", "check_beats", "read_beats", "write_beats"]

_ANALYZE_AGAIN = "analyze the song again, which creates it again"


def beats_config(settings: Settings) -> str:
    """Return the digest that names the folder of the beats: of the tables they are found from, and their VERSION."""
    return digest(features_config(settings), spectrum_config(settings), beat_tracking.VERSION)


def read_beats(corpus: Corpus, record: TrackRecord, settings: Settings) -> Beats | None:
    """Read the beats of a track.

    Parameters
    ----------
    corpus, record, settings
        Corpus, record of the track, and all settings.

    Returns
    -------
    Beats or None
        None if there is no table, or only one of other audio.

    Raises
    ------
    UnreadableFileError
        If the table cannot be read.
    """
    path = corpus.beats_path(beats_config(settings), record.key)
    if not path.exists():
        return None

    def beats(table: pa.Table) -> Beats | None:
        found = Beats.from_table(table)
        return found if _audio_sha256(table) == record.audio_sha256 else None

    return read_as(beats, path, remedy=_ANALYZE_AGAIN)


def write_beats(corpus: Corpus, record: TrackRecord, settings: Settings, beats: Beats) -> None:
    """Write the beats of a track; the parameters are those of `read_beats`."""
    about = {"key": record.key, "audio_sha256": record.audio_sha256}
    write_table(corpus.beats_path(beats_config(settings), record.key), beats.to_table(), about=about)


def check_beats(path: Path) -> None:
    """Check that a table of beats can be read.

    Raises
    ------
    UnreadableFileError
        If it cannot be read.
    """
    read_as(Beats.from_table, path, remedy=_ANALYZE_AGAIN)


def _audio_sha256(table: pa.Table) -> str | None:
    about = json.loads((table.schema.metadata or {}).get(b"songform", b"{}"))
    return about.get("audio_sha256") if isinstance(about, dict) else None
