"""The networks that are part of the package: their size, shapes and cards."""

from __future__ import annotations

import json
from importlib.resources import files

import numpy as np
import pytest

from songform.beats.beat_tracking import beat_network
from songform.beats.tatum_features import N_FEATURES as N_TATUM_FEATURES
from songform.sections.boundary_features import N_FEATURES as N_BOUNDARY_FEATURES
from songform.sections.section_finding import boundary_model

NETWORKS = {
    "beats/beat_network": (beat_network, N_TATUM_FEATURES, 3),
    "sections/boundary_network": (boundary_model, N_BOUNDARY_FEATURES, None),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_are_small_and_have_finite_outputs(name):
    load, n_inputs, n_outputs = NETWORKS[name]
    assert (files("songform") / f"{name}.npz").stat().st_size < 2e6
    x = np.random.default_rng(0).normal(size=(50, n_inputs)).astype(np.float32)
    outputs = load()(x)
    assert outputs.shape == ((50,) if n_outputs is None else (50, n_outputs))
    assert np.isfinite(outputs).all()
    assert outputs.std() > 0.01


@pytest.mark.parametrize("name", NETWORKS)
def test_cards_of_networks_state_the_number_of_their_weights_and_the_command(name):
    card = json.loads((files("songform") / f"{name}.json").read_text(encoding="utf-8"))
    with (files("songform") / f"{name}.npz").open("rb") as file, np.load(file) as stored:
        n_weights = sum(stored[array].size for array in stored)
    assert n_weights > 10_000
    assert card["weights"] == n_weights
    assert card["command"].startswith("make train-")
    assert card["songs"] > 0
    assert card["data"]
    assert all(score > 0.5 for score in card["scores"].values())
