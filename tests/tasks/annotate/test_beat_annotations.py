"""People's beats: one file per person, beside the labels and ignored by those who read them."""

from __future__ import annotations

import numpy as np
import pytest

from songform.annotation.annotations import Annotation
from songform.annotation.beat_annotation import BeatAnnotation
from songform.errors import AnnotationError
from tasks.annotate.annotations import annotations_of, keep_annotation
from tasks.annotate.beat_annotations import beats_of, keep_beats
from tasks.store.corpus import Corpus
from tasks.store.tracks import TrackRecord

RECORD = TrackRecord(
    key="feed-0", title="A song", source="https://a.example", status="done", duration=60.0, updated_at="2026"
)
BEATS = BeatAnnotation(np.array([0.5, 1.0, 1.5]), np.array([2, 1, 2]))


@pytest.fixture
def corpus(tmp_path):
    return Corpus(tmp_path)


def test_beats_are_stored_per_person_and_are_no_labels(corpus):
    for name in ("Ana", "ana/b"):
        assert keep_beats(corpus, RECORD, BEATS, name).status == "new"
    found = beats_of(corpus, "feed-0", [])
    assert set(found) == {"Ana", "ana/b"}
    path, beats = found["Ana"]
    assert path == corpus.data / "annotations" / "feed-0" / "Ana.beats"
    assert (beats.times.tolist(), beats.positions.tolist()) == ([0.5, 1.0, 1.5], [2, 1, 2])
    assert annotations_of(corpus, "feed-0") == {}
    assert (corpus.annotated(), corpus.annotation_files(), corpus.annotated_beats()) == ([], [], ["feed-0"])


def test_labels_and_beats_of_a_person_do_not_replace_each_other(corpus):
    keep_annotation(corpus, RECORD, Annotation(np.array([[0.0, 60.0]]), ["A"]), "Ana")
    keep_beats(corpus, RECORD, BEATS, "Ana")
    assert set(annotations_of(corpus, "feed-0")) == set(beats_of(corpus, "feed-0", [])) == {"Ana"}


def test_equal_beats_are_not_written_again_and_new_ones_replace_them(corpus):
    path = keep_beats(corpus, RECORD, BEATS, "Ana").path
    before = path.stat().st_mtime_ns
    assert keep_beats(corpus, RECORD, BEATS, "Ana").status == "same"
    assert path.stat().st_mtime_ns == before
    for other in (BeatAnnotation(BEATS.times), BEATS, BeatAnnotation(BEATS.times, np.array([1, 2, 3]))):
        assert keep_beats(corpus, RECORD, other, "Ana").status == "replaced"


def test_damaged_file_is_a_problem_and_is_renamed_when_it_is_replaced(corpus):
    path = keep_beats(corpus, RECORD, BEATS, "Ana").path
    path.write_text("x\n")
    problems: list[str] = []
    assert beats_of(corpus, "feed-0", problems) == {}
    assert f"{path} is skipped: Ana.beats cannot be used: line 1 has 'x'" in problems[0]
    kept = keep_beats(corpus, RECORD, BEATS, "Ana")
    assert kept.status == "new"
    assert "the earlier beats cannot be read" in kept.notes[0]
    assert path.with_name("Ana.beats.damaged-1").read_text() == "x\n"


def test_beats_that_do_not_fit_the_track_are_refused(corpus):
    with pytest.raises(AnnotationError, match=r"extend to 99\.0 s, but the track ends at 60\.0 s"):
        keep_beats(corpus, RECORD, BeatAnnotation(np.array([0.5, 99.0])), "Ana")
    with pytest.raises(AnnotationError, match="was not ingested"):
        keep_beats(corpus, RECORD.model_copy(update={"status": "failed"}), BEATS, "Ana")
    assert not corpus.annotated_beats()
