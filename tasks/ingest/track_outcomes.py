"""Track outcomes: recording what became of a track; `tasks.ingest.failures.retries` decides when it is retried."""

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
_LASTS = " It was so before: only --retry-failed asks for it again."
# What helps against a failure that may pass, as `tasks.ingest.failures.rules` and `songform.audio.stream` end their
# sentences.
_ONCE_MORE = re.compile(rf"[;,] (?:{TRY_AGAIN}|fetch it again)$")


def record_done(
    corpus: Corpus, track: Track, *, duration: float, sha256: str, decoder: str, files: list[Path]
) -> TrackRecord:
    """Write down that a track's features stand.

    Parameters
    ----------
    corpus : Corpus
        Where to.
    track : Track
        The track.
    duration : float
        As measured, in seconds.
    sha256, decoder : str
        Of the audio file, and who decoded it.
    files : list of Path
        The files made, under `data/`; those that the record already named stay named.
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
    """Write down that a track failed, how often it was tried, and when it is tried again.

    A track that has features, by other settings, stays `done` beside its error: a failed refresh takes nothing away.

    Parameters
    ----------
    corpus : Corpus
        Where to.
    track : Track
        The track.
    error : TrackError
        Why.
    settings : DownloadSettings
        How long to wait.
    attempted : bool
        Whether it counts as a download that was tried.
    first_attempt : bool
        Whether it is the first of this ingest: a file that is as short as it was on an earlier ingest is that long.
    spent : float, optional
        Seconds that the attempts of this ingest took.
    now : datetime, optional
        The time, with its zone; the clock's if left out.

    Returns
    -------
    TrackRecord
        Its error may have another class than the one given: what repeats itself lasts.

    Raises
    ------
    CorpusError
        If not even that can be written: then no track's outcome can.
    """
    known, now = corpus.record(track.key), now or _now()
    attempts = (known.attempts if known else 0) + int(attempted)
    failure = _judged(known, error, first_attempt=first_attempt)
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
    """Write down that a track was never asked for, because its host is left alone.

    Parameters
    ----------
    corpus : Corpus
        Where to.
    track : Track
        The track. If it was ever asked for, its record says more than this one would, and stays.
    until : datetime
        The end of the host's pause, with its zone.
    reason : str
        A sentence.
    now : datetime, optional
        The time, with its zone; the clock's if left out.
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
    """Return a message without what is said of another attempt, which is not true of every time, or of every track."""
    return _ONCE_MORE.sub("", message.removesuffix(_LASTS).rstrip("."))


def unwritten_record(track: Track, error: TrackError) -> TrackRecord:
    """Return the record of a failure that could not be written down."""
    failure = Failure(failure=error.failure, message=str(error))
    return TrackRecord(**_plain(track), status="failed", error=failure, updated_at=_written(_now()))


def _judged(known: TrackRecord | None, error: TrackError, *, first_attempt: bool) -> Failure:
    """Return the failure, with the class that it has when it is met again."""
    if error.repeated is None or known is None or not _is_same(known, error, first_attempt=first_attempt):
        return Failure(failure=error.failure, message=str(error))
    return Failure(failure=error.repeated, message=f"{without_retry_advice(str(error))}.{_LASTS}")


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
        msg = f"{corpus.data} cannot be written ({error.strerror or error}); make room or mend the permissions"
        raise CorpusError(msg) from error


def _plain(track: Track) -> dict[str, object]:
    return {name: getattr(track, name) for name in Track.model_fields}


def _now() -> datetime:
    return datetime.now(UTC)


def _written(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="seconds")
