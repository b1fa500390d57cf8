"""Tracks, their keys and their records.

The key of a track names its files permanently. It is therefore made of something that does not change: the site's id,
the guid of a feed item, the address of a page, or the content of a file. Titles are not used, because they change. A
key contains no characters that have a meaning in paths.

============================  ===========================================================
source of the track           key
============================  ===========================================================
YouTube                       ``youtube-<id>``
another site with ids         ``<extractor>-<id>``
an item of a feed             ``feed-<sha256 of the feed's title and the item's guid>``
any other page                ``web-<sha256 of its URL without the fragment>``
a local file                  ``file-<sha256 of its content>``
============================  ===========================================================

Hashes are truncated to 16 hex digits.
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
    """Failure of a track: its class, which determines retries, and a message for the user."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    failure: FailureClass = Field(alias="class")
    message: str


class Track(BaseModel):
    """A track as it was listed, before its audio is downloaded."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    key: str = Field(description="Key that names the track's files.", pattern=r"^[a-z0-9_]+-[A-Za-z0-9_-]+$")
    title: str = Field(description="Title given by the feed or site, or the stem of the file name.")
    source: str = Field(description="Address or path of the track, as shown to the user.")
    duration: float | None = Field(
        None, description="Duration in seconds: first the one that the source states, later the measured one."
    )
    path: str | None = Field(None, description="Path of the audio file of a local track.")
    entry: dict[str, Any] | None = Field(None, description="yt-dlp's entry of a track from the web.")


class TrackRecord(Track):
    """Record of a track: `data/tracks/<key>.json`."""

    status: Status
    error: Failure | None = None
    attempts: int = Field(0, description="Number of downloads attempted since the last success.")
    next_retry_at: str | None = Field(
        None, description="Time of the next automatic retry (UTC, ISO 8601); null: not retried automatically."
    )
    updated_at: str = Field(description="Time of the last change (UTC, ISO 8601).")
    measured: float | None = Field(
        None, description="Measured duration in seconds, if the audio was shorter than expected."
    )
    spent: float | None = Field(None, description="Duration of the failed attempts of the last ingest, in seconds.")
    audio_sha256: str | None = Field(None, description="SHA-256 of the analyzed audio file.")
    decoder: str | None = None
    notes: tuple[str, ...] = Field(
        (), description="What is unusual about the audio file, such as damaged places, without the name of the track."
    )
    copies: tuple[str, ...] = Field(
        (), description="Keys of other addresses that were found to have the same audio; these are not tracks."
    )
    files: dict[str, int] = Field(
        default_factory=dict, description="Sizes of the track's files in bytes, by their paths relative to data/."
    )

    def summary(self, status: str | None = None) -> dict[str, Any]:
        """Return the record as in the JSON output of the command line, optionally with another status."""
        return {
            "key": self.key,
            "title": self.title,
            "source": self.source,
            "status": status or self.status,
            "duration": self.duration,
            "attempts": self.attempts,
            "next_retry_at": self.next_retry_at,
            "error": self.error.model_dump(by_alias=True) if self.error else None,
            "notes": list(self.notes),
        }


def site_key(extractor: str, video_id: str) -> str:
    """Return the key of a track that has an id on its site.

    Parameters
    ----------
    extractor : str
        yt-dlp's name of the site, such as `Youtube` or `Bandcamp`.
    video_id : str
        Id of the track on the site. An id that is not a plain file name is replaced by its hash.
    """
    name = re.sub(r"[^a-z0-9]+", "_", extractor.lower()).strip("_") or "site"
    return f"{name}-{video_id if _SAFE_NAME.fullmatch(video_id) else _hash(video_id)}"


def feed_key(feed_title: str, guid: str) -> str:
    """Return the key of a feed item. The guid identifies it, because the addresses of enclosures change."""
    return f"feed-{_hash(feed_title + chr(10) + guid)}"


def web_key(url: str) -> str:
    """Return the key of a page without an id: a hash of its URL without the fragment, without normalization."""
    return f"web-{_hash(url.partition('#')[0])}"


def file_key(sha256: str) -> str:
    """Return the key of a local file, given the SHA-256 of its content in hex digits."""
    return f"file-{sha256[:16]}"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
