"""Check of the input `position`: its setting, its values, and that networks that must not read it do not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from songform.errors import ParameterError
from songform.learning.networks import check_no_leak
from songform.learning.sequence_inputs import SongTables, n_inputs, song_inputs, whole_song_inputs
from songform.learning.sequences import WindowShape
from tasks.settings import Settings

names = Settings(sequences={"inputs": ["features", "position"]}).sequences.inputs
shape = WindowShape(pool_seconds=0.5, every_unit=True)
song = SongTables(pd.DataFrame(np.random.default_rng(0).normal(size=(1000, 38))))

inputs = song_inputs(names, song, shape, center=np.zeros(38), scale=np.ones(38))
assert inputs.shape[1] == n_inputs(names, 38, shape) == 2 * 38 + 1
np.testing.assert_allclose(inputs[:, -1], (np.arange(len(inputs)) + 0.5) / len(inputs), rtol=1e-6)
with pytest.raises(ParameterError, match="position"):
    check_no_leak("causal-lstm", target="current", every_unit=True, whole_song=whole_song_inputs(names))
