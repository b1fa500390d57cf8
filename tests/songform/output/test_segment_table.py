"""Table of segments: means per segment, and replacement of the rows of single songs."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from songform.errors import ParameterError
from songform.output.segment_table import FACTS, replaced_rows, segment_means, segment_rows


def report(key, *segments, model="own"):
    return {
        "track": {"key": key, "title": key.upper(), "source": "x", "duration": segments[-1][1]},
        "model": {"id": model},
        "segments": [dict(zip(("start", "end", "state", "confidence"), (*row, 0.5), strict=True)) for row in segments],
    }


def frames(n, columns=("rms", "zcr"), step=0.5):
    values = np.arange(n * len(columns), dtype=np.float32).reshape(n, len(columns))
    return pd.DataFrame(values, columns=list(columns), index=pd.Index(np.arange(n) * step, name="time_s"))


def rows(key, state="Calm", n=4, **more):
    return segment_rows(report(key, (0.0, 1.0, state), (1.0, n * 0.5, "Energetic"), **more), frames(n))


def test_row_has_the_segment_and_the_means_of_its_frames():
    table = rows("a").to_pandas()
    assert list(table.columns) == [*FACTS.names, "rms", "zcr"]
    assert table.loc[0].to_dict() == {
        "track": "a",
        "title": "A",
        "start": 0.0,
        "end": 1.0,
        "state": "Calm",
        "confidence": 0.5,
        "model": "own",
        "rms": 1.0,
        "zcr": 2.0,
    }
    assert table.loc[1, ["rms", "zcr"]].tolist() == [5.0, 6.0]


@given(st.integers(1, 40), st.lists(st.floats(0.1, 19), max_size=6, unique=True))
def test_weighted_means_of_segments_equal_the_means_of_the_song(n, inner):
    starts = np.array([0.0, *sorted(inner)])
    times, values = np.arange(n) * 0.5, np.random.default_rng(n).standard_normal((n, 3))
    means = segment_means(starts, times, values)
    counts = [
        ((start <= times) & (times < end)).sum() for start, end in zip(starts, [*starts[1:], np.inf], strict=True)
    ]
    assert np.allclose((means * np.array(counts)[:, None]).sum(axis=0) / n, values.mean(axis=0))


def test_segment_without_a_frame_has_the_values_of_the_next_frame():
    means = segment_means(np.array([0.0, 0.6, 0.7, 5.0]), np.array([0.0, 0.5, 1.0]), np.array([[1.0], [3.0], [7.0]]))
    assert means.ravel().tolist() == [2.0, 7.0, 7.0, 7.0]


@pytest.mark.parametrize(("starts", "times"), [([], [0.0]), ([0.0], [])])
def test_means_without_segments_or_frames_are_rejected(starts, times):
    facts = f"at least one segment and one frame, not from {len(starts)} segments and {len(times)} frames"
    with pytest.raises(ParameterError, match=facts):
        segment_means(np.array(starts), np.array(times), np.zeros((len(times), 2)))


def test_rows_of_a_song_are_replaced_and_others_are_kept():
    first = replaced_rows(None, [rows("b"), rows("a"), rows("c")])
    assert first.column("track").to_pylist() == ["a", "a", "b", "b", "c", "c"]
    second = replaced_rows(first, [rows("b", "BuildUp", n=8, model="m"), rows("d")])
    assert second.column("track").to_pylist() == ["a", "a", "b", "b", "c", "c", "d", "d"]
    assert second.column("state").to_pylist()[:4] == ["Calm", "Energetic", "BuildUp", "Energetic"]
    assert second.slice(0, 2).equals(first.slice(0, 2))
    assert second.column("model").to_pylist()[2:4] == ["m", "m"]


def test_last_rows_of_a_song_are_used():
    assert replaced_rows(None, [rows("a"), rows("a", "BuildUp")]).column("state").to_pylist() == [
        "BuildUp",
        "Energetic",
    ]


def test_replacing_rows_by_equal_rows_changes_nothing():
    table = replaced_rows(None, [rows("a"), rows("b")])
    assert replaced_rows(table, [rows("b")]).equals(table)
    assert replaced_rows(table, []).equals(table)


def test_missing_features_of_a_song_are_null():
    other = segment_rows(report("b", (0.0, 2.0, "Calm")), frames(4, ("rms", "mfcc_20")))
    table = replaced_rows(replaced_rows(None, [rows("a")]), [other]).to_pandas()
    assert table.zcr.isna().tolist() == [False, False, True]
    assert table.mfcc_20.isna().tolist() == [True, True, False]


def test_table_without_songs_has_no_rows():
    assert replaced_rows(None, []).schema.names == FACTS.names
