"""Explanation of a training split without windows: which songs count, which are copies, and what to do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from songform.errors import CorpusError
from songform.learning.splits import Split
from tasks.settings import Settings
from tasks.store.corpus import Corpus
from tasks.train.short_songs import require_training_windows
from tasks.train.training_plan import Plan

SECONDS = {"ash": 6.0, "birch": 6.5, "cedar": 7.0, "oak": 20.0, "pine": 24.0}


def melody(title: str, seconds: float) -> np.ndarray:
    """Return a tone that changes every half second; each title has other tones."""
    rng = np.random.default_rng(list(title.encode()))
    frequencies = np.repeat(rng.uniform(100, 6000, 100), 11025)[: round(22050 * seconds)]
    return 0.3 * np.sin(2 * np.pi * np.cumsum(frequencies) / 22050)


@pytest.fixture
def ingested(tmp_path: Path, quick: Settings, ingest: Callable) -> Callable[..., dict[str, str]]:
    """Return a function that ingests songs of the given lengths, and returns the key of each title."""

    def run(suffix: str = ".flac", **seconds: float) -> dict[str, str]:
        folder = tmp_path / f"songs{suffix}"
        folder.mkdir()
        for title, length in seconds.items():
            soundfile.write(folder / f"{title}{suffix}", melody(title, length), 22050)
        ingest(tmp_path / "home", folder, quick)
        return {record.title: record.key for record in Corpus(tmp_path / "home").records()}

    return run


def whole(*keys: str) -> dict[str, list[tuple[float, float]]]:
    return {key: [(0.0, np.inf)] for key in keys}


def sentence(home: Path, settings: Settings, split: Split) -> str:
    with pytest.raises(CorpusError) as caught:
        require_training_windows(home, Plan(split, "manifest", "states", "bundle"), settings)
    return str(caught.value)


def test_sentence_names_short_songs_and_long_songs_that_are_held_out(ingested, tmp_path, quick, changed) -> None:
    keys = ingested(**SECONDS)
    split = Split(whole(*(keys[title] for title in ("ash", "birch", "cedar"))), whole(keys["oak"]), whole(keys["pine"]))
    found = sentence(tmp_path / "home", changed(quick, sequences={"seconds": 12.0, "every_unit": False}), split)
    clauses = found.split("; ")
    assert "too short for a window of 12 s" in clauses[0]
    assert {"ash (6.0 s)", "birch (6.5 s)", "cedar (7.0 s)"} <= set(clauses[1].partition(": ")[2].split(", "))
    assert "needed for validation and test" in clauses[2]
    assert {"oak (20.0 s)", "pine (24.0 s)"} == set(clauses[2].partition(": ")[2].split(", "))
    assert "songs of at least 24 s" in clauses[3]
    assert "lower sequences.seconds, for example to 3" in clauses[3]
    require_training_windows(
        tmp_path / "home", Plan(split, "", "", ""), changed(quick, sequences={"seconds": 3.0, "every_unit": False})
    )


def test_sentence_names_copies_which_count_as_one_song(ingested, tmp_path, quick, changed) -> None:
    ingested(**SECONDS)
    ingested(".wav", ash=SECONDS["ash"])
    keys = [record.key for record in Corpus(tmp_path / "home").records()]
    assert len(keys) == 6
    found = sentence(
        tmp_path / "home", changed(quick, sequences={"seconds": 60.0, "every_unit": False}), Split(whole(*keys))
    )
    assert "copies of one recording count as one song: [ash (6.0 s), ash (6.0 s)];" in found
    assert "no song is long enough" in found
    assert "and 1 more" in found


def test_target_ahead_needs_longer_songs(ingested, tmp_path, quick, changed) -> None:
    keys = ingested(ash=6.0)
    settings = changed(quick, sequences={"seconds": 12.0, "target": "ahead", "ahead_seconds": 3.0, "every_unit": False})
    found = sentence(tmp_path / "home", settings, Split(whole(*keys.values())))
    assert "12 s with a target 3 s ahead" in found
    assert "at least 27 s, or lower sequences.seconds" in found
    assert "or lower sequences.ahead_seconds" in found
    assert "copies" not in found


def test_prediction_at_each_unit_needs_only_a_unit_with_a_target(ingested, tmp_path, quick, changed) -> None:
    keys = ingested(ash=6.0)
    split = Split(whole(*keys.values()))
    assert quick.sequences.every_unit
    require_training_windows(tmp_path / "home", Plan(split, "", "", ""), quick)
    found = sentence(tmp_path / "home", changed(quick, sequences={"target": "ahead", "ahead_seconds": 7.0}), split)
    assert "too short for a unit of 0.5 s with a target 7 s ahead" in found
    assert "at least 8 s, or lower sequences.pool_seconds, or lower sequences.ahead_seconds" in found
