"""Recognition of audio by content, in folders and for single files."""

from __future__ import annotations

import os
import random
import subprocess
import sys

import pytest

from songform.errors import SourceError
from tasks.ingest.sources import audio_content, local_files
from tasks.ingest.sources.local_files import FileHashes, local_listing
from tasks.ingest.sources.resolve_source import list_tracks
from tasks.settings import DownloadSettings
from tasks.store.corpus import Corpus


@pytest.fixture
def encode(tmp_path, sound, ffmpeg):
    """Return a function that writes a tone in the format of a suffix, and returns the path of the file."""
    (tmp_path / "tone.wav.bin").write_bytes(sound("WAV", 440.0))

    def encode(name, *options):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        source = ["-i", str(tmp_path / "tone.wav.bin"), *options, str(path)]
        subprocess.run([ffmpeg, "-v", "error", "-y", *source], check=True, stdin=subprocess.DEVNULL)
        return path

    return encode


def listed(path, **options):
    return list_tracks(str(path), settings=DownloadSettings(), **options)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.m4b", ("-f", "ipod")),
        ("a.wv", ()),
        ("a.tta", ()),
        ("a.caf", ()),
        ("a.au", ()),
        ("a.ac3", ()),
        ("a.mp2", ()),
        ("a.mkv", ("-c:a", "flac")),
        ("a.mov", ("-c:a", "aac")),
        ("a.spx.unknown", ("-f", "ogg", "-c:a", "vorbis", "-strict", "-2", "-ac", "2")),
        ("without suffix", ("-f", "flac")),
        ("cover.jpg", ("-f", "mp3")),
    ],
)
def test_audio_is_listed_whatever_its_suffix(name, options, encode):
    path = encode(f"album/{name}", *options)
    for source in (path, path.parent):
        (track,) = listed(source).tracks
        assert track.path == str(path)


def test_other_files_of_a_folder_are_counted_in_a_note(encode, tmp_path):
    encode("album/a.wv")
    album = tmp_path / "album"
    (album / "cover.jpg").write_bytes(b"\xff\xd8\xff\xe0" + bytes(100))
    (album / "back.jpg").write_bytes(b"\xff\xd8\xff\xe0" + bytes(100))
    (album / "list.m3u").write_text("a.wv\n")
    (album / "Für.txt").write_bytes("Für Elise\n".encode("latin-1"))
    (album / "random.bin").write_bytes(random.Random(0).randbytes(100_000))
    (album / "empty").write_bytes(b"")
    (album / "lost.xyz").symlink_to(tmp_path / "nowhere")
    os.mkfifo(album / "pipe")
    found = listed(album)
    assert [track.title for track in found.tracks] == ["a"]
    assert found.problems == ()
    (note,) = found.notes
    assert all(word in note for word in (str(album), "8 files", "not audio", "2 .jpg", "1 .m3u", "2 without a suffix"))


def test_folder_with_only_other_files_is_an_error_that_counts_them(tmp_path):
    (tmp_path / "a.txt").write_text("text")
    with pytest.raises(SourceError, match=r"contains no tracks.*1 file that is not audio was skipped \(1 \.txt\)"):
        listed(tmp_path)


def test_video_without_sound_and_text_are_not_audio(tmp_path, ffmpeg):
    silent = tmp_path / "a.mkv"
    picture = ["-f", "lavfi", "-i", "color=size=16x16:rate=5:duration=1", "-c:v", "mpeg4", str(silent)]
    subprocess.run([ffmpeg, "-v", "error", *picture], check=True, stdin=subprocess.DEVNULL)
    assert not audio_content.is_audio(silent)
    with pytest.raises(SourceError, match="nor a file with audio that ffmpeg decodes"):
        listed(silent)


def test_unchanged_files_that_are_not_audio_are_not_examined_again(encode, tmp_path, monkeypatch):
    encode("album/a.wv")
    (tmp_path / "album" / "b.bin").write_bytes(bytes(1000))
    for path in (tmp_path / "album").iterdir():
        os.utime(path, (1000, 1000))
    for _ in range(2):
        hashes = FileHashes(Corpus(tmp_path / "home"))
        found = local_listing(tmp_path / "album", None, hashes)
        hashes.save()
        assert [track.title for track in found.tracks] == ["a"]
        assert "1 .bin" in found.notes[0]
        monkeypatch.setattr(local_files, "is_audio", None)
    os.utime(tmp_path / "album" / "b.bin", (2000, 2000))
    with pytest.raises(TypeError):
        local_listing(tmp_path / "album", None, FileHashes(Corpus(tmp_path / "home")))


def test_file_that_only_ffmpeg_can_examine_is_a_problem_without_ffmpeg(encode, song, monkeypatch):
    path = encode("album/a.wv")
    song("album/b.flac")
    monkeypatch.setenv("PATH", "")
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    found = listed(path.parent)
    assert [track.title for track in found.tracks] == ["b"]
    (problem,) = found.problems
    assert "a.wv" in problem
    assert "install ffmpeg" in problem
