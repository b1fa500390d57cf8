"""Check of the network `gru`: selected by the setting `model.name`, trained as by `songform train`, loaded and used."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import numpy as np
import soundfile

from songform import Bundle, compose
from tasks.ingest.extraction_worker import ExtractionJob, extract_track
from tasks.ingest.track_outcomes import record_done
from tasks.settings import ModelSettings, Settings
from tasks.store.corpus import Corpus
from tasks.store.tables import read_features
from tasks.store.tracks import Track
from tasks.train import reference_songs, train_network
from tasks.train.state_labels import fit_corpus_states, label_tracks
from tasks.train.training_plan import plan_training

SR = 22050


def add_song(corpus: Corpus, number: int, settings: Settings) -> None:
    """Add a song to the corpus: noise that is alternately soft and loud."""
    rng = np.random.default_rng(number)
    loudness = np.repeat(rng.permutation([0.01, 0.5, 0.1, 0.3]), 3 * SR)
    audio = corpus.home / f"song {number}.wav"
    soundfile.write(audio, loudness * rng.uniform(-1, 1, len(loudness)), SR)
    track = Track(key=f"file-{number}", title=audio.stem, source=audio.name, path=str(audio))
    made = extract_track(ExtractionJob(corpus.home, track, audio, settings))
    record_done(corpus, track, duration=made.duration, sha256=made.sha256, decoder=made.decoder, files=made.files)


def main(home: Path) -> None:
    """Train on three songs, and load the bundle."""
    assert "keras" not in sys.modules, "settings must be validated without importing Keras"
    settings = Settings(
        model={"name": "gru", "epochs": 1},
        sequences={"stretch_seconds": 4.0},
        states={"n_states": 2},
    )
    corpus = Corpus(home)
    corpus.prepare()
    for number in range(3):
        add_song(corpus, number, settings)
    plan = plan_training.fn(home, settings)
    assert (
        plan.bundle_id
        != plan_training.fn(home, settings.model_copy(update={"model": ModelSettings(epochs=1)})).bundle_id
    )
    fit_corpus_states.fn(home, plan, settings)
    label_tracks.fn(home, plan, settings)
    # To save time, the weight is chosen on one short song instead of four long ones, and MLflow is not used.
    train_network.TUNING_SEEDS = (1,)
    reference_songs.synth.compose = partial(compose, duration=10.0)
    train_network.epoch_logger = lambda *_: lambda *_: None
    folder = train_network.train_bundle.fn(home, plan, settings, "no run")

    assert (folder / "network.keras").is_file(), "a network of other layers is saved by Keras"
    bundle = Bundle.load(folder)
    assert [type(layer).__name__ for layer in bundle.sequence.network.layers] == ["GRU", "Dense"]
    assert bundle.settings["model"]["name"] == "gru"
    features = read_features(corpus, "file-0", settings)
    predicted = bundle.predict(features)
    assert len(predicted) == len(features)
    assert set(predicted["state"]) <= set(bundle.states.states)
    assert predicted["confidence"].between(0.5, 1).all()


main(Path(sys.argv[1]))
