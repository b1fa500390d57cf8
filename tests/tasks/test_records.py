from __future__ import annotations

from datetime import UTC, datetime

import pytest

from songform.corpus import Corpus
from songform.errors import FAILURE_CLASSES, AudioError, CorpusError, TrackError
from songform.sources import Track
from tasks.progress import Event, announce, listening
from tasks.records import is_settled, record_done, record_failure

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


def test_a_done_track_is_written_down_with_all_that_was_measured(corpus):
    features = written(corpus, corpus.features_path("c", TRACK.key), 12)
    record = done(corpus, features)
    assert corpus.record(TRACK.key) == record
    assert (record.status, record.error, record.attempts) == ("done", None, 0)
    assert (record.title, record.source, record.entry) == (TRACK.title, TRACK.source, TRACK.entry)
    assert record.duration == 179.5  # as measured, not as announced
    assert (record.audio_sha256, record.decoder) == ("ab" * 32, "soundfile")
    assert record.files == {"features/c/feed-0.parquet": 12}
    assert corpus.holds(record, features)
    when = datetime.fromisoformat(record.updated_at)
    assert when.utcoffset().total_seconds() == 0
    assert abs((datetime.now(UTC) - when).total_seconds()) < 3600


def test_files_of_other_settings_stay_named_and_rewritten_ones_get_their_new_size(corpus):
    old = written(corpus, corpus.features_path("old", TRACK.key), 12)
    new = written(corpus, corpus.features_path("new", TRACK.key), 5)
    done(corpus, old, new)
    written(corpus, new, 7)
    record = done(corpus, new)
    assert record.files == {"features/old/feed-0.parquet": 12, "features/new/feed-0.parquet": 7}
    assert corpus.holds(record, old, new)


def test_failures_are_counted_until_a_success_forgets_them(corpus):
    for attempts in (1, 2, 3):
        record = record_failure(corpus, TRACK, TrackError("the connection was reset", "transient"))
        assert corpus.record(TRACK.key) == record
        assert record.attempts == attempts
        assert record.error.model_dump(by_alias=True) == {"class": "transient", "message": "the connection was reset"}
    assert record_failure(corpus, TRACK, AudioError("it is cut short"), attempted=False).attempts == 3
    assert corpus.record(TRACK.key).error.failure == "permanent"
    assert done(corpus).attempts == 0
    assert corpus.record(TRACK.key).error is None


def test_a_failed_track_still_knows_its_files_and_how_to_be_tried_again(corpus):
    record = record_failure(corpus, TRACK, TrackError("gone"))
    assert Track.model_validate(record.model_dump()) == TRACK
    kept = record.model_copy(update={"files": {"features/old/feed-0.parquet": 12}})
    corpus.save_record(kept)
    assert record_failure(corpus, TRACK, TrackError("gone")).files == kept.files


def test_a_failed_refresh_takes_nothing_away_but_is_told(corpus):
    record = done(corpus)
    failure = record_failure(corpus, TRACK, TrackError("offline", "transient"))
    assert (failure.error.message, failure.attempts) == ("offline", 1)
    assert corpus.record(TRACK.key) == failure
    kept = {name: getattr(failure, name) for name in ("status", "files", "duration", "audio_sha256")}
    assert kept == {name: getattr(record, name) for name in kept}
    assert done(corpus).error is None


def test_a_failure_upon_a_record_that_cannot_be_read_says_so(corpus):
    corpus.record_path(TRACK.key).write_text("{")
    with pytest.raises(CorpusError, match="cannot be read"):
        record_failure(corpus, TRACK, TrackError("offline", "transient"))


@pytest.mark.parametrize("failure", FAILURE_CLASSES)
def test_only_failures_that_no_repetition_changes_are_settled(corpus, failure):
    record = record_failure(corpus, TRACK, TrackError("it failed", failure))
    assert is_settled(record) == (failure in {"permanent", "needs-you"})


def test_a_done_track_is_not_settled(corpus):
    assert not is_settled(done(corpus))


def test_events_reach_the_innermost_listener_and_none_after_the_block():
    outer, inner = [], []
    announce("features", 0)
    with listening(outer.append):
        announce("features", 1, 2, "So What")
        with listening(inner.append):
            announce("training", 3)
        announce("features", 2, 2)
    announce("features", 3)
    assert outer == [Event("features", 1, 2, "So What"), Event("features", 2, 2, "")]
    assert inner == [Event("training", 3, None, "")]


def test_a_listener_is_gone_even_after_an_error():
    heard = []

    def failing():
        with listening(heard.append):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        failing()
    announce("features", 1)
    assert heard == []
