"""Sources on this machine: files, folders, lists; and what is said of those that are none."""

from __future__ import annotations

import hashlib
import os
import pickle
import subprocess
import sys

import pytest

from songform.errors import ParameterError, SourceError
from tasks.ingest.sources.listing import Listing, problems_message, unique_tracks
from tasks.ingest.sources.resolve_source import list_tracks
from tasks.settings import DownloadSettings

SETTINGS = DownloadSettings()


def listed(source, **options):
    return list_tracks(str(source), settings=SETTINGS, **options)


def test_a_file_is_one_track_named_by_its_content(song):
    path = song("Blue in Green.flac")
    listing = listed(path)
    (track,) = listing.tracks
    assert track.key == "file-" + hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    assert (track.title, track.source, track.path, track.entry) == ("Blue in Green", str(path), str(path), None)
    assert listing.title == "Blue in Green"


def test_a_renamed_file_is_the_same_track_and_a_changed_one_is_not(song):
    assert listed(song("a.flac")).tracks[0].key == listed(song("b.flac")).tracks[0].key
    assert listed(song("c.flac", 441.0)).tracks[0].key != listed(song("a.flac")).tracks[0].key


def test_a_folder_is_listed_with_its_subfolders_in_order_without_what_is_hidden_or_no_audio(song, tmp_path):
    for number, name in enumerate(
        ["b/2.flac", "a/1.FLAC", "c.flac", ".hidden/x.flac", ".y.flac", "notes.txt", "d.pdf"]
    ):
        song(f"album/{name}", 300.0 + number)
    listing = listed(tmp_path / "album")
    assert [os.path.relpath(track.path, tmp_path / "album") for track in listing.tracks] == [
        "a/1.FLAC",
        "b/2.flac",
        "c.flac",
    ]
    assert listing.title == "album"
    assert listing.problems == ()


def test_copies_in_a_folder_are_one_track_and_told(song, tmp_path):
    song("album/1.flac")
    song("album/2.flac")
    song("album/3.flac", 500.0)
    listing, album = listed(tmp_path / "album"), tmp_path / "album"
    assert [track.title for track in listing.tracks] == ["1", "3"]
    (note,) = listing.notes
    assert note == f"the same content is one track, taken once: {album / '2.flac'} holds the same as {album / '1.flac'}"


def test_copies_that_a_list_names_are_told_but_not_a_file_that_it_names_twice(song, tmp_path):
    song("a.flac"), song("b.flac")
    names = tmp_path / "names.txt"
    names.write_text("a.flac\na.flac\nb.flac\n")
    (note,) = listed(names).notes
    assert note.endswith(f": {tmp_path / 'b.flac'} holds the same as {tmp_path / 'a.flac'}")
    names.write_text("a.flac\na.flac\n")
    assert listed(names).notes == ()


def test_of_many_copies_some_are_named_and_the_rest_counted(song, tmp_path):
    for number in range(9):
        song(f"album/{number}.flac")
    (note,) = listed(tmp_path / "album").notes
    assert note.count("holds the same as") == 5
    assert note.endswith("; and 3 more such files")


def test_a_limit_reads_no_file_beyond_it(song, tmp_path):
    for number in range(3):
        song(f"album/{number}.flac", 300.0 + number)
    (tmp_path / "album" / "2.flac").unlink()
    (tmp_path / "album" / "2.flac").symlink_to(tmp_path / "nowhere")
    listing = listed(tmp_path / "album", limit=2)
    assert [track.title for track in listing.tracks] == ["0", "1"]
    assert listing.problems == ()


def test_a_file_of_a_folder_that_cannot_be_read_leaves_the_others_alone(song, tmp_path):
    song("album/1.flac")
    (tmp_path / "album" / "2.flac").symlink_to(tmp_path / "nowhere")
    listing = listed(tmp_path / "album")
    assert [track.title for track in listing.tracks] == ["1"]
    assert len(listing.problems) == 1
    assert "2.flac cannot be read" in listing.problems[0]


def test_a_name_that_is_no_text_is_a_problem_because_no_record_could_hold_it(song, tmp_path):
    song("album/1.flac")
    (tmp_path / "album" / os.fsdecode(b"\xff.flac")).write_bytes(b"x")
    listing = listed(tmp_path / "album")
    assert [track.title for track in listing.tracks] == ["1"]
    assert "not valid UTF-8" in listing.problems[0]
    listing.problems[0].encode()


def test_a_folder_that_links_to_itself_ends(song, tmp_path):
    song("album/1.flac")
    (tmp_path / "album" / "again").symlink_to(tmp_path / "album")
    assert len(listed(tmp_path / "album").tracks) == 1


def test_a_list_names_sources_relative_to_itself_with_comments_and_blank_lines(song, tmp_path, monkeypatch):
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


