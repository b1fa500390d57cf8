"""Rate limiters for hosts, shared by all processes of a home.

The rate limiter of a host limits the number of simultaneous downloads and the time between their starts. While the host
is paused, no download starts:

==================================  ==============================================================================
reason                              pause
==================================  ==============================================================================
the host requests a pause           the requested time (header Retry-After), at most a day
status 429 without Retry-After      `download.throttle_seconds`, doubled with every such response in a row, at most
                                    `download.throttle_most_seconds`
the host suspects an automated      `download.circuit_seconds`, or the requested time if it is longer
client
==================================  ==============================================================================

The state of a limiter is stored in `data/hosts/<host>.json`. Its slots are file locks next to that file, which are
released when their process ends. If the system clock is set back, a host is paused for at most a day.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from filelock import FileLock, Timeout
from pydantic import TypeAdapter

from songform.errors import TrackError
from tasks.cancellation import raise_if_stopped
from tasks.ingest.failures.retries import HostPausedError
from tasks.settings import DownloadSettings
from tasks.store.atomic_files import write_json
from tasks.store.corpus import Corpus
from tasks.store.tracks import Track

__all__ = [
    "DAY",
    "HostRateLimiter",
    "host_limiter",
    "host_of",
    "host_of_address",
    "host_pauses",
    "interleaved_by_host",
]

DAY = 86_400.0
_POLL_SECONDS = 0.2
_YOUTUBE = re.compile(r"(^|\.)(youtube\.com|youtu\.be|youtube-nocookie\.com)$")


@dataclass(frozen=True)
class _State:
    """State of a limiter; times are in seconds since 1970."""

    host: str = ""
    next_start: float = 0.0
    paused_since: float = 0.0
    paused_until: float = 0.0
    reason: str = ""
    throttled: int = 0  # number of throttling responses in a row

    def sane(self, now: float, wait: float) -> _State:
        """Return the state without times that are too far in the future because the clock was set back."""
        return replace(
            self,
            next_start=min(self.next_start, now + wait),
            paused_until=self.paused_until if self.paused_until <= now + DAY else now,
        )


_STATES = TypeAdapter(_State)


class HostRateLimiter:
    """Rate limiter for one host.

    Parameters
    ----------
    folder : Path
        Folder of the state file and the locks.
    host : str
        Name of the host, as returned by `host_of`.
    settings : DownloadSettings
        Settings with the limits.
    now, sleep : callable
        Functions that replace the clock in tests.
    """

    def __init__(
        self,
        folder: Path,
        host: str,
        settings: DownloadSettings,
        *,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.folder, self.host, self.settings = folder, host, settings
        self._now, self._sleep = now, sleep
        is_youtube = host == "youtube"
        self.workers = settings.youtube_workers if is_youtube else settings.host_workers
        self.seconds = settings.youtube_seconds if is_youtube else settings.host_seconds
        self._name = (
            re.sub(r"[^a-z0-9.-]", "_", host) if len(host) <= 100 else hashlib.sha256(host.encode()).hexdigest()
        )

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Wait for one of the host's slots, and hold it during a `with` block.

        Raises
        ------
        HostPausedError
            If the host is paused for longer than `download.patience_seconds`.
        """
        slot = self._acquired_slot()
        try:
            self._wait_for_turn()
            yield
        finally:
            slot.release()

    def paused_until(self) -> float:
        """Return the end of the host's pause, in seconds since 1970; in the past if the host is not paused."""
        return self._state().paused_until

    def throttle(self, retry_after: float | None = None, *, robot: bool = False, reason: str = "throttled") -> float:
        """Pause the host, and return the end of the pause, in seconds since 1970.

        Parameters
        ----------
        retry_after : float, optional
            Pause that the host requested, in seconds.
        robot : bool
            Whether the host suspects an automated client; the pause is then at least `download.circuit_seconds`.
        reason : str
            Reason for the pause, in a few words.
        """
        with self._changing() as state:
            now = self._now()
            # No download has started since the pause began, so this response does not count as another one in a row.
            in_row = state.throttled - 1 if state.paused_until > now and state.throttled else state.throttled
            pause = self._pause(in_row, retry_after, robot=robot)
            since = state.paused_since if state.paused_until > now else now
            until = max(state.paused_until, now + min(pause, DAY))
            self._save(replace(state, paused_since=since, paused_until=until, reason=reason, throttled=in_row + 1))
        return until

    def throttle_for(self, error: TrackError) -> float:
        """Pause the host after a failure that is `throttled` or has `retry_after`; return the end of the pause."""
        reason = "the site suspects an automated client" if error.robot else "the site asks for fewer requests"
        return self.throttle(error.retry_after, robot=error.robot, reason=reason)

    def reset_throttling(self) -> None:
        """Reset the counter of throttling responses after a successful request."""
        if self._state().throttled:
            with self._changing() as state:
                self._save(replace(state, throttled=0))

    def _pause(self, throttled: int, retry_after: float | None, *, robot: bool) -> float:
        settings = self.settings
        if robot:
            return max(retry_after or 0.0, settings.circuit_seconds)
        if retry_after is not None:
            return retry_after
        return min(settings.throttle_seconds * 2.0 ** min(throttled, 32), settings.throttle_most_seconds)

    def _acquired_slot(self) -> FileLock:
        self.folder.mkdir(parents=True, exist_ok=True)
        while True:
            self._refuse_long_pause()
            for number in range(self.workers):
                slot = FileLock(self.folder / f"{self._name}.{number}.lock", timeout=0, thread_local=False)
                try:
                    slot.acquire()
                except Timeout:
                    continue
                return slot
            self._sleep(_POLL_SECONDS)

    def _wait_for_turn(self) -> None:
        start = self._now()
        if self.seconds:  # otherwise every download may start at once
            with self._changing() as state:
                start = max(start, state.next_start)
                self._save(replace(state, next_start=start + self.seconds))
        wait = start - self._now()  # counted down, so that setting back the clock has no effect
        while (left := max(wait, self.paused_until() - self._now())) > 0:
            self._refuse_long_pause()
            nap = min(left, 1.0)  # another download may pause the host in the meantime
            self._sleep(nap)
            wait -= nap

    def _refuse_long_pause(self) -> None:
        raise_if_stopped()
        state = self._state()
        if state.paused_until - self._now() > self.settings.patience_seconds:
            raise HostPausedError(self.host, state.paused_until, state.reason)

    @contextmanager
    def _changing(self) -> Iterator[_State]:
        self.folder.mkdir(parents=True, exist_ok=True)
        with FileLock(self.folder / f"{self._name}.lock"):
            yield self._state()

    def _state(self) -> _State:
        known = _read(self.folder / f"{self._name}.json")
        return known.sane(self._now(), wait=(self.workers + 1) * self.seconds)

    def _save(self, state: _State) -> None:
        write_json(self.folder / f"{self._name}.json", asdict(replace(state, host=self.host)))


