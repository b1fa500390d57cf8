"""Feature and overview tables of a track: their folder, their existence and their content."""

from __future__ import annotations

import pyarrow as pa
import pytest

from songform.features.frame_features import feature_columns
from tasks.settings import Settings
from tasks.store.corpus import Corpus
from tasks.store.tables import features_config, has_feature_tables, has_features, read_features, write_table
from tasks.store.tracks import TrackRecord

KEY = "web-0"
COLUMNS = feature_columns()


@pytest.fixture
def corpus(tmp_path):
    """Return a corpus with both tables of one track."""
    corpus = Corpus(tmp_path)
    for name in corpus.table_names(features_config(Settings()), KEY):
        write_table(corpus.data / name, pa.table({"time_s": [0.0, 0.5], **{name: [0.25, 0.75] for name in COLUMNS}}))
    return corpus


def record(corpus, status="done"):
    names = corpus.table_names(features_config(Settings()), KEY)
    files = {name: (corpus.data / name).stat().st_size for name in names}
    return TrackRecord(key=KEY, title="A", source="here", status=status, updated_at="now", files=files)


@pytest.mark.parametrize(
    "section", [{"frames": {"hop_length": 256}}, {"features": {"n_mfcc": 20}}, {"audio": {"bitrate": 128}}]
)
def test_settings_that_determine_the_features_change_their_folder(section):
    assert features_config(Settings.model_validate(section)) != features_config(Settings())


@pytest.mark.parametrize(
    "section", [{"audio": {"keep": True}}, {"states": {"seed": 1}}, {"model": {"seed": 1}}, {"run": {"workers": 1}}]
)
def test_other_settings_do_not_change_the_folder_of_the_features(section):
    assert features_config(Settings.model_validate(section)) == features_config(Settings())


def test_first_version_of_the_audio_stream_does_not_change_the_folder_of_the_features(monkeypatch):
    assert features_config(Settings()) == "2ccff8f91276"
    monkeypatch.setattr("songform.audio.stream.VERSION", 2)
    assert features_config(Settings()) != "2ccff8f91276"


def test_track_has_features_if_it_is_done_and_both_tables_exist(corpus):
    known, settings = record(corpus), Settings()
    assert has_features(corpus, known, settings)
    assert has_feature_tables(corpus, known, features_config(settings))
    assert not has_features(corpus, None, settings)
    assert not has_features(corpus, record(corpus, "failed"), settings)
    assert not has_features(corpus, known, Settings.model_validate({"features": {"n_mfcc": 20}}))
    corpus.overview_path(features_config(settings), KEY).unlink()
    assert not has_features(corpus, known, settings)


def test_features_are_indexed_by_their_time(corpus):
    features = read_features(corpus, KEY, Settings())
    assert features.index.name == "time_s"
    assert features["rms_mean"].to_dict() == {0.0: 0.25, 0.5: 0.75}
