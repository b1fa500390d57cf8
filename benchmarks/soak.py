"""A soak: a playlist that fails in every way, ingested by a program that is killed again and again.

Run it with ``make soak`` or ``python -m benchmarks.soak [TRACKS] [SEED]``; it takes some minutes, and ends with 1 if a
count is off. The tracks of a feed lie on three hosts on loopback. Three in ten fail, each in a way drawn by the seed:
statuses, pauses, connections that break, stall or trickle, bodies that are cut, empty, or something else. The real
command line ingests it. Five times it is killed with SIGKILL at a moment drawn by the seed: alone, as when memory runs
out, or with its workers and its Prefect server, as when the power fails. Then it is run until nothing is due.

Afterwards the corpus is compared with what the hosts know of themselves: what they were asked for, and when.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pyarrow.parquet as pq

from benchmarks.feeds import Item, feed, served
from benchmarks.mishaps import EXPECTED, MISHAPS, Host, Sound, sounds
from songform.corpus import Corpus
from songform.settings import DownloadSettings, Settings
from songform.sources import TrackRecord, feed_key
from tasks.features import has_features
from tasks.surveys import is_wanted

__all__ = ["main"]

TRACKS, SEED = 300, 4
KILLS, MOST_RUNS = 5, 12
FAILING = 0.3
TITLE = "soak"
MARK = "SONGFORM_SOAK_MARK"  # in the environment of all processes of the soak: this is how orphans are found
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
    max_minutes=0.5,
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
    last_start: float = 0.0

    @property
    def corpus(self) -> Corpus:
        """The corpus of the home."""
        return Corpus(self.home)

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
        with started(self.home, self.url) as process:
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

    def is_settled(self) -> bool:
        """Return whether the next ingest would find nothing to do."""
        now, records = datetime.now(UTC), self._records()
        return set(records) == set(self.tracks) and not any(
            is_wanted(record, now) for record in records.values() if _may_change(record)
        )

    def _records(self) -> dict[str, TrackRecord]:
        return {record.key: record for record in self.corpus.records()}

    def _at_hand(self) -> set[str]:
        """Return the tracks for which no host need be asked: they are done, or their sound waits."""
        waiting = {path.stem for path in (self.home / "data" / "incoming").glob("*/*.mp3")}
        done = {key for key, record in self._records().items() if record.status == "done"}
        return {key for key in done | waiting if key in self.tracks and (key in done or self.tracks[key].is_good)}

    def _wait_for_tables(self, process: subprocess.Popen[bytes]) -> None:
        def n_tables() -> int:
            return sum(1 for _ in (self.home / "data").glob("features/*/*.parquet"))

        before, deadline = n_tables(), time.monotonic() + MOST_WAIT
        while n_tables() == before and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)

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


@contextmanager
def started(home: Path, url: str) -> Iterator[subprocess.Popen[bytes]]:
    """Start the command line in a session of its own."""
    foreign = ("PREFECT_", "SONGFORM_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    words = [
        f"--set=download.{name}={_word(value)}" for name, value in SETTINGS.model_dump(exclude_defaults=True).items()
    ]
    command = [sys.executable, "-m", "flows.cli", "--home", str(home), "--json", "ingest", url, *words]
    with (home / "soak.log").open("ab") as log:
        process = subprocess.Popen(
            command,
            env={**environment, MARK: str(home)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def kill(process: subprocess.Popen[bytes], home: Path, *, alone: bool) -> str:
    """Kill the program, alone or with all that it started."""
    for other in [] if alone else marked(home):
        if other.pid != process.pid:
            other.send_signal(signal.SIGKILL)
    process.send_signal(signal.SIGKILL)
    process.wait()
    return "killed alone" if alone else "killed with its workers and its server"


def marked(home: Path) -> list[psutil.Process]:
    """Return the processes that stem from this soak."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE and process.environ().get(MARK) == str(home):
                found.append(process)
        except psutil.Error:
            continue
    return found


def soak(n_tracks: int, seed: int, home: Path) -> Soak:
    """Run the whole soak."""
    rng = random.Random(seed)
    made = sounds(n_tracks, rng)
    kinds = [rng.choice(MISHAPS) if n < FAILING * n_tracks else "" for n in range(n_tracks)]
    rng.shuffle(kinds)
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
        for number in range(KILLS):
            extracting = number >= KILLS - 2  # these two while tables are written
            run.ingest(
                rng.uniform(0.0, 3.0) if extracting else rng.uniform(4.0, 40.0),
                alone=number % 2 == 0,
                extracting=extracting,
            )
        while len(run.runs) < MOST_RUNS and run.has_time:
            run.ingest()
            if run.is_settled():
                break
    return run


