"""Composed songs of known form, used to compare models and to choose the weight of the network.

Scores against a model's own pseudo-labels cannot be compared between two clusterings, and people's labels are rare.
Each home therefore has a few songs composed by `songform.synth`, which are extracted once and never used for training:
four to compare models with, and four to choose the weight with.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from songform import synth
from songform.bundle import Bundle, Form
from songform.errors import UnreadableFileError
from songform.features.extraction import describe_audio
from songform.features.overview import Overview
from songform.learning.classification_metrics import macro_f1
from songform.structure.context import UNIT_SECONDS
from songform.structure.naming import STATES
from songform.structure.states import state_sequence
from songform.structure.viterbi import joint_posterior
from tasks.settings import Settings, digest
from tasks.store.atomic_files import write_json
from tasks.store.corpus import Corpus
from tasks.store.tables import features_config, read_table, write_table
from tasks.train import stage_versions

__all__ = ["COMPARISON_SEEDS", "TUNING_SEEDS", "WEIGHTS", "ComposedSong", "best_weight", "composed_songs", "named_f1"]

VERSION = stage_versions.REFERENCE_SONGS  # defined there so that the digests can use it
COMPARISON_SEEDS = (9001, 9002, 9003, 9004)
TUNING_SEEDS = (9011, 9012, 9013, 9014)
WEIGHTS = (0.0, 0.25, 0.5, 1.0, 2.0)


@dataclass(frozen=True)
class ComposedSong:
    """Features of a composed song, and its true states.

    Parameters
    ----------
    features, overview
        Frame features and overview, as of a track.
    duration : float
        Duration in seconds.
    truth : np.ndarray of str, shape=(n_units,)
        True state at the center of each unit of 0.5 s.
    """

    features: pd.DataFrame
    overview: Overview
    duration: float
    truth: NDArray[np.str_]


def composed_songs(home: Path, seeds: Iterable[int], settings: Settings) -> list[ComposedSong]:
    """Return the composed songs with the given seeds; the first call in a home composes and extracts them."""
    corpus = Corpus(home)
    config = digest(features_config(settings), synth.VERSION)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(lambda seed: _composed_song(corpus, config, seed, settings), seeds))


def named_f1(bundle: Bundle, songs: list[ComposedSong]) -> float:
    """Return the macro-F1 of the states that a bundle assigns to all units of some composed songs."""
    forms = [bundle.form(song.features, song.overview, song.duration) for song in songs]
    return _f1(bundle, songs, [form.path for form in forms])


def best_weight(bundle: Bundle, songs: list[ComposedSong]) -> tuple[float, dict[float, float]]:
    """Return the weight of the sequence model with the best score on composed songs, and the score of each weight.

    Of weights with equal scores, the smallest is chosen, so that a network that does not help gets no weight.
    """
    forms = [bundle.form(song.features, song.overview, song.duration) for song in songs]
    tried = {weight: _f1(bundle, songs, [_path(bundle, form, weight) for form in forms]) for weight in WEIGHTS}
    return max(tried, key=lambda weight: (tried[weight], -weight)), tried


def _path(bundle: Bundle, form: Form, weight: float) -> NDArray[np.intp]:
    joint = form.clusters if form.sequence is None else joint_posterior(form.clusters, form.sequence, weight)
    return state_sequence(bundle.states, joint)


def _f1(bundle: Bundle, songs: list[ComposedSong], paths: list[NDArray[np.intp]]) -> float:
    names = [*STATES, *(state for state in bundle.states.states if state not in STATES)]
    of_state = np.array([names.index(state) for state in bundle.states.states])
    answer = np.concatenate([of_state[path] for path in paths])
    truth = np.concatenate([[names.index(state) for state in song.truth] for song in songs])
    return macro_f1(truth, answer)


def _composed_song(corpus: Corpus, config: str, seed: int, settings: Settings) -> ComposedSong:
    if not corpus.composed_path(config, f"{seed}.json").is_file():
        _make(corpus, config, seed, settings)
    try:
        return _read(corpus, config, seed)
    except (KeyError, TypeError, ValueError, RecursionError, UnreadableFileError):
        _make(
            corpus, config, seed, settings
        )  # a song is composed from its seed, so nothing of the damaged files is lost
        return _read(corpus, config, seed)


def _read(corpus: Corpus, config: str, seed: int) -> ComposedSong:
    facts = json.loads(corpus.composed_path(config, f"{seed}.json").read_text(encoding="utf-8"))
    features = read_table(corpus.composed_path(config, f"{seed}.features.parquet")).to_pandas().set_index("time_s")
    overview = Overview.from_table(read_table(corpus.composed_path(config, f"{seed}.overview.parquet")))
    n_units = int(features.index[-1] / UNIT_SECONDS) + 1
    sections = [synth.Section(**section) for section in facts["sections"]]
    truth = synth.states_at(sections, (np.arange(n_units) + 0.5) * UNIT_SECONDS)
    return ComposedSong(features, overview, facts["duration"], truth)


def _make(corpus: Corpus, config: str, seed: int, settings: Settings) -> None:
    """Compose and extract a song. The JSON is written last, so if it exists, the tables exist too."""
    frames = settings.frames
    song = synth.compose(seed, sr=frames.sr)
    features, overview, n_samples = describe_audio(
        [song.y],
        sr=frames.sr,
        frame_length=frames.frame_length,
        hop_length=frames.hop_length,
        n_mfcc=settings.features.n_mfcc,
    )
    table = pa.Table.from_pandas(features.reset_index(), preserve_index=False)
    write_table(corpus.composed_path(config, f"{seed}.features.parquet"), table)
    write_table(corpus.composed_path(config, f"{seed}.overview.parquet"), overview.to_table())
    sections = [vars(section) for section in song.sections]
    write_json(corpus.composed_path(config, f"{seed}.json"), {"duration": n_samples / frames.sr, "sections": sections})
