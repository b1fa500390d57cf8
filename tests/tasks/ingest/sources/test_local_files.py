"""Listing of folders with cached hashes; test_resolve_source covers listing without them."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from songform.errors import SourceError
from tasks.ingest.sources.local_files import FileHashes, local_listing
from tasks.store.corpus import AUDIO_SUFFIXES, Corpus


@pytest.fixture
def album(tmp_path):
    """Return a folder with one file per suffix, with different content and old modification times."""
    folder = tmp_path / "album"
    folder.mkdir()
    for number, suffix in enumerate(AUDIO_SUFFIXES):
        path = folder / f"{number:02d}{suffix}"
        path.write_bytes(suffix.encode())
        os.utime(path, (number, number))
    return folder


def listed(home, folder, limit=None):
    hashes = FileHashes(Corpus(home))
    listing = local_listing(folder, limit, hashes)
    hashes.save()
    return listing


def test_listing_with_a_cache_equals_the_listing_without(tmp_path, album):
    plain = local_listing(album)
    assert len(plain.tracks) == len(AUDIO_SUFFIXES)
    assert listed(tmp_path, album) == listed(tmp_path, album) == plain


def test_only_changed_files_are_read_again(tmp_path, album, monkeypatch):
    listed(tmp_path, album)
    (album / "03.opus").write_bytes(b"other")
    plain, read, digest = local_listing(album), [], hashlib.file_digest

    def noted(file, *arguments):
        read.append(Path(file.name).name)
        return digest(file, *arguments)

    monkeypatch.setattr(hashlib, "file_digest", noted)
    assert listed(tmp_path, album) == plain
    assert read == ["03.opus"]


def test_files_beyond_the_limit_are_not_hashed(tmp_path, album):
    hashes = FileHashes(Corpus(tmp_path))
    (album / "02.webm").unlink()
    (album / "02.webm").symlink_to(tmp_path / "nowhere")
    assert [track.title for track in local_listing(album, 2, hashes).tracks] == ["00", "01"]


def test_cached_file_that_is_missing_is_a_problem(tmp_path, album):
    listed(tmp_path, album)
    (album / "02.webm").unlink()
    (album / "02.webm").symlink_to(tmp_path / "nowhere")
    listing = listed(tmp_path, album)
    assert len(listing.tracks) == len(AUDIO_SUFFIXES) - 1
    assert "02.webm cannot be read" in listing.problems[0]
    with pytest.raises(SourceError, match=r"02\.webm cannot be read"):
        local_listing(album / "02.webm", None, FileHashes(Corpus(tmp_path)))


def test_single_file_is_cached(tmp_path, album, monkeypatch):
    path = album / "00.mp3"
    key = listed(tmp_path, path).tracks[0].key
    monkeypatch.setattr(hashlib, "file_digest", None)
    assert listed(tmp_path, path).tracks[0].key == key


def test_file_name_that_is_not_valid_text_is_not_cached(tmp_path):
    path = tmp_path / os.fsdecode(b"\xff.flac")
    path.write_bytes(b"x")
    with pytest.raises(SourceError, match="not valid UTF-8"):
        listed(tmp_path / "home", path)
    assert not (tmp_path / "home").exists()
