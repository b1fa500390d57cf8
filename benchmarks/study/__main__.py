"""Study of the accuracy of states, beats and sections; docs/states.md, beats.md and sections.md contain its results.

    python -m benchmarks.study              # composed songs only
    python -m benchmarks.study FOLDER       # also labeled songs: SONG.mp3, SONG.1.lab, SONG.2.lab, SONG.beats

All random numbers come from fixed seeds, so with the same versions of NumPy, SciPy and scikit-learn every run prints
the same results, except for the cost. The study needs no network and takes some minutes.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from benchmarks.study.composed import composed_corpora, print_main, print_variants
from benchmarks.study.cost import print_cost
from benchmarks.study.labelled import print_labelled
from benchmarks.study.sections import print_sections
from benchmarks.study.songs import fitted, labelled_songs
from benchmarks.study.stability import print_stability

__all__ = ["main"]


def main() -> None:
    """Print all tables."""
    began = time.perf_counter()
    labelled = labelled_songs(Path(sys.argv[1])) if len(sys.argv) > 1 else []
    if labelled:
        print_sections(labelled)
    corpora = composed_corpora()
    print_main(corpora)
    print_variants(corpora)
    print(
        "\nShare of frames that keep their state when states are discovered in a random half of the songs (5 halves)\n"
    )
    print("| corpus | songs | mean | lowest | highest |\n|---|--:|--:|--:|--:|")
    print_stability("composed, the study's instruments", corpora.fit)
    print_stability("composed, other instruments", corpora.other_fit)
    if labelled:
        print_stability("labelled", labelled)
        print_labelled(labelled)
    print_cost(fitted(corpora.fit), corpora.fit[0])
    print(f"Took {time.perf_counter() - began:.0f} s on {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}.")


if __name__ == "__main__":
    main()
