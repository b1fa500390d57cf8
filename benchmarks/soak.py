"""A soak: a playlist that fails in every way, ingested by a program that is killed again and again.

Run it with ``make soak`` or ``python -m benchmarks.soak [TRACKS] [SEED]``; it takes some minutes, and ends with 1 if a
count is off. The tracks of a feed lie on three hosts on loopback. Three in ten fail, each in a way drawn by the seed:
statuses, pauses, connections that break, stall or trickle, bodies that are cut, empty, or something else, manifests
over which yt-dlp stumbles, and folders of this machine where a file should be. So each of the seven classes of failures
is among them. The real command line ingests it. Five times it is killed with SIGKILL at a moment drawn by the seed:
alone, as when memory runs out, or with its workers and its Prefect server, as when the power fails. Then it is run
until nothing is due, and once more when the machine has been mended.

Afterwards the corpus is compared with what the hosts know of themselves: what they were asked for, and when.
"""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.feeds import Item, feed, served
from benchmarks.mishaps import EXPECTED, Host, Sound, drawn_kinds, sounds
from benchmarks.processes import kill, marked, started
from benchmarks.verdicts import class_table, forbidden, kind_table, outcome
from tasks.ingest.ingest_plan import is_wanted
from tasks.settings import DownloadSettings, Settings
from tasks.store.corpus import Corpus
from tasks.store.tables import features_config
from tasks.store.tracks import TrackRecord, feed_key

__all__ = ["Soak", "main"]

TRACKS, SEED = 300, 4
KILLS, MOST_RUNS = 5, 12
FAILING = 0.3
TITLE = "soak"
MOST_SECONDS = 480.0  # after this no run begins any more
MOST_WAIT = 120.0
ORPHANS_SECONDS = 40.0  # what a server may take to notice that it is alone, and to write down what it was told

SETTINGS = DownloadSettings(
    attempts=2,
    retry_seconds=6.0,
    timeout_seconds=2.0,
    workers=24,
    host_workers=8,
    host_seconds=0.0,
    throttle_seconds=1.0,
    throttle_most_seconds=2.0,
    max_minutes=1.0,  # two attempts at a server that falls silent take half of it
    allow_private=True,
)


@dataclass
class Soak:
    """A soak: its home, its tracks, its processes, and what was seen on the way."""

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
        """The corpus of the home."""
        return Corpus(self.home)

    @property
    def n_kills(self) -> int:
        """How often it was killed, and not at its end before."""
        return sum(said.startswith("killed") for said in self.runs)

    @property
    def has_time(self) -> bool:
        """Whether another run may begin."""
        return time.monotonic() - self.began < MOST_SECONDS

    def ingest(self, kill_after: float | None = None, *, alone: bool = False, extracting: bool = False) -> None:
        """Run the program, and see that it leaves alone what was there before.

        Parameters
        ----------
        kill_after : float, optional
            When it is killed, in s after its start; if left out, it may come to its end.
        alone : bool
            Whether its workers and its server are spared.
        extracting : bool
            The seconds count from when it began to write tables.
        """
        at_hand = self._at_hand()
        for host in self.hosts:
            host.forget()
        self.last_start = time.time()
        with started(self.home, ["ingest", self.url, *_words(SETTINGS)]) as process:
            try:
                if extracting:
                    self._wait_for_tables(process)
                said = f"ended with {process.wait(kill_after or 300.0)}"
            except subprocess.TimeoutExpired:
                said = kill(process, self.home, alone=alone)
        self._wait_for_orphans()
        asked = Counter(key for host in self.hosts for key in host.asked)
        whole = Counter(key for host in self.hosts for key in host.given)
        self.asked_again += [f"{key} in run {len(self.runs) + 1}" for key in asked if key in at_hand]
        self.fetched_twice += [
            f"{key} in run {len(self.runs) + 1}" for key, n in whole.items() if n > 1 and self.tracks[key].is_good
        ]
        self._look_at_records()
        counts = Counter(record.status for record in self.corpus.records())
        self.runs.append(
            f"{said} after {time.time() - self.last_start:.0f} s; "
            f"{sum(asked.values())} requests; records: {counts['done']} done, {counts['failed']} failed"
        )
        print(f"run {len(self.runs)}: {self.runs[-1]}", flush=True)

    def due(self) -> list[str]:
        """Return the tracks for which the next ingest would do something, and not in vain."""
        now, records = datetime.now(UTC), self._records()
        unknown = [key for key in self.tracks if key not in records]
        known = [record for key, record in records.items() if key in self.tracks and self._may_change(record)]
        return unknown + [record.key for record in known if is_wanted(record, now)]

    def _may_change(self, record: TrackRecord) -> bool:
        """Return whether another run is of use; what a host or this machine withholds each time is due at once."""
        failure = record.error.failure if record.error else ""
        lasting = failure in ("throttled", "environment") and failure in EXPECTED[self.tracks[record.key].kind]
        return record.status != "done" and not lasting

    def obstruct(self) -> None:
        """Lay folders where this machine should have no place for a file of a track."""
        for path in self._obstacles():
            (path / "something").mkdir(parents=True)

    def mend(self) -> None:
        """Clear them away."""
        for path in self._obstacles():
            shutil.rmtree(path)

    def _obstacles(self) -> Iterator[Path]:
        for key, sound in self.tracks.items():
            if sound.kind == "no place for its download":
                yield self.corpus.incoming_path(key)
            elif sound.kind == "no place for its table":
                yield self.corpus.features_path(features_config(Settings(download=SETTINGS)), key)

    def _records(self) -> dict[str, TrackRecord]:
        return {record.key: record for record in self.corpus.records()}

    def _at_hand(self) -> set[str]:
        """Return the tracks for which no host need be asked: they are done, or their sound waits."""
        waiting = {path.stem for path in (self.home / "data" / "incoming").glob("*/*.mp3") if path.is_file()}
        done = {key for key, record in self._records().items() if record.status == "done"}
        return {key for key in done | waiting if key in self.tracks and (key in done or self.tracks[key].is_given)}

    def _wait_for_tables(self, process: subprocess.Popen[bytes]) -> None:
        def n_tables() -> int:
            return sum(1 for _ in (self.home / "data").glob("features/*/*.parquet"))

        before, deadline = n_tables(), time.monotonic() + MOST_WAIT
        while n_tables() == before and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)

    def look_at_outcomes(self) -> None:
        """Note what became of each track, and which are to be tried again."""
        records, self.still_due = self._records(), self.due()
        self.outcomes = {key: outcome(records.get(key)) for key in self.tracks}

    def _look_at_records(self) -> None:
        """See that what was done once is not written down again."""
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


