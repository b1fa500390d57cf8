"""Local sources: files, folders and lists, and messages for invalid sources."""

from __future__ import annotations

import hashlib
import os
import pickle
import subprocess
import sys

import pytest

from songform.errors import ParameterError, SourceError
from tasks.ingest.sources.listing import Listing, problems_message, unique_tracks
from tasks.ingest.sources.resolve_source import is_local_file, list_tracks
from tasks.settings import DownloadSettings

SETTINGS = DownloadSettings()


def listed(source, **options):
    return list_tracks(str(source), settings=SETTINGS, **options)


def test_file_is_one_track_with_the_hash_of_its_content_as_key(song):
    path = song("Blue in Green.flac")
    listing = listed(path)
    (track,) = listing.tracks
    assert track.key == "file-" + hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    assert (track.title, track.source, track.path, track.entry) == ("Blue in Green", str(path), str(path), None)
    assert listing.title == "Blue in Green"


def test_renamed_file_is_the_same_track_and_a_changed_one_is_not(song):
    assert listed(song("a.flac")).tracks[0].key == listed(song("b.flac")).tracks[0].key
    assert listed(song("c.flac", 441.0)).tracks[0].key != listed(song("a.flac")).tracks[0].key


def test_folder_is_listed_in_order_without_hidden_and_other_files(song, tmp_path):
    for number, name in enumerate(["b/2.flac", "a/1.FLAC", "c.flac", ".hidden/x.flac", ".y.flac"]):
        song(f"album/{name}", 300.0 + number)
    (tmp_path / "album" / "notes.txt").write_text("notes")
    (tmp_path / "album" / "d.pdf").write_bytes(b"%PDF")
    listing = listed(tmp_path / "album")
    assert [os.path.relpath(track.path, tmp_path / "album") for track in listing.tracks] == [
        "a/1.FLAC",
        "b/2.flac",
        "c.flac",
    ]
    assert listing.title == "album"
    assert listing.problems == ()
    (note,) = listing.notes
    assert "2 files that are not audio were skipped" in note


def test_copies_in_a_folder_are_one_track_with_a_note(song, tmp_path):
    song("album/1.flac")
    song("album/2.flac")
    song("album/3.flac", 500.0)
    listing, album = listed(tmp_path / "album"), tmp_path / "album"
    assert [track.title for track in listing.tracks] == ["1", "3"]
    (note,) = listing.notes
    assert "ingested once" in note
    assert note.endswith(f": {album / '2.flac'} is a copy of {album / '1.flac'}")


def test_copies_in_a_list_give_a_note_but_not_a_file_listed_twice(song, tmp_path):
    song("a.flac"), song("b.flac")
    names = tmp_path / "names.txt"
    names.write_text("a.flac\na.flac\nb.flac\n")
    (note,) = listed(names).notes
    assert note.endswith(f": {tmp_path / 'b.flac'} is a copy of {tmp_path / 'a.flac'}")
    names.write_text("a.flac\na.flac\n")
    assert listed(names).notes == ()


def test_note_names_some_copies_and_counts_the_rest(song, tmp_path):
    for number in range(9):
        song(f"album/{number}.flac")
    (note,) = listed(tmp_path / "album").notes
    assert note.count("is a copy of") == 5
    assert note.endswith("; and 3 more such files")


def test_files_beyond_the_limit_are_not_read(song, tmp_path):
    for number in range(3):
        song(f"album/{number}.flac", 300.0 + number)
    (tmp_path / "album" / "2.flac").unlink()
    (tmp_path / "album" / "2.flac").symlink_to(tmp_path / "nowhere")
    listing = listed(tmp_path / "album", limit=2)
    assert [track.title for track in listing.tracks] == ["0", "1"]
    assert listing.problems == ()


def test_unreadable_file_of_a_folder_does_not_affect_the_others(song, tmp_path):
    song("album/1.flac")
    (tmp_path / "album" / "2.flac").symlink_to(tmp_path / "nowhere")
    listing = listed(tmp_path / "album")
    assert [track.title for track in listing.tracks] == ["1"]
    assert len(listing.problems) == 1
    assert "2.flac cannot be read" in listing.problems[0]


