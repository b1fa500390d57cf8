"""The tables of a track: its frame features and its overview; where they are, whether they exist, and their content."""

from __future__ import annotations

import pandas as pd

from songform.features import frame_features
from songform.features import overview as overviews
from songform.features.overview import Overview
from tasks.settings import Settings, digest
from tasks.store.corpus import Corpus
from tasks.store.tables import count_rows, read_table
from tasks.store.tracks import TrackRecord

__all__ = ["count_frames", "features_config", "has_feature_tables", "has_features", "read_features", "read_overview"]


def features_config(settings: Settings) -> str:
    """Return what names the folder of the features: the digest of all that determines them."""
    encoding, versions = settings.audio.encoding, (frame_features.VERSION, overviews.VERSION)
    return digest(settings.frames, settings.features, encoding, *versions)


def has_features(corpus: Corpus, record: TrackRecord | None, settings: Settings) -> bool:
    """Return whether a track's feature table and its overview exist as its record says."""
    return has_feature_tables(corpus, record, features_config(settings))


def has_feature_tables(corpus: Corpus, record: TrackRecord | None, config: str) -> bool:
    """Return the same for settings with this digest, which is computed once for thousands of tracks."""
    if record is None or record.status != "done":
        return False
    return corpus.has_files(record, *corpus.table_names(config, record.key))


def read_features(corpus: Corpus, key: str, settings: Settings) -> pd.DataFrame:
    """Read a track's frame features."""
    table: pd.DataFrame = read_table(corpus.features_path(features_config(settings), key)).to_pandas()
    return table.set_index("time_s")


def count_frames(corpus: Corpus, key: str, settings: Settings) -> int:
    """Return the number of a track's frames without reading them."""
    return count_rows(corpus.features_path(features_config(settings), key))


def read_overview(corpus: Corpus, key: str, settings: Settings) -> Overview:
    """Read a track's overview."""
    return Overview.from_table(read_table(corpus.overview_path(features_config(settings), key)))
