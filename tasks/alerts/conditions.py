"""Conditions that need a person's attention.

Each function returns a condition whose message is empty if nothing is wrong. `tasks.alerts.notify` records since when a
condition holds, and sends one notification. The functions here use neither the clock nor the disk nor the network.

====================  =========  ===============================================================================
condition             subject    holds if
====================  =========  ===============================================================================
`playlist-failing`    address    a playlist could not be listed for `notify.failing_days` days
`circuit-open`        host       requests to a host are paused for an hour or longer
`few-successes`       address    less than `notify.least_success` of the tracks that an ingest attempted succeeded
`yt-dlp-old`          `yt-dlp`   yt-dlp is older than `notify.yt_dlp_days` days
`disk-nearly-full`    folder     less than `notify.disk_gigabytes` GB are free
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

_LONG_SECONDS = 3600.0  # shorter pauses are usual ("too many requests") and end without intervention
_GIGABYTE = 1e9
_VERSION = re.compile(r"(\d{4})\.(\d{1,2})\.(\d{1,2})(\.|$)")


@dataclass(frozen=True)
class Condition:
    """A condition that was checked.

    Parameters
    ----------
    event : str
        Name of the condition, from the table above.
    subject : str
        What was checked: the address of a playlist, a host, or a folder. Event and subject identify a condition.
    message : str
        What is wrong, and how to fix it; empty if nothing is wrong.
    patience : timedelta
        Time that the condition must hold before a notification is sent.
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
    """Return the condition that a playlist cannot be listed. It must hold for some days before a notification is sent.

    Parameters
    ----------
    url : str
        Address of the playlist or feed, or path of a folder or list.
    problem : str, optional
        Why it could not be listed; None if it could.
    notify : NotifySettings
        Settings; `failing_days` is the number of days.
    """
    url = plain_text(url, 400)
    if problem is None:
        return Condition("playlist-failing", url)
    message = f"{url} cannot be listed: {plain_text(problem, 1000)}"
    return Condition("playlist-failing", url, message, timedelta(days=notify.failing_days))


def circuit_condition(host: str, since: float, until: float, reason: str, now: datetime) -> Condition:
    """Return the condition that requests to a host are paused for an hour or longer.

    Parameters
    ----------
    host : str
        Name of the host.
    since, until : float
        Start and end of the pause, in seconds since 1970.
    reason : str
        Reason of the pause, in a few words.
    now : datetime
        Current time, with its time zone.
    """
    host = plain_text(host)
    if until <= now.timestamp() or until - since < _LONG_SECONDS:
        return Condition("circuit-open", host)
    end = datetime.fromtimestamp(until, UTC)
    message = (
        f"requests to {host} are paused until {end:%Y-%m-%d %H:%M} UTC ({plain_text(reason)}); "
        "setting download.cookies, or ingesting fewer tracks at a time, may help"
    )
    return Condition("circuit-open", host, message)


def success_conditions(subject: str, n_done: int, n_tried: int, notify: NotifySettings) -> list[Condition]:
    """Return the condition that too few tracks of an ingest succeeded, or no condition if none was attempted.

    Parameters
    ----------
    subject : str
        Source of the ingest.
    n_done, n_tried : int
        Number of tracks that were ingested, and number of tracks that were attempted. Tracks that were already done or
        are not retried automatically were not attempted.
    notify : NotifySettings
        Settings; `least_success` is the expected fraction.
    """
    if not n_tried:
        return []
    subject = plain_text(subject, 400)
    if n_done / n_tried >= notify.least_success:
        return [Condition("few-successes", subject)]
    message = (
        f"only {n_done} of the {n_tried} attempted tracks of {subject} were ingested; "
        "songform status --failed shows how to fix the others"
    )
    return [Condition("few-successes", subject, message)]


def version_condition(version: str, notify: NotifySettings, now: datetime) -> Condition:
    """Return the condition that yt-dlp is too old.

    Parameters
    ----------
    version : str
        Version of yt-dlp: a date such as 2026.08.19, followed by a time in nightly builds. The condition does not hold
        for versions that are not dates.
    notify : NotifySettings
        Settings; `yt_dlp_days` is the maximum age.
    now : datetime
        Current time.
    """
    released = _released(version)
    if released is None or now.date() - released <= timedelta(days=notify.yt_dlp_days):
        return Condition("yt-dlp-old", "yt-dlp")
    days = (now.date() - released).days
    message = (
        f"yt-dlp {version} is {days} days old and may fail on sites that have changed since; "
        "update it with pip install --upgrade yt-dlp"
    )
    return Condition("yt-dlp-old", "yt-dlp", message)


def disk_condition(folder: Path, free: float, notify: NotifySettings) -> Condition:
    """Return the condition that the disk is nearly full.

    Parameters
    ----------
    folder : Path
        Folder that songform writes to.
    free : float
        Number of free bytes there, as in `shutil.disk_usage`.
    notify : NotifySettings
        Settings; `disk_gigabytes` is the required space.
    """
    subject = plain_text(folder, 400)
    if free >= notify.disk_gigabytes * _GIGABYTE:
        return Condition("disk-nearly-full", subject)
    message = f"only {free / _GIGABYTE:.1f} GB are free in {subject}; free some disk space, or enlarge the disk"
    return Condition("disk-nearly-full", subject, message)


def _released(version: str) -> date | None:
    found = _VERSION.match(version)
    try:
        return date(int(found[1]), int(found[2]), int(found[3])) if found else None
    except ValueError:
        return None
