"""Benchmark of a training run with few epochs: the time of each step, and of scoring compared with training.

Run it with ``python -m benchmarks.training``. It composes its songs, which takes a minute; the song of the other
benchmarks is not used.
"""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import soundfile

from benchmarks.measuring import Result, markdown, seconds
from flows.config.library_environment import prepare_environment
from songform.synth import compose
from tasks.ingest.extract_tracks import extract_tracks
from tasks.ingest.sources.local_files import local_listing
from tasks.settings import Settings
from tasks.store.corpus import Corpus
from tasks.train.array_cache import array_folder
from tasks.train.heldout_scores import score_bundle
from tasks.train.reference_songs import TUNING_SEEDS, composed_songs
from tasks.train.state_labels import fit_corpus_states, label_tracks
from tasks.train.tracking import prepare_store, start_run
from tasks.train.train_network import train_bundle
from tasks.train.training_plan import plan_training

__all__ = ["measure"]

BOUND = 1.0
SONGS, SECONDS, EPOCHS = 36, 120.0, 3

T = TypeVar("T")


def measure(song: Path) -> list[Result]:  # noqa: ARG001  all benchmarks are called with a song
    """Train on composed songs, and measure each step once.

    Parameters
    ----------
    song : Path
        Not used.
    """
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder, "home")
        prepare_environment(home)
        importlib.import_module("tensorflow")  # after the environment is prepared; the import is not part of a step
        settings = Settings.model_validate({"model": {"epochs": EPOCHS}})
        _extract(home, Path(folder, "songs"), settings)
        spent = _train(home, settings)
    ratio = spent["score the network and the baselines"] / spent["train the network"]
    what = f"score / train the network, {SONGS} songs of {SECONDS:g} s, {EPOCHS} epochs"
    steps = [Result(f"- {name}", f"{value:.1f} s") for name, value in spent.items()]
    return [Result(what, f"{ratio:.2f}", f"less than {BOUND}", ratio < BOUND), *steps]


def _extract(home: Path, songs: Path, settings: Settings) -> None:
    songs.mkdir()
    for seed in range(SONGS):
        made = compose(seed, duration=SECONDS)
        soundfile.write(songs / f"{seed:02}.flac", made.y, made.sr, subtype="PCM_16")
    Corpus(home).prepare()
    tracks = local_listing(songs).tracks
    extract_tracks.fn(home, [(track, Path(track.path or "")) for track in tracks], settings, len(tracks))


def _train(home: Path, settings: Settings) -> dict[str, float]:
    """Run the steps of `songform train` that depend on the corpus, and return how long each took, in seconds."""
    spent = {}

    def step(name: str, take: Callable[[], T]) -> T:
        results: list[T] = []
        spent[name] = seconds(lambda: results.append(take()))
        return results[0]

    composed_songs(home, TUNING_SEEDS, settings)
    plan = step("plan", lambda: plan_training.fn(home, settings))
    run_id = start_run.fn(home, prepare_store.fn(home, "benchmark"), plan, settings)
    with array_folder(home, plan) as arrays:
        step("discover the states", lambda: fit_corpus_states.fn(home, plan, settings, arrays=arrays))
        step("label every frame", lambda: label_tracks.fn(home, plan, settings, arrays=arrays))
        bundle = step("train the network", lambda: train_bundle.fn(home, plan, settings, run_id, arrays=arrays))
        step(
            "score the network and the baselines", lambda: score_bundle.fn(home, plan, settings, bundle, arrays=arrays)
        )
    return spent


def main() -> None:
    """Print the table."""
    print(markdown(measure(Path())))


if __name__ == "__main__":
    main()
