"""Stored tables of beats: their folder, and which of them are used."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from songform.beats.beat_tracking import Beats
from songform.errors import UnreadableFileError
from tasks.settings import Settings
from tasks.store.beat_tables import beats_config, check_beats, read_beats, write_beats
from tasks.store.corpus import Corpus
from tasks.store.tracks import TrackRecord

BEATS = Beats(np.array([0.5, 1.0, 1.5]), np.array([1, 2, 3]), 120.0, 3, is_metre_sure=True, confidence=0.75)


@pytest.fixture
def corpus(tmp_path):
    return Corpus(tmp_path)


def record(sha256="0" * 64):
    return TrackRecord(
        key="web-0", title="A", source="here", status="done", updated_at="now", files={}, audio_sha256=sha256
    )


def path_of(corpus):
    return corpus.beats_path(beats_config(Settings()), "web-0")


@pytest.mark.parametrize(
    "section", [{"frames": {"hop_length": 256}}, {"features": {"n_mfcc": 20}}, {"audio": {"bitrate": 128}}]
)
def test_settings_that_determine_the_tables_of_a_track_change_the_folder_of_its_beats(section):
    assert beats_config(Settings.model_validate(section)) != beats_config(Settings())


@pytest.mark.parametrize(
    "version",
    [
        "songform.beats.beat_tracking.VERSION",
        "songform.features.semitone_spectrum.VERSION",
        "songform.features.overview.VERSION",
        "songform.audio.stream.VERSION",
    ],
)
def test_versions_that_determine_the_beats_change_their_folder(monkeypatch, version):
    before = beats_config(Settings())
    monkeypatch.setattr(version, 99)
    assert beats_config(Settings()) != before


@pytest.mark.parametrize("section", [{"states": {"seed": 1}}, {"model": {"seed": 1}}, {"run": {"workers": 1}}])
def test_other_settings_do_not_change_the_folder_of_the_beats(section):
    assert beats_config(Settings.model_validate(section)) == beats_config(Settings())


def test_written_beats_are_read(corpus):
    assert read_beats(corpus, record(), Settings()) is None
    write_beats(corpus, record(), Settings(), BEATS)
    assert read_beats(corpus, record(), Settings()).times.tolist() == BEATS.times.tolist()
    table = pd.read_parquet(path_of(corpus))
    assert table.time_s.tolist() == [0.5, 1.0, 1.5]
    assert table.position.tolist() == [1, 2, 3]
    check_beats(path_of(corpus))


def test_beats_of_other_audio_are_not_used(corpus):
    """The file at an address may be replaced; its key stays."""
    write_beats(corpus, record(), Settings(), BEATS)
    assert read_beats(corpus, record("1" * 64), Settings()) is None


@pytest.mark.parametrize("content", [b"", b"PAR1 no table"])
def test_damaged_table_raises_one_sentence_that_says_what_to_do(corpus, content):
    path = path_of(corpus)
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    for read in (lambda: read_beats(corpus, record(), Settings()), lambda: check_beats(path)):
        with pytest.raises(UnreadableFileError, match=r"cannot be read \(.*\); analyze the song again") as caught:
            read()
        assert caught.value.is_damaged
