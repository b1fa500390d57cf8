"""Prefect artifacts of an ingest.

==========================  =========================================================
`songform-ingest-progress`  the share of tracks that are done
`songform-ingest-tracks`    a table of the tracks by outcome, failures first
`songform-ingest-links`     the sources
==========================  =========================================================

Prefect renders the text in tables as Markdown [1]_, allows HTML and links of any scheme, and turns addresses into
links. Titles, addresses and messages may be text from the web, so every punctuation character is escaped: all syntax of
Markdown contains punctuation. Outside of a flow run, nothing is published. If the server rejects an artifact, the
ingest continues.

References
----------
.. [1] PrefectHQ/prefect, the UI's `ArtifactDataTable` and `PMarkdownRenderer` (marked, GitHub's flavor).
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
from tasks.recorded_task import in_flow_run

__all__ = [
    "link_list",
    "markdown_text",
    "outcome_counts",
    "publish_links",
    "publish_progress",
    "publish_tracks",
    "track_rows",
]

MAX_ROWS = 200

_KEY = "songform-ingest"
_OUTCOMES = ("failed", "skipped", "done", "cached")  # tracks that need attention come first
_PUNCTUATION = re.compile(f"[{re.escape(string.punctuation)}]")
_IN_ADDRESSES = ":/?#@!$&*+,;=%~-._"  # characters that RFC 3986 allows, except those with a meaning in Markdown links


def publish_progress(done: int, total: int, artifact: UUID | None = None) -> UUID | None:
    """Publish the progress of an ingest.

    Parameters
    ----------
    done, total : int
        Number of finished tracks and of all tracks.
    artifact : UUID, optional
        Artifact to update, as returned by an earlier call. Default: create a new one.

    Returns
    -------
    UUID or None
        ID of the artifact; None if nothing was published.
    """
    if not in_flow_run():
        return None
    from prefect.artifacts import create_progress_artifact, update_progress_artifact

    share = 100.0 * min(done / total, 1.0) if total else 100.0
    words = f"{done} of {total} tracks"
    if artifact is None:
        return _published(lambda: create_progress_artifact(share, key=f"{_KEY}-progress", description=words))
    _published(lambda: update_progress_artifact(artifact, share, description=words))
    return artifact


def publish_tracks(tracks: Sequence[Mapping[str, Any]]) -> UUID | None:
    """Publish a table of the tracks of an ingest by outcome.

    Parameters
    ----------
    tracks : sequence of mapping
        Summaries of the tracks, as in `IngestReport.tracks`.

    Returns
    -------
    UUID or None
        ID of the artifact; None if nothing was published.
    """
    if not in_flow_run():
        return None
    from prefect.artifacts import create_table_artifact

    rows, words = track_rows(tracks), outcome_counts(tracks)
    return _published(lambda: create_table_artifact(rows, key=f"{_KEY}-tracks", description=words))


def publish_links(sources: Sequence[str]) -> UUID | None:
    """Publish a list of the sources of an ingest.

    Parameters
    ----------
    sources : sequence of str
        Addresses and paths.

    Returns
    -------
    UUID or None
        ID of the artifact; None if nothing was published.
    """
    if not in_flow_run():
        return None
    from prefect.artifacts import create_markdown_artifact

    text = link_list(sources)
    return _published(lambda: create_markdown_artifact(text, key=f"{_KEY}-links"))


def track_rows(tracks: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Return one row per track, failures first, with Markdown escaped.

    Parameters
    ----------
    tracks : sequence of mapping
        Summaries of the tracks. If there are more than `MAX_ROWS`, the last row says how many are left out.
    """
    ordered = sorted(tracks, key=lambda track: _rank(str(track["status"])))
    rows = [_row(track) for track in ordered[:MAX_ROWS]]
    if len(ordered) > MAX_ROWS:
        rows.append(dict.fromkeys(_row({}), "") | {"title": f"… and {len(ordered) - MAX_ROWS} more"})
    return rows


def outcome_counts(tracks: Sequence[Mapping[str, Any]]) -> str:
    """Return the number of tracks per outcome as text, such as `2 failed, 1 done, 97 cached`."""
    counts = Counter(str(track["status"]) for track in tracks)
    return ", ".join(f"{counts[outcome]} {outcome}" for outcome in sorted(counts, key=_rank)) or "no tracks"


def link_list(sources: Sequence[str]) -> str:
    """Return a Markdown list of sources, in which only http and https addresses are links."""
    lines = [f"- {_link(source)}{markdown_text(source)}" for source in sources[:MAX_ROWS]]
    if len(sources) > MAX_ROWS:
        lines.append(f"- … and {len(sources) - MAX_ROWS} more")
    return "\n".join(lines)


def markdown_text(text: object, length: int = 200) -> str:
    """Escape untrusted text so that Markdown shows it literally.

    Parameters
    ----------
    text : object
        Title, address or message; None gives an empty string.
    length : int > 0
        Maximum number of characters to keep before escaping.
    """
    return _PUNCTUATION.sub(r"\\\g<0>", plain_text(text, length))


def _row(track: Mapping[str, Any]) -> dict[str, str]:
    error, title, source = track.get("error") or {}, track.get("title"), track.get("source")
    reason = str(error.get("message") or "").removeprefix(f"{title} ({source}) ")  # both have their own columns
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
    """Return a Markdown link to a source, followed by a space; an empty string if it is not an http(s) address."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return ""
    return f"[source]({quote(address, safe=_IN_ADDRESSES, errors='replace')}) "


def _published(publish: Callable[[], Any]) -> UUID | None:
    """Publish an artifact of the current flow run; log a warning if the server rejects it."""
    import httpx
    from prefect.logging import get_run_logger

    try:
        artifact: UUID = publish()  # it would be a coroutine in an asynchronous flow
    except httpx.HTTPError as error:
        get_run_logger().warning("an artifact of this run could not be published: %s", error)
        return None
    return artifact
