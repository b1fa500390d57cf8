"""Sonification: the original audio with clicks and tones, written once."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from songform.output.sonification import sonified
from songform.structure.segments import Segment
from tasks.report.sonification import sonify_tracks
from tasks.store.corpus import Corpus


@pytest.fixture
def home(extracted, tmp_path):
    shutil.copytree(extracted / "data", tmp_path / "data")
    return tmp_path


@pytest.fixture
def record(home):
    return Corpus(home).records()[0]


def report(home, record, middle=7.0):
    segments = [
        {"start": 0.0, "end": middle, "state": "Calm", "confidence": 0.5},
        {"start": middle, "end": record.duration, "state": "Energetic", "confidence": 0.5},
    ]
    path = home / "out" / f"{record.key}.json"
    return {"track": {"key": record.key, "title": record.title}, "segments": segments, "path": str(path)}


def test_local_song_is_sonified_at_its_own_sampling_rate(home, record, quick):
    given = report(home, record)
    (made,), problems = sonify_tracks.fn(home, [given], quick)
    assert problems == []
    assert made == {**given, "sonified": str(home / "out" / f"{record.key}.sonified.flac")}
    y, sr = soundfile.read(made["sonified"], dtype="float32")
    song, song_sr = soundfile.read(record.path, dtype="float32")
    assert sr == song_sr
    expected = sonified(song, sr, [Segment(**segment) for segment in given["segments"]])
    assert y.shape == expected.shape
    assert np.abs(y - expected).max() < 2 / 32768


def test_sonification_is_made_again_only_if_segments_change_or_it_is_damaged(home, record, quick):
    (made,), _ = sonify_tracks.fn(home, [report(home, record)], quick)
    path = Path(made["sonified"])
    before = path.stat().st_mtime_ns
    sonify_tracks.fn(home, [report(home, record)], quick)
    assert path.stat().st_mtime_ns == before
    sonify_tracks.fn(home, [report(home, record, middle=8.0)], quick)
    assert path.stat().st_mtime_ns != before
    path.write_bytes(b"no sound")
    sonify_tracks.fn(home, [report(home, record)], quick)
    assert soundfile.info(path).duration == pytest.approx(record.duration, abs=0.001)


def test_kept_audio_is_sonified_and_missing_audio_is_a_problem(home, record, quick):
    corpus = Corpus(home)
    kept = corpus.audio_path(record.key, suffix=".flac")
    kept.parent.mkdir(parents=True)
    shutil.copy(record.path, kept)
    corpus.save_record(record.model_copy(update={"path": None}))
    (made,), problems = sonify_tracks.fn(home, [report(home, record)], quick)
    assert problems == []
    Path(made["sonified"]).unlink()
    kept.unlink()
    (silent,), (problem,) = sonify_tracks.fn(home, [report(home, record)], quick)
    assert "sonified" not in silent
    assert problem.startswith(f"{record.title} cannot be sonified: ")
    assert re.search(rf"not kept; delete .*{record.key}\.json", problem)
    assert "--set audio.keep=true" in problem
    assert not list((home / "out").iterdir())


def test_missing_or_changed_file_does_not_stop_the_other_songs(home, quick):
    corpus = Corpus(home)
    gone, changed, good = corpus.records()[:3]
    corpus.save_record(gone.model_copy(update={"path": "/nowhere/song.flac"}))
    corpus.save_record(changed.model_copy(update={"path": good.path}))
    reports, problems = sonify_tracks.fn(home, [report(home, record) for record in (gone, changed, good)], quick)
    assert ["sonified" in each for each in reports] == [False, False, True]
    assert re.search(r"\bno\b.* /nowhere/song\.flac", problems[0])
    assert re.search(rf"{re.escape(good.path)} was changed .*; ingest it again", problems[1])
    assert [path.name for path in (home / "out").iterdir()] == [f"{good.key}.sonified.flac"]
