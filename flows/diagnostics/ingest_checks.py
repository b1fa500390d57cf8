"""Checks of what a user gave for ingestion: the file of cookies, and the playlists.

Neither is used here, so no host is asked and no name looked up: what can be known without is said before the night in
which it would have mattered.
"""

from __future__ import annotations

import stat
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from flows.config.cron import cron_problem, timezone_problem
from flows.diagnostics.check import Check
from songform.errors import SourceError, TrackError
from tasks.settings import Playlist, Settings

__all__ = ["check_cookies", "check_playlists"]

Problem = tuple[str, str]
"""What is wrong, and what to do about it."""


def check_cookies(settings: Settings) -> Check:
    """Look at the file of cookies: whether it is there, whether sites would be shown any, who else can read it."""
    from tasks.ingest.fetch.cookies import load_cookies

    given = settings.download.cookies
    if given is None:
        return Check("cookies", "ok", "none; sites are visited without an account")
    path = Path(given).expanduser()
    try:
        held = _expiries(load_cookies(given).getvalue())
    except TrackError as error:
        reason, _, mend = str(error).removeprefix("download.cookies names a file ").rpartition("; ")
        return Check("cookies", "failure", f"{path}, {reason}", mend)
    n_expired = sum(0 < expiry < time.time() for expiry in held)
    finding = f"{path}: {len(held)} cookie{'s' if len(held) > 1 else ''}, {n_expired} of them expired"
    if n_expired == len(held):  # downloads that need no account still work
        return Check("cookies", "warning", finding, "export it anew from a browser that is logged in there")
    if path.stat().st_mode & (stat.S_IROTH | stat.S_IWOTH):
        return Check("cookies", "warning", f"{finding}; everybody on this machine can read it", f"chmod 600 {path}")
    if not path.is_absolute():
        return Check(
            "cookies", "warning", f"{finding}; looked for in the folder that a command is given in", "name it whole"
        )
    return Check("cookies", "ok", finding)


def check_playlists(settings: Settings) -> Check:
    """Look at the playlists: whether each can be asked for, and when."""
    entries = settings.playlists
    if not entries:
        return Check("playlists", "ok", "none; songform.toml may list some for songform schedule")
    found = [
        (f"entry {number} ({playlist.url}): {what}", mend)
        for number, playlist in enumerate(entries, 1)
        for what, mend in _problems(playlist, settings)
    ]
    if not found:
        return Check("playlists", "ok", f"{len(entries)}, of which each can be asked for")
    findings, mends = zip(*found, strict=True)
    return Check("playlists", "failure", "; ".join(findings), "; ".join(dict.fromkeys(mends)))


def _expiries(cookies: str) -> list[float]:
    """Return when each cookie ends, in s since 1970; 0 for those that end with the browser's session."""
    lines = [line for line in cookies.splitlines() if line and not line.startswith("#")]
    return [float(line.split("\t")[4] or 0.0) for line in lines]


def _problems(playlist: Playlist, settings: Settings) -> Iterator[Problem]:
    yield from _place_problems(playlist.url.strip(), allow_private=settings.download.allow_private)
    for value, judge in ((playlist.every, cron_problem), (playlist.timezone, timezone_problem)):
        if value is not None and (problem := judge(value)):
            what, _, mend = problem.partition("; ")
            yield f"{value!r}: {what}", mend


def _place_problems(place: str, *, allow_private: bool) -> Iterator[Problem]:
    from tasks.ingest.sources.local_files import local_path

    scheme, parted, _ = place.partition("://")
    if not parted:
        try:
            local_path(place)
        except SourceError as error:
            yield "it is neither an address nor there", str(error).rpartition("; ")[2]
    elif scheme.lower() not in ("http", "https"):
        yield f"{scheme}:// is not read", "give an http or https address, or a path"
    else:
        yield from _address_problems(place, allow_private=allow_private)


def _address_problems(address: str, *, allow_private: bool) -> Iterator[Problem]:
    from tasks.ingest.fetch.private_addresses import literal_address, why_not_public

    try:
        parts = urlsplit(address)
        host, _ = parts.hostname or "", parts.port  # which is looked at only when it is asked for
    except ValueError as error:
        yield f"it is no address ({error})", "correct it"
        return
    if not host:
        yield "it names no host", "correct it"
    literal = literal_address(host) if host else None
    where = why_not_public(literal) if literal else None
    if where and not allow_private:
        yield f"it leads to {where}", "if it is yours, set download.allow_private = true"
