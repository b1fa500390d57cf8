"""Benchmark of a training run: the time of each step, labels per second, and memory for 20 and for 2,000 tracks.

Run it with ``python -m benchmarks.training``; the song of the other benchmarks is not used. The tracks are tables made
from parts of composed songs in random order, because only their size matters. ``--quick`` leaves out the memory.
"""

from __future__ import annotations

import importlib
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa

from benchmarks.measuring import Result, markdown, seconds
from benchmarks.memory import own_peak_megabytes
from flows.config.library_environment import prepare_environment
from songform.features.extraction import describe_audio
from songform.features.overview import Overview
from songform.learning.splits import Split
from songform.synth import compose
from tasks.ingest.track_outcomes import record_done
from tasks.progress import ProgressEvent, listening
from tasks.settings import Settings
from tasks.store.corpus import Corpus
from tasks.store.tables import features_config, write_table
from tasks.store.tracks import Track
from tasks.train.array_cache import array_folder
from tasks.train.heldout_scores import score_bundle
from tasks.train.reference_songs import TUNING_SEEDS, composed_songs
from tasks.train.state_labels import fit_corpus_states, label_tracks
from tasks.train.tracking import prepare_store, start_run
from tasks.train.train_network import read_training, train_bundle
from tasks.train.training_plan import Plan, plan_training

__all__ = ["measure"]

SONGS, SECONDS = 36, 240.0
LEAST_RATE = 20_000  # labels per second
MOST_SECONDS = 60.0
FEW, MANY = 20, 2000
MOST_RATIO = 1.05
PART_CELLS = 80  # cells of the overview in a part of a song, 8 s

T = TypeVar("T")


@dataclass
class _Spent:
    """Seconds and CPU seconds of each step, and the times and CPU times at which epochs ended."""

    steps: dict[str, float] = field(default_factory=dict)
    cpu: dict[str, float] = field(default_factory=dict)
    epochs: list[tuple[float, float]] = field(default_factory=list)

    def step(self, name: str, take: Callable[[], T]) -> T:
        """Measure a step, and return its result."""
        results: list[T] = []
        began = time.process_time()
        self.steps[name] = seconds(lambda: results.append(take()))
        self.cpu[name] = time.process_time() - began
        return results[0]

    def hear(self, event: ProgressEvent) -> None:
        """Note the end of an epoch."""
        if event.stage == "training" and event.done:
            self.epochs.append((time.perf_counter(), time.process_time()))


def measure(song: Path, *, with_memory: bool = True) -> list[Result]:  # noqa: ARG001  all benchmarks take a song
    """Train on tables of composed songs, and measure each step once.

    Parameters
    ----------
    song : Path
        Not used.
    with_memory : bool
        Whether to measure the memory as well, which takes several minutes.
    """
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder, "home")
        prepare_environment(home)
        importlib.import_module("tensorflow")  # after the environment is prepared; the import is not part of a step
        settings = Settings()
        _write_songs(home, settings)
        composing = seconds(lambda: composed_songs(home, TUNING_SEEDS, settings))
        spent, labels = _train(home, settings)
        results = _results(spent, labels, composing)
        return results + (_memory(home, Path(folder)) if with_memory else [])


def _results(spent: _Spent, labels: int, composing: float) -> list[Result]:
    """Return the rows of the table; CPU time is that of all cores together."""
    total, cpu = sum(spent.steps.values()), sum(spent.cpu.values())
    rate, cpu_rate = (labels / median(column) for column in np.diff(spent.epochs, axis=0).T.tolist())
    what = f"train on {SONGS} songs of {SECONDS:g} s, with {len(spent.epochs)} epochs and the scores"
    return [
        Result(what, f"{total:.0f} s ({cpu:.0f} s of CPU time)", f"at most {MOST_SECONDS:g} s", total <= MOST_SECONDS),
        Result("labels per second in training", f"{rate:,.0f}", f"at least {LEAST_RATE:,}", rate >= LEAST_RATE),
        Result("labels per second of CPU time in training", f"{cpu_rate:,.0f}"),
        *(Result(f"- {name}", f"{value:.1f} s ({spent.cpu[name]:.1f} s)") for name, value in spent.steps.items()),
        Result("compose the songs on which the weight is chosen, once per home", f"{composing:.1f} s"),
    ]


def _write_songs(home: Path, settings: Settings) -> None:
    """Write the tables and the records of the songs: parts of three composed songs in random order."""
    corpus, config = Corpus(home), features_config(settings)
    corpus.prepare()
    described = [describe_audio([compose(seed, sr=settings.frames.sr, duration=120.0).y])[:2] for seed in range(3)]
    for number in range(SONGS):
        key = f"file-{number:05}"
        features, overview = _mixed(described, np.random.default_rng(number), settings)
        paths = [corpus.features_path(config, key), corpus.overview_path(config, key)]
        write_table(paths[0], pa.Table.from_pandas(features.reset_index(), preserve_index=False))
        write_table(paths[1], overview.to_table())
        record_done(corpus, _track(key), duration=SECONDS, sha256=key, decoder="none", files=paths)


def _track(key: str) -> Track:
    return Track(key=key, title=key, source=key, path=key)


