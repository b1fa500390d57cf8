"""Tests that a failed extraction with other settings keeps the existing tables."""

from __future__ import annotations

import shutil

import pytest

from flows.ingest import NothingDoneError, ingest
from songform.errors import TrackError
from tasks.ingest.track_outcomes import record_failure
from tasks.store.corpus import Corpus


@pytest.fixture
def home(extracted, tmp_path):
    for name in ("tracks", "features", "overview"):
        shutil.copytree(extracted / "data" / name, tmp_path / "data" / name)
    return tmp_path


def test_track_with_tables_is_cached_after_a_failed_refresh(api, home, audio_files, quick):
    corpus = Corpus(home)
    (key,) = (record.key for record in corpus.records() if record.title == audio_files[0].stem)
    record_failure(corpus, corpus.record(key), TrackError("offline", "transient"))
    (track,) = ingest(home, [str(audio_files[0])], quick).tracks
    assert (track["status"], track["error"]) == ("cached", None)


def test_failed_refresh_is_reported(api, home, audio_files, quick, monkeypatch):
    def refuse(function, jobs, *, workers, seconds):
        yield from ((number, TrackError("it cannot be described so", "permanent")) for number in range(len(jobs)))

    monkeypatch.setattr("tasks.ingest.extract_tracks.run_jobs", refuse)
    other = quick.model_copy(update={"features": quick.features.model_copy(update={"n_mfcc": 12})})
    with pytest.raises(
        NothingDoneError, match=r"no track was ingested \(1 failed\): it cannot be described so"
    ) as caught:
        ingest(home, [str(audio_files[0])], other)
    (track,) = caught.value.report.tracks
    assert (track["status"], track["error"]["message"]) == ("failed", "it cannot be described so")
