"""Splits: copies are in the same part, parts are disjoint, and few tracks move when the corpus grows."""

from __future__ import annotations

import io
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from songform.errors import ParameterError
from songform.features.extraction import describe_audio
from songform.learning.splits import PARTS, Signature, audio_groups, blocks_in_time, split_tracks
from songform.synth import compose

SR = 22050


@cache
def composed(seed: int) -> np.ndarray:
    return compose(seed, duration=20).y


def signature(y: np.ndarray, sha256: str | None = None) -> Signature:
    levels = describe_audio([y.astype(np.float32)])[1].logmel_db
    seconds = levels[: len(levels) // 10 * 10].reshape(-1, 10, 64).mean(axis=1)
    return Signature(sha256 or str(hash(y.tobytes())), len(y) / SR, seconds)


def encoded(y: np.ndarray) -> np.ndarray:
    file = io.BytesIO()
    soundfile.write(file, y, SR, format="MP3", compression_level=0.4)
    file.seek(0)
    return soundfile.read(file, dtype="float32")[0]


def later(y: np.ndarray, seconds: float) -> np.ndarray:
    return np.r_[np.zeros(round(seconds * SR), np.float32), y]


COPIES = {
    "encoded again": encoded,
    "softer": lambda y: 0.1 * y,
    "a second later": lambda y: later(y, 1.0),
    "half a second later": lambda y: later(y, 0.5),
    "without its beginning": lambda y: y[round(2.7 * SR) :],
    "with a longer end": lambda y: np.r_[y[2 * SR :], np.zeros(3 * SR, np.float32)],
    "all of these": lambda y: encoded(later(0.4 * y, 1.3)),
}


@pytest.mark.parametrize("copy", COPIES.values(), ids=COPIES.keys())
def test_copies_of_a_recording_are_grouped_and_other_songs_are_not(copy):
    songs = {f"song-{seed}": signature(composed(seed)) for seed in (1, 2)}
    songs["another"] = signature(copy(composed(1)))
    assert audio_groups(songs) == [["another", "song-1"], ["song-2"]]


def test_different_songs_are_not_grouped():
    songs = {f"{seed}": signature(composed(seed)) for seed in range(8)}
    assert audio_groups(songs) == [[key] for key in songs]


def test_equal_files_are_grouped_even_if_their_durations_differ():
    """One record has no duration. A third file with the same duration is not grouped with them."""
    empty = np.zeros((0, 64), np.float32)
    songs = {"b": Signature("same", 0.0, empty), "a": Signature("same", 200.0, empty), "c": Signature("no", 200, empty)}
    assert audio_groups(songs) == [["a", "b"], ["c"]]


def test_silent_and_very_short_songs_are_not_grouped(rng):
    still, short = np.full((20, 64), -100, np.float32), rng.standard_normal((4, 64)).astype(np.float32)
    songs = {key: Signature(key, 20.0, still if key < "c" else short) for key in "abcd"}
    assert audio_groups(songs) == [["a"], ["b"], ["c"], ["d"]]
    assert audio_groups({}) == []


def test_copies_of_copies_are_in_one_group(rng):
    """The shortest and the longest copy differ by 4 s and are not compared. The middle one connects them."""
    spectra = rng.standard_normal((30, 64)).astype(np.float32)
    songs = {key: Signature(key, 30 + 2 * k, spectra) for k, key in enumerate("cab")}
    assert audio_groups(songs) == [["a", "b", "c"]]
    assert audio_groups({key: songs[key] for key in "cb"}) == [["b"], ["c"]]


sizes = st.lists(st.integers(1, 3), min_size=3, max_size=60)


def groups_of(sizes: list[int]) -> list[list[str]]:
    return [[f"track-{g:03}-{copy}" for copy in range(size)] for g, size in enumerate(sizes)]


@given(sizes=sizes, seed=st.integers(0, 99))
def test_every_track_is_in_one_part_and_no_group_in_two(sizes, seed):
    groups = groups_of(sizes)
    split = split_tracks(groups, seed=seed)
    keys = [key for name in PARTS for key in split.part(name)]
    assert sorted(keys) == sorted(key for group in groups for key in group)
    for group in groups:
        assert sum(not split.part(name).keys().isdisjoint(group) for name in PARTS) == 1
    n = max(1, round(0.1 * len(groups)))
    parts = [sum(group[0] in split.part(name) for group in groups) for name in PARTS]
    assert parts == [len(groups) - 2 * n, n, n]
    assert split.by_track
    assert set(map(tuple, split.train.values())) == {((0.0, np.inf),)}


@given(n=st.integers(3, 120), seed=st.integers(0, 99))
def test_one_more_track_moves_at_most_four_others(n, seed):
    """A new track may push one track out of test and one out of validation, or both may grow by one track."""
    before, after = (split_tracks(groups_of([1] * size), seed=seed) for size in (n, n + 1))
    moved = [key for name in PARTS for key in before.part(name) if key not in after.part(name)]
    assert len(moved) <= 4


def test_the_split_depends_on_the_seed_and_not_on_the_order_of_groups():
    groups = groups_of([1] * 30)
    assert split_tracks(groups[::-1], seed=1) == split_tracks(groups, seed=1)
    assert split_tracks(groups, seed=1) != split_tracks(groups, seed=2)


def test_fewer_than_three_groups_are_rejected():
    with pytest.raises(ParameterError, match="2 groups of tracks cannot be split into 3 parts; at least 3"):
        split_tracks(groups_of([1, 5]), seed=0)


@pytest.mark.parametrize("window", [4.0, 12.0, 20.0])
@pytest.mark.parametrize(("duration", "n_parts"), [(20.0, 1), (60.0, 2), (200.0, 3)])
def test_gaps_between_blocks_are_at_least_as_long_as_a_window(duration, n_parts, window):
    split = blocks_in_time({"song": duration}, window_seconds=window)
    spans = [split.part(name)["song"][0] for name in PARTS if "song" in split.part(name)]
    assert spans[0][0] == 0
    assert spans[-1][1] == pytest.approx(duration)
    assert all(later[0] - before[1] >= max(window, 16) - 1e-9 for before, later in pairwise(spans))
    assert not split.by_track
    if window == 12:
        assert len(spans) == n_parts


@given(duration=st.floats(12, 4000), window=st.floats(1, 12))
def test_every_block_fits_a_window_and_training_is_the_longest(duration, window):
    split = blocks_in_time({"song": duration}, window_seconds=window)
    lengths = [end - start for name in PARTS for start, end in split.part(name).get("song", [])]
    assert split.validation or not split.test
    assert min(lengths) >= window - 1e-9
    assert lengths[0] == max(lengths)


def test_long_song_gives_a_tenth_to_each_part_and_short_song_only_trains():
    split = blocks_in_time({"long": 1032.0, "short": 5.0}, window_seconds=12)
    lengths = [split.part(name)["long"][0][1] - split.part(name)["long"][0][0] for name in PARTS]
    assert lengths == pytest.approx([800, 100, 100])
    assert split.train["short"] == [(0.0, 5.0)]
    assert "short" not in split.validation
    assert "short" not in split.test


@pytest.mark.parametrize("durations", [{}, {"a": 11.9, "b": 3.0}])
def test_songs_shorter_than_a_window_are_rejected(durations):
    longest = max(durations.values(), default=0.0)
    with pytest.raises(
        ParameterError, match=rf"longest song is {longest:.1f} s .*window needs 12 s; add longer .*sequences\.seconds"
    ):
        blocks_in_time(durations, window_seconds=12)