def test_a_line_that_fails_is_told_with_file_and_number_and_the_others_go_on(song, tmp_path):
    song("a.flac")
    names = tmp_path / "names.txt"
    names.write_text("# mine\nb.flac\na.flac\nftp://host/c.flac\n" + "long " * 100 + "\n\x00\n")
    listing = listed(names)
    assert [track.title for track in listing.tracks] == ["a"]
    assert len(listing.problems) == 4
    assert listing.problems[0].startswith(f"{names}, line 2: {tmp_path / 'b.flac'} does not exist")
    assert listing.problems[1].startswith(f"{names}, line 4: ftp://host/c.flac begins with ftp://")


def test_a_list_of_nothing_but_failures_is_an_error_that_names_each(tmp_path):
    names = tmp_path / "names.txt"
    names.write_text("b.flac\nc.flac\n")
    with pytest.raises(SourceError, match=r"line 1: .*b\.flac does not exist.*\n- .*line 2: .*c\.flac does not"):
        listed(names)


def test_lists_that_name_each_other_end(song, tmp_path):
    song("a.flac")
    (tmp_path / "one.txt").write_text("two.txt\none.txt\n")
    (tmp_path / "two.txt").write_text("one.txt\na.flac\n")
    listing = listed(tmp_path / "one.txt")
    assert [track.title for track in listing.tracks] == ["a"]
    assert listing.problems == ()


def test_a_list_written_before_unicode_is_read(song, tmp_path):
    song("Für Elise.flac")
    (tmp_path / "old.m3u").write_bytes("Für Elise.flac\n".encode("latin-1"))
    assert listed(tmp_path / "old.m3u").tracks[0].title == "Für Elise"


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("", "source is empty"),
        ("nowhere.flac", "nowhere.flac does not exist; check its spelling"),
        ("albun", "albun does not exist; did you mean .*album"),
        ("www.youtube.com/watch?v=x", "begin it with https://"),
        ("foo://x", "begins with foo://"),
        ("ytsearch:blue", "does not exist"),
        ("x" * 300, "cannot be read"),
        ("empty", "holds no tracks"),
        ("empty.txt", "holds no tracks"),
        ("score.pdf", "neither a folder, a list .* nor a file with a suffix of audio"),
        ("album/song.flac/more", "does not exist"),
        ("pipe.flac", "neither a folder"),
    ],
)
def test_a_source_that_is_none_is_told_in_one_sentence(source, words, song, tmp_path, monkeypatch):
    song("album/song.flac")
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty.txt").write_text("# nothing\n")
    (tmp_path / "score.pdf").write_bytes(b"%PDF")
    os.mkfifo(tmp_path / "pipe.flac")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SourceError, match=words) as caught:
        listed(source)
    assert "\n" not in str(caught.value)


def test_a_limit_below_one_is_a_wrong_argument(song):
    with pytest.raises(ParameterError, match="limit must be a positive number of tracks, not 0"):
        listed(song("a.flac"), limit=0)


def test_a_listing_travels_between_processes(song):
    listing = listed(song("a.flac"))
    assert pickle.loads(pickle.dumps(listing)) == listing


def test_no_more_tracks_are_asked_for_than_the_limit(song):
    (track,) = listed(song("a.flac")).tracks
    endless = iter(lambda: track, None)
    assert unique_tracks([track, track]) == (track,)
    assert unique_tracks(endless, 1) == (track,)
    assert Listing("t", (track,)).require_tracks("t").tracks == (track,)


def test_what_is_dear_to_import_is_not_imported_before_it_is_needed():
    """`songform --help` must not wait for yt-dlp, and a function without Prefect must not need it."""
    names = ("sources.resolve_source", "fetch.download", "failures.classify", "ffmpeg")
    modules = ", ".join(f"tasks.ingest.{name}" for name in names)
    dear = "{'yt_dlp', 'prefect', 'mlflow', 'librosa'} & set(sys.modules)"
    command = [sys.executable, "-c", f"import sys, {modules}; print({dear})"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "set()\n"


def test_a_pipe_in_a_folder_is_a_problem_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.wav")
    (tmp_path / "song.wav").write_bytes(b"RIFF")
    listing = list_tracks(str(tmp_path), settings=DownloadSettings())
    assert [track.title for track in listing.tracks] == ["song"]
    assert "pipe.wav is no file but a pipe or device" in listing.problems[0]


def test_the_home_of_nobody_is_one_sentence():
    with pytest.raises(SourceError, match="names the home of a user whom this machine does not know"):
        list_tracks("~nobody-of-that-name/x.wav", settings=DownloadSettings())


def test_reasons_are_told_one_by_one_but_not_by_the_thousand():
    assert problems_message("nothing", ["a", "a"]) == "a"
    assert problems_message("nothing", ["a", "b", "a"]) == "nothing:\n- a\n- b"
    assert problems_message("nothing", ["a", problems_message("of b", "cd")]) == "nothing:\n- a\n- of b:\n  - c\n  - d"
    lines = problems_message("nothing", map(str, range(10_000))).splitlines()
    assert lines[:2] == ["nothing:", "- 0"]
    assert lines[-2:] == ["- 19", "- and 9980 more such problems"]
