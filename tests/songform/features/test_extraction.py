"""Tests of one-pass extraction: values do not depend on the chunks, and rows come in groups."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from songform.errors import ParameterError
from songform.features.extraction import SongExtractor, describe_audio, feature_groups, feature_schema
from songform.features.frame_features import feature_columns, frame_features

SR = 22050


def noise(n_samples):
    return np.random.default_rng(n_samples).standard_normal(n_samples).astype(np.float32)


def as_frame(groups):
    return pa.concat_tables(groups).to_pandas().set_index("time_s")


@settings(max_examples=25)
@given(st.integers(1, 90_000), st.lists(st.integers(0, 90_000), max_size=6), st.integers(1, 100))
def test_groups_and_chunks_of_any_size_give_the_same_table(n_samples, cuts, n_rows):
    y = noise(n_samples)
    chunks = np.split(y, sorted(min(cut, n_samples) for cut in cuts))
    found = as_frame(list(feature_groups(SongExtractor(SR), chunks, n_rows=n_rows)))
    pd.testing.assert_frame_equal(found, frame_features(y, SR), check_exact=True)


def test_group_is_yielded_as_soon_as_it_is_full():
    """Memory does not depend on the length of the song: this one is endless."""

    def endless():
        while True:
            yield noise(10_240)

    groups = feature_groups(SongExtractor(SR), endless(), n_rows=100)
    assert min(len(next(groups)) for _ in range(5)) >= 100


def test_groups_have_the_feature_schema_and_consecutive_times():
    groups = list(feature_groups(SongExtractor(SR, n_mfcc=5), [noise(30_000)] * 3, n_rows=60))
    assert len(groups) > 1
    assert {group.schema for group in groups} == {feature_schema(feature_columns(5))}
    assert np.concatenate([group["time_s"] for group in groups]) == pytest.approx(np.arange(176) * 512 / SR)


def test_song_extractor_and_describe_audio_give_the_same_tables():
    extractor = SongExtractor(SR)
    rows = [extractor.push(noise(50_000)), extractor.flush()]
    features, overview, n_samples = describe_audio([noise(50_000)], sr=SR)
    assert extractor.overview().to_table().equals(overview.to_table())
    assert extractor.n_samples == n_samples == 50_000
    np.testing.assert_array_equal(np.concatenate(rows), features)


def test_song_without_samples_is_an_error():
    with pytest.raises(ParameterError, match="at least one sample"):
        SongExtractor(SR).flush()
