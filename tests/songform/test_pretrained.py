"""The model that is shipped with songform."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from songform.bundle import Bundle
from songform.features.extraction import describe_audio
from songform.features.frame_features import feature_columns
from songform.learning.classification_metrics import macro_f1
from songform.pretrained import PRETRAINED_FOLDER, START_FOLDER, pretrained_bundle, pretrained_id
from songform.structure.context import UNIT_SECONDS
from songform.structure.naming import STATES
from songform.synth import compose, states_at

FOLDERS = (PRETRAINED_FOLDER, START_FOLDER)


@pytest.mark.parametrize("folder", FOLDERS)
def test_shipped_bundles_have_named_states_a_network_and_a_calibration(folder):
    bundle = Bundle.load(folder)
    assert bundle.states.states == STATES
    assert bundle.states.weak == ("",) * 5
    assert bundle.columns == tuple(feature_columns())
    assert bundle.weight > 0
    assert bundle.calibration.truth == "composed"
    assert bundle.sequence.shape.every_unit


def test_shipped_files_have_at_most_two_megabytes():
    files = [path for folder in FOLDERS for path in folder.iterdir() if path.suffix in {".npz", ".json"}]
    assert sum(path.stat().st_size for path in files) < 2e6


def test_card_says_how_the_models_were_made():
    card = json.loads((PRETRAINED_FOLDER / "card.json").read_text(encoding="utf-8"))
    assert card["command"] == "make pretrained"
    assert len(card["soundfonts"]) > 1
    assert set(card["songs"]) == {"study", "unseen", "general-midi"}
    for folder, name in zip(FOLDERS, ("bilstm", "lstm"), strict=True):
        bundle, choice = Bundle.load(folder), card["chosen_on_families_left_out"][name]
        assert bundle.settings["model"]["name"] == card["networks"][name]["name"] == name
        assert bundle.sequence.inputs == tuple(card["networks"][name]["inputs"])
        assert bundle.weight == choice["weight"]
        assert bundle.calibration.temperature == pytest.approx(choice["temperature"], abs=1e-4)


def test_shipped_model_finds_the_states_of_songs_with_instruments_that_it_was_not_trained_on():
    truth, found = [], []
    for seed in (31, 32):
        song = compose(seed, duration=60.0, instruments="reference")
        features, overview, n_samples = describe_audio([song.y], sr=song.sr)
        path = pretrained_bundle().form(features, overview, n_samples / song.sr).path
        names = states_at(song.sections, (np.arange(len(path)) + 0.5) * UNIT_SECONDS)
        truth.append([STATES.index(name) for name in names])
        found.append(path)
    assert macro_f1(np.concatenate(truth), np.concatenate(found)) > 0.8


def test_id_depends_on_the_files(monkeypatch, tmp_path):
    before = pretrained_id()
    assert before.startswith("pretrained-")
    assert pretrained_id() == before
    monkeypatch.setattr("songform.pretrained.START_FOLDER", tmp_path)
    assert pretrained_id() != before


def test_shipped_model_is_used_without_tensorflow_and_mlflow():
    code = (
        "import sys, songform; songform.pretrained_bundle(); "
        "print([name for name in ('tensorflow', 'keras', 'mlflow', 'prefect', 'sklearn') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
