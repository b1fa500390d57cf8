"""Tables of a track: their folders, their existence and their content."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from songform.errors import UnreadableFileError
from songform.features.extraction import SongExtractor
from songform.features.frame_features import feature_columns
from tasks.settings import Settings
from tasks.store.corpus import Corpus
from tasks.store.tables import (
    check_spectrum,
    features_config,
    has_feature_tables,
    has_features,
    has_spectrum,
    is_same_table,
    lacks_spectrum,
    lost_spectrum,
    read_features,
    read_spectrum,
    size_errors,
    spectrum_config,
    table_writer,
    write_table,
)
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


def test_only_an_existing_table_of_another_size_than_recorded_is_an_error(corpus):
    known, names = record(corpus), corpus.table_names(features_config(Settings()), KEY)
    features, overview = (corpus.data / name for name in names)
    assert size_errors(corpus, known, *names) == []
    size = features.stat().st_size
    features.write_bytes(features.read_bytes()[: size // 2])
    overview.unlink()
    (error,) = size_errors(corpus, known, *names)
    assert (error.path, error.is_damaged) == (features, True)
    assert str(error).startswith(f"{features} cannot be read (it has {size // 2} bytes instead of {size}); ")
    assert size_errors(corpus, known.model_copy(update={"files": {}}), *names) == []


def test_features_are_indexed_by_their_time(corpus):
    features = read_features(corpus, KEY, Settings())
    assert features.index.name == "time_s"
    assert features["rms_mean"].to_dict() == {0.0: 0.25, 0.5: 0.75}


@pytest.mark.parametrize(
    ("section", "is_other"),
    [
        ({"frames": {"sr": 44100}}, True),
        ({"frames": {"hop_length": 256}}, True),
        ({"audio": {"bitrate": 128}}, True),
        ({"features": {"n_mfcc": 20}}, False),
        ({"audio": {"keep": True}}, False),
    ],
)
def test_settings_that_determine_the_spectrum_change_its_folder(section, is_other):
    other = spectrum_config(Settings.model_validate(section))
    assert (other != spectrum_config(Settings())) is is_other


@pytest.mark.parametrize("module", ["songform.features.semitone_spectrum", "songform.audio.stream"])
def test_later_versions_change_the_folder_of_the_spectrum(module, monkeypatch):
    before = spectrum_config(Settings())
    monkeypatch.setattr(f"{module}.VERSION", 2)
    assert spectrum_config(Settings()) != before


def with_spectrum(corpus):
    """Write the spectrum of the track, and return its path and the record that lists it."""
    extractor = SongExtractor()
    extractor.push(np.random.default_rng(0).standard_normal(30_000))
    extractor.flush()
    path = corpus.spectrum_path(spectrum_config(Settings()), KEY)
    write_table(path, extractor.semitone_spectrum().to_table())
    old = record(corpus)
    files = {**old.files, corpus.relative(path): path.stat().st_size}
    return path, old.model_copy(update={"files": files})


def test_track_of_an_earlier_version_has_features_and_lacks_the_spectrum(corpus):
    known, settings = record(corpus), Settings()
    assert has_features(corpus, known, settings)
    assert lacks_spectrum(corpus, [known, record(corpus, "failed")], settings) == [KEY]
    assert not lost_spectrum(corpus, known, spectrum_config(settings))


def test_spectrum_that_was_written_exists_until_it_is_lost(corpus):
    path, known = with_spectrum(corpus)
    config = spectrum_config(Settings())
    assert has_spectrum(corpus, known, config)
    assert lacks_spectrum(corpus, [known], Settings()) == []
    assert read_spectrum(corpus, KEY, Settings()).semitones.shape == (7, 84)
    path.unlink()
    assert not has_spectrum(corpus, known, config)
    assert lost_spectrum(corpus, known, config)


@pytest.mark.parametrize("whole", [True, False])
def test_damaged_spectrum_is_one_sentence(corpus, whole):
    path, _ = with_spectrum(corpus)
    check_spectrum(corpus, KEY, Settings(), whole=whole)
    path.write_bytes(bytes(path.stat().st_size))
    with pytest.raises(UnreadableFileError, match=r"cannot be read .*; ingest the track again") as caught:
        check_spectrum(corpus, KEY, Settings(), whole=whole)
    assert caught.value.is_damaged


def test_table_of_something_else_is_no_spectrum(corpus):
    path, _ = with_spectrum(corpus)
    write_table(path, pa.table({"time_s": [0.0]}))
    with pytest.raises(UnreadableFileError, match="not a semitone spectrum"):
        read_spectrum(corpus, KEY, Settings())


def test_tables_are_the_same_whatever_their_row_groups_and_metadata(tmp_path):
    one, other = tmp_path / "one.parquet", tmp_path / "other.parquet"
    values = np.random.default_rng(0).standard_normal(40_000)
    write_table(one, pa.table({"a": values, "b": values}), about={"x": 1})
    with table_writer(other, pa.schema([("a", pa.float64()), ("b", pa.float64())])) as writer:
        for part in np.split(values, [100, 30_000]):
            writer.write(pa.table({"a": part, "b": part}))
    assert is_same_table(one, other)
    for changed in ({"a": values, "b": values + 1e-12}, {"a": values}, {"a": values[1:], "b": values[1:]}):
        write_table(other, pa.table(changed))
        assert not is_same_table(one, other)
    other.write_bytes(b"PAR1")
    assert not is_same_table(one, other)
    assert not is_same_table(one, tmp_path / "missing.parquet")