def test_file_name_that_is_not_valid_text_is_a_problem(song, tmp_path):
    song("album/1.flac")
    (tmp_path / "album" / os.fsdecode(b"\xff.flac")).write_bytes(b"x")
    listing = listed(tmp_path / "album")
    assert [track.title for track in listing.tracks] == ["1"]
    assert "not valid UTF-8" in listing.problems[0]
    listing.problems[0].encode()


def test_folder_with_a_link_to_itself_is_listed_once(song, tmp_path):
    song("album/1.flac")
    (tmp_path / "album" / "again").symlink_to(tmp_path / "album")
    assert len(listed(tmp_path / "album").tracks) == 1


def test_paths_in_a_list_are_relative_to_it_and_comments_are_ignored(song, tmp_path, monkeypatch):
    song("music/a.flac", 300.0)
    song("music/more/b.flac", 301.0)
    song("elsewhere.flac", 302.0)
    names = tmp_path / "music" / "names.m3u8"
    names.write_text(
        f"\ufeff#EXTM3U\r\n\r\n  a.flac  \r\n# b\r\nmore\r\n{tmp_path / 'elsewhere.flac'}\r\na.flac\r\n", "utf-8"
    )
    monkeypatch.chdir("/")
    listing = listed(names)
    assert [track.title for track in listing.tracks] == ["a", "b", "elsewhere"]
    assert listing.title == "names"
    assert [track.title for track in listed(names, limit=2).tracks] == ["a", "b"]


def test_failed_line_of_a_list_is_reported_with_its_number_and_the_others_are_listed(song, tmp_path):
    song("a.flac")
    names = tmp_path / "names.txt"
    names.write_text("# mine\nb.flac\na.flac\nftp://host/c.flac\n" + "long " * 100 + "\n\x00\n")
    listing = listed(names)
    assert [track.title for track in listing.tracks] == ["a"]
    assert len(listing.problems) == 4
    assert listing.problems[0].startswith(f"{names}, line 2: {tmp_path / 'b.flac'} does not exist")
    assert listing.problems[1].startswith(f"{names}, line 4: ftp://host/c.flac begins with ftp://")


def test_list_with_only_failed_lines_is_an_error_that_names_each(tmp_path):
    names = tmp_path / "names.txt"
    names.write_text("b.flac\nc.flac\n")
    with pytest.raises(SourceError, match=r"line 1: .*b\.flac does not exist.*\n- .*line 2: .*c\.flac does not"):
        listed(names)


def test_lists_that_contain_each_other_are_read_once(song, tmp_path):
    song("a.flac")
    (tmp_path / "one.txt").write_text("two.txt\none.txt\n")
    (tmp_path / "two.txt").write_text("one.txt\na.flac\n")
    listing = listed(tmp_path / "one.txt")
    assert [track.title for track in listing.tracks] == ["a"]
    assert listing.problems == ()


def test_latin_1_list_is_read(song, tmp_path):
    song("Für Elise.flac")
    (tmp_path / "old.m3u").write_bytes("Für Elise.flac\n".encode("latin-1"))
    assert listed(tmp_path / "old.m3u").tracks[0].title == "Für Elise"


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("", "source is an empty string; give an address"),
        ("nowhere.flac", "nowhere.flac does not exist; check its spelling"),
        ("albun", "albun does not exist; did you mean .*album"),
        ("album/sogn.flac", "did you mean .*album/song.flac"),
        ("album/Song.wav", "did you mean .*album/song.flac"),
        ("album/ring.flac", "ring.flac does not exist; check its spelling"),
        ("album/nothing.flac", "nothing.flac does not exist; check its spelling"),
        ("www.youtube.com/watch?v=x", "begin it with https://"),
        ("foo://x", "begins with foo://"),
        ("ytsearch:blue", "does not exist"),
        ("x" * 300, "cannot be read"),
        ("empty", "contains no tracks"),
        ("empty.txt", "contains no tracks"),
        ("score.pdf", "neither a folder, a list .* nor a file with audio that ffmpeg decodes; .*convert it"),
        ("album/song.flac/more", "does not exist"),
        ("pipe.flac", "neither a folder"),
    ],
)
def test_invalid_source_is_reported_in_one_sentence(source, words, song, tmp_path, monkeypatch):
    song("album/song.flac")
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty.txt").write_text("# nothing\n")
    (tmp_path / "score.pdf").write_bytes(b"%PDF")
    os.mkfifo(tmp_path / "pipe.flac")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SourceError, match=words) as caught:
        listed(source)
    assert "\n" not in str(caught.value)