def _mixed(
    described: list[tuple[pd.DataFrame, Overview]], rng: np.random.Generator, settings: Settings
) -> tuple[pd.DataFrame, Overview]:
    """Return the tables of a song that is made of parts of other songs."""
    frames: list[pd.DataFrame] = []
    cells: list[dict[str, np.ndarray]] = []
    for _ in range(round(SECONDS * 10) // PART_CELLS):
        features, overview = described[rng.integers(len(described))]
        first = int(rng.integers(0, len(overview) - PART_CELLS))
        edges = np.append(0, np.cumsum(overview.frame_counts))[[first, first + PART_CELLS]]
        frames.append(features.iloc[slice(*edges)])
        part = {name: value[first : first + PART_CELLS] for name, value in vars(overview).items()}
        cells.append(part | {"onset": overview.onset[slice(*edges)]})
    table = pd.concat(frames, ignore_index=True)
    arrays = {name: np.concatenate([part[name] for part in cells]) for name in cells[0]}
    # The parts have some frames more or less than the song.
    times = np.arange(int(SECONDS * settings.frames.sr / settings.frames.hop_length))
    times = times * settings.frames.hop_length / settings.frames.sr
    rows = np.resize(np.arange(len(table)), len(times))
    counts = np.bincount((times * 10).astype(int), minlength=len(arrays["chroma"])).astype(np.int32)
    arrays |= {"onset": arrays["onset"][rows], "frame_counts": counts, "time_s": np.arange(len(counts)) / 10}
    return table.iloc[rows].set_index(pd.Index(times, name="time_s")), Overview(**arrays)


def _train(home: Path, settings: Settings) -> tuple[_Spent, int]:
    """Run the steps of `songform train` that depend on the corpus; return their times, and the labels of an epoch."""
    spent = _Spent()
    plan = spent.step("plan", lambda: plan_training.fn(home, settings))
    run_id = start_run.fn(home, prepare_store.fn(home, "benchmark"), plan, settings)
    with array_folder(home, plan) as arrays, listening(spent.hear):
        spent.step("discover the states", lambda: fit_corpus_states.fn(home, plan, settings, arrays=arrays))
        spent.step("label every frame", lambda: label_tracks.fn(home, plan, settings, arrays=arrays))
        bundle = spent.step("train the network", lambda: train_bundle.fn(home, plan, settings, run_id, arrays=arrays))
        spent.step(
            "score the network and the baselines",
            lambda: score_bundle.fn(home, plan, settings, bundle, arrays=arrays),
        )
    return spent, read_training(bundle).windows["train"]


def _memory(home: Path, folder: Path) -> list[Result]:
    """Compare the peak memory of training and scoring with few and with many tracks, each in a fresh process."""
    peaks = []
    for n_tracks in (FEW, MANY):
        other = folder / f"home-{n_tracks}"
        _repeat(home, other, n_tracks)
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
            peaks.append(pool.submit(_trained_peak, other, n_tracks).result())
        shutil.rmtree(other)
    ratio = peaks[1] / peaks[0]
    what = f"peak memory of training and scoring, {MANY} / {FEW} tracks"
    detail = f"{ratio:.2f} ({peaks[1]:.0f} and {peaks[0]:.0f} MB)"
    return [Result(what, detail, f"at most {MOST_RATIO}", ratio <= MOST_RATIO)]


def _repeat(home: Path, other: Path, n_tracks: int) -> None:
    """Make a home of many tracks, whose tables are links to those of the songs."""
    settings, source, target = Settings(), Corpus(home), Corpus(other)
    config, (states,) = features_config(settings), source.states_path("", "").glob("*/model.npz")
    target.prepare()
    shutil.copytree(home / "data" / "composed", other / "data" / "composed")
    target.states_path("states", "model.npz").parent.mkdir(parents=True)
    shutil.copy(states, target.states_path("states", "model.npz"))
    for number in range(n_tracks):
        old, new = f"file-{number % SONGS:05}", f"file-{number:05}"
        for before, after in (
            (source.features_path(config, old), target.features_path(config, new)),
            (source.overview_path(config, old), target.overview_path(config, new)),
            (states.with_name(f"{old}.parquet"), target.states_path("states", f"{new}.parquet")),
        ):
            after.parent.mkdir(parents=True, exist_ok=True)
            os.link(before, after)


def _trained_peak(home: Path, n_tracks: int) -> float:
    """Train one epoch on a tenth less than all tracks, score the model, and return the peak memory in MB."""
    prepare_environment(home)
    settings = Settings.model_validate({"model": {"epochs": 1}})
    parts: list[dict[str, list[tuple[float, float]]]] = [{}, {}, {}]
    for number in range(n_tracks):
        part = {0: 1, 1: 2}.get(number % 10, 0)
        parts[part][f"file-{number:05}"] = [(0.0, np.inf)]
    plan = Plan(Split(*parts), "manifest", "states", "bundle")
    run_id = start_run.fn(home, prepare_store.fn(home, "benchmark"), plan, settings)
    with array_folder(home, plan) as arrays:
        bundle = train_bundle.fn(home, plan, settings, run_id, arrays=arrays)
        score_bundle.fn(home, plan, settings, bundle, arrays=arrays)
    return own_peak_megabytes()


def main() -> None:
    """Print the table."""
    print(markdown(measure(Path(), with_memory="--quick" not in sys.argv)))


if __name__ == "__main__":
    main()
