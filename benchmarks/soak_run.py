"""State of a soak test: its home, its tracks and hosts, its ingests, and what was observed."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.mishaps import EXPECTED, Host, Sound
from benchmarks.processes import kill, marked, started
from tasks.ingest.ingest_plan import is_wanted
from tasks.settings import DownloadSettings, Settings
from tasks.store.corpus import Corpus
from tasks.store.tables import features_config
from tasks.store.tracks import TrackRecord

__all__ = ["SETTINGS", "Soak", "outcome"]

MAX_SECONDS = 480.0  # after this time no further run starts
MAX_WAIT = 120.0
ORPHANS_SECONDS = 40.0  # time in which an orphaned server detects that its parent is gone and stores its pending events

SETTINGS = DownloadSettings(
    attempts=2,
    retry_seconds=6.0,
    timeout_seconds=2.0,
    workers=24,
    host_workers=8,
    host_seconds=0.0,
    throttle_seconds=1.0,
    throttle_most_seconds=2.0,
    max_minutes=1.0,  # two attempts with a server that stops sending take half of this time
    allow_private=True,
)


@dataclass
class Soak:
    """Soak test that runs in a home.

    Parameters
    ----------
    home : Path
        Home of the ingests.
    tracks : dict of str to Sound
        Sound of each track, by key.
    hosts : list of Host
        Hosts that serve the sounds.
    url : str
        Address of the feed.
    began : float
        Start of the test, by the monotonic clock.
    seen_done : dict of str to TrackRecord
        Record of each track when it was first seen as done.
    asked_again : list of str
        Tracks that were requested although they did not need a download.
    written_again : list of str
        Finished tracks whose record was changed.
    fetched_twice : list of str
        Tracks without a failure that were downloaded more than once in one run.
    orphans : list of str
        Processes that did not end after their run.
    runs : list of str
        One sentence per run.
    outcomes : dict of str to str
        Outcome of each track before the obstacles were removed.
    still_due : list of str
        Tracks that were still due then.
    last_start : float
        Start of the last run, as a POSIX timestamp.
    """

    home: Path
    tracks: dict[str, Sound]
    hosts: list[Host]
    url: str
    began: float = field(default_factory=time.monotonic)
    seen_done: dict[str, TrackRecord] = field(default_factory=dict)
    asked_again: list[str] = field(default_factory=list)
    written_again: list[str] = field(default_factory=list)
    fetched_twice: list[str] = field(default_factory=list)
    orphans: list[str] = field(default_factory=list)
    runs: list[str] = field(default_factory=list)
    outcomes: dict[str, str] = field(default_factory=dict)
    still_due: list[str] = field(default_factory=list)
    last_start: float = 0.0

    @property
    def corpus(self) -> Corpus:
        """Corpus of the home."""
        return Corpus(self.home)

    @property
    def n_kills(self) -> int:
        """Number of runs that were killed before they ended."""
        return sum(line.startswith("killed") for line in self.runs)

    @property
    def has_time(self) -> bool:
        """Whether another run may start."""
        return time.monotonic() - self.began < MAX_SECONDS

    def ingest(self, kill_after: float | None = None, *, alone: bool = False, extracting: bool = False) -> None:
        """Run an ingest, and record what it did to tracks that needed no download.

        Parameters
        ----------
        kill_after : float, optional
            Time after which the program is killed, in seconds. Without it, the program is not killed.
        alone : bool
            Whether only the program is killed, and not its workers and its server.
        extracting : bool
            Whether `kill_after` counts from the first table that is written instead of from the start.
        """
        available = self._available()
        for host in self.hosts:
            host.forget()
        self.last_start = time.time()
        with started(self.home, ["ingest", self.url, *_words(SETTINGS)]) as process:
            try:
                if extracting:
                    self._wait_for_tables(process)
                end = f"ended with {process.wait(kill_after or 300.0)}"
            except subprocess.TimeoutExpired:
                end = kill(process, self.home, alone=alone)
        self._wait_for_orphans()
        asked = Counter(key for host in self.hosts for key in host.asked)
        given = Counter(key for host in self.hosts for key in host.given)
        self.asked_again += [f"{key} in run {len(self.runs) + 1}" for key in asked if key in available]
        self.fetched_twice += [
            f"{key} in run {len(self.runs) + 1}" for key, n in given.items() if n > 1 and self.tracks[key].is_good
        ]
        self._compare_records()
        counts = Counter(record.status for record in self.corpus.records())
        self.runs.append(
            f"{end} after {time.time() - self.last_start:.0f} s; "
            f"{sum(asked.values())} requests; records: {counts['done']} done, {counts['failed']} failed"
        )
        print(f"run {len(self.runs)}: {self.runs[-1]}", flush=True)

    def due(self) -> list[str]:
        """Return the tracks that the next ingest retries and that may then succeed."""
        now, records = datetime.now(UTC), self._records()
        unknown = [key for key in self.tracks if key not in records]
        known = [record for key, record in records.items() if key in self.tracks and self._may_change(record)]
        return unknown + [record.key for record in known if is_wanted(record, now)]

    def _may_change(self, record: TrackRecord) -> bool:
        """Return whether another run may change the status of a track.

        A track that is expected to fail as throttled or because of the environment is always due, but fails again.
        """
        failure = record.error.failure if record.error else ""
        lasting = failure in ("throttled", "environment") and failure in EXPECTED[self.tracks[record.key].kind]
        return record.status != "done" and not lasting

    def obstruct(self) -> None:
        """Create folders that block the path of a download or a table."""
        for path in self._obstacles():
            (path / "something").mkdir(parents=True)

    def clear_obstacles(self) -> None:
        """Remove the folders that `obstruct` created."""
        for path in self._obstacles():
            shutil.rmtree(path)

    def _obstacles(self) -> Iterator[Path]:
        for key, sound in self.tracks.items():
            if sound.kind == "download path blocked":
                yield self.corpus.incoming_path(key)
            elif sound.kind == "table path blocked":
                yield self.corpus.features_path(features_config(Settings(download=SETTINGS)), key)

    def _records(self) -> dict[str, TrackRecord]:
        return {record.key: record for record in self.corpus.records()}

    def _available(self) -> set[str]:
        """Return the tracks that need no download: they are done, or their audio was downloaded and not extracted."""
        waiting = {path.stem for path in (self.home / "data" / "incoming").glob("*/*.mp3") if path.is_file()}
        done = {key for key, record in self._records().items() if record.status == "done"}
        return {key for key in done | waiting if key in self.tracks and (key in done or self.tracks[key].is_given)}

    def _wait_for_tables(self, process: subprocess.Popen[bytes]) -> None:
        def n_tables() -> int:
            return sum(1 for _ in (self.home / "data").glob("features/*/*.parquet"))

        before, deadline = n_tables(), time.monotonic() + MAX_WAIT
        while n_tables() == before and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)

    def look_at_outcomes(self) -> None:
        """Record the outcome of each track, and which tracks are due."""
        records, self.still_due = self._records(), self.due()
        self.outcomes = {key: outcome(records.get(key)) for key in self.tracks}

    def _compare_records(self) -> None:
        """Find finished tracks whose record has changed since they were first seen as done."""
        for key, record in self._records().items():
            if record.status == "done" and self.seen_done.setdefault(key, record) != record:
                self.written_again.append(key)

    def _wait_for_orphans(self) -> None:
        deadline = time.monotonic() + ORPHANS_SECONDS
        while (left := marked(self.home)) and time.monotonic() < deadline:
            time.sleep(0.1)
        for process in left:
            self.orphans.append(f"{process.pid}: {' '.join(process.cmdline())[:100]}")
            process.kill()


def outcome(record: TrackRecord | None) -> str:
    """Return the outcome of a track as one word: the failure class, or the status."""
    if record is None:
        return "no record"
    return record.error.failure if record.error else record.status


def _words(settings: DownloadSettings) -> Iterator[str]:
    """Yield settings as options of the command line."""
    for name, value in settings.model_dump(exclude_defaults=True).items():
        yield f"--set=download.{name}={str(value).lower() if isinstance(value, bool) else value}"
