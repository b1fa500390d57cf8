"""Tracks: what identifies them, and what the corpus remembers of each.

A track's key names its files for ever, so it is made of what does not change: a site's own id, a feed item's guid, a
page's address, a file's content. Never of a title, and never of anything that could leave a folder.

============================  ===========================================================
the track comes from          its key
============================  ===========================================================
YouTube                       ``youtube-<id>``
another site with real ids    ``<extractor>-<id>``
an item of a feed             ``feed-<sha256 of the feed's title and the item's guid>``
any other page                ``web-<sha256 of its URL without the fragment>``
a local file                  ``file-<sha256 of its content>``
============================  ===========================================================

Hashes are cut to 16 hex digits.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from songform.errors import FailureClass

__all__ = [
    "Failure",
    "Status",
    "Track",
    "TrackRecord",
    "feed_key",
    "file_key",
    "site_key",
    "web_key",
]

Status = Literal["done", "failed", "skipped"]

_SAFE_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}")


class Failure(BaseModel):
    """Why a track failed: its class says what may be done about it, its message is for people."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    failure: FailureClass = Field(alias="class")
    message: str


class Track(BaseModel):
    """A track as it was listed, before anything of it is fetched."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    key: str = Field(description="What names the track's files.", pattern=r"^[a-z0-9_]+-[A-Za-z0-9_-]+$")
    title: str = Field(description="The feed's or site's title, or the file's stem.")
    source: str = Field(description="The address or path that the audio comes from, as people know it.")
    duration: float | None = Field(None, description="The announced duration in s; the measured one once it is known.")
    path: str | None = Field(None, description="The audio file, for a local track.")
    entry: dict[str, Any] | None = Field(None, description="yt-dlp's entry, for a track of the web.")


class TrackRecord(Track):
    """What the corpus remembers of a track: `data/tracks/<key>.json`."""

    status: Status
    error: Failure | None = None
    attempts: int = Field(0, description="Downloads tried since the last success.")
    next_retry_at: str | None = Field(None, description="UTC, ISO 8601; null: not by itself.")
    updated_at: str = Field(description="UTC, ISO 8601.")
    measured: float | None = Field(None, description="Seconds of sound that came, fewer than announced.")
    spent: float | None = Field(None, description="Seconds that the failed attempts of the last ingest took.")
    audio_sha256: str | None = Field(None, description="Of the audio file as it was analysed.")
    decoder: str | None = None
    files: dict[str, int] = Field(default_factory=dict, description="Bytes of each file made, by its path under data/.")

    def summary(self, status: str | None = None) -> dict[str, Any]:
        """Return the record as the command line's JSON shows it, with another status if one is given."""
        return {
            "key": self.key,
            "title": self.title,
            "source": self.source,
            "status": status or self.status,
            "duration": self.duration,
            "attempts": self.attempts,
            "next_retry_at": self.next_retry_at,
            "error": self.error.model_dump(by_alias=True) if self.error else None,
        }


def site_key(extractor: str, video_id: str) -> str:
    """Return the key of a track that its site names itself.

    Parameters
    ----------
    extractor : str
        yt-dlp's name of the site, such as `Youtube` or `Bandcamp`.
    video_id : str
        The site's id. One that would not make a plain file name is replaced by its hash.
    """
    name = re.sub(r"[^a-z0-9]+", "_", extractor.lower()).strip("_") or "site"
    return f"{name}-{video_id if _SAFE_NAME.fullmatch(video_id) else _hash(video_id)}"


def feed_key(feed_title: str, guid: str) -> str:
    """Return the key of a feed's item: addresses of enclosures change, a guid does not."""
    return f"feed-{_hash(feed_title + chr(10) + guid)}"


def web_key(url: str) -> str:
    """Return the key of a page without an id of its own; the rest of its URL counts as it is written."""
    return f"web-{_hash(url.partition('#')[0])}"


def file_key(sha256: str) -> str:
    """Return the key of a local file from the SHA-256 of its content (hex)."""
    return f"file-{sha256[:16]}"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
