"""Tests of songform annotate: labels in each format, folders of labels, and notes on unusual labels."""

from __future__ import annotations

import json
import shutil
import unicodedata

import numpy as np
import pytest

from songform.annotation.annotations import Annotation
from songform.annotation.formats import WRITERS, songform_report
from tasks.annotate.annotations import LABEL_AND_BEAT_SUFFIXES
from tasks.store.corpus import Corpus

LABELS = Annotation(np.array([[0.0, 8.0], [8.0, 15.0]]), ["A", "B"], annotator="Cy", duration=15.0)


@pytest.fixture
def home(extracted, tmp_path):
    shutil.copytree(extracted / "data", tmp_path / "home" / "data")
    return tmp_path / "home"


@pytest.fixture
def record(home):
    return Corpus(home).records()[0]


@pytest.fixture
def labels(tmp_path):
    """Return a function that writes labels to a file."""

    def write(name, text="0 8 A\n8 15 B\n"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture
def annotate(songform, home):
    return lambda *words: songform("--home", home, "annotate", *words)


@pytest.fixture
def output(annotate, document):
    """Return a function that runs a call and returns its JSON document."""
    return lambda *words: document(annotate(*words, "--json"))


@pytest.mark.parametrize("suffix", [*WRITERS, ".json"])
def test_labels_of_every_format_are_stored(output, home, record, labels, suffix):
    path = labels(f"x{suffix}", (songform_report.write if suffix == ".json" else WRITERS[suffix])(LABELS))
    (entry,) = output(record.key, path, "--annotator", "Ana")["annotations"]
    kept = home / "data" / "annotations" / record.key / "Ana.jams"
    (note,) = entry.pop("notes")
    assert f"15.0 to {record.duration:.1f} s" in note
    assert "no label" in note
    assert entry == {
        "key": record.key,
        "title": record.title,
        "annotator": "Ana",
        "segments": 2,
        "status": "new",
        "path": str(kept),
        "file": str(path),
    }
    assert kept.is_file()


BY_NAME = {"x.lab": "person", "x.2.lab": "2", "x.jams": "Cy", "{title}.Bo.lab": "Bo"}


@pytest.mark.parametrize("name", BY_NAME)
def test_annotator_is_taken_from_the_file_by_default(output, record, labels, name):
    path = labels(name.format(title=record.title), WRITERS[".jams" if name.endswith(".jams") else ".lab"](LABELS))
    (entry,) = output(record.path, path)["annotations"]
    assert entry["annotator"] == BY_NAME[name]


def test_same_labels_change_nothing_and_other_labels_replace_them(annotate, record, labels):
    path = labels("x.lab")
    assert annotate(record.key, path).stdout.split()[4] == "new"
    assert annotate(record.key, path).stdout.split()[4] == "same"
    labels("x.lab", "0 9 A\n9 15 B\n")
    assert annotate(record.key, path).stdout.split()[4] == "replaced"


def test_folder_of_labels_is_matched_with_a_folder_of_songs(annotate, document, audio_files, labels, tmp_path):
    first, second, third = audio_files[:3]
    for name in (f"{first.stem}.1.lab", f"{first.stem}.2.lab", f"{second.stem}.lab", "other.lab"):
        labels(f"labels/{name}")
    labels("labels/notes.txt", "Labeled by ear\n")
    labels(f"labels/{third.stem}.lab", "0 8 A\nx 9 B\n")
    labels(f"labels/{second.stem}.jams", WRITERS[".jams"](Annotation(LABELS.intervals, ["x", "y"])))
    result = annotate(first.parent, tmp_path / "labels", "--json")
    assert result.exit_code == 3
    found = document(result)
    assert sorted((entry["title"], entry["annotator"]) for entry in found["annotations"]) == sorted(
        [(first.stem, "1"), (first.stem, "2"), (second.stem, "person")]
    )
    assert len(found["problems"]) == 2
    assert any(f"{third.stem}.lab cannot be used: line 2 has 'x'" in problem for problem in found["problems"])
    assert any(f"{second.stem}.lab is skipped" in each and f"{second.stem}.jams" in each for each in found["problems"])
    assert sorted(found["without"]) == sorted(path.stem for path in audio_files[2:])
    assert found["unmatched"] == [str(tmp_path / "labels" / "other.lab")]
    listed = annotate(first.parent)
    assert listed.exit_code == 0
    assert "3 label files for 2 tracks" in listed.stdout
    assert "(4 tracks)" in listed.stdout


def test_file_that_is_refused_does_not_take_the_place_of_another_one(annotate, document, audio_files, labels, tmp_path):
    stem = audio_files[0].stem
    labels(f"labels/{stem}.lab", "0 8 A\n8 500 B\n")
    used = labels(f"labels/{stem}.txt")
    found = document(annotate(audio_files[0].parent, tmp_path / "labels", "--json"))
    assert [entry["file"] for entry in found["annotations"]] == [str(used)]
    assert "does not fit" in found["problems"][0]


def test_label_files_with_general_suffixes_are_paired_and_other_texts_are_not(
    annotate, document, audio_files, labels, tmp_path
):
    first, second, third, fourth = (path.stem for path in audio_files[:4])
    used = [labels(f"labels/{first}.csv", "start;end;label\n0;5,5;A\n5,5;9;B\n"), labels(f"labels/{second}.Ana.TXT")]
    used.append(labels(f"labels/{third}.lab"))
    labels(f"labels/{third}.txt", "0 4 x\n4 9 y\n")
    labels(f"labels/{fourth}.txt", "Oh baby\n")
    unmatched = labels("labels/unknown.csv", "start,end,label\n0,5,A\n")
    labels("labels/README.txt", "Labels of our songs\n")
    result = annotate(audio_files[0].parent, tmp_path / "labels", "--json")
    assert result.exit_code == 0
    found = document(result)
    assert sorted(entry["file"] for entry in found["annotations"]) == sorted(map(str, used))
    assert (found["problems"], found["unmatched"]) == ([], [str(unmatched)])
    notes = "; ".join(found["notes"])
    assert f"{third}.txt is skipped, because {third}.lab already contains the labels of person" in notes
    assert f"{fourth}.txt cannot be used" in notes
    assert "README" not in notes


def test_numbered_list_is_a_note_in_a_text_file_and_a_problem_in_a_label_file(
    annotate, document, audio_files, labels, tmp_path
):
    first, second, third = (path.stem for path in audio_files[:3])
    numbered = "1. Intro\n2. Verse\n3. Chorus\n"
    labels(f"labels/{first}.txt", numbered)
    alone = annotate(audio_files[0].parent, tmp_path / "labels")
    assert (alone.exit_code, alone.stdout) == (4, "")
    assert f"{first}.txt cannot be used: it contains no labels" in " ".join(alone.stderr.split())
    labels(f"labels/{second}.lab")
    found = document(annotate(audio_files[0].parent, tmp_path / "labels", "--json"))
    assert [entry["title"] for entry in found["annotations"]] == [second]
    assert found["problems"] == []
    (note,) = found["notes"]
    assert f"{first}.txt cannot be used: it contains no labels" in note
    labels(f"labels/{third}.lab", numbered)
    result = annotate(audio_files[0].parent, tmp_path / "labels", "--json")
    assert result.exit_code == 3
    (problem,) = document(result)["problems"]
    assert f"{third}.lab cannot be used: it contains no labels with times, but a numbered list" in problem


def test_listing_labels_writes_nothing(output, home, record, labels):
    before = {path for path in home.rglob("*") if path.name != "local-files.json"}
    assert output(record.key) == {
        "annotations": [],
        "beats": [],
        "problems": [],
        "notes": [],
        "without": [record.title],
        "unmatched": [],
    }
    assert {path for path in home.rglob("*") if path.name != "local-files.json"} == before
    output(record.key, labels("x.lab"), "--annotator", "Ana")
    (entry,) = output(record.key)["annotations"]
    assert (entry["annotator"], entry["status"], entry["segments"], entry["file"]) == ("Ana", "kept", 2, None)


def test_songs_and_labels_with_accents_are_paired_and_other_files_are_named(
    annotate, document, audio_files, labels, tmp_path
):
    songs = tmp_path / "songs" / unicodedata.normalize("NFC", "Ménage")
    songs.mkdir(parents=True)
    shutil.copy(audio_files[0], songs / unicodedata.normalize("NFC", f"café{audio_files[0].suffix}"))
    matched = labels(unicodedata.normalize("NFD", "labels/Ménage/café.lab"))
    others = [labels("labels/elsewhere/café.lab"), labels("labels/tea.Ana.jams", "{}")]
    result = annotate(tmp_path / "songs", tmp_path / "labels", "--json")
    assert result.exit_code == 0
    found = document(result)
    assert [entry["file"] for entry in found["annotations"]] == [str(matched)]
    assert (found["problems"], found["without"]) == ([], [])
    assert found["unmatched"] == [str(path) for path in others]
    (note,) = found["notes"]
    assert all(
        fact in note for fact in ("2 label files match no ingested song", "café.lab", "tea.Ana.jams", "SONG.lab")
    )
    assert note in " ".join(annotate(tmp_path / "songs", tmp_path / "labels").stderr.split())


def test_label_files_of_other_songs_are_not_named_for_a_single_track(output, audio_files, labels, tmp_path):
    labels(f"labels/{audio_files[0].stem}.lab")
    labels("labels/other.lab")
    found = output(audio_files[0], tmp_path / "labels")
    assert (found["notes"], found["unmatched"]) == ([], [])


def test_folder_without_a_matching_file_is_refused_with_the_files_that_it_contains(
    annotate, audio_files, labels, tmp_path
):
    for name in ("one.lab", "two.lab"):
        labels(f"labels/{name}")
    result = annotate(audio_files[0].parent, tmp_path / "labels")
    assert result.exit_code == 4
    assert "named after a song" in result.stderr
    assert "contains one.lab, two.lab" in " ".join(result.stderr.split())


def test_durations_are_told_from_ends_by_the_length_of_the_track(output, record, labels):
    rest = record.duration - 6
    (entry,) = output(record.key, labels("x.lab", f"0 6 A\n6 {rest:.2f} B\n"))["annotations"]
    assert entry["notes"] == [
        "its columns were read as start, duration and label, because its labels then end with the track"
    ]


def test_beats_are_stored_and_listed_beside_the_labels(annotate, document, home, record, labels):
    path = labels("x.beats", "0.5 2\n1.0 1\n1.5 2\n2.0 1\n")
    (entry,) = document(annotate(record.key, path, "--annotator", "Ana", "--json"))["beats"]
    kept = home / "data" / "annotations" / record.key / "Ana.beats"
    assert kept.is_file()
    assert entry == {
        "key": record.key,
        "title": record.title,
        "annotator": "Ana",
        "beats": 4,
        "downbeats": 2,
        "status": "new",
        "path": str(kept),
        "file": str(path),
        "notes": [],
    }
    annotate(record.key, labels("x.lab"), "--annotator", "Bo")
    listed = document(annotate(record.key, "--json"))
    assert [entry["annotator"] for entry in listed["annotations"]] == ["Bo"]
    assert [(entry["annotator"], entry["status"]) for entry in listed["beats"]] == [("Ana", "kept")]
    assert "1 beat file for 1 track" in annotate(record.key).stdout


def test_files_of_beats_are_paired_with_songs(annotate, document, audio_files, labels, tmp_path):
    first, second, third = (path.stem for path in audio_files[:3])
    beats = "1.0\n1.5\n2.0\n"
    used = [labels(f"labels/{first}.beats", beats), labels(f"labels/{first}.Bo.beats", beats)]
    used.append(labels(f"labels/{first}.lab"))
    labels(f"labels/{second}.beats", "1.0\n0.5\n")
    unmatched = labels("labels/unknown.beats", beats)
    result = annotate(audio_files[0].parent, tmp_path / "labels", "--json")
    assert result.exit_code == 3
    found = document(result)
    assert sorted(entry["annotator"] for entry in found["beats"]) == ["Bo", "person"]
    assert sorted(entry["file"] for entry in (*found["beats"], *found["annotations"])) == sorted(map(str, used))
    (problem,) = found["problems"]
    assert f"{second}.beats cannot be used: line 2 has the time 0.5, but the beat before it has 1" in problem
    assert found["unmatched"] == [str(unmatched)]
    assert third in found["without"]
    assert first not in found["without"]


def test_sections_and_beats_of_one_jams_file_are_stored(annotate, document, record, labels):
    document_of = json.loads(WRITERS[".jams"](LABELS))
    data = [{"time": time, "duration": 0, "value": None, "confidence": None} for time in (1.0, 1.5, 2.0)]
    document_of["annotations"].append({"namespace": "beat", "data": data, "annotation_metadata": {}})
    path = labels("x.jams", json.dumps(document_of))
    found = document(annotate(record.key, path, "--annotator", "Ana", "--json"))
    assert [(entry["annotator"], entry["segments"]) for entry in found["annotations"]] == [("Ana", 2)]
    assert [(entry["beats"], entry["downbeats"]) for entry in found["beats"]] == [(3, None)]
    data[-1]["time"] = 500.0  # the sections are stored even if the beats do not fit the track
    path = labels("y.jams", json.dumps(document_of))
    result = annotate(record.key, path, "--annotator", "Bo", "--json")
    assert result.exit_code == 3
    found = document(result)
    assert (len(found["annotations"]), found["beats"]) == (1, [])
    assert "y.jams does not fit" in found["problems"][0]


REFUSED = {
    "beyond the end": (["{key}", "{long}"], 4, "long.lab does not fit {title}: its labels extend to 500.0 s"),
    "a broken file": (["{key}", "{bad}"], 4, "bad.lab cannot be used: line 1 has 'x' where a time"),
    "no file": (["{key}", "{bad}x"], 4, "bad.labx does not exist"),
    "no track": (["feed-9", "{good}"], 4, "feed-9 is neither a file nor the key of a track"),
    "a file for a folder": (["{folder}", "{good}"], 2, "6 tracks, but"),
    "a folder without labels": (
        ["{folder}", "{folder}"],
        4,
        f"rename the files (for SONG.mp3: SONG{', SONG'.join(LABEL_AND_BEAT_SUFFIXES)})",
    ),
    "beats of another song": (
        ["{key}", "{late}"],
        4,
        "late.beats does not fit {title}: its beats extend to 500.0 s",
    ),
    "sections in a file of beats": (["{key}", "{sections}"], 4, "x.beats cannot be used: line 1 has 3 columns"),
    "a blank name": (["{key}", "{good}", "--annotator", " "], 2, "the name is blank"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_unusable_labels_are_reported_in_one_sentence_and_not_stored(annotate, record, audio_files, labels, case):
    words, code, message = REFUSED[case]
    names = {
        "key": record.key,
        "title": record.title,
        "folder": audio_files[0].parent,
        "good": labels("good.lab"),
        "bad": labels("bad.lab", "x 1 a\n"),
        "long": labels("long.lab", "0 500 a\n"),
        "late": labels("late.beats", "1\n500\n"),
        "sections": labels("x.beats"),
    }
    result = annotate(*(word.format(**names) for word in words))
    assert result.exit_code == code
    assert message.format(**names) in result.stderr
    assert "without" in annotate(record.key).stdout.casefold()


def test_hostile_label_is_stored_but_cannot_control_the_terminal(annotate, home, record, labels):
    path = labels("x.lab", "0\t8\t=1+1\x1b[2J\u202e\n8\t15\tB\n")
    result = annotate(record.key, path, "--annotator", "\x1b[31mEve\x07")
    assert result.exit_code == 0
    assert not {"\x1b", "\x07"} & set(result.stdout)
    (kept,) = (home / "data" / "annotations" / record.key).iterdir()
    (segments,) = json.loads(kept.read_text(encoding="utf-8"))["annotations"]
    assert segments["data"][0]["value"] == "=1+1"
