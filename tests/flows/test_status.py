from __future__ import annotations

import shutil

import pytest

from flows.status import corpus_status
from songform.corpus import Corpus
from songform.errors import CorpusError, TrackError
from songform.sources import Track
from tasks.records import record_failure


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
    assert corpus_status(tmp_path / "new") == []
    result = songform("--home", tmp_path / "new", "--json", "status")
    assert (result.exit_code, document(result)) == (0, {"tracks": [], "problems": []})
    assert "bring some in with songform ingest" in songform("--home", tmp_path / "new", "status").stdout
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
    assert "delete it, and the next ingest makes it anew" in result.stderr


def test_settings_that_will_stop_every_other_command_are_told_beside_the_tracks(songform, document, home):
    (home / "songform.toml").write_text("[model]\nepoch = 3")
    result = songform("--home", home, "--json", "status")
    assert result.exit_code == 0
    sentence = f"{home / 'songform.toml'}: there is no setting model.epoch; did you mean model.epochs?"
    assert document(result)["problems"] == [sentence]
    assert len(document(result)["tracks"]) == 7
    assert result.stderr == f"songform: {sentence}\n"
