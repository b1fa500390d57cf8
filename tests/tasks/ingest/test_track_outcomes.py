"""Records of the outcomes of tracks, and progress events."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
import soundfile

from songform.audio.stream import open_audio
from songform.errors import AudioError, CorpusError, TrackError
from tasks.ingest.failures.rules import STATUS_EXPLANATIONS
from tasks.ingest.fetch.audio_length import no_audio_error
from tasks.ingest.track_outcomes import record_done, record_failure, record_skipped, unwritten_record
from tasks.progress import ProgressEvent, announce, listening
from tasks.settings import DownloadSettings
from tasks.store.corpus import Corpus
from tasks.store.tracks import Track

TRACK = Track(
    key="feed-0", title="Là-bas", source="https://a.example/1.mp3", duration=180.0, entry={"url": "https://a.example"}
)


@pytest.fixture
def corpus(tmp_path):
    corpus = Corpus(tmp_path)
    corpus.prepare()
    return corpus


def written(corpus, path, size):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(size))
    return path


def done(corpus, *files, **more):
    return record_done(
        corpus, TRACK, **{"duration": 179.5, "sha256": "ab" * 32, "decoder": "soundfile", "files": list(files)} | more
    )


def test_done_track_is_recorded_with_all_measured_values(corpus):
    features = written(corpus, corpus.features_path("c", TRACK.key), 12)
    record = done(corpus, features)
    assert corpus.record(TRACK.key) == record
    assert (record.status, record.error, record.attempts) == ("done", None, 0)
    assert (record.title, record.source, record.entry) == (TRACK.title, TRACK.source, TRACK.entry)
    assert record.duration == 179.5  # measured, not announced
    assert (record.audio_sha256, record.decoder) == ("ab" * 32, "soundfile")
    assert record.files == {"features/c/feed-0.parquet": 12}
    assert corpus.has_files(record, *record.files)
    when = datetime.fromisoformat(record.updated_at)
    assert when.utcoffset().total_seconds() == 0
    assert abs((datetime.now(UTC) - when).total_seconds()) < 3600


def test_files_of_other_settings_stay_listed_and_sizes_are_updated(corpus):
    old = written(corpus, corpus.features_path("old", TRACK.key), 12)
    new = written(corpus, corpus.features_path("new", TRACK.key), 5)
    done(corpus, old, new)
    written(corpus, new, 7)
    record = done(corpus, new)
    assert record.files == {"features/old/feed-0.parquet": 12, "features/new/feed-0.parquet": 7}
    assert corpus.has_files(record, *record.files)


def test_attempts_are_counted_until_a_success(corpus):
    for attempts in (1, 2, 3):
        record = record_failure(corpus, TRACK, TrackError("the connection was reset", "transient"))
        assert corpus.record(TRACK.key) == record
        assert record.attempts == attempts
        assert record.error.model_dump(by_alias=True) == {"class": "transient", "message": "the connection was reset"}
    assert record_failure(corpus, TRACK, AudioError("it is cut short"), attempted=False).attempts == 3
    assert corpus.record(TRACK.key).error.failure == "permanent"
    assert done(corpus).attempts == 0
    assert corpus.record(TRACK.key).error is None


def test_failed_track_keeps_its_files_and_its_entry(corpus):
    record = record_failure(corpus, TRACK, TrackError("gone"))
    assert Track.model_validate(record.model_dump()) == TRACK
    kept = record.model_copy(update={"files": {"features/old/feed-0.parquet": 12}})
    corpus.save_record(kept)
    assert record_failure(corpus, TRACK, TrackError("gone")).files == kept.files


def test_failed_refresh_keeps_the_files_and_records_the_error(corpus):
    record = done(corpus)
    failure = record_failure(corpus, TRACK, TrackError("offline", "transient"))
    assert (failure.error.message, failure.attempts) == ("offline", 1)
    assert corpus.record(TRACK.key) == failure
    kept = {name: getattr(failure, name) for name in ("status", "files", "duration", "audio_sha256")}
    assert kept == {name: getattr(record, name) for name in kept}
    assert done(corpus).error is None


def test_unreadable_record_is_an_error(corpus):
    corpus.record_path(TRACK.key).write_text("{")
    with pytest.raises(CorpusError, match="cannot be read"):
        record_failure(corpus, TRACK, TrackError("offline", "transient"))


NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
SETTINGS = DownloadSettings(retry_seconds=5.0)


def cut(measured):
    return AudioError(f"So What is cut short: {measured:.1f} s came", "transient", measured=measured)


def test_retry_time_is_recorded_and_cleared_by_a_success(corpus):
    waits = []
    for _ in range(3):
        record = record_failure(corpus, TRACK, TrackError("a reset", "transient"), settings=SETTINGS, now=NOW)
        assert record.updated_at == "2026-11-22T12:00:00+00:00"
        waits.append((datetime.fromisoformat(record.next_retry_at) - NOW).total_seconds())
    assert waits == [10.0, 20.0, 40.0]
    assert done(corpus).next_retry_at is None
    record_failure(corpus, TRACK, TrackError("a reset", "transient"), now=NOW)
    record = record_failure(corpus, TRACK, TrackError("gone", "permanent"), now=NOW)
    assert (record.attempts, record.next_retry_at) == (2, None)


def test_times_are_recorded_in_utc(corpus):
    now = NOW.astimezone(timezone(timedelta(hours=5)))
    record = record_failure(corpus, TRACK, TrackError("broken", "bug"), now=now)
    assert record.next_retry_at == "2026-11-23T12:00:00+00:00"


def test_same_short_length_in_two_ingests_is_permanent(corpus):
    for first_attempt in (True, False, False):  # attempts of one ingest
        record = record_failure(corpus, TRACK, cut(9.5), first_attempt=first_attempt)
        assert (record.error.failure, record.measured) == ("transient", 9.5)
    record = record_failure(corpus, TRACK, TrackError("offline", "transient"))  # independent of the file
    assert (record.error.failure, record.measured) == ("transient", 9.5)
    record = record_failure(corpus, TRACK, cut(9.53))
    assert (record.error.failure, record.next_retry_at) == ("permanent", None)
    assert record.error.message.endswith("not retried automatically; use --retry-failed.")
    assert record_failure(corpus, TRACK, cut(9.5)).error.failure == "permanent"


def test_varying_short_lengths_stay_transient(corpus):
    for measured in (9.5, 9.6, 9.5):
        record = record_failure(corpus, TRACK, cut(measured))
        assert (record.error.failure, record.measured) == ("transient", measured)
    done(corpus)
    assert record_failure(corpus, TRACK, cut(9.5)).error.failure == "transient"


def test_only_a_repeated_failure_gets_the_class_for_repeated_failures(corpus):
    refusal, reset = TrackError("403.", "transient", repeated="needs-you"), TrackError("403.", "transient")
    assert record_failure(corpus, TRACK, refusal, first_attempt=True).error.failure == "transient"
    assert record_failure(corpus, TRACK, TrackError("404"), first_attempt=False).error.failure == "permanent"
    assert record_failure(corpus, TRACK, refusal, first_attempt=False).error.failure == "transient"
    for first_attempt in (False, True):  # also for an attempt that the user requested
        record = record_failure(corpus, TRACK, refusal, first_attempt=first_attempt)
        assert (record.error.failure, record.next_retry_at) == ("needs-you", None)
        assert record.error.message.startswith("403. ")
        assert record.error.message.count("use --retry-failed.") == 1
    assert record_failure(corpus, TRACK, reset).error.failure == "transient"
    assert record_failure(corpus, TRACK, reset).error.failure == "transient"


def test_track_of_a_paused_host_is_skipped_until_the_pause_ends(corpus):
    until = NOW + timedelta(hours=1)
    record = record_skipped(corpus, TRACK, until=until, reason="a.example rests", now=NOW)
    assert corpus.record(TRACK.key) == record
    assert (record.status, record.attempts, record.next_retry_at) == ("skipped", 0, "2026-11-22T13:00:00+00:00")
    assert record.summary()["error"] == {"class": "throttled", "message": "a.example rests"}
    assert Track.model_validate(record.model_dump()) == TRACK
    later = record_skipped(corpus, TRACK, until=until + timedelta(hours=1), reason="a.example rests", now=NOW)
    assert later.next_retry_at == "2026-11-22T14:00:00+00:00"
    assert record_failure(corpus, TRACK, TrackError("gone")).status == "failed"


def test_record_of_an_earlier_attempt_is_kept_when_the_host_is_paused(corpus):
    for bring_about in (lambda: record_failure(corpus, TRACK, TrackError("gone")), lambda: done(corpus)):
        known = bring_about()
        assert record_skipped(corpus, TRACK, until=NOW, reason="a.example rests") == known
        assert corpus.record(TRACK.key) == known


def test_unwritten_failure_is_returned_as_a_record():
    record = unwritten_record(TRACK, TrackError("the disk is full", "environment"))
    assert (record.key, record.status, record.error.failure) == (TRACK.key, "failed", "environment")


def test_events_reach_only_the_innermost_listener():
    outer, inner = [], []
    announce("features", 0)
    with listening(outer.append):
        announce("features", 1, 2, "So What")
        with listening(inner.append):
            announce("training", 3)
        announce("features", 2, 2)
    announce("features", 3)
    assert outer == [ProgressEvent("features", 1, 2, "So What"), ProgressEvent("features", 2, 2, "")]
    assert inner == [ProgressEvent("training", 3, None, "")]


def test_listener_is_removed_after_an_error():
    heard = []

    def failing():
        with listening(heard.append):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        failing()
    announce("features", 1)
    assert heard == []


@pytest.fixture
def passing(tmp_path):
    """Return failures that are permanent when they are repeated, and their messages without retry advice."""
    broken, short = tmp_path / "broken.wav", tmp_path / "short.ogg"
    broken.write_bytes(bytes(range(256)) * 20)
    soundfile.write(short, 0.1 * np.random.default_rng(0).standard_normal(60 * 22050), 22050)
    short.write_bytes(short.read_bytes()[: short.stat().st_size // 2])
    with pytest.raises(AudioError) as caught, open_audio(short, announced=60.0) as audio:
        list(audio)
    assert str(caught.value).endswith("; fetch it again")
    refused = STATUS_EXPLANATIONS[403]
    return [
        (no_audio_error(broken), "the server sent a file in which ffmpeg finds no audio"),
        (caught.value, str(caught.value).removesuffix("; fetch it again")),
        (
            TrackError(f"{refused.cause}; {refused.fix}", refused.failure, repeated=refused.repeated),
            f"{refused.cause}; {refused.fix}",
        ),
    ]


def test_repeated_failure_has_no_retry_advice(corpus, passing):
    """The first message recommends another attempt; later messages say that there is none."""
    for number, (error, cause) in enumerate(passing):
        track = TRACK.model_copy(update={"key": f"web-{number}"})
        assert record_failure(corpus, track, error).error.message == str(error)
        for _ in range(2):
            message = record_failure(corpus, track, error).error.message
            assert message.startswith(f"{cause}. ")
            assert message.endswith("use --retry-failed.")
            assert not re.search("try again|fetch it again", message)
