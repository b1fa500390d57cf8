"""Composed songs of known form, used to compare models and to choose the weight of the network.

Scores against a model's own pseudo-labels cannot be compared between two clusterings, and people's labels are rare.
Each home therefore has a few songs composed by `songform.synth`, which are extracted once and never used for training:
four to compare models with, and four to choose weight and temperature of a model with. Their instruments are never used
to train the model that is shipped with songform, so that the score does not favor it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from songform import synth
from songform.bundle import Bundle, Form
from songform.errors import UnreadableFileError
from songform.features.extraction import describe_audio
from songform.features.overview import Overview
from songform.learning.calibration import Calibration, best_temperature
from songform.learning.classification_metrics import macro_f1
from songform.structure.context import UNIT_SECONDS
from songform.structure.naming import STATES
from songform.structure.states import state_sequence
from songform.structure.viterbi import joint_posterior
from tasks.settings import Settings, digest
from tasks.store.atomic_files import write_json
from tasks.store.corpus import Corpus
from tasks.store.tables import features_config, read_features, read_overview, read_table, write_table
from tasks.train import stage_versions
from tasks.train.expert_labels import unit_labels
from tasks.train.state_fitting import prior_facts
from tasks.train.training_plan import Plan

__all__ = [
    "COMPARISON_SEEDS",
    "INSTRUMENTS",
    "TUNING_SEEDS",
    "WEIGHTS",
    "ComposedSong",
    "best_weight",
    "calibrated",
    "comparison_digest",
    "composed_songs",
    "labeled_song",
    "named_f1",
    "tuning_songs",
]

VERSION = stage_versions.REFERENCE_SONGS  # defined there so that the digests can use it
COMPARISON_SEEDS = (9001, 9002, 9003, 9004)
TUNING_SEEDS = (9011, 9012, 9013, 9014)
INSTRUMENTS = "reference"
"""Set of instruments of these songs, in `songform.synth`."""
WEIGHTS = (0.0, 0.25, 0.5, 1.0, 2.0)


@dataclass(frozen=True)
class ComposedSong:
    """Features of a composed song, or of a song with people's labels, and its true states.

    Parameters
    ----------
    features, overview
        Frame features and overview, as of a track.
    duration : float
        Duration in seconds.
    truth : np.ndarray of str, shape=(n_units,)
        True state at the center of each unit of 0.5 s; empty where it is unknown.
    """

    features: pd.DataFrame
    overview: Overview
    duration: float
    truth: NDArray[np.str_]


def composed_songs(
    home: Path, seeds: Iterable[int], settings: Settings, *, instruments: str = INSTRUMENTS
) -> list[ComposedSong]:
    """Return the composed songs with the given seeds; the first call in a home composes and extracts them."""
    corpus, config = Corpus(home), _config(settings, instruments)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(lambda seed: _composed_song(corpus, config, seed, settings, instruments), seeds))


def tuning_songs(home: Path, plan: Plan, settings: Settings) -> list[ComposedSong]:
    """Return the songs with which the weight of a network is chosen.

    With people's labels as targets, these are the validation tracks, because composed songs have other states. Without
    a prior, composed songs have the instruments `study`, as in earlier versions, so that the results are the same.
    """
    if plan.label_names:
        corpus = Corpus(home)
        truth = {key: unit_labels(corpus, key, settings, []) for key in sorted(plan.split.validation)}
        return [labeled_song(corpus, key, settings, labels) for key, labels in truth.items()]
    instruments = INSTRUMENTS if prior_facts(settings) else "study"
    return composed_songs(home, TUNING_SEEDS, settings, instruments=instruments)


def labeled_song(corpus: Corpus, key: str, settings: Settings, labels: NDArray[np.str_]) -> ComposedSong:
    """Return a track with people's labels of its units, from `tasks.train.expert_labels`."""
    record = corpus.record(key)
    duration = record.duration if record else None
    features, overview = read_features(corpus, key, settings), read_overview(corpus, key, settings)
    return ComposedSong(features, overview, duration or float(features.index[-1]), labels)


def comparison_digest() -> str:
    """Return a digest of the songs with which models are compared, apart from the settings of their features."""
    return digest(list(COMPARISON_SEEDS), INSTRUMENTS, synth.VERSION)


