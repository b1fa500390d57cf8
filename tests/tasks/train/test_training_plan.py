"""Plan of a training run: its tracks, their split, and its digests."""

from __future__ import annotations

import pytest
import soundfile

from songform.errors import CorpusError
from songform.learning.splits import PARTS
from tasks.store.corpus import Corpus
from tasks.store.tables import features_config
from tasks.train.training_plan import LEFT_OUT, plan_training


def test_every_track_is_in_one_part_and_a_plan_is_repeatable(home, quick):
    plan = plan_training.fn(home, quick)
    parts = [set(plan.split.part(part)) for part in PARTS]
    assert [len(part) for part in parts] == [4, 1, 1]
    assert set.union(*parts) == set(plan.keys) == {record.key for record in Corpus(home).records()}
    assert plan.split.by_track
    assert plan_training.fn(home, quick) == plan


def test_ids_depend_only_on_the_settings_of_their_stages(home, quick, changed):
    plan = plan_training.fn(home, quick)

    def ids(**sections):
        other = plan_training.fn(home, changed(quick, **sections))
        assert other.manifest == plan.manifest
        return other.states_id == plan.states_id, other.bundle_id == plan.bundle_id

    assert ids(download={"workers": 1}, run={"workers": 1}) == (True, True)
    assert ids(model={"epochs": 9}) == (True, False)
    assert ids(sequences={"hop_seconds": 1.0}) == (True, False)
    assert ids(states={"seed": 9}) == (False, False)


def test_another_track_changes_the_manifest(home, quick, song, ingest):
    plan = plan_training.fn(home, quick)
    ingest(home, song("more/tone.flac").parent, quick)
    other = plan_training.fn(home, quick)
    assert len(other.keys) == len(plan.keys) + 1
    assert other.manifest != plan.manifest


def test_only_tracks_whose_tables_exist_are_used(home, quick, changed):
    corpus = Corpus(home)
    lost = corpus.records()[0]
    (corpus.data / next(iter(lost.files))).unlink()
    assert lost.key not in plan_training.fn(home, quick).keys
    with pytest.raises(CorpusError, match=rf"{corpus.data} has no features with these settings; .*songform ingest"):
        plan_training.fn(home, changed(quick, features={"n_mfcc": 20}))


@pytest.mark.parametrize("table", ["features_path", "overview_path"])
def test_track_with_a_cut_table_is_named_and_left_out(home, quick, table):
    corpus = Corpus(home)
    cut = corpus.records()[0]
    path = getattr(corpus, table)(features_config(quick), cut.key)
    half = path.read_bytes()[: path.stat().st_size // 2]
    path.write_bytes(half)
    plan = plan_training.fn(home, quick)
    assert cut.key not in plan.keys
    (problem,) = plan.problems
    assert problem.startswith(f"{path} cannot be read (it has {len(half)} bytes instead of ")
    assert problem.endswith(LEFT_OUT)
    assert path.with_name(f"{path.name}.damaged-1").read_bytes() == half


def test_two_copies_of_a_recording_are_in_the_same_part(home, quick, audio_files, tmp_path, ingest):
    """The copies are WAV files instead of FLAC files, so their keys differ."""
    (tmp_path / "copies").mkdir()
    for path in audio_files:
        y, sr = soundfile.read(path)
        soundfile.write(tmp_path / "copies" / f"{path.stem}.wav", y, sr)
    ingest(home, tmp_path / "copies", quick)
    plan = plan_training.fn(home, quick)
    assert len(plan.keys) == 12
    of_title = {}
    for part in PARTS:
        for key in plan.split.part(part):
            of_title.setdefault(Corpus(home).record(key).title, []).append(part)
    assert all(len(parts) == 2 and len(set(parts)) == 1 for parts in of_title.values())


def test_single_song_is_split_into_blocks_of_time(home, quick):
    records = Corpus(home).records()
    for record in records[1:]:
        Corpus(home).record_path(record.key).unlink()
    plan = plan_training.fn(home, quick)
    assert plan.keys == [records[0].key]
    assert not plan.split.by_track


@pytest.mark.parametrize("n_songs", [1, 6])
def test_songs_shorter_than_a_window_are_rejected_with_both_lengths(home, quick, n_songs, changed):
    for record in Corpus(home).records()[n_songs:]:
        Corpus(home).record_path(record.key).unlink()
    with pytest.raises(CorpusError, match=r"longest song .*2\d\.\d s.*window.* 30 s.*lower sequences\.seconds"):
        plan_training.fn(home, changed(quick, sequences={"seconds": 30.0}))
