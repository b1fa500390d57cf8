"""Statistics of two hundred study songs, and the processor time of composing songs.

Run it with ``python -m benchmarks.composer``. The counts depend only on the seeds. The times depend on the machine.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import pairwise

import numpy as np

from songform.synth import Song, playlist, study_songs
from songform.synth.composition import Composition
from songform.synth.instruments import SETS
from songform.synth.study_composition import study_composition

SR = 22050
N_COMPOSED, N_PLAYED = 200, 20


def main() -> None:
    """Print three tables."""
    composed = [study_composition(seed, SR, None, SETS["study"].players) for seed in range(N_COMPOSED)]
    print(f"seeds 0 to {N_COMPOSED - 1}\n")
    print(table([{"property": name, "counted": found} for name, found in counts(composed).items()]))
    print(table(shares(composed)))
    print(table([cost(name, instruments) for name in ("study_songs", "playlist") for instruments in SETS]))


def counts(composed: list[Composition]) -> dict[str, str]:
    """Count the properties of the songs: lengths, tempos, meters, dynamics, states and sections."""
    traits = [each.traits for each in composed]
    orders = [[passage.state for passage in each.passages] for each in composed]
    seconds = [sum(passage.clock.n_samples for passage in each.passages) / SR for each in composed]
    bars = [passage.clock.steps // (4 * each.traits.beats) for each in composed for passage in each.passages]
    pairs = Counter(pair for order in orders for pair in pairwise(order))
    return {
        "seconds": f"{min(seconds):.0f} to {max(seconds):.0f}, mean {np.mean(seconds):.0f}",
        "beats per minute": f"{min(each.bpm for each in traits):.0f} to {max(each.bpm for each in traits):.0f}",
        "in 3/4": str(sum(each.beats == 3 for each in traits)),
        "swung": str(sum(each.swing > 0 for each in traits)),
        "fading in, out": f"{sum(each.fade_in > 0 for each in traits)}, {sum(each.fade_out > 0.5 for each in traits)}",
        "dynamics": counted(Counter(each.dynamics for each in traits)),
        "number of states missing from a song": counted(Counter(5 - len(set(order)) for order in orders)),
        "different orders of sections": str(len(set(map(tuple, orders)))),
        "sections": str(len(bars)),
        "bars per section": counted(Counter(bars)),
        "pairs of consecutive states": f"{len(pairs)} of 20; the rarest occurs {min(pairs.values())} times",
    }


def shares(composed: list[Composition]) -> list[dict[str, str]]:
    """Return each state's share of the total duration, and how often each of its patterns occurs."""
    samples: Counter[str] = Counter()
    kinds: dict[str, Counter[str]] = {}
    for passage in (passage for each in composed for passage in each.passages):
        samples[passage.state] += passage.clock.n_samples
        kinds.setdefault(passage.state, Counter())[passage.pattern] += 1
    return [
        {
            "state": state,
            "share of the time": f"{samples[state] / samples.total():.3f}",
            "sections per pattern": counted(kinds[state]),
        }
        for state in sorted(kinds)
    ]


def cost(name: str, instruments: str) -> dict[str, str]:
    """Measure the processor time of composing songs."""
    composer: Callable[..., Iterable[Song]] = {"study_songs": study_songs, "playlist": playlist}[name]
    spent, seconds, began = [], 0.0, time.process_time()
    for song in composer(N_PLAYED, 11, instruments=instruments):
        spent.append(time.process_time() - began)
        seconds += song.y.size / song.sr
        began = time.process_time()
    return {
        "songs": name,
        "instruments": instruments,
        "s per song": f"{np.mean(spent):.2f}",
        "slowest": f"{max(spent):.2f}",
        "s per 75 s of music": f"{75 * sum(spent) / seconds:.2f}",
    }


def table(rows: list[dict[str, str]]) -> str:
    """Return a Markdown table of rows that have the same columns."""
    lines = [list(rows[0]), ["---"] * len(rows[0]), *(list(row.values()) for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def counted(counter: Counter) -> str:
    """Return a counter as one line of text, sorted by its keys."""
    return ", ".join(f"{key}: {counter[key]}" for key in sorted(counter))


if __name__ == "__main__":
    main()
