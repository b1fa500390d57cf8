"""Index page of the reports of a model."""

from __future__ import annotations

import json
import re

import pytest

from songform.errors import CorpusError
from tasks.report.index_page import write_index
from tasks.store.atomic_files import write_json
from tasks.store.bundles import OWN_MODEL, ModelInfo
from tasks.store.corpus import Corpus

MODEL = ModelInfo("models:/songform/1", "0123456789ab", "run", True)


def report(home, key, *confidences, model=OWN_MODEL, has_page=True, **fields):
    """Write a report with segments of 10 s; by default one of an earlier version, without sections and beats."""
    segments = [
        {"start": 10.0 * i, "end": 10.0 * i + 10, "state": "Calm", "confidence": confidence}
        for i, confidence in enumerate(confidences)
    ]
    path = Corpus(home).report_path(model.model_id, f"{key}.json")
    write_json(path, {"track": {"key": key, "title": key.upper()}, "segments": segments, **fields})
    if has_page:
        path.with_suffix(".html").write_text("a page", encoding="utf-8")
    return path


def listed(index):
    """Return the songs in the data of the page."""
    block = re.search(r'id="index-data">(.*?)</script>', index.path.read_text(encoding="utf-8"))
    return json.loads(block[1])["songs"]


def test_the_index_lists_every_report_with_the_address_of_its_page(tmp_path):
    report(tmp_path, "file-1", 0.5, 0.25)
    report(tmp_path, "file-2", 0.75, has_page=False)
    index = write_index(tmp_path, OWN_MODEL)
    folder = tmp_path / "data" / "reports" / "own"
    assert index.path == folder / "index.html"
    assert [song[:6] for song in listed(index)] == [
        ["FILE-1", "file-1.html", 20, 0.375, 0.25, 10],
        ["FILE-2", "", 10, 0.75, 0.75, 0],
    ]
    assert index.songs == [
        {
            "key": "file-1",
            "title": "FILE-1",
            "duration": 20,
            "silence": 0,
            "confidence": 0.375,
            "lowest_confidence": 0.25,
            "tempo": None,
            "sections": 0,
            "page": str(folder / "file-1.html"),
        },
        {
            "key": "file-2",
            "title": "FILE-2",
            "duration": 10,
            "silence": 0,
            "confidence": 0.75,
            "lowest_confidence": 0.75,
            "tempo": None,
            "sections": 0,
            "page": None,
        },
    ]


SECTIONS = [
    {"start": 0.0, "end": 5.5, "label": "A", "confidence": 1.0, "occurrence": 1, "occurrences": 1},
    {"start": 5.5, "end": 10.0, "label": "B", "confidence": 0.5, "occurrence": 1, "occurrences": 1},
]


def test_tempo_and_sections_of_a_report_are_listed(tmp_path):
    report(tmp_path, "file-1", 0.5, sections=SECTIONS, phrases=[], beats={"tempo": 120.01, "metre": 4})
    report(tmp_path, "file-2", 0.5, sections=[], phrases=[], beats={"tempo": None, "metre": None})
    report(tmp_path, "file-3", 0.5, sections=[], phrases=[], beats=None)
    index = write_index(tmp_path, OWN_MODEL)
    assert index.problems == []
    assert [(song["tempo"], song["sections"]) for song in index.songs] == [(120.01, 2), (None, 0), (None, 0)]
    assert [song[7:] for song in listed(index)] == [[120.01, [5.5, 0, 10.0, 1]], [None, []], [None, []]]


def test_address_of_a_page_is_escaped(tmp_path):
    path = report(tmp_path, "javascript:a#b?c%20d e", 0.5)
    index = write_index(tmp_path, OWN_MODEL)
    assert [song[1] for song in listed(index)] == ["javascript%3Aa%23b%3Fc%2520d%20e.html"]
    assert index.songs[0]["page"] == str(path.with_suffix(".html"))


def test_each_model_has_an_index_of_its_own(tmp_path):
    report(tmp_path, "file-1", 0.5)
    report(tmp_path, "file-2", 0.5, model=MODEL)
    assert [song["key"] for song in write_index(tmp_path, MODEL).songs] == ["file-2"]
    assert [song["key"] for song in write_index(tmp_path, OWN_MODEL).songs] == ["file-1"]


def test_songs_that_the_model_has_not_analyzed_are_counted(extracted, tmp_path):
    (tmp_path / "data").symlink_to(extracted / "data")
    records = Corpus(tmp_path).records()
    model = ModelInfo("", "counted", None, False)
    report(tmp_path, records[0].key, 0.5, model=model)
    assert write_index(tmp_path, model).left == len(records) - 1


