from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta

import pytest

from flows.cli.commands.status import corpus_status, failures_by_class
from songform.errors import FAILURE_CLASSES, CorpusError, TrackError
from tasks.ingest.failures.rules import FAILURE_FIXES
from tasks.ingest.track_outcomes import record_failure, record_skipped
from tasks.settings import DownloadSettings
from tasks.store.corpus import Corpus
from tasks.store.tracks import Track


@pytest.fixture
def home(extracted, tmp_path):
    shutil.copytree(extracted / "data" / "tracks", tmp_path / "data" / "tracks")
    failed = Track(key="web-0", title="a lost song", source="https://a.example/x.mp3")
    record_failure(Corpus(tmp_path), failed, TrackError("it is gone; check the address", "permanent"))
    return tmp_path


def test_tracks_are_sorted_by_title_and_contain_their_errors(home, audio_files):
    tracks, _ = corpus_status(home)
    titles = [track["title"] for track in tracks]
    assert titles == sorted([*(path.stem for path in audio_files), "a lost song"], key=str.casefold)
    (failed,) = [track for track in tracks if track["status"] == "failed"]
    assert failed["error"] == {"class": "permanent", "message": "it is gone; check the address"}
    assert (failed["attempts"], failed["next_retry_at"]) == (1, None)
    assert {track["status"] for track in tracks if track is not failed} == {"done"}


def test_empty_folder_has_no_tracks_and_is_not_changed(songform, document, tmp_path):
    assert corpus_status(tmp_path) == ([], [])
    result = songform("--home", tmp_path, "--json", "status")
    assert (result.exit_code, document(result)) == (0, {"tracks": [], "problems": [], "without_spectrum": []})
    assert "songform ingest" in songform("--home", tmp_path, "status").stdout
    assert list(tmp_path.iterdir()) == []


def test_missing_home_is_reported_and_not_created(songform, document, tmp_path):
    """The most common cause is a misspelled name, which must not be reported as an empty corpus."""
    result = songform("--home", tmp_path / "new", "--json", "status")
    assert result.exit_code == 4
    assert document(result)["error"].startswith(f"the home {tmp_path / 'new'} does not exist; check its name")
    assert list(tmp_path.iterdir()) == []


def test_home_that_is_a_file_is_reported_in_one_sentence(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(CorpusError, match=r"file is not a folder; .*data/.* --home"):
        corpus_status(tmp_path / "file")


@pytest.mark.parametrize("content", [b"", b"{}", b"[1, 2", b"\xff\xfe", b"[" * 10_000, b"null"])
def test_damaged_record_is_a_problem_and_the_other_tracks_are_listed(songform, document, home, content):
    before, _ = corpus_status(home)
    path = home / "data" / "tracks" / "web-damaged.json"
    path.write_bytes(content)
    tracks, (problem,) = corpus_status(home)
    assert tracks == before
    assert problem.startswith(f"the record {path} cannot be read (")
    assert problem.endswith("; ingest its track again, which creates it again")
    result = songform("--home", home, "--json", "status")
    assert (result.exit_code, document(result)["problems"]) == (3, [problem])
    for words in (("status",), ("status", "--failed")):
        result = songform("--home", home, *words)
        assert result.exit_code == 3
        assert str(path) in result.stderr
    assert path.read_bytes() == content


def test_invalid_settings_are_reported_with_the_tracks(songform, document, home):
    (home / "songform.toml").write_text("[model]\nepoch = 3")
    result = songform("--home", home, "--json", "status")
    assert result.exit_code == 0
    sentence = f"{home / 'songform.toml'}: there is no setting model.epoch; did you mean model.epochs?"
    assert document(result)["problems"] == [sentence]
    assert len(document(result)["tracks"]) == 7
    assert result.stderr == f"songform: {sentence}\n"


@pytest.fixture
def unlucky(home):
    """Add one failed track of each class, one more of the first class, and one skipped track."""
    corpus, slow = Corpus(home), DownloadSettings(retry_seconds=3600.0)
    for number, failure in enumerate((*FAILURE_CLASSES, FAILURE_CLASSES[0])):
        track = Track(key=f"web-1{number}", title=f"song {number}", source=f"https://a.example/{number}.mp3")
        record_failure(corpus, track, TrackError(f"song {number} is not available", failure), settings=slow)
    track = Track(key="web-2", title="a patient song", source="https://a.example/2.mp3")
    record_skipped(corpus, track, until=datetime.now(UTC) + timedelta(hours=2), reason="a.example limits the requests")
    return home


def test_failures_are_grouped_by_class_with_the_fix_of_each_class(unlucky):
    groups = failures_by_class(corpus_status(unlucky)[0])
    assert [(group.failure, len(group.tracks)) for group in groups] == [
        *(("transient", 2), ("throttled", 2), ("permanent", 2), ("needs-you", 1), ("later", 1)),
        *(("environment", 1), ("bug", 1)),
    ]
    assert [group.what_helps for group in groups] == [FAILURE_FIXES[failure] for failure in FAILURE_CLASSES]
    assert {track["status"] for group in groups for track in group.tracks} == {"failed", "skipped"}
    assert failures_by_class([]) == []


def test_failed_tracks_are_shown_with_the_time_of_their_next_retry(songform, document, unlucky):
    shown = " ".join(songform("--home", unlucky, "status", "--failed").stdout.split())
    for group in failures_by_class(corpus_status(unlucky)[0]):
        plural = "s" if len(group.tracks) > 1 else ""
        assert f"{group.failure}: {len(group.tracks)} track{plural}" in shown
    assert shown.count("next retry: 20") == 6  # two transient ones, throttled, skipped, later, bug
    assert shown.count("next retry: at the next ingest") == 1  # environment
    assert shown.count("next retry: ") == 7  # permanent failures have none
    assert "a lost song" in shown
    assert "it is gone; check the address" in shown
    result = songform("--home", unlucky, "--json", "status", "--failed")
    assert set(document(result)) == {"tracks", "problems"}
    assert len(document(result)["tracks"]) == 10


def test_track_that_is_done_with_other_settings_can_be_among_the_failures(home):
    corpus = Corpus(home)
    record = next(record for record in corpus.records() if record.status == "done")
    record_failure(corpus, record, TrackError("the disk is full", "environment"))
    groups = failures_by_class(corpus_status(home)[0])
    assert [group.failure for group in groups] == ["permanent", "environment"]
    assert groups[1].tracks[0]["status"] == "done"


def test_corpus_without_failures_is_reported(songform, tmp_path):
    assert songform("--home", tmp_path, "status", "--failed").stdout == "Nothing failed.\n"


def test_plain_status_shows_skipped_tracks_and_the_time_of_each_retry(songform, unlucky):
    result = songform("--home", unlucky, "status")
    assert result.exit_code == 0  # it lists what failed earlier
    shown = result.stdout
    assert "16 tracks: 6 done, 9 failed, 1 skipped" in shown
    lines = [line.strip() for line in shown.splitlines()]
    outcomes = [line.split()[0] for line in lines if line.startswith(("done", "failed", "skipped"))]
    assert outcomes == ["failed"] * 9 + ["skipped"] + ["done"] * 6
    assert sum(line.startswith(("next retry: ", "not retried automatically")) for line in lines) == 10
