"""Lookup of tracks by key, address, file or folder, without network access."""

from __future__ import annotations

import pytest

from songform.errors import SourceError
from tasks.ingest.sources.corpus_lookup import find_tracks
from tasks.ingest.sources.local_files import local_listing
from tasks.store.corpus import Corpus
from tasks.store.tracks import TrackRecord


@pytest.fixture
def corpus(tmp_path):
    made = Corpus(tmp_path / "home")
    made.prepare()
    return made


def keep(corpus, key, source, path=None):
    record = TrackRecord(key=key, title="T", source=source, path=path, status="done", duration=3.0, updated_at="2026")
    corpus.save_record(record)
    return record


@pytest.fixture
def known(corpus, song):
    """Return a folder of three songs, two of which are in the corpus."""
    folder = song("songs/a.flac", 440.0).parent
    song("songs/below/b.flac", 550.0)
    song("songs/c.flac", 660.0)
    for track in local_listing(folder).tracks[:2]:
        keep(corpus, track.key, track.source, track.path)
    return folder


def test_track_is_found_by_key_address_and_file(corpus, known):
    web = keep(corpus, "feed-0", "https://a.example/1.mp3")
    assert find_tracks(corpus, "feed-0") == [(web, None)]
    assert find_tracks(corpus, " https://a.example/1.mp3/ ") == [(web, None)]
    ((record, path),) = find_tracks(corpus, str(known / "a.flac"))
    assert (record.source, path) == (str(known / "a.flac"), known / "a.flac")
    assert find_tracks(corpus, record.key) == [(record, path)]


def test_folder_gives_its_songs_that_are_in_the_corpus(corpus, known):
    paths = [path for _, path in find_tracks(corpus, str(known))]
    assert paths == [known / "a.flac", known / "below" / "b.flac"]


def test_moved_file_is_still_found(corpus, known, tmp_path):
    (known / "a.flac").rename(tmp_path / "other.flac")
    ((record, path),) = find_tracks(corpus, str(tmp_path / "other.flac"))
    assert record.source == str(known / "a.flac")
    assert path == tmp_path / "other.flac"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("feed-1", "feed-1 is neither a file nor the key of a track in the corpus; songform --json status"),
        ("../feed-0", "/feed-0 does not exist"),
        ("https://a.example/2.mp3", r"no track .* address https://a\.example/2\.mp3; songform --json status"),
        ("{folder}/c.flac", r"c\.flac is not in the corpus; .*songform ingest"),
        ("{folder}/nowhere.flac", r"nowhere\.flac does not exist"),
    ],
)
def test_unknown_track_is_reported_in_one_sentence(corpus, known, source, message):
    keep(corpus, "feed-0", "https://a.example/1.mp3")
    with pytest.raises(SourceError, match=message):
        find_tracks(corpus, source.format(folder=known))


def test_folder_without_ingested_songs_is_reported_in_one_sentence(corpus, known):
    with pytest.raises(SourceError, match=r"no song of .* is in the corpus; .*songform ingest"):
        find_tracks(Corpus(corpus.home / "other"), str(known))
