"""Rate limits of the hosts that audio comes from, kept by all processes of a home together.

Each host has a rate limiter. It allows so many downloads at a time, each some seconds after the one before it, and none
while the host is paused:

========================  ==================================================================================
the host                  is paused for
========================  ==================================================================================
names a pause             that long (the header Retry-After), a day at most
answers 429 without one   `download.throttle_seconds`, doubled with every such answer in a row
asks for a human          `download.circuit_seconds`, or longer if it says so
========================  ==================================================================================

The state of a limiter is `data/hosts/<host>.json`. Its slots are locks beside that file, which end with their process.
A clock that was set back cannot pause a host for longer than a day.
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
    """The state of a limiter; times are in s since 1970."""

    host: str = ""
    next_start: float = 0.0
    paused_since: float = 0.0
    paused_until: float = 0.0
    reason: str = ""
    throttled: int = 0  # answers of 429 in a row

    def sane(self, now: float, wait: float) -> _State:
        """Return the state without times that only a clock set back can explain."""
        return replace(
            self,
            next_start=min(self.next_start, now + wait),
            paused_until=self.paused_until if self.paused_until <= now + DAY else now,
        )


_STATES = TypeAdapter(_State)


class HostRateLimiter:
    """The rate limiter of one host.

    Parameters
    ----------
    folder : Path
        Where its files lie.
    host : str
        Its name, as `host_of` gives it.
    settings : DownloadSettings
        The limits.
    now, sleep : callable
        The clock; tests have their own.
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
        """Hold one of the host's slots for the length of a `with` block, after waiting for one.

        Raises
        ------
        HostPausedError
            If the host is to be left alone for longer than `download.patience_seconds`.
        """
        slot = self._acquired_slot()
        try:
            self._wait_for_turn()
            yield
        finally:
            slot.release()

    def paused_until(self) -> float:
        """Return when the host may be asked again, in s since 1970; in the past if it may be asked now."""
        return self._state().paused_until

    def throttle(self, retry_after: float | None = None, *, robot: bool = False, reason: str = "throttled") -> float:
        """Pause the host, because it asks for that; return the pause's end, in s since 1970.

        Parameters
        ----------
        retry_after : float, optional
            The pause that it asked for, in s.
        robot : bool
            Whether it takes songform for a robot: then the pause is long.
        reason : str
            Why, in a few words.
        """
        with self._changing() as state:
            now = self._now()
            # No download has started since the pause began, so this answer belongs to the same burst.
            in_row = state.throttled - 1 if state.paused_until > now and state.throttled else state.throttled
            pause = self._pause(in_row, retry_after, robot=robot)
            since = state.paused_since if state.paused_until > now else now
            until = max(state.paused_until, now + min(pause, DAY))
            self._save(replace(state, paused_since=since, paused_until=until, reason=reason, throttled=in_row + 1))
        return until

    def throttle_for(self, error: TrackError) -> float:
        """Pause the host for as long as its answer, a failure `throttled` or one with `retry_after`, asks for."""
        reason = "it takes songform for a robot" if error.robot else "it wants fewer requests"
        return self.throttle(error.retry_after, robot=error.robot, reason=reason)

    def reset_throttling(self) -> None:
        """Note that the host gave what it was asked for: its next pause is a short one again."""
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
        if self.seconds:  # else each may start at once, and nothing need be written down
            with self._changing() as state:
                start = max(start, state.next_start)
                self._save(replace(state, next_start=start + self.seconds))
        wait = start - self._now()  # counted down: a clock that is set back meanwhile changes nothing
        while (left := max(wait, self.paused_until() - self._now())) > 0:
            self._refuse_long_pause()
            nap = min(left, 1.0)  # the host may ask another download for a pause meanwhile
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
    """Return the latest pause of each host: the host, its begin and end in s since 1970, and why."""
    states = (_read(path).sane(time.time(), wait=DAY) for path in sorted(corpus.hosts_path.glob("*.json")))
    return [(state.host, state.paused_since, state.paused_until, state.reason) for state in states if state.host]


def _read(path: Path) -> _State:
    """Read the state of a limiter; a file that cannot be read counts as none."""
    try:
        return _STATES.validate_json(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return _State()


def host_limiter(corpus: Corpus, track: Track, settings: DownloadSettings) -> HostRateLimiter:
    """Return the rate limiter of a track's host."""
    return HostRateLimiter(corpus.hosts_path, host_of(track), settings)


def interleaved_by_host(tracks: Iterable[Track]) -> list[Track]:
    """Return tracks in turns: one of every host, then the next of every host, so that no host waits for another."""
    turns: Counter[str] = Counter()

    def turn(track: Track) -> int:
        turns[host := host_of(track)] += 1
        return turns[host]

    return sorted(tracks, key=turn)


def host_of(track: Track) -> str:
    """Return the name of the host that a track comes from: all of YouTube is one."""
    entry = track.entry or {}
    if str(entry.get("ie_key") or "").lower().startswith("youtube"):
        return "youtube"
    return host_of_address(str(entry.get("url") or track.source))


def host_of_address(address: str) -> str:
    """Return the name of the host of an address, with its port if it has one."""
    try:
        parts = urlsplit(address)
    except ValueError:  # a bracket that is never closed
        return "unknown"
    if _YOUTUBE.search((parts.hostname or "").lower()):
        return "youtube"
    return parts.netloc.rpartition("@")[2].lower() or "unknown"
