"""Why a track failed, and what may be done about it: yt-dlp's errors, sorted into the failure classes.

=============  ======================================================  ==============================================
class          examples                                                what may be done
=============  ======================================================  ==============================================
transient      server error, dead connection, a body cut short         another attempt, soon
throttled      HTTP 429, "confirm you're not a bot"                    nothing from that host while it wants to rest
permanent      HTTP 404, removed, DRM, no audio on the page            nothing; a person may try again
needs-you      private, login, age, country                            something only a person can do
later          a premiere, a live stream                               another attempt, when it is out
environment    no ffmpeg, disk full                                    fix this machine, then go on
bug            yt-dlp no longer understands the site                   upgrade yt-dlp
=============  ======================================================  ==============================================

Two transient failures are so only once: a refusal (403), which may be an address that expired, and a file that no
decoder knows. They name the class that they have when the track meets them again (`TrackError.repeated`).

`tasks.ingest.failures.ytdlp_errors` says what an error means; here its meaning becomes a sentence for people, with a
class.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from songform.errors import TrackError
from songform.plain_text import plain_text
from tasks.ingest.failures.rules import Explanation
from tasks.ingest.failures.ytdlp_errors import explanation
from tasks.store.tracks import Track

__all__ = ["listing_error", "track_error", "track_label"]


def track_error(error: BaseException, track: Track, *, now: float | None = None) -> TrackError:
    """Return the `TrackError` for an error that yt-dlp raised over a track.

    Parameters
    ----------
    error : BaseException
        What was caught. A `TrackError` is returned as it is.
    track : Track
        Named in the message; its entry may know when it will be published.
    now : float, optional
        Seconds since 1970, the clock's if left out.

    Returns
    -------
    TrackError
        Without the error as its cause, unless that is a defect: errors hold the frames that they passed, and with
        them yt-dlp's objects and connections, for as long as the failure is remembered.
    """
    if isinstance(error, TrackError):
        return error
    reason = explanation(error)
    if reason.failure == "later":
        published = _seconds_until_release(track.entry or {}, time.time() if now is None else now)
        reason = reason._replace(retry_after=published or reason.retry_after)
    return _failure(error, reason, f"{track_label(track)} cannot be fetched")


def listing_error(error: BaseException, url: str) -> TrackError:
    """Return the same for an error that yt-dlp raised while it listed an address."""
    what = f"{plain_text(url, 400)} cannot be listed"
    if not isinstance(error, TrackError):
        return _failure(error, explanation(error), what)
    if str(error).startswith(plain_text(url, 400)):
        return error
    return TrackError(f"{what}: {error}", error.failure, retry_after=error.retry_after, robot=error.robot)


def track_label(track: Track) -> str:
    """Return how messages name a track: its title and where it comes from."""
    return f"{plain_text(track.title)} ({plain_text(track.source, 400)})"


def _failure(error: BaseException, reason: Explanation, what: str) -> TrackError:
    failure = TrackError(
        f"{what}: {reason.cause}; {reason.fix}",
        reason.failure,
        retry_after=reason.retry_after,
        robot=reason.robot,
        repeated=reason.repeated,
    )
    if reason.failure == "bug":
        failure.__cause__ = error
    return failure


def _seconds_until_release(entry: Mapping[str, Any], now: float) -> float | None:
    released = entry.get("release_timestamp")
    if isinstance(released, bool) or not isinstance(released, int | float):
        return None
    return released - now if released > now else None
