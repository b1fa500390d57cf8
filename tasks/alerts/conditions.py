"""Conditions: what somebody should hear of when nobody watches.

Each function here looks at facts, and says in a sentence that a condition holds, or in silence that it does not;
`tasks.alerts.notify` remembers since when, and tells of it once. Nothing here asks a clock, a disk or a network.

====================  =========  ===============================================================================
condition             subject    holds when
====================  =========  ===============================================================================
`playlist-failing`    address    a playlist could not be listed for `notify.failing_days`
`circuit-open`        host       a host is left alone for an hour or longer
`few-successes`       address    fewer than `notify.least_success` of the tracks that an ingest tried succeeded
`yt-dlp-old`          `yt-dlp`   yt-dlp is older than `notify.yt_dlp_days`
`disk-nearly-full`    folder     less than `notify.disk_gigabytes` are free
====================  =========  ===============================================================================
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from songform.plain_text import plain_text
from tasks.settings import NotifySettings

__all__ = [
    "Condition",
    "circuit_condition",
    "disk_condition",
    "playlist_condition",
    "success_conditions",
    "version_condition",
]

_LONG_SECONDS = 3600.0  # a pause that long is more than the usual "too many requests"
_GIGABYTE = 1e9
_VERSION = re.compile(r"(\d{4})\.(\d{1,2})\.(\d{1,2})(\.|$)")


@dataclass(frozen=True)
class Condition:
    """Something that was looked at.

    Parameters
    ----------
    event : str
        What is looked at: a name of the table above.
    subject : str
        Of what: a playlist's address, a host, a folder. Conditions of one event and subject are the same one.
    message : str
        What is wrong, and how to mend it; empty if all is well.
    patience : timedelta
        How long it has to hold before anybody is told.
    """

    event: str
    subject: str
    message: str = ""
    patience: timedelta = timedelta()

    @property
    def holds(self) -> bool:
        """Whether something is wrong."""
        return bool(self.message)


def playlist_condition(url: str, problem: str | None, notify: NotifySettings) -> Condition:
    """Return whether a playlist fails, and has to do so for some days before it counts.

    Parameters
    ----------
    url : str
        The playlist, feed, folder or list.
    problem : str, optional
        Why it could not be listed; None: it could.
    notify : NotifySettings
        For how many days.
    """
    url = plain_text(url, 400)
    if problem is None:
        return Condition("playlist-failing", url)
    message = f"{url} cannot be listed: {plain_text(problem, 1000)}"
    return Condition("playlist-failing", url, message, timedelta(days=notify.failing_days))


def circuit_condition(host: str, since: float, until: float, reason: str, now: datetime) -> Condition:
    """Return whether a host is left alone for long.

    Parameters
    ----------
    host : str
        Its name.
    since, until : float
        When the pause began and ends, in s since 1970.
    reason : str
        Why, in a few words.
    now : datetime
        The time, with its zone.
    """
    host = plain_text(host)
    if until <= now.timestamp() or until - since < _LONG_SECONDS:
        return Condition("circuit-open", host)
    end = datetime.fromtimestamp(until, UTC)
    message = (
        f"{host} wants to be left alone ({plain_text(reason)}): songform asks it again after {end:%Y-%m-%d %H:%M} UTC; "
        "cookies, or fewer tracks at a time, may help"
    )
    return Condition("circuit-open", host, message)


def success_conditions(subject: str, n_done: int, n_tried: int, notify: NotifySettings) -> list[Condition]:
    """Return whether too few tracks of an ingest succeeded; nothing at all if it tried none.

    Parameters
    ----------
    subject : str
        The ingest's source.
    n_done, n_tried : int
        The tracks that it brought in, and those that it tried to. A track that was done before, or that was left
        alone, was not tried.
    notify : NotifySettings
        The share that is expected.
    """
    if not n_tried:
        return []
    subject = plain_text(subject, 400)
    if n_done / n_tried >= notify.least_success:
        return [Condition("few-successes", subject)]
    message = (
        f"of the {n_tried} tracks of {subject} that were tried, {n_done} succeeded; "
        "songform status --failed says what can be done about the others"
    )
    return [Condition("few-successes", subject, message)]


def version_condition(version: str, notify: NotifySettings, now: datetime) -> Condition:
    """Return whether yt-dlp is old.

    Parameters
    ----------
    version : str
        Such as 2026.08.19: a date, or for a nightly build a date and a time. Anything else has no age.
    notify : NotifySettings
        The age that is too much.
    now : datetime
        The time.
    """
    released = _released(version)
    if released is None or now.date() - released <= timedelta(days=notify.yt_dlp_days):
        return Condition("yt-dlp-old", "yt-dlp")
    days = (now.date() - released).days
    message = f"yt-dlp {version} is {days} days old, and sites change: pip install --upgrade yt-dlp"
    return Condition("yt-dlp-old", "yt-dlp", message)


def disk_condition(folder: Path, free: float, notify: NotifySettings) -> Condition:
    """Return whether the disk is nearly full.

    Parameters
    ----------
    folder : Path
        Where songform writes.
    free : float
        Bytes that are free there, as `shutil.disk_usage` counts them.
    notify : NotifySettings
        How much should be.
    """
    subject = plain_text(folder, 400)
    if free >= notify.disk_gigabytes * _GIGABYTE:
        return Condition("disk-nearly-full", subject)
    message = f"only {free / _GIGABYTE:.1f} GB are free in {subject}; make room, or move the home to a larger disk"
    return Condition("disk-nearly-full", subject, message)


def _released(version: str) -> date | None:
    found = _VERSION.match(version)
    try:
        return date(int(found[1]), int(found[2]), int(found[3])) if found else None
    except ValueError:
        return None
