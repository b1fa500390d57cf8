"""Prefect task that lists the tracks of a SOURCE.

Requests for a list are rate-limited in the same way as downloads: the task waits for a slot of the host's rate limiter
(`tasks.ingest.fetch.host_rate_limiter`), and pauses the host when it asks for that.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from songform.errors import SourceError, TrackError
from songform.plain_text import plain_text
from tasks.ingest.failures.retries import HostPausedError, should_retry
from tasks.ingest.fetch.host_rate_limiter import HostRateLimiter, host_of_address
from tasks.ingest.sources.listing import Listing
from tasks.ingest.sources.local_files import FileHashes
from tasks.ingest.sources.resolve_source import list_tracks
from tasks.recorded_task import task
from tasks.settings import Settings
from tasks.store.corpus import Corpus

__all__ = ["list_source"]


@task(task_run_name="list {source}", retry_condition_fn=should_retry)
def list_source(home: Path, source: str, settings: Settings, limit: int | None = None) -> Listing:
    """List the tracks of a SOURCE without downloading them; unchanged local files are not read again."""
    hashes = FileHashes(Corpus(home))
    requesting = partial(_rate_limited, home, settings)
    listing = list_tracks(source, limit=limit, settings=settings.download, hashes=hashes, requesting=requesting)
    hashes.save()
    return listing


@contextmanager
def _rate_limited(home: Path, settings: Settings, address: str) -> Iterator[None]:
    """Wait for a slot of an address's host, and pause the host when it asks for that."""
    limiter = HostRateLimiter(Corpus(home).hosts_path, host_of_address(address), settings.download)
    try:
        with limiter.slot():
            yield
    except HostPausedError as pause:
        msg = f"{plain_text(address, 400)} was not listed: {pause}; ingest it again after that time"
        raise SourceError(msg, "throttled") from pause
    except SourceError as error:
        cause = error.__cause__
        if isinstance(cause, TrackError) and cause.failure == "throttled":
            limiter.throttle_for(cause)
        raise
