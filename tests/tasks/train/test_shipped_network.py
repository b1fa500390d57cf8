"""Start of a training from a shipped network."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from songform.bundle import Bundle
from songform.pretrained import PRETRAINED_FOLDER, START_FOLDER, pretrained_bundle, pretrained_id
from tasks.settings import Settings
from tasks.train.shipped_network import shipped_network

SHIPPED = pretrained_bundle(network=False)


@pytest.mark.parametrize(
    ("own", "folder"),
    [
        ({}, START_FOLDER),
        ({"sequences": {"target": "expert"}}, START_FOLDER),
        ({"model": {"name": "bilstm"}, "sequences": {"inputs": ["features", "normalized"]}}, PRETRAINED_FOLDER),
        ({"model": {"seed": 3, "epochs": 2}, "states": {"prior_songs": 5}}, START_FOLDER),
    ],
)
def test_training_starts_from_the_shipped_network_of_the_same_architecture(own, folder):
    shipped = shipped_network(Settings.model_validate(own), SHIPPED.states, SHIPPED.columns)
    bundle = Bundle.load(folder)
    assert shipped.model_id == pretrained_id()
    for one, other in zip(shipped.weights, bundle.sequence.network.weights, strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(shipped.center, bundle.sequence.center)
    np.testing.assert_array_equal(shipped.scale, bundle.sequence.scale)


@pytest.mark.parametrize(
    "own",
    [
        {"states": {"prior_songs": 0}},
        {"sequences": {"target": "ahead"}},
        {"sequences": {"every_unit": False}},
        {"sequences": {"pool_seconds": 0.25}},
        {"sequences": {"inputs": ["features", "context"]}},
        {"model": {"name": "bilstm"}},
        {"frames": {"hop_length": 1024}},
    ],
)
def test_training_with_other_settings_starts_from_random_weights(own):
    assert shipped_network(Settings.model_validate(own), SHIPPED.states, SHIPPED.columns) is None


def test_training_with_other_states_or_columns_starts_from_random_weights():
    states = replace(SHIPPED.states, states=("verse", *SHIPPED.states.states[1:]))
    assert shipped_network(Settings(), states, SHIPPED.columns) is None
    assert shipped_network(Settings(), SHIPPED.states, SHIPPED.columns[:-1]) is None
