"""Tests that each track is processed by one process, and that a crashed process fails only its own track."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections import Counter

import pytest
import soundfile

import flows.demo
import tasks.ingest.extract_tracks
from flows.ingest import WITH_FAILURES, ingest, report_of
from tasks.store.corpus import Corpus

PATIENCE = 120.0
N_TRACKS = 3


@pytest.fixture
def feed(songs, tmp_path, monkeypatch):
    """Serve songs only after the feed was requested twice; yield its address and the list of requested paths."""
    asked, both = [], threading.Event()

    class Waiting(flows.demo._SilentHandler):
        def send_head(self):
            asked.append(self.path)
            if asked.count("/feed.rss") == 2:
                both.set()
            if self.path != "/feed.rss":
                both.wait(PATIENCE)
            return super().send_head()

    monkeypatch.setattr(flows.demo, "_SilentHandler", Waiting)
    (tmp_path / "feed").mkdir()
    with flows.demo.served_feed(tmp_path / "feed", songs[:N_TRACKS], 0) as url:
        yield url, asked


@pytest.mark.usefixtures("api")
def test_two_simultaneous_ingests_process_each_track_once(feed, tmp_path):
    (url, asked), home = feed, tmp_path / "home"
    line = [sys.executable, "-m", "flows.cli", "--home", str(home), "--json", "ingest", url]
    both = [
        subprocess.Popen(line, env=os.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in "12"
    ]
    for process in both:
        said, complaints = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, complaints
        assert {track["status"] for track in json.loads(said)["tracks"]} <= {"done", "cached"}
        assert len(json.loads(said)["tracks"]) == N_TRACKS
    # yt-dlp requests the beginning of a file before it downloads it.
    assert Counter(asked) == {"/feed.rss": 2, **{f"/{number}.flac": 2 for number in range(N_TRACKS)}}
    assert [record.status for record in Corpus(home).records()] == ["done"] * N_TRACKS
    assert list((home / "data" / "claims").iterdir()) == []
    assert [path for path in (home / "data" / "incoming").rglob("*") if path.is_file()] == []


@pytest.mark.usefixtures("api")
def test_crashing_decoder_fails_only_its_own_track(songs, quick, tmp_path, monkeypatch):
    """The worker process is killed by a replacement of ffmpeg."""
    folder, home, stub = tmp_path / "songs", tmp_path / "home", tmp_path / "ffmpeg"
    folder.mkdir()
    for name, song in zip("ac", songs, strict=False):
        soundfile.write(folder / f"{name}.flac", song.y, song.sr, subtype="PCM_16")
    (folder / "b.flac").write_bytes(b"not for libsndfile")
    stub.write_text("#!/bin/sh\nkill -SEGV $PPID\n")
    stub.chmod(0o755)
    monkeypatch.setattr(tasks.ingest.extract_tracks, "find_ffmpeg", lambda: str(stub))
    state = ingest(home, [str(folder)], quick, return_state=True)
    assert state.name == WITH_FAILURES
    tracks = report_of(state).tracks
    assert [(track["title"], track["status"]) for track in tracks] == [("a", "done"), ("b", "failed"), ("c", "done")]
    assert tracks[1]["error"]["class"] == "bug"
    assert tracks[1]["error"]["message"].startswith("the decoder crashed (signal 11) on b.flac")
