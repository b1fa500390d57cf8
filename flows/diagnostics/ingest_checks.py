"""Checks of the cookies file and of the playlists.

The checks make no requests and no DNS queries. They report errors that would otherwise appear only in a scheduled
ingest.
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
"""What is wrong, and how to fix it."""


def check_cookies(settings: Settings) -> Check:
    """Check that the cookies file can be read, has cookies that have not expired, and is not accessible to others."""
    from tasks.ingest.fetch.cookies import load_cookies

    given = settings.download.cookies
    if given is None:
        return Check("cookies", "ok", "none; sites are accessed without an account")
    path = Path(given).expanduser()
    try:
        held = _expiries(load_cookies(given).getvalue())
    except TrackError as error:
        reason, _, fix = str(error).rpartition("; ")
        reason = reason.removeprefix("the file that download.cookies names cannot be used: ")  # the path is shown
        return Check("cookies", "failure", f"{path}: {reason}", fix)
    n_expired = sum(0 < expiry < time.time() for expiry in held)
    finding = f"{path}: {len(held)} cookie{'s' if len(held) > 1 else ''}, {n_expired} of them expired"
    if n_expired == len(held):  # a warning only, because downloads without an account still work
        return Check("cookies", "warning", finding, "export it again from a browser that is logged in to the site")
    if path.stat().st_mode & (stat.S_IROTH | stat.S_IWOTH):
        finding = f"{finding}; other users of this machine can read or change the file"
        return Check("cookies", "warning", finding, f"chmod 600 {path}")
    if not path.is_absolute():
        finding = f"{finding}; the path is relative to the current folder, which differs between commands"
        return Check("cookies", "warning", finding, "set download.cookies to an absolute path")
    return Check("cookies", "ok", finding)


def check_playlists(settings: Settings) -> Check:
    """Check the address, the times and the time zone of each playlist."""
    entries = settings.playlists
    if not entries:
        return Check("playlists", "ok", "none; add some to songform.toml for songform schedule")
    found = [
        (f"entry {number} ({playlist.url}): {what}", fix)
        for number, playlist in enumerate(entries, 1)
        for what, fix in _problems(playlist, settings)
    ]
    if not found:
        return Check("playlists", "ok", f"{len(entries)}, all with valid addresses and times")
    findings, fixes = zip(*found, strict=True)
    return Check("playlists", "failure", "; ".join(findings), "; ".join(dict.fromkeys(fixes)))


def _expiries(cookies: str) -> list[float]:
    """Return when each cookie expires, in s since 1970; 0 for cookies that expire with the browser session."""
    lines = [line for line in cookies.splitlines() if line and not line.startswith("#")]
    return [float(line.split("\t")[4] or 0.0) for line in lines]


def _problems(playlist: Playlist, settings: Settings) -> Iterator[Problem]:
    yield from _place_problems(playlist.url.strip(), allow_private=settings.download.allow_private)
    for value, find_problem in ((playlist.every, cron_problem), (playlist.timezone, timezone_problem)):
        if value is not None and (problem := find_problem(value)):
            what, _, fix = problem.partition("; ")
            yield f"{value!r}: {what}", fix


def _place_problems(place: str, *, allow_private: bool) -> Iterator[Problem]:
    from tasks.ingest.sources.local_files import local_path

    scheme, parted, _ = place.partition("://")
    if not parted:
        try:
            local_path(place)
        except SourceError as error:
            yield "it is neither an address nor an existing path", str(error).rpartition("; ")[2]
    elif scheme.lower() not in ("http", "https"):
        yield f"{scheme}:// is not supported", "give an http or https address, or a path"
    else:
        yield from _address_problems(place, allow_private=allow_private)


def _address_problems(address: str, *, allow_private: bool) -> Iterator[Problem]:
    from tasks.ingest.fetch.private_addresses import literal_address, why_not_public

    try:
        parts = urlsplit(address)
        host, _ = parts.hostname or "", parts.port  # an invalid port raises only when it is accessed
    except ValueError as error:
        yield f"it is not a valid address ({error})", "correct the address"
        return
    if not host:
        yield "the address has no host", "correct the address"
    literal = literal_address(host) if host else None
    where = why_not_public(literal) if literal else None
    if where and not allow_private:
        yield f"the address points to {where}", "if you trust it, set download.allow_private = true"
