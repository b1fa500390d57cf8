"""Soak test: the ingest of a playlist with many kinds of failures, by a program that is killed several times.

Run it with ``make soak`` or ``python -m benchmarks.soak [TRACKS] [SEED]``. It takes some minutes, and exits with 1 if
it finds a violation.

The tracks of a feed are served by three hosts on the loopback interface. Three in ten tracks fail, in ways that depend
on the seed: HTTP errors, requests to wait, connections that break, stall or send one byte at a time, files that are cut
off, empty or not audio, manifests that make yt-dlp crash, and folders that block the path of a file. All seven failure
classes occur.

The playlist is ingested with songform's command line. The first five runs are killed with SIGKILL at random times:
either the program alone, as when memory runs out, or with its workers and its Prefect server, as in a power failure.
Then the ingest is repeated until no track is due, and once more after the blocking folders are removed. Finally, the
corpus is compared with the requests that the hosts received.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

from benchmarks.feeds import Item, feed, served
from benchmarks.mishaps import Host, drawn_kinds, sounds
from benchmarks.soak_run import SETTINGS, Soak
from benchmarks.verdicts import class_table, forbidden, kind_table
from tasks.settings import Settings
from tasks.store.tracks import feed_key

__all__ = ["main", "soak"]

TRACKS, SEED = 300, 4
KILLS, MAX_RUNS = 5, 12
FAILING = 0.3
TITLE = "soak"


def soak(n_tracks: int, seed: int, home: Path) -> Soak:
    """Run the whole soak test.

    Parameters
    ----------
    n_tracks : int
        Number of tracks of the playlist.
    seed : int
        Seed of the sounds, the failures and the moments of the kills.
    home : Path
        Home of the ingests.

    Returns
    -------
    Soak
        The finished run.
    """
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
            extracting = number >= KILLS - 2  # the last two kills come while tables are written
            run.ingest(
                rng.uniform(0.0, 3.0) if extracting else rng.uniform(4.0, 40.0),
                alone=number % 2 == 0,
                extracting=extracting,
            )
        while len(run.runs) < MAX_RUNS and run.has_time:
            run.ingest()
            if not run.due():
                break
        run.look_at_outcomes()
        run.clear_obstacles()
        run.ingest()
    return run


def main() -> None:
    """Print the counts; exit with 1 if there is a violation."""
    n_tracks, seed = (int(word) for word in (*sys.argv[1:3], *(str(n) for n in (TRACKS, SEED)[len(sys.argv[1:3]) :])))
    with tempfile.TemporaryDirectory(prefix="songform-soak-", ignore_cleanup_errors=True) as folder:
        run = soak(n_tracks, seed, Path(folder))
        kinds, wrong = kind_table(run.tracks, run.outcomes)
        ends, unseen = class_table(run.outcomes)
        found = forbidden(run, Settings(download=SETTINGS), kills=KILLS)
        found += [("tracks with an unexpected outcome", wrong), ("failure classes that did not occur", unseen)]
        print(f"\n{kinds}\n\n{ends}\n\n| violation | count |\n|---|--:|")
        print("\n".join(f"| {what} | {len(those)} |" for what, those in found))
        print(f"\n{n_tracks} tracks, seed {seed}, {run.n_kills} kills, {time.monotonic() - run.began:.0f} s.")
        _explain((f"{what}: {those[:8]}" for what, those in found if those), Path(folder))
    sys.exit(int(any(those for _, those in found)))


def _explain(lines: Iterable[str], home: Path) -> None:
    """Print the violations and the end of the program's log; print nothing if there are no violations."""
    violations = list(lines)
    if violations:
        print("\n".join(["", *violations, "", (home / "soak.log").read_text(errors="replace")[-3000:]]))


if __name__ == "__main__":
    main()
