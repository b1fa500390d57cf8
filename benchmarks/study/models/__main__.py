"""Study of networks, baselines and adapted models; docs/models.md contains its results.

    python -m benchmarks.study.models [CORPUS] [--home FOLDER] [--seeds N] [--tables NAME ...]

========== ============================================================================================
`truth`    each network and baseline on true states
`joint`    state model and network together, and the calibration of their confidence
`targets`  states some seconds ahead, and networks with one label per window
`corpora`  how right models are that few songs of one kind have adapted
`songs`    networks and baselines on pseudo-labels of the songs in the folder CORPUS
========== ============================================================================================

Every score on true states belongs to songs whose sounds the model was not trained on: all songs of one family of sounds
are left out (`training.state_songs`), each family in turn. The songs of the tests choose nothing. They are kept in the
folder, like those of `make pretrained`.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.study.models.adapted import print_corpora
from benchmarks.study.models.folds import all_folds
from benchmarks.study.models.joint import print_joint
from benchmarks.study.models.pseudo_labels import print_songs
from benchmarks.study.models.targets import print_targets
from benchmarks.study.models.truth import print_truth

__all__ = ["main"]

TABLES = ("truth", "joint", "targets", "corpora", "songs")


def main(arguments: Sequence[str] | None = None) -> None:
    """Print all tables, or some of them."""
    parser = argparse.ArgumentParser(description="Study of networks, baselines and adapted models.")
    parser.add_argument("corpus", type=Path, nargs="?", help="folder with songs, for the table songs")
    parser.add_argument("--home", type=Path, default=Path("build/pretrained"), help="folder for the played songs")
    parser.add_argument("--seeds", type=int, default=3, help="number of seeds per network")
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=TABLES, help="tables to print")
    options = parser.parse_args(arguments)
    began = time.monotonic()
    if set(options.tables) != {"songs"}:
        folds = all_folds(options.home)
        tables = {
            "truth": lambda: print_truth(folds, options.seeds),
            "joint": lambda: print_joint(folds),
            "targets": lambda: print_targets(folds),
            "corpora": lambda: print_corpora(options.home, folds),
        }
        for name in options.tables:
            if name in tables:
                tables[name]()
    if "songs" in options.tables and options.corpus is not None:
        print_songs(options.corpus)
    minutes = (time.monotonic() - began) / 60
    print(f"\nTook {minutes:.0f} minutes on {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}.")


if __name__ == "__main__":
    main()
