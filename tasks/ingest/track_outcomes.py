"""Records of the outcome of each track; `tasks.ingest.failures.retries` determines when a failed track is retried."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

from songform.errors import AudioError, CorpusError, TrackError
from tasks.ingest.failures.retries import seconds_until_retry
from tasks.ingest.failures.rules import TRY_AGAIN
from tasks.settings import DownloadSettings
from tasks.store.corpus import Corpus
from tasks.store.tracks import Failure, Track, TrackRecord

__all__ = ["record_done", "record_failure", "record_skipped", "unwritten_record", "without_retry_advice"]

_SAME_SECONDS = 0.05
_NOT_RETRIED = " It failed in the same way before and is not retried automatically; use --retry-failed."
# The advice that ends messages of temporary failures, in `tasks.ingest.failures.rules` and `songform.audio.stream`.
_RETRY_ADVICE = re.compile(rf"[;,] (?:{TRY_AGAIN}|fetch it again)$")


def record_done(
    corpus: Corpus,
    track: Track,
    *,
    duration: float,
    sha256: str,
    decoder: str,
    files: list[Path],
    notes: tuple[str, ...] = (),
) -> TrackRecord:
    """Record that the features of a track were extracted.

    Parameters
    ----------
    corpus : Corpus
        Corpus that holds the record.
    track : Track
        The track.
    duration : float
        Measured length of the track, in seconds.
    sha256 : str
        SHA-256 of the audio file.
    decoder : str
        Name and version of the decoder.
    files : list of Path
        The new files, in `data/`. Files that the record already lists stay listed.
    notes : tuple of str
        What is unusual about the audio file.
    """
    known = corpus.record(track.key)
    sizes = {corpus.relative(path): path.stat().st_size for path in files}
    record = TrackRecord(
        **{**_plain(track), "duration": duration},
        status="done",
        attempts=0,
        updated_at=_written(_now()),
        audio_sha256=sha256,
        decoder=decoder,
        notes=notes,
        copies=known.copies if known else (),
        files={**(known.files if known else {}), **sizes},
    )
    corpus.save_record(record)
    return record


def record_failure(
    corpus: Corpus,
    track: Track,
    error: TrackError,
    *,
    settings: DownloadSettings = DownloadSettings(),  # noqa: B008  frozen
    attempted: bool = True,
    first_attempt: bool = True,
    spent: float | None = None,
    now: datetime | None = None,
) -> TrackRecord:
    """Record that a track failed, the number of attempts, and the time of the next attempt.

    A track that already has features, made with other settings, stays `done` and keeps its files.

    Parameters
    ----------
    corpus : Corpus
        Corpus that holds the record.
    track : Track
        The track.
    error : TrackError
        The failure.
    settings : DownloadSettings
        Settings with the retry delays.
    attempted : bool
        Whether the failure counts as a download attempt.
    first_attempt : bool
        Whether this is the first attempt of the ingest. If its download is as short as that of an earlier ingest, the
        track really has this length, and the failure is permanent.
    spent : float, optional
        Duration of the attempts of this ingest, in seconds.
    now : datetime, optional
        Current time, with its time zone. Default: the system clock.

    Returns
    -------
    TrackRecord
        The record. The class of its error is `error.repeated` if the track failed in the same way before.

    Raises
    ------
    CorpusError
        If the record cannot be written.
    """
    known, now = corpus.record(track.key), now or _now()
    attempts = (known.attempts if known else 0) + int(attempted)
    failure = _failure_to_record(known, error, first_attempt=first_attempt)
    wait = seconds_until_retry(failure.failure, error, attempts=attempts, settings=settings)
    news = {
        "error": failure,
        "attempts": attempts,
        "next_retry_at": None if wait is None else _written(now + timedelta(seconds=wait)),
        "updated_at": _written(now),
        "measured": _measured(error) or (known.measured if known else None),
        "spent": spent,
    }
    if known is not None and known.status == "done":
        record = known.model_copy(update=news)
    else:
        record = TrackRecord(**{**_plain(track), **news}, status="failed", files=known.files if known else {})
    _save(corpus, record)
    return record


def record_skipped(
    corpus: Corpus, track: Track, *, until: datetime, reason: str, now: datetime | None = None
) -> TrackRecord:
    """Record that a track was not downloaded because requests to its host are paused.

    Parameters
    ----------
    corpus : Corpus
        Corpus that holds the record.
    track : Track
        The track. A record of an earlier download attempt is kept, because it contains more information.
    until : datetime
        End of the host's pause, with its time zone.
    reason : str
        Reason for the pause, as a sentence.
    now : datetime, optional
        Current time, with its time zone. Default: the system clock.
    """
    known = corpus.record(track.key)
    if known is not None and known.status != "skipped":
        return known
    record = TrackRecord(
        **_plain(track),
        status="skipped",
        error=Failure(failure="throttled", message=reason),
        next_retry_at=_written(until),
        updated_at=_written(now or _now()),
    )
    _save(corpus, record)
    return record


def without_retry_advice(message: str) -> str:
    """Return a message without its advice on retrying, which does not apply to local files and repeated failures."""
    return _RETRY_ADVICE.sub("", message.removesuffix(_NOT_RETRIED).rstrip("."))


def unwritten_record(track: Track, error: TrackError) -> TrackRecord:
    """Return a record for a failure whose own record could not be written."""
    failure = Failure(failure=error.failure, message=str(error))
    return TrackRecord(**_plain(track), status="failed", error=failure, updated_at=_written(_now()))


def _failure_to_record(known: TrackRecord | None, error: TrackError, *, first_attempt: bool) -> Failure:
    """Return the failure; if the track failed in the same way before, with the class for repeated failures."""
    if error.repeated is None or known is None or not _is_same(known, error, first_attempt=first_attempt):
        return Failure(failure=error.failure, message=str(error))
    return Failure(failure=error.repeated, message=f"{without_retry_advice(str(error))}.{_NOT_RETRIED}")


def _is_same(known: TrackRecord, error: TrackError, *, first_attempt: bool) -> bool:
    measured = _measured(error)
    if measured is not None:
        return first_attempt and known.measured is not None and abs(known.measured - measured) <= _SAME_SECONDS
    return known.error is not None and without_retry_advice(known.error.message) == without_retry_advice(str(error))


def _measured(error: TrackError) -> float | None:
    return error.measured if isinstance(error, AudioError) else None


def _save(corpus: Corpus, record: TrackRecord) -> None:
    try:
        corpus.save_record(record)
    except OSError as error:
        msg = (
            f"{corpus.data} cannot be written ({error.strerror or error}); "
            "free some disk space or fix the folder's permissions"
        )
        raise CorpusError(msg) from error


def _plain(track: Track) -> dict[str, object]:
    return {name: getattr(track, name) for name in Track.model_fields}


def _now() -> datetime:
    return datetime.now(UTC)


def _written(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="seconds")