def test_limit_below_one_is_an_error(song):
    with pytest.raises(ParameterError, match="limit must be a positive number of tracks, not 0"):
        listed(song("a.flac"), limit=0)


def test_listing_is_picklable(song):
    listing = listed(song("a.flac"))
    assert pickle.loads(pickle.dumps(listing)) == listing


def test_no_more_tracks_than_the_limit_are_consumed(song):
    (track,) = listed(song("a.flac")).tracks
    endless = iter(lambda: track, None)
    assert unique_tracks([track, track]) == (track,)
    assert unique_tracks(endless, 1) == (track,)
    assert Listing("t", (track,)).require_tracks("t").tracks == (track,)


def test_slow_imports_are_deferred():
    """`songform --help` must not import yt-dlp, and functions that do not use Prefect must not import it."""
    names = ("sources.resolve_source", "fetch.download", "failures.classify", "ffmpeg")
    modules = ", ".join(f"tasks.ingest.{name}" for name in names)
    slow = "{'yt_dlp', 'prefect', 'mlflow', 'librosa'} & set(sys.modules)"
    command = [sys.executable, "-c", f"import sys, {modules}; print({slow})"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "set()\n"


def test_pipe_in_a_folder_is_a_problem_and_does_not_block(tmp_path):
    os.mkfifo(tmp_path / "pipe.wav")
    (tmp_path / "song.wav").write_bytes(b"RIFF")
    listing = list_tracks(str(tmp_path), settings=DownloadSettings())
    assert [track.title for track in listing.tracks] == ["song"]
    assert "pipe.wav is a pipe or a device" in listing.problems[0]
    assert "move it out" in listing.problems[0]


def test_unknown_user_name_is_reported_in_one_sentence():
    with pytest.raises(SourceError, match=r"^~nobody-of-that-name/x\.wav .*unknown user.*check its spelling"):
        list_tracks("~nobody-of-that-name/x.wav", settings=DownloadSettings())


def test_message_lists_a_limited_number_of_reasons():
    assert problems_message("nothing", ["a", "a"]) == "a"
    assert problems_message("nothing", ["a", "b", "a"]) == "nothing:\n- a\n- b"
    assert problems_message("nothing", ["a", problems_message("of b", "cd")]) == "nothing:\n- a\n- of b:\n  - c\n  - d"
    lines = problems_message("nothing", map(str, range(10_000))).splitlines()
    assert lines[:2] == ["nothing:", "- 0"]
    assert lines[-2:] == ["- 19", "- and 9980 more such problems"]


def test_only_existing_files_that_are_not_lists_are_local_files(song, tmp_path, monkeypatch):
    path = song("Blue in Green.flac")
    for name in ("list.txt", "feed.RSS", "album.m3u"):
        (path.parent / name).touch()
    monkeypatch.chdir(path.parent)
    assert is_local_file(str(path))
    assert is_local_file(" Blue in Green.flac ")
    for source in ("list.txt", "feed.RSS", "album.m3u", "missing.flac", ".", "", "~nobody-by-this-name/a.flac"):
        assert not is_local_file(source)
    assert not is_local_file("https://a.example/a.flac")
    assert not is_local_file(path.as_uri())
