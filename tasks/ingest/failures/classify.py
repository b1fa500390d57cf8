"""Conversion of yt-dlp's errors to `TrackError`, with a failure class and a message for the user.

=============  ======================================================  ==============================================
class          examples                                                remedy
=============  ======================================================  ==============================================
transient      server error, lost connection, incomplete file          retry soon
throttled      HTTP 429, "confirm you're not a bot"                    pause requests to the host, then retry
permanent      HTTP 404, removed, DRM, no audio on the page            none; the user may request a retry
needs-you      private, login, age, country                            the user has to do something
later          a premiere, a live stream                               retry when it is published
environment    no ffmpeg, disk full                                    fix this machine, then retry
bug            yt-dlp no longer works with the site                    upgrade yt-dlp
=============  ======================================================  ==============================================

Some failures are transient only the first time, for example HTTP 403, because the address may have expired, and a file
that no decoder recognizes. `TrackError.repeated` is their class when the same track fails in the same way again.

`tasks.ingest.failures.ytdlp_errors` determines the cause of an error.
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
    """Return the `TrackError` for an error that was raised while a track was downloaded.

    Parameters
    ----------
    error : BaseException
        The error. A `TrackError` is returned unchanged.
    track : Track
        The track. The message names it, and its entry may contain its time of publication.
    now : float, optional
        Current time, in seconds since 1970. Default: the system clock.

    Returns
    -------
    TrackError
        The failure. Its `__cause__` is set only if its class is `bug`, because the traceback of an error keeps yt-dlp's
        objects and connections alive.
    """
    if isinstance(error, TrackError):
        return error
    reason = explanation(error)
    if reason.failure == "later":
        published = _seconds_until_release(track.entry or {}, time.time() if now is None else now)
        reason = reason._replace(retry_after=published or reason.retry_after)
    return _failure(error, reason, f"{track_label(track)} cannot be downloaded")


def listing_error(error: BaseException, url: str) -> TrackError:
    """Return the `TrackError` for an error that was raised while the tracks of an address were listed."""
    what = f"{plain_text(url, 400)} cannot be listed"
    if not isinstance(error, TrackError):
        return _failure(error, explanation(error), what)
    if str(error).startswith(plain_text(url, 400)):
        return error
    return TrackError(f"{what}: {error}", error.failure, retry_after=error.retry_after, robot=error.robot)


def track_label(track: Track) -> str:
    """Return the title and the source of a track, for messages."""
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
