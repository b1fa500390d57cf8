"""Artifacts: what Prefect's UI shows of an ingest beside its log.

==========================  =========================================================
`songform-ingest-progress`  how much of it is done
`songform-ingest-tracks`    a table of its tracks by outcome, failures first
`songform-ingest-links`     its sources
==========================  =========================================================

Prefect reads every text in a table as Markdown [1]_, with links of any scheme, HTML, and addresses turned into links.
Titles, addresses and messages come from strangers, so each punctuation mark in them is escaped: Markdown has no syntax
without one. Outside of a flow run nothing is published, and a server that refuses breaks no ingest.

References
----------
.. [1] PrefectHQ/prefect, the UI's `ArtifactDataTable` and `PMarkdownRenderer` (marked, GitHub's flavour).
.. [2] CommonMark 0.31, "Backslash escapes": any ASCII punctuation may be escaped.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlsplit
from uuid import UUID

from songform.plain_text import plain_text

__all__ = [
    "link_list",
    "markdown_text",
    "outcome_counts",
    "publish_links",
    "publish_progress",
    "publish_tracks",
    "track_rows",
]

MOST_ROWS = 200

_KEY = "songform-ingest"
_OUTCOMES = ("failed", "skipped", "done", "cached")  # what a person has to look at comes first
_PUNCTUATION = re.compile(f"[{re.escape(string.punctuation)}]")
_IN_ADDRESSES = ":/?#@!$&*+,;=%~-._"  # all that RFC 3986 allows, without what Markdown may take for its own


def publish_progress(done: int, total: int, artifact: UUID | None = None) -> UUID | None:
    """Show how much of an ingest is done.

    Parameters
    ----------
    done, total : int
        Tracks.
    artifact : UUID, optional
        What an earlier call returned: it is brought up to date. Default: a new one is made.

    Returns
    -------
    UUID or None
        The artifact; None if there is none.
    """
    from prefect.artifacts import create_progress_artifact, update_progress_artifact

    share = 100.0 * min(done / total, 1.0) if total else 100.0
    words = f"{done} of {total} tracks"
    if artifact is None:
        return _published(lambda: create_progress_artifact(share, key=f"{_KEY}-progress", description=words))
    _published(lambda: update_progress_artifact(artifact, share, description=words))
    return artifact


def publish_tracks(tracks: Sequence[Mapping[str, Any]]) -> UUID | None:
    """Show the tracks of an ingest by outcome.

    Parameters
    ----------
    tracks : sequence of mapping
        Their summaries, as `IngestReport.tracks` holds them.

    Returns
    -------
    UUID or None
        The artifact; None if there is none.
    """
    from prefect.artifacts import create_table_artifact

    rows, words = track_rows(tracks), outcome_counts(tracks)
    return _published(lambda: create_table_artifact(rows, key=f"{_KEY}-tracks", description=words))


def publish_links(sources: Sequence[str]) -> UUID | None:
    """Show where an ingest's tracks came from.

    Parameters
    ----------
    sources : sequence of str
        Addresses and paths.

    Returns
    -------
    UUID or None
        The artifact; None if there is none.
    """
    from prefect.artifacts import create_markdown_artifact

    text = link_list(sources)
    return _published(lambda: create_markdown_artifact(text, key=f"{_KEY}-links"))


def track_rows(tracks: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Return one row per track, failures first, safe to be read as Markdown.

    Parameters
    ----------
    tracks : sequence of mapping
        Their summaries. Of more than `MOST_ROWS`, a last row says how many more there are.
    """
    ordered = sorted(tracks, key=lambda track: _rank(str(track["status"])))
    rows = [_row(track) for track in ordered[:MOST_ROWS]]
    if len(ordered) > MOST_ROWS:
        rows.append(dict.fromkeys(_row({}), "") | {"title": f"… and {len(ordered) - MOST_ROWS} more"})
    return rows


def outcome_counts(tracks: Sequence[Mapping[str, Any]]) -> str:
    """Return how many tracks came to which end, in words: `2 failed, 1 done, 97 cached`."""
    counts = Counter(str(track["status"]) for track in tracks)
    return ", ".join(f"{counts[outcome]} {outcome}" for outcome in sorted(counts, key=_rank)) or "no tracks"


def link_list(sources: Sequence[str]) -> str:
    """Return sources as a list in Markdown, in which only http and https addresses are links."""
    lines = [f"- {_link(source)}{markdown_text(source)}" for source in sources[:MOST_ROWS]]
    if len(sources) > MOST_ROWS:
        lines.append(f"- … and {len(sources) - MOST_ROWS} more")
    return "\n".join(lines)


def markdown_text(text: object, length: int = 200) -> str:
    """Return text from strangers as Markdown that shows it, letter by letter, and does nothing else.

    Parameters
    ----------
    text : object
        A title, an address, a message; None is empty.
    length : int > 0
        Most characters to keep, before they are escaped.
    """
    return _PUNCTUATION.sub(r"\\\g<0>", plain_text(text, length))


def _row(track: Mapping[str, Any]) -> dict[str, str]:
    error, title, source = track.get("error") or {}, track.get("title"), track.get("source")
    reason = str(error.get("message") or "").removeprefix(f"{title} ({source}) ")  # both have columns of their own
    return {
        "outcome": markdown_text(track.get("status")),
        "class": markdown_text(error.get("class")),
        "next_try": markdown_text(track.get("next_retry_at")),
        "title": markdown_text(title, 60),
        "reason": markdown_text(reason, 400),
        "source": markdown_text(source),
    }


def _rank(outcome: str) -> int:
    return _OUTCOMES.index(outcome) if outcome in _OUTCOMES else len(_OUTCOMES)


def _link(address: str) -> str:
    """Return a link to a source, and a space; nothing if it is not an address of the web."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return ""
    return f"[source]({quote(address, safe=_IN_ADDRESSES, errors='replace')}) "


def _published(publish: Callable[[], Any]) -> UUID | None:
    """Publish within a flow run; what the server refuses is a warning in its log."""
    import httpx
    from prefect.context import FlowRunContext
    from prefect.logging import get_run_logger

    if FlowRunContext.get() is None:
        return None
    try:
        artifact: UUID = publish()  # no coroutine, as in an asynchronous flow
    except httpx.HTTPError as error:
        get_run_logger().warning("an artifact of this run could not be published: %s", error)
        return None
    return artifact
