"""People's labels: one file per person, with any names of people and files."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from songform.annotation.annotations import Annotation
from songform.errors import AnnotationError
from tasks.annotate.annotations import (
    _file_name,
    annotations_of,
    contains_labels,
    keep_annotation,
    label_files,
    named_annotator,
    same_folder,
    unmatched_files,
)
from tasks.store.corpus import Corpus
from tasks.store.tracks import TrackRecord

RECORD = TrackRecord(
    key="feed-0", title="A song", source="https://a.example", status="done", duration=60.0, updated_at="2026"
)
LABELS = Annotation(np.array([[0.0, 30.0], [30.0, 60.3]]), ["verse", "chorus"], np.array([0.5, np.nan]))


@pytest.fixture
def corpus(tmp_path):
    return Corpus(tmp_path)


def test_labels_are_stored_with_song_and_person(corpus):
    kept = keep_annotation(corpus, RECORD, LABELS, "Ana")
    assert kept.path == corpus.data / "annotations" / "feed-0" / "Ana.jams"
    assert (kept.status, kept.notes) == ("new", [])
    ((path, found),) = annotations_of(corpus, "feed-0").values()
    assert path == kept.path
    assert found.intervals.tolist() == [[0.0, 30.0], [30.0, 60.0]]
    assert found.labels == ("verse", "chorus")
    assert np.array_equal(found.confidences, [0.5, np.nan], equal_nan=True)
    assert (found.title, found.duration, found.annotator) == ("A song", 60.0, "Ana")
    assert found.tool.startswith("songform ")
    assert corpus.annotated() == ["feed-0"]


def test_equal_labels_are_not_written_again_and_new_ones_replace_them(corpus):
    path = keep_annotation(corpus, RECORD, LABELS, "Ana").path
    before = path.stat().st_mtime_ns
    assert keep_annotation(corpus, RECORD, LABELS, "Ana").status == "same"
    assert path.stat().st_mtime_ns == before
    other = Annotation(LABELS.intervals, ["verse", "bridge"])
    assert keep_annotation(corpus, RECORD, other, "Ana").status == "replaced"
    assert annotations_of(corpus, "feed-0")["Ana"][1].labels == ("verse", "bridge")


def test_several_people_have_a_file_each(corpus):
    for name in ("Ana", "ana b", "ana/b", "../../ana", "安娜", "a" * 300):
        keep_annotation(corpus, RECORD, LABELS, name)
    folder = corpus.data / "annotations" / "feed-0"
    assert len(list(folder.iterdir())) == 6
    assert set(annotations_of(corpus, "feed-0")) == {"Ana", "ana b", "ana/b", "../../ana", "安娜", "a" * 199 + "…"}
    assert [path.name for path in (corpus.data / "annotations").iterdir()] == ["feed-0"]


@given(st.text(), st.text())
def test_file_names_are_unique_to_people_and_stay_in_the_folder(one, other):
    names = [_file_name(name) for name in (one, other)]
    assert (names[0] == names[1]) == (one == other)
    assert not any(set(name) & set("/\\.\0") for name in names)
    assert all(0 < len(name.encode()) < 200 for name in names)


def test_labels_of_a_track_that_was_not_ingested_are_rejected(corpus):
    with pytest.raises(AnnotationError, match=r"A song was not ingested, .*duration.* not known; .*songform ingest"):
        keep_annotation(corpus, RECORD.model_copy(update={"status": "failed"}), LABELS, "Ana")


def test_damaged_label_file_raises_one_sentence(corpus):
    keep_annotation(corpus, RECORD, LABELS, "Ana").path.write_text("{", encoding="utf-8")
    with pytest.raises(AnnotationError, match=r"Ana\.jams cannot be used: .*JSON .*line 1"):
        annotations_of(corpus, "feed-0")


@pytest.mark.parametrize(
    ("name", "stem", "annotator"),
    [
        ("a.lab", "a", ""),
        ("a.1.lab", "a", "1"),
        ("a.Ana B.LAB", "a", "Ana B"),
        ("a.jams", "a", ""),
        ("a.2.labels.txt", "a", "2"),
        ("01. A song.lab", "01. A song", ""),
        ("01. A song.x.lab", "01. A song", "x"),
        ("a.b.lab", "a", None),  # belongs to a.b.mp3
        ("a.TXT", "a", ""),
        ("a.Ana.csv", "a", "Ana"),
        ("a.labels.txt", "a", ""),
        ("a.png", "a", None),
        ("ab.lab", "a", None),
        ("a.1.2.lab", "a", None),
        ("a..lab", "a", None),
        ("b.lab", "a", None),
    ],
)
def test_name_of_a_label_file_contains_song_and_person(name, stem, annotator):
    assert named_annotator(name, stem, {stem, "a.b"}) == annotator


def test_label_files_of_a_song_are_found(tmp_path):
    for name in ("a.mp3", "a.1.lab", "a.2.lab", "a.csv", "a.png", "b.lab", ".a.lab"):
        (tmp_path / name).touch()
    (tmp_path / "a.3.lab").mkdir()
    found = [("1", tmp_path / "a.1.lab"), ("2", tmp_path / "a.2.lab"), ("", tmp_path / "a.csv")]
    assert label_files(tmp_path, "a", {"a"}) == found
    assert label_files(tmp_path / "nowhere", "a", {"a"}) == []


NFC, NFD = (unicodedata.normalize(form, "café über 안녕") for form in ("NFC", "NFD"))


@pytest.mark.parametrize(("song", "file"), [(NFC, NFD), (NFD, NFC), (NFC, NFC), (NFD, NFD)])
def test_names_in_any_unicode_form_match(tmp_path, song, file):
    (tmp_path / f"{file}.lab").touch()
    (tmp_path / f"{file}.{file}.lab").touch()
    found = label_files(tmp_path, song, {song})
    assert found == [(NFC, tmp_path / f"{file}.{file}.lab"), ("", tmp_path / f"{file}.lab")]


def test_songs_of_one_name_in_two_unicode_forms_keep_their_own_label_files(tmp_path):
    for form in (NFC, NFD):
        (tmp_path / f"{form}.lab").touch()
    for form in (NFC, NFD):
        assert label_files(tmp_path, form, {NFC, NFD}) == [("", tmp_path / f"{form}.lab")]


def test_subfolder_is_found_in_any_unicode_form(tmp_path):
    (tmp_path / NFD / "disc 1").mkdir(parents=True)
    assert same_folder(tmp_path, Path(NFC, "disc 1")) == tmp_path / NFD / "disc 1"
    (tmp_path / NFC).mkdir()
    assert same_folder(tmp_path, Path(NFC)) == tmp_path / NFC
    assert not same_folder(tmp_path, Path("other")).exists()


def test_label_files_of_no_song_are_found_in_subfolders(tmp_path):
    for name in ("a.lab", "b.JAMS", "c.txt", "disc/d.labels.txt", ".hidden/e.lab", ".f.lab"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "folder.lab").mkdir()
    (tmp_path / "README.txt").write_text("2 singers, one drum\n")
    (tmp_path / "tempo.json").write_text('{"bpm": 120}')
    assert unmatched_files(tmp_path, {tmp_path / "a.lab"}) == [tmp_path / "b.JAMS", tmp_path / "disc" / "d.labels.txt"]
    (tmp_path / "c.txt").write_text("0 5 A\n5 9 B\n")
    assert tmp_path / "c.txt" in unmatched_files(tmp_path, ())


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.txt", "0.0 5.0 intro\n5.0 9.0 verse\n", True),
        ("a.txt", "# by Ana\n0.0\tintro\n5.0\tverse\n", True),
        ("a.txt", "0.0\t5.0\tintro\nx\t9.0\tverse\n", True),  # with an error, which is reported
        ("a.csv", "start,end,label\n0,5,A\n5,x,B\n", True),
        ("a.csv", "0:00;0:05;A\n", True),
        ("a.csv", "frame,energy\n0,0.5\n1,0.25\n", False),
        ("a.txt", "Hello darkness\nmy old friend\n", False),
        ("a.txt", "99 red balloons\nfloating in the summer sky\n", False),
        ("a.txt", "", False),
        ("a.txt", "1. Intro\n2. Verse\n", False),
        ("a.csv", "1.,Intro 0:30\n2.,Verse 1:20\n", False),
        ("a.tsv", "1)\tIntro\n2)\tVerse\n", False),
        ("a.txt", "1\t2\tA\n2\t3\tB\n3\t9\tC\n", True),
        ("a.txt", "[00:12.00]Line one\n[00:15.00]Line two\n", False),
        ("a.json", "1. Intro\n2. Verse\n", False),
        ("a.json", '{"segments": [{"start": 0, "end": 5, "label": "A"}]}', True),
        ("a.json", '{"bpm": 120}', False),
    ],
)
def test_labels_are_told_from_other_text(tmp_path, name, content, expected):
    (tmp_path / name).write_text(content)
    assert contains_labels(tmp_path / name) is expected