@pytest.mark.parametrize("content", [b"{", b"\xff", b"[]", b'{"track": {}, "segments": []}'])
def test_unreadable_report_is_a_problem_and_the_others_are_listed(tmp_path, content):
    report(tmp_path, "file-1", 0.5)
    broken = report(tmp_path, "file-2", 0.5)
    broken.write_bytes(content)
    index = write_index(tmp_path, OWN_MODEL)
    assert [song["key"] for song in index.songs] == ["file-1"]
    (problem,) = index.problems
    assert problem.startswith(f"the report {broken} cannot be read")


SEGMENT = {"start": 0.0, "end": 10.0, "state": "Calm", "confidence": 0.5}
SPOILT = {
    "no segments": [],
    "an end before its start": [SEGMENT, {**SEGMENT, "end": -1.0}],
    "a length of zero": [{**SEGMENT, "end": 0.0}],
    "a time that is text": [{**SEGMENT, "start": "0"}],
    "no confidence": [{**SEGMENT, "confidence": None}],
    "a confidence that is NaN": [{**SEGMENT, "confidence": float("nan")}],
    "a state that is a number": [{**SEGMENT, "state": 3}],
    "a confidence that is too large": [{**SEGMENT, "confidence": 10**400}],
    "a start before the end of the previous one": [SEGMENT, {**SEGMENT, "start": 9.0, "end": 20.0}],
}


@pytest.mark.parametrize("case", SPOILT)
def test_report_with_invalid_segments_is_a_problem_and_the_others_are_listed(tmp_path, case):
    report(tmp_path, "file-1", 0.5)
    broken = Corpus(tmp_path).report_path("own", "file-2.json")
    broken.write_text(json.dumps({"track": {"key": "file-2", "title": "B"}, "segments": SPOILT[case]}))
    index = write_index(tmp_path, OWN_MODEL)
    assert [song["key"] for song in index.songs] == ["file-1"]
    (problem,) = index.problems
    assert problem.startswith(f"the report {broken} cannot be read (")
    assert ("it has no segments" in problem) == (case == "no segments")


INVALID = {
    "no list of sections": {"sections": 3},
    "a section without times": {"sections": [{"label": "A"}]},
    "an end before its start": {"sections": [SECTIONS[0], {**SECTIONS[1], "end": 2.0}]},
    "sections in the wrong order": {"sections": SECTIONS[::-1]},
    "an end that is too large": {"sections": [{**SECTIONS[0], "end": 10**400}]},
    "a letter that is a number": {"sections": [{**SECTIONS[0], "label": 1}]},
    "a confidence that is text": {"sections": [{**SECTIONS[0], "confidence": "1"}]},
    "beats without tempo": {"beats": {}},
    "a tempo that is text": {"beats": {"tempo": "120"}},
    "a tempo of zero": {"beats": {"tempo": 0}},
    "a tempo that is too large": {"beats": {"tempo": 10**400}},
}


@pytest.mark.parametrize("case", INVALID)
def test_report_with_invalid_sections_or_tempo_is_a_problem_and_the_others_are_listed(tmp_path, case):
    report(tmp_path, "file-1", 0.5)
    broken = report(tmp_path, "file-2", 0.5, **INVALID[case])
    index = write_index(tmp_path, OWN_MODEL)
    assert [song["key"] for song in index.songs] == ["file-1"]
    (problem,) = index.problems
    assert problem.startswith(f"the report {broken} cannot be read (")


def test_if_no_report_can_be_read_each_is_named(tmp_path):
    broken = [report(tmp_path, key) for key in ("file-1", "file-2")]
    with pytest.raises(CorpusError) as caught:
        write_index(tmp_path, OWN_MODEL)
    assert all(f"{path} cannot be read (it has no segments); " in str(caught.value) for path in broken)
    assert not (tmp_path / "data" / "reports" / "own" / "index.html").exists()


@pytest.mark.parametrize(
    ("model", "whose"), [(MODEL, "with the model models:/songform/1"), (OWN_MODEL, "with states fitted per song")]
)
def test_without_a_report_the_error_says_how_to_create_one(tmp_path, model, whose):
    with pytest.raises(
        CorpusError, match=f"no song in {tmp_path} has been analyzed {whose}; .*songform analyze SOURCE"
    ):
        write_index(tmp_path, model)
    assert not (tmp_path / "data").exists()
