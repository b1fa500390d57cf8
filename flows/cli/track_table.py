"""What became of tracks: as a table in the terminal, and as fields of a JSON document."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from rich.table import Table

from flows.cli.console import MAX_ROWS, Console, cell, counted, duration_text, printable
from flows.ingest_report import IngestReport

__all__ = ["failure_reason", "ingest_document", "next_attempt", "print_tracks"]

_STYLES = {"done": "green", "cached": "cyan", "failed": "red", "skipped": "yellow"}
_URGENCY = ("failed", "skipped", "done", "cached")  # what needs attention comes first


def ingest_document(report: IngestReport) -> dict[str, Any]:
    """Return the JSON fields of an ingest."""
    return {"tracks": report.tracks, "problems": report.problems, "notes": report.notes}


def print_tracks(console: Console, tracks: Sequence[dict[str, Any]]) -> None:
    """Print a table of tracks, those that failed first, and their number by outcome."""
    if not tracks:
        console.say("No tracks.")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("outcome", no_wrap=True)
    table.add_column("length", justify="right", no_wrap=True)
    table.add_column("track", overflow="fold")
    for track in sorted(tracks, key=lambda track: _URGENCY.index(track["status"]))[:MAX_ROWS]:
        words = cell(track["title"])
        if track["error"]:
            words.append(f"\n{printable(failure_reason(track))}").append(f"\n{next_attempt(track)}", "dim")
        table.add_row(cell(track["status"], _STYLES[track["status"]]), duration_text(track["duration"]), words)
    console.print(table)
    console.say(f"{counted(len(tracks), 'track')}: {_counts_by_outcome(tracks)}")


def failure_reason(track: dict[str, Any]) -> str:
    """Return why a track failed, without the title, which is printed above it."""
    message: str = track["error"]["message"]
    # Only the title as a word of its own: `text.mp3 holds no audio` begins with the title `text`, too.
    return message.removeprefix(f"{track['title']} ").strip()


def next_attempt(track: dict[str, Any]) -> str:
    """Return when a failed track is tried again."""
    at: str | None = track["next_retry_at"]
    if at is None:
        return "left alone: only --retry-failed asks for it again"
    now = datetime.now(UTC).isoformat(timespec="seconds")  # as records write it, so that the two can be compared
    return f"next try: {at.replace('T', ' ')[:16]} UTC" if at > now else "next try: with the next ingest"


def _counts_by_outcome(tracks: Sequence[dict[str, Any]]) -> str:
    counts = {status: sum(track["status"] == status for track in tracks) for status in _STYLES}
    hidden = f" ({len(tracks) - MAX_ROWS} not shown)" if len(tracks) > MAX_ROWS else ""
    return ", ".join(f"{count} {status}" for status, count in counts.items() if count) + hidden
