from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from songform.features.frame_features import DeltaStream


def streamed(rows, cuts, columns):
    stream = DeltaStream(columns)
    parts = [stream.push(part) for part in np.split(rows, sorted(cuts)) if len(part)]
    return np.concatenate([*parts, stream.finish()])


@given(st.integers(1, 60), st.lists(st.integers(0, 60), max_size=8))
def test_derivatives_equal_those_of_librosa_for_any_division_of_the_rows(n, cuts):
    import librosa

    rows = np.random.default_rng(n).standard_normal((n, 3))
    found = streamed(rows, [min(cut, n) for cut in cuts], [0, 2])
    mode = "interp" if n >= 9 else "nearest"
    np.testing.assert_array_equal(found[:, :3], rows)
    np.testing.assert_allclose(found[:, 3:], librosa.feature.delta(rows[:, [0, 2]], axis=0, mode=mode), atol=1e-12)


def test_derivative_of_a_straight_line_is_its_slope_everywhere():
    line = np.arange(20.0)[:, None] * 0.25 + 3
    np.testing.assert_allclose(streamed(line, [7], [0])[:, 1], 0.25)


def test_row_is_complete_after_four_more_rows():
    stream = DeltaStream([0])
    finished = [len(stream.push(np.zeros((1, 1)))) for _ in range(12)]
    assert finished == [0] * 8 + [5, 1, 1, 1]
    assert len(stream.finish()) == 4


def test_finish_without_rows_is_an_error():
    with pytest.raises(ValueError, match="no rows"):
        DeltaStream([0]).finish()
