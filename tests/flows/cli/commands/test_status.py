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


def test_tracks_come_in_order_of_their_titles_with_what_failed_and_why(home, audio_files):
    tracks = corpus_status(home)
    titles = [track["title"] for track in tracks]
    assert titles == sorted([*(path.stem for path in audio_files), "a lost song"], key=str.casefold)
    (failed,) = [track for track in tracks if track["status"] == "failed"]
    assert failed["error"] == {"class": "permanent", "message": "it is gone; check the address"}
    assert (failed["attempts"], failed["next_retry_at"]) == (1, None)
    assert {track["status"] for track in tracks if track is not failed} == {"done"}


def test_a_folder_that_is_no_home_yet_holds_nothing_and_stays_as_it_is(songform, document, tmp_path):
    assert corpus_status(tmp_path) == []
    result = songform("--home", tmp_path, "--json", "status")
    assert (result.exit_code, document(result)) == (0, {"tracks": [], "problems": []})
    assert "bring some in with songform ingest" in songform("--home", tmp_path, "status").stdout
    assert list(tmp_path.iterdir()) == []


def test_a_home_that_is_not_there_is_one_sentence_and_is_not_made(songform, document, tmp_path):
    """Most often its name is mistyped: an empty corpus would hide that."""
    result = songform("--home", tmp_path / "new", "--json", "status")
    assert result.exit_code == 4
    assert document(result)["error"].startswith(f"there is no home {tmp_path / 'new'}; check its name")
    assert list(tmp_path.iterdir()) == []


def test_a_home_that_is_a_file_is_one_sentence(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(CorpusError, match="file is no folder; name the folder that holds data/ with --home"):
        corpus_status(tmp_path / "file")


def test_a_record_that_cannot_be_read_is_one_sentence(songform, home):
    (home / "data" / "tracks" / "web-1.json").write_text("{}")
    with pytest.raises(CorpusError, match=r"web-1\.json cannot be read"):
        corpus_status(home)
    result = songform("--home", home, "status")
    assert result.exit_code == 4
    assert "; delete it, and the next ingest" in result.stderr


def test_settings_that_will_stop_every_other_command_are_told_beside_the_tracks(songform, document, home):
    (home / "songform.toml").write_text("[model]\nepoch = 3")
    result = songform("--home", home, "--json", "status")
    assert result.exit_code == 0
    sentence = f"{home / 'songform.toml'}: there is no setting model.epoch; did you mean model.epochs?"
    assert document(result)["problems"] == [sentence]
    assert len(document(result)["tracks"]) == 7
    assert result.stderr == f"songform: {sentence}\n"


@pytest.fixture
def unlucky(home):
    """Add a track that failed in each class, one more of the first, and one that was skipped."""
    corpus, slow = Corpus(home), DownloadSettings(retry_seconds=3600.0)
    for number, failure in enumerate((*FAILURE_CLASSES, FAILURE_CLASSES[0])):
        track = Track(key=f"web-1{number}", title=f"song {number}", source=f"https://a.example/{number}.mp3")
        record_failure(corpus, track, TrackError(f"song {number} is not to be had", failure), settings=slow)
    track = Track(key="web-2", title="a patient song", source="https://a.example/2.mp3")
    record_skipped(corpus, track, until=datetime.now(UTC) + timedelta(hours=2), reason="a.example wants a rest")
    return home


def test_failures_are_grouped_by_class_with_what_can_be_done(unlucky):
    groups = failures_by_class(corpus_status(unlucky))
    assert [(group.failure, len(group.tracks)) for group in groups] == [
        *(("transient", 2), ("throttled", 2), ("permanent", 2), ("needs-you", 1), ("later", 1)),
        *(("environment", 1), ("bug", 1)),
    ]
    assert [group.what_helps for group in groups] == [FAILURE_FIXES[failure] for failure in FAILURE_CLASSES]
    assert {track["status"] for group in groups for track in group.tracks} == {"failed", "skipped"}
    assert failures_by_class([]) == []


def test_what_failed_is_shown_with_the_time_of_its_next_try(songform, document, unlucky):
    shown = " ".join(songform("--home", unlucky, "status", "--failed").stdout.split())
    for group in failures_by_class(corpus_status(unlucky)):
        plural = "s" if len(group.tracks) > 1 else ""
        assert f"{group.failure}: {len(group.tracks)} track{plural}" in shown
    assert shown.count("next try: 20") == 6  # twice transient, throttled and skipped, later, bug
    assert shown.count("next try: with the next ingest") == 1  # environment
    assert shown.count("next try: ") == 7  # what lasts has none
    assert "a lost song" in shown
    assert "it is gone; check the address" in shown
    result = songform("--home", unlucky, "--json", "status", "--failed")
    assert set(document(result)) == {"tracks", "problems"}
    assert len(document(result)["tracks"]) == 10


def test_a_track_that_stands_with_other_settings_may_be_among_the_failures(home):
    corpus = Corpus(home)
    record = next(record for record in corpus.records() if record.status == "done")
    record_failure(corpus, record, TrackError("the disk is full", "environment"))
    groups = failures_by_class(corpus_status(home))
    assert [group.failure for group in groups] == ["permanent", "environment"]
    assert groups[1].tracks[0]["status"] == "done"


def test_a_corpus_without_failures_says_so(songform, tmp_path):
    assert songform("--home", tmp_path, "status", "--failed").stdout == "Nothing failed.\n"


def test_plain_status_shows_what_was_skipped_and_when_each_is_tried_again(songform, unlucky):
    shown = songform("--home", unlucky, "status").stdout
    assert "16 tracks: 6 done, 9 failed, 1 skipped" in shown
    lines = [line.strip() for line in shown.splitlines()]
    outcomes = [line.split()[0] for line in lines if line.startswith(("done", "failed", "skipped"))]
    assert outcomes == ["failed"] * 9 + ["skipped"] + ["done"] * 6
    assert sum(line.startswith(("next try: ", "left alone: ")) for line in lines) == 10
