"""Records: writing down what became of a track."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from songform.corpus import Corpus
from songform.errors import CorpusError, TrackError
from songform.sources import Failure, Track, TrackRecord

__all__ = ["is_settled", "record_done", "record_failure", "unwritten_record"]

# Failures that no repetition will change; the user may still ask for one with --retry-failed.
_SETTLED = ("permanent", "needs-you")


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
        updated_at=_now(),
        audio_sha256=sha256,
        decoder=decoder,
        files={**(known.files if known else {}), **sizes},
    )
    corpus.save_record(record)
    return record


def record_failure(corpus: Corpus, track: Track, error: TrackError, *, attempted: bool = True) -> TrackRecord:
    """Write down that a track failed, and how often it was tried.

    A track that has features, by other settings, stays `done` beside its error: a failed refresh takes nothing away.

    Raises
    ------
    CorpusError
        If not even that can be written: then no track's outcome can.
    """
    known = corpus.record(track.key)
    news = {
        "error": Failure(failure=error.failure, message=str(error)),
        "attempts": (known.attempts if known else 0) + int(attempted),
        "updated_at": _now(),
    }
    if known is not None and known.status == "done":
        record = known.model_copy(update=news)
    else:
        record = TrackRecord(**{**_plain(track), **news}, status="failed", files=known.files if known else {})
    _save(corpus, record)
    return record


def unwritten_record(track: Track, error: TrackError) -> TrackRecord:
    """Return the record of a failure that could not be written down."""
    failure = Failure(failure=error.failure, message=str(error))
    return TrackRecord(**_plain(track), status="failed", error=failure, updated_at=_now())


def is_settled(record: TrackRecord) -> bool:
    """Return whether a failed track is left alone until the user asks for it."""
    return record.status == "failed" and record.error is not None and record.error.failure in _SETTLED


def _save(corpus: Corpus, record: TrackRecord) -> None:
    try:
        corpus.save_record(record)
    except OSError as error:
        msg = f"{corpus.data} cannot be written ({error.strerror or error}); make room or mend the permissions"
        raise CorpusError(msg) from error


def _plain(track: Track) -> dict[str, object]:
    return {name: getattr(track, name) for name in Track.model_fields}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