def host_pauses(corpus: Corpus) -> list[tuple[str, float, float, str]]:
    """Return the latest pause of each host: name, begin and end in seconds since 1970, and reason."""
    states = (_read(path).sane(time.time(), wait=DAY) for path in sorted(corpus.hosts_path.glob("*.json")))
    return [(state.host, state.paused_since, state.paused_until, state.reason) for state in states if state.host]


def _read(path: Path) -> _State:
    """Read the state of a limiter; return the initial state if the file is missing or invalid."""
    try:
        return _STATES.validate_json(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return _State()


def host_limiter(corpus: Corpus, track: Track, settings: DownloadSettings) -> HostRateLimiter:
    """Return the rate limiter of a track's host."""
    return HostRateLimiter(corpus.hosts_path, host_of(track), settings)


def interleaved_by_host(tracks: Iterable[Track]) -> list[Track]:
    """Return tracks in round-robin order of their hosts, so that all hosts are used at the same time."""
    turns: Counter[str] = Counter()

    def turn(track: Track) -> int:
        turns[host := host_of(track)] += 1
        return turns[host]

    return sorted(tracks, key=turn)


def host_of(track: Track) -> str:
    """Return the name of a track's host; all hosts of YouTube count as one."""
    entry = track.entry or {}
    if str(entry.get("ie_key") or "").lower().startswith("youtube"):
        return "youtube"
    return host_of_address(str(entry.get("url") or track.source))


def host_of_address(address: str) -> str:
    """Return the host of an address, including the port if there is one."""
    try:
        parts = urlsplit(address)
    except ValueError:  # an unclosed bracket
        return "unknown"
    if _YOUTUBE.search((parts.hostname or "").lower()):
        return "youtube"
    return parts.netloc.rpartition("@")[2].lower() or "unknown"