def checks(run: Soak) -> list[tuple[str, Sequence[str]]]:
    """Return what must not be, each with those of which it is true."""
    corpus, settings = run.corpus, Settings(download=SETTINGS)
    records = {record.key: record for record in corpus.records()}
    good = [key for key, sound in run.tracks.items() if sound.is_good]
    data = run.home / "data"
    stray = [path for path in data.rglob("*.tmp") if path.stat().st_mtime < run.last_start]
    return [
        ("good tracks not done", [k for k in good if not has_features(corpus, records.get(k), settings)]),
        ("tracks asked for although they were at hand", run.asked_again),
        ("good tracks fetched twice in a run", run.fetched_twice),
        ("records of done tracks written again", run.written_again),
        ("records of no track", [key for key in records if key not in run.tracks]),
        ("temporary files older than the last run", [str(path) for path in stray]),
        ("claims left", [str(path) for path in corpus.claims.glob("*")]),
        ("downloads left", [str(path) for path in (data / "incoming").rglob("*.*") if path.is_file()]),
        ("files that cannot be read", list(unreadable(data))),
        ("processes left behind", run.orphans),
        ("runs that ended with a defect", [said for said in run.runs if "ended with 1 " in said]),
        ("tracks still due", [] if run.is_settled() else ["some"]),
    ]


def unreadable(data: Path) -> Iterator[str]:
    """Yield the JSON and Parquet files that are not whole."""
    for path in data.rglob("*"):
        try:
            if path.suffix == ".parquet":
                pq.read_table(path, partitioning=None)
            elif path.suffix == ".json":
                json.loads(path.read_bytes())
        except (OSError, ValueError) as error:
            yield f"{path}: {error}"


def classes(run: Soak) -> tuple[str, list[str]]:
    """Return a table of each kind of failure with the classes it should have and has, and whose class is wrong."""
    records = {record.key: record for record in run.corpus.records()}
    rows, wrong = ["| what the host does | tracks | should be | is |", "|---|--:|---|---|"], []
    for kind in sorted({sound.kind for sound in run.tracks.values()}):
        keys = [key for key, sound in run.tracks.items() if sound.kind == kind]
        seen = {key: _outcome(records.get(key)) for key in keys}
        wrong += [f"{key} ({kind}): {found}" for key, found in seen.items() if found not in EXPECTED[kind]]
        found = ", ".join(f"{count} {outcome}" for outcome, count in Counter(seen.values()).most_common())
        rows.append(f"| {kind or 'gives it'} | {len(keys)} | {' or '.join(EXPECTED[kind])} | {found} |")
    return "\n".join(rows), wrong


def _may_change(record: TrackRecord) -> bool:
    """Return whether waiting for a failure is of use: a host that wants a second's pause each time is due at once."""
    return record.status != "done" and not (record.error and record.error.failure == "throttled")


def _outcome(record: TrackRecord | None) -> str:
    if record is None:
        return "no record"
    return record.error.failure if record.error else record.status


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def main() -> None:
    """Print what was counted; end with 1 if anything is off."""
    n_tracks, seed = (int(word) for word in (*sys.argv[1:3], *(str(n) for n in (TRACKS, SEED)[len(sys.argv[1:3]) :])))
    with tempfile.TemporaryDirectory(prefix="songform-soak-", ignore_cleanup_errors=True) as folder:
        run = soak(n_tracks, seed, Path(folder))
        table, wrong = classes(run)
        found = [*checks(run), ("tracks of another class than they should be", wrong)]
        print(f"\n{table}\n\n| what must not be | count |\n|---|--:|")
        print("\n".join(f"| {what} | {len(those)} |" for what, those in found))
        print(f"\n{n_tracks} tracks, seed {seed}, {KILLS} kills, {time.monotonic() - run.began:.0f} s.")
        _explain((f"{what}: {those[:8]}" for what, those in found if those), Path(folder))
    sys.exit(int(any(those for _, those in found)))


def _explain(lines: Iterable[str], home: Path) -> None:
    """Say what is off, and the last words of the program."""
    said = list(lines)
    if said:
        print("\n".join(["", *said, "", (home / "soak.log").read_text(errors="replace")[-3000:]]))


if __name__ == "__main__":
    main()
