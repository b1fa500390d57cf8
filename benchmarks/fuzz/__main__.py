"""Fuzz test of the ingest.

    python -m benchmarks.fuzz [--seed N] [--count N]   # the table of outcomes; exits with 1 if there is a fault
    python -m benchmarks.fuzz --only N [--seed N]      # one file again, which is kept in the current folder

Files of every container that ffmpeg and libsndfile write are cut, spliced, overwritten and rearranged
(`benchmarks.fuzz.mutations`), and ingested by worker processes with a limit of memory and of time. Every file must be
done, with the length that a full decode gives, or be refused with one sentence. ``make fuzz`` ingests 10,000 files in
some minutes.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from benchmarks.fuzz.seeds import SeedFile, written_seeds
from benchmarks.fuzz.worker import FAULTS, MAX_MEGABYTES, MAX_SECONDS, FuzzJob, Verdict, damaged_file, ingested
from tasks.ingest.ffmpeg import find_ffmpeg
from tasks.process_pool import WorkerTimeoutError, run_jobs

__all__ = ["main", "outcome_table"]

COUNT, SEED, WORKERS = 10_000, 12, 2
BATCH = 1000  # files per pool of processes; the cost of waiting for a file grows with the number of files in the pool
COLUMNS = ("done", "done with a note", "refused", *FAULTS)


def outcome_table(verdicts: Sequence[Verdict]) -> str:
    """Return the number of files per container and outcome, as a Markdown table."""
    rows = [f"| container | files | {' | '.join(COLUMNS)} |", "|---|--:|" + "--:|" * len(COLUMNS)]
    containers = list(dict.fromkeys(verdict.container for verdict in verdicts))
    for container in (*containers, "all"):
        counts = Counter(each.outcome for each in verdicts if container in (each.container, "all"))
        rows.append(f"| {container} | {counts.total()} | {' | '.join(str(counts[name]) for name in COLUMNS)} |")
    return "\n".join(rows)


def verdicts_of(folder: Path, seed: int, numbers: Sequence[int]) -> Iterator[tuple[int, Verdict]]:
    """Yield the number and the verdict of each file, as soon as it is known."""
    ffmpeg = find_ffmpeg()
    seeds = written_seeds(folder / "seeds", ffmpeg)
    for first in range(0, len(numbers), BATCH):
        jobs = [FuzzJob(folder, ffmpeg, seed, number) for number in numbers[first : first + BATCH]]
        with closing(run_jobs(ingested, jobs, workers=WORKERS, seconds=MAX_SECONDS)) as outcomes:
            for index, outcome in outcomes:
                number = jobs[index].number
                intact = seeds[number % len(seeds)]
                yield number, outcome if isinstance(outcome, Verdict) else _lost(intact, outcome)


def _lost(intact: SeedFile, error: Exception) -> Verdict:
    """Return the verdict on a file whose worker process ended or was terminated."""
    outcome = "over the limits" if isinstance(error, WorkerTimeoutError) else "died"
    return Verdict(intact.container, intact.name, outcome, f"{type(error).__name__}: {error}")


def main() -> None:
    """Print the table and the faults; exit with 1 if there are any."""
    options = _options()
    began, verdicts = time.monotonic(), {}
    with tempfile.TemporaryDirectory(prefix="songform-fuzz-", ignore_cleanup_errors=True) as name:
        if options.only is not None:
            job = FuzzJob(Path(name), find_ffmpeg(), options.seed, options.only)
            print(f"The file is {shutil.copy(damaged_file(job)[1], Path.cwd())}.")
        numbers = range(options.count) if options.only is None else [options.only]
        for number, verdict in verdicts_of(Path(name), options.seed, numbers):
            verdicts[number] = verdict
            if verdict.is_fault or options.only is not None or options.all:
                print(_line(number, verdict), flush=True)
    found = [verdicts[number] for number in sorted(verdicts)]
    print(f"\n{outcome_table(found)}\n\n{_costs(found)}\n{_disagreements(found)}")
    print(
        f"{len(found)} files, seed {options.seed}, {(time.monotonic() - began) / 60:.1f} min, {os.cpu_count()} cores."
    )
    sys.exit(int(any(each.is_fault for each in found)))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzz")
    parser.add_argument("--seed", type=int, default=SEED, help="seed of the damage")
    parser.add_argument("--count", type=int, default=COUNT, help="number of files")
    parser.add_argument("--only", type=int, help="number of one file, which is also copied to the current folder")
    parser.add_argument("--all", action="store_true", help="also print the files without a fault")
    return parser.parse_args()


def _line(number: int, verdict: Verdict) -> str:
    lengths = f"{verdict.seconds} s, full decode {verdict.expected} s"
    about = "; ".join(filter(None, (verdict.made, lengths, verdict.decoder, verdict.about)))
    return f"{number}: {verdict.outcome}: {about}"


def _costs(verdicts: Sequence[Verdict]) -> str:
    """Return the largest costs of a file, and the formats that were compared with libsndfile."""
    took, megabytes = max(each.took for each in verdicts), max(each.megabytes for each in verdicts)
    costs = (
        f"At most {took:.1f} s (limit {MAX_SECONDS:.0f} s) and {megabytes:.0f} MB (limit {MAX_MEGABYTES} MB) per file."
    )
    n_cpu = sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return f"{costs} {n_cpu / 60:.1f} min of CPU time."


def _disagreements(verdicts: Sequence[Verdict]) -> str:
    """Return how many files only libsndfile decodes, and for how many its length differs from that of ffmpeg."""
    alone = Counter(each.container for each in verdicts if each.reference == "libsndfile")
    both = Counter(each.container for each in verdicts if each.reference == "ffmpeg" and each.by_libsndfile is not None)
    differing = Counter(each.container for each in verdicts if each.do_decoders_disagree)
    counts = ", ".join(f"{container} {count}" for container, count in differing.most_common())
    return (
        f"Of the files that are done, only libsndfile decodes {alone.total()}, and both decoders {both.total()}; "
        f"their lengths differ for {differing.total()}{f' ({counts})' if counts else ''}."
    )


if __name__ == "__main__":
    main()
