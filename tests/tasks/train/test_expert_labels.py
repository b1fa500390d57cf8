"""People's labels as the truth of a training."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

from songform.annotation.annotations import Annotation
from songform.bundle import Bundle
from songform.errors import CorpusError
from tasks.annotate.annotations import keep_annotation
from tasks.store.corpus import Corpus
from tasks.store.tables import read_features, read_table
from tasks.train.expert_labels import known_spans, label_indices, label_names, unit_labels, with_labels
from tasks.train.reference_songs import tuning_songs
from tasks.train.state_labels import fit_corpus_states, label_tracks, read_labels, read_state_model
from tasks.train.training_plan import plan_training


def annotate(home, key, rows, annotator="Ana"):
    corpus = Corpus(home)
    annotation = Annotation(np.array([row[:2] for row in rows], float), [row[2] for row in rows])
    keep_annotation(corpus, corpus.record(key), annotation, annotator)


@pytest.fixture
def expert(quick, changed):
    return changed(quick, sequences={"target": "expert"})


@pytest.fixture
def keys(home):
    return sorted(record.key for record in Corpus(home).records())


def runs(labels):
    """Return the label of each run of equal labels, with its number of units."""
    edges = np.flatnonzero(np.r_[True, labels[1:] != labels[:-1], True])
    return [(str(labels[a]), int(b - a)) for a, b in pairwise(edges)]


def test_label_of_a_unit_is_the_one_at_its_center(home, keys, quick):
    annotate(home, keys[0], [(0, 4.2, "verse"), (4.2, 9.3, "Chorus"), (12, 15, "silence")])
    labels = unit_labels(Corpus(home), keys[0], quick)
    assert runs(labels)[:2] == [("verse", 8), ("Chorus", 11)]
    assert runs(labels)[2:] == [("", len(labels) - 19)]


def test_majority_of_the_people_counts_and_the_first_name_if_there_is_none(home, keys, quick):
    annotate(home, keys[0], [(0, 10, "b")], "Bo")
    annotate(home, keys[0], [(0, 6, "a"), (6, 10, "b")], "Ana")
    assert runs(unit_labels(Corpus(home), keys[0], quick))[:2] == [("a", 12), ("b", 8)]
    annotate(home, keys[0], [(0, 8, "b")], "Cy")
    assert runs(unit_labels(Corpus(home), keys[0], quick))[0] == ("b", 20)


def test_names_are_those_of_states_first_and_then_sorted():
    assert label_names([np.array(["verse", "Energetic", ""]), np.array(["Calm", "Chorus"])]) == (
        *("Calm", "Energetic"),
        *("Chorus", "verse"),
    )
    assert label_indices(np.array(["b", "", "a"]), ("a", "b")).tolist() == [1, -1, 0]


def test_spans_are_where_the_label_is_known():
    labels = np.array(["a", "b", "", "a", "c", "a", "b"])
    assert known_spans(labels, ("a", "b")) == [(0.0, 1.0), (1.5, 2.0), (2.5, math.inf)]
    assert known_spans(np.array(["a", ""]), ("a",)) == [(0.0, 0.5)]
    assert known_spans(np.array(["c", ""]), ("a",)) == []


def test_file_of_labels_that_cannot_be_read_is_a_problem(home, keys, quick):
    annotate(home, keys[0], [(0, 10, "a")])
    next(Corpus(home).annotations_path(keys[0]).glob("*.jams")).write_text("{")
    problems = []
    assert with_labels(Corpus(home), keys, quick, problems) == {}
    assert len(problems) == 1


def label_all(home, keys):
    """Label each song: its first nine seconds are a verse, the rest up to a gap is a chorus, with a cue in one song."""
    for number, key in enumerate(keys):
        more = [(17, 18, "cue")] if number == 0 else []
        annotate(home, key, [(0, 9, "verse"), (9, 16, "chorus"), *more])


def test_plan_splits_the_labeled_tracks_and_uses_their_labeled_parts(home, keys, expert):
    label_all(home, keys[:4])
    plan = plan_training.fn(home, expert)
    parts = [plan.split.train, plan.split.validation, plan.split.test]
    assert sorted(key for part in parts for key in part) == keys[:4]
    assert [len(part) for part in parts] == [2, 1, 1]
    assert plan.split.by_track
    cue = {"cue"} if keys[0] in plan.split.train else set()
    assert set(plan.label_names) == {"verse", "chorus"} | cue
    for part in parts:
        for key, spans in part.items():
            assert spans == ([(0.0, 16.0), (17.0, 18.0)] if key == keys[0] and cue else [(0.0, 16.0)])


def test_other_labels_or_settings_change_the_folders(home, keys, expert, quick):
    label_all(home, keys)
    plan = plan_training.fn(home, expert)
    assert plan == plan_training.fn(home, expert)
    assert plan.states_id != plan_training.fn(home, quick).states_id
    key = next(iter(plan.split.test))
    annotate(home, key, [(0, 8, "verse"), (8, 16, "chorus")])
    other = plan_training.fn(home, expert)
    assert other.split.train == plan.split.train
    assert other.bundle_id != plan.bundle_id


@pytest.mark.parametrize("n_labeled", [0, 2])
def test_fewer_than_three_labeled_recordings_are_one_sentence(home, keys, expert, n_labeled):
    label_all(home, keys[:n_labeled])
    with pytest.raises(
        CorpusError, match=rf"{n_labeled} recordings have .*at least 3; .*songform annotate .*target=current$"
    ):
        plan_training.fn(home, expert)


def test_a_single_label_is_one_sentence(home, keys, expert):
    for key in keys:
        annotate(home, key, [(0, 16, "verse")])
    with pytest.raises(CorpusError, match=r"are all verse, but .*two different"):
        plan_training.fn(home, expert)


def test_states_are_fitted_to_the_labels_and_frames_have_them(home, keys, expert):
    label_all(home, keys)
    corpus, plan = Corpus(home), plan_training.fn(home, expert)
    fit_corpus_states.fn(home, plan, expert)
    assert label_tracks.fn(home, plan, expert) == len(keys)
    model = read_state_model(corpus, plan)
    assert model.states == plan.label_names
    assert model.weak == ("",) * len(model.states)
    for key in keys:
        labels = read_labels(corpus, plan, key, model)
        names = np.array(model.states)[labels]
        times = read_features(corpus, key, expert).index.to_numpy()
        assert set(names[times < 8.9]) == {"verse"}
        assert set(names[(times > 9.1) & (times < 15.9)]) == {"chorus"}
        table = read_table(corpus.states_path(plan.states_id, f"{key}.parquet")).to_pandas()
        assert (table.confidence[times < 15.9] == 1).all()
    song = tuning_songs(home, plan, expert)[0]
    assert set(song.truth) == {"verse", "chorus", ""}
    form = Bundle(model, None, 0.0, tuple(song.features.columns)).form(song.features, song.overview, song.duration)
    assert {segment.state for segment in form.segments} <= set(plan.label_names)