def named_f1(bundle: Bundle, songs: list[ComposedSong]) -> float:
    """Return the macro-F1 of the states that a bundle assigns to the units of some songs whose state is known."""
    forms = [bundle.form(song.features, song.overview, song.duration) for song in songs]
    return _f1(bundle, songs, [form.path for form in forms])


def best_weight(bundle: Bundle, songs: list[ComposedSong]) -> tuple[float, dict[float, float]]:
    """Return the weight of the sequence model with the best score on composed songs, and the score of each weight.

    Of weights with equal scores, the smallest is chosen, so that a network that does not help gets no weight. It gets
    none without songs, either.
    """
    if not songs:
        return 0.0, {}
    forms = [bundle.form(song.features, song.overview, song.duration) for song in songs]
    tried = {weight: _f1(bundle, songs, [_path(bundle, form, weight) for form in forms]) for weight in WEIGHTS}
    return max(tried, key=lambda weight: (tried[weight], -weight)), tried


def calibrated(bundle: Bundle, songs: list[ComposedSong], truth: Literal["composed", "people"]) -> Bundle:
    """Return the bundle with the temperature that fits the true states of some songs best.

    Parameters
    ----------
    bundle : Bundle
        Model with its final weight.
    songs : list of ComposedSong
        Songs that the model was not trained on. Units whose state the model does not have are left out.
    truth : str
        Where the true states come from; see `songform.learning.calibration.Calibration`.
    """
    forms = [replace(bundle, calibration=None).form(song.features, song.overview, song.duration) for song in songs]
    joint = np.concatenate([form.joint for form in forms])
    true = np.concatenate([song.truth for song in songs])
    known = np.isin(true, bundle.states.states)
    numbers = np.array([bundle.states.states.index(name) for name in true[known]], np.intp)
    return replace(bundle, calibration=Calibration(best_temperature(joint[known], numbers), truth))


def _path(bundle: Bundle, form: Form, weight: float) -> NDArray[np.intp]:
    joint = form.clusters if form.sequence is None else joint_posterior(form.clusters, form.sequence, weight)
    return state_sequence(bundle.states, joint)


def _f1(bundle: Bundle, songs: list[ComposedSong], paths: list[NDArray[np.intp]]) -> float:
    true = np.concatenate([song.truth for song in songs])
    names = {name: number for number, name in enumerate(dict.fromkeys([*STATES, *bundle.states.states, *true]))}
    answer = np.array([names[state] for state in bundle.states.states])[np.concatenate(paths)]
    truth = np.array([names[state] for state in true])
    return macro_f1(truth[true != ""], answer[true != ""])


def _config(settings: Settings, instruments: str) -> str:
    """Return the name of the folder of some composed songs; the first homes only had the instruments `study`."""
    later = {} if instruments == "study" else {"instruments": instruments}
    return digest(features_config(settings), synth.VERSION, later=later)


def _composed_song(corpus: Corpus, config: str, seed: int, settings: Settings, instruments: str) -> ComposedSong:
    if not corpus.composed_path(config, f"{seed}.json").is_file():
        _make(corpus, config, seed, settings, instruments)
    try:
        return _read(corpus, config, seed)
    except (KeyError, TypeError, ValueError, RecursionError, UnreadableFileError):
        # A song is composed from its seed, so nothing of the damaged files is lost.
        _make(corpus, config, seed, settings, instruments)
        return _read(corpus, config, seed)


def _read(corpus: Corpus, config: str, seed: int) -> ComposedSong:
    facts = json.loads(corpus.composed_path(config, f"{seed}.json").read_text(encoding="utf-8"))
    features = read_table(corpus.composed_path(config, f"{seed}.features.parquet")).to_pandas().set_index("time_s")
    overview = Overview.from_table(read_table(corpus.composed_path(config, f"{seed}.overview.parquet")))
    n_units = int(features.index[-1] / UNIT_SECONDS) + 1
    sections = [synth.Section(**section) for section in facts["sections"]]
    truth = synth.states_at(sections, (np.arange(n_units) + 0.5) * UNIT_SECONDS)
    return ComposedSong(features, overview, facts["duration"], truth)


def _make(corpus: Corpus, config: str, seed: int, settings: Settings, instruments: str) -> None:
    """Compose and extract a song. The JSON is written last, so if it exists, the tables exist too."""
    frames = settings.frames
    song = synth.compose(seed, sr=frames.sr, instruments=instruments)
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
