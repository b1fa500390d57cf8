"""The cards of the networks that are part of the package describe the files beside them."""

from __future__ import annotations

import json
from importlib.resources import files

import numpy as np
import pytest

from songform.learning.temporal_network import Ensemble


@pytest.mark.parametrize(
    ("package", "name"), [("songform.beats", "beat_network"), ("songform.sections", "boundary_network")]
)
def test_card_has_the_numbers_of_networks_and_weights(package, name):
    card = json.loads((files(package) / f"{name}.json").read_text(encoding="utf-8"))
    with (files(package) / f"{name}.npz").open("rb") as file, np.load(file) as stored:
        arrays = dict(stored)
    assert card["networks"] == len(Ensemble.from_arrays(arrays).networks)
    assert card["weights"] == sum(array.size for array in arrays.values())