def soak(n_tracks: int, seed: int, home: Path) -> Soak:
    """Run the whole soak."""
    rng = random.Random(seed)
    made = sounds(n_tracks, rng)
    kinds = drawn_kinds(n_tracks, round(FAILING * n_tracks), rng)
    with ExitStack() as stack:
        hosts = [Host() for _ in range(3)]
        urls = [stack.enter_context(served(host.answer)) for host in hosts]
        tracks, items = {}, []
        for number, (sound, kind) in enumerate(zip(made, kinds, strict=True)):
            key, place = feed_key(TITLE, f"soak-{number}"), rng.randrange(3)
            tracks[key] = hosts[place].put(key, sound, kind)
            items.append(Item(f"Track {number} {kind}", f"{urls[place]}/{key}", f"soak-{number}", sound.seconds))
        hosts[0].document = feed(TITLE, items)
        run = Soak(home, tracks, hosts, f"{urls[0]}/feed.rss")
        run.obstruct()
        for number in range(KILLS):
            extracting = number >= KILLS - 2  # these two while tables are written
            run.ingest(
                rng.uniform(0.0, 3.0) if extracting else rng.uniform(4.0, 40.0),
                alone=number % 2 == 0,
                extracting=extracting,
            )
        while len(run.runs) < MOST_RUNS and run.has_time:
            run.ingest()
            if not run.due():
                break
        run.look_at_outcomes()
        run.mend()
        run.ingest()
    return run


def _words(settings: DownloadSettings) -> Iterator[str]:
    """Yield settings as the command line takes them."""
    for name, value in settings.model_dump(exclude_defaults=True).items():
        yield f"--set=download.{name}={str(value).lower() if isinstance(value, bool) else value}"


def main() -> None:
    """Print what was counted; end with 1 if anything is off."""
    n_tracks, seed = (int(word) for word in (*sys.argv[1:3], *(str(n) for n in (TRACKS, SEED)[len(sys.argv[1:3]) :])))
    with tempfile.TemporaryDirectory(prefix="songform-soak-", ignore_cleanup_errors=True) as folder:
        run = soak(n_tracks, seed, Path(folder))
        kinds, wrong = kind_table(run.tracks, run.outcomes)
        ends, unseen = class_table(run.outcomes)
        found = forbidden(run, Settings(download=SETTINGS), kills=KILLS)
        found += [("tracks of another class than they should be", wrong), ("classes that none came to", unseen)]
        print(f"\n{kinds}\n\n{ends}\n\n| what must not be | count |\n|---|--:|")
        print("\n".join(f"| {what} | {len(those)} |" for what, those in found))
        print(f"\n{n_tracks} tracks, seed {seed}, {run.n_kills} kills, {time.monotonic() - run.began:.0f} s.")
        _explain((f"{what}: {those[:8]}" for what, those in found if those), Path(folder))
    sys.exit(int(any(those for _, those in found)))


def _explain(lines: Iterable[str], home: Path) -> None:
    """Say what is off, and the last words of the program."""
    said = list(lines)
    if said:
        print("\n".join(["", *said, "", (home / "soak.log").read_text(errors="replace")[-3000:]]))


if __name__ == "__main__":
    main()
