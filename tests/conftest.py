"""A small corpus for the tests of several layers, and isolation from the user's settings and files."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import hypothesis
import pytest

from flows.config.library_environment import prepare_environment

# Collecting the tests imports Prefect and MLflow, which then read the environment, so it is set before.
_SCRATCH = Path(tempfile.mkdtemp(prefix="songform-tests-"))
for _name in list(os.environ):
    if _name.startswith(("SONGFORM_", "PREFECT_", "MLFLOW_")) or _name.lower().endswith("_proxy"):
        del os.environ[_name]
prepare_environment(_SCRATCH)

# A busy machine takes longer over an example than Hypothesis allows by default. The examples are the same in each run,
# so that a failure seen in one clone is seen in all of them; `--hypothesis-profile random` tries others.
hypothesis.settings.register_profile("songform", deadline=None, derandomize=True)
hypothesis.settings.register_profile("random", deadline=None)
hypothesis.settings.load_profile("songform")

SECONDS = 20.0
N_SONGS = 6


def pytest_unconfigure() -> None:
    """Remove the files that Prefect wrote outside the temporary folders of tests."""
    shutil.rmtree(_SCRATCH, ignore_errors=True)


@pytest.fixture(scope="session")
def songs():
    """Compose six songs of about 20 s."""
    from songform.synth import compose

    return [compose(seed, duration=SECONDS) for seed in range(N_SONGS)]


@pytest.fixture(scope="session")
def quick():
    """Return settings for fast downloads and training."""
    from tasks.settings import Settings

    return Settings.model_validate(
        {
            "sequences": {"seconds": 4.0},
            "model": {"epochs": 2, "batch_size": 32},
            "download": {"attempts": 2, "retry_seconds": 0.0, "host_seconds": 0.0, "allow_private": True},
        }
    )


@pytest.fixture(scope="session")
def audio_files(songs, tmp_path_factory) -> list[Path]:
    """Write the songs as FLAC files, and return their paths."""
    import soundfile

    folder = tmp_path_factory.mktemp("songs")
    paths = [folder / f"{song.title}.flac" for song in songs]
    for path, song in zip(paths, songs, strict=True):
        soundfile.write(path, song.y, song.sr, subtype="PCM_16")
    return paths


@pytest.fixture(scope="session")
def extracted(audio_files, quick, tmp_path_factory) -> Path:
    """Return a home with the features of the songs, and with short composed songs for comparing models."""
    import tasks.train.reference_songs
    from tasks.ingest.extract_tracks import extract_tracks
    from tasks.ingest.sources.local_files import local_listing
    from tasks.store.corpus import Corpus
    from tasks.train.reference_songs import COMPARISON_SEEDS, TUNING_SEEDS, composed_songs

    home = tmp_path_factory.mktemp("extracted")
    Corpus(home).prepare()
    tracks = local_listing(audio_files[0].parent).tracks
    extract_tracks.fn(home, [(track, Path(track.path)) for track in tracks], quick, len(tracks))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            tasks.train.reference_songs.synth,
            "compose",
            partial(tasks.train.reference_songs.synth.compose, duration=SECONDS),
        )
        composed_songs(home, (*COMPARISON_SEEDS, *TUNING_SEEDS), quick)
        composed_songs(home, TUNING_SEEDS, quick, instruments="study")
    return home


@dataclass(frozen=True)
class Trained:
    """Finished training: its home, settings, plan, MLflow run, bundle, scores and model version."""

    home: Path
    settings: object
    plan: object
    experiment_id: str
    run_id: str
    folder: Path
    heldout: object
    version: str


@pytest.fixture(scope="session")
def trained(extracted, quick, tmp_path_factory) -> Iterator[Trained]:
    """Train once in a separate home, task by task and without a Prefect server."""
    from tasks.models.champion import update_champion
    from tasks.models.registry import register_bundle
    from tasks.train.heldout_scores import score_bundle
    from tasks.train.state_labels import fit_corpus_states, label_tracks
    from tasks.train.tracking import finish_run, prepare_store, start_run
    from tasks.train.train_network import train_bundle
    from tasks.train.training_plan import plan_training
    from tasks.train.training_results import log_results

    home = tmp_path_factory.mktemp("trained")
    shutil.copytree(extracted, home, dirs_exist_ok=True)
    plan = plan_training.fn(home, quick)
    experiment_id = prepare_store.fn(home, "test")
    run_id = start_run.fn(home, experiment_id, plan, quick)
    fit_corpus_states.fn(home, plan, quick)
    label_tracks.fn(home, plan, quick)
    folder = train_bundle.fn(home, plan, quick, run_id)
    heldout = score_bundle.fn(home, plan, quick, folder)
    log_results.fn(home, run_id, folder, heldout, 1.0)
    version = register_bundle.fn(home, run_id, folder)
    update_champion.fn(home, version, quick, plan)
    finish_run.fn(home, run_id)
    return Trained(home, quick, plan, experiment_id, run_id, folder, heldout, version)
