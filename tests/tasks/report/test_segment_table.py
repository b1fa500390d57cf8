"""Table of all segments: updates by analyses, atomic replacement, and concurrent processes."""

from __future__ import annotations

import shutil
import threading

import pandas as pd
import pytest

from songform.features.frame_features import FEATURE_COLUMNS
from songform.output.segment_table import FACTS, replaced_rows
from tasks.report.segment_table import collect_segments
from tasks.store.corpus import Corpus
from tasks.store.tables import read_features


@pytest.fixture
def home(extracted, tmp_path):
    shutil.copytree(extracted / "data", tmp_path / "data")
    return tmp_path


@pytest.fixture
def keys(home):
    return [record.key for record in Corpus(home).records()]


def report(key, *states, model="own"):
    starts = range(0, 5 * len(states), 5)
    segments = [
        {"start": float(a), "end": a + 5.0, "state": state, "confidence": 0.5}
        for a, state in zip(starts, states, strict=True)
    ]
    return {"track": {"key": key, "title": f"Title of {key}"}, "model": {"id": model}, "segments": segments}


def table_of(home):
    return pd.read_parquet(home / "data" / "segments.parquet")


@pytest.mark.parametrize("batch", [1, 250])
def test_an_analysis_replaces_its_own_songs_and_keeps_the_others(home, keys, quick, monkeypatch, batch):
    monkeypatch.setattr("tasks.report.segment_table.BATCH", batch)
    first, second, third = sorted(keys)[:3]
    collect_segments.fn(home, [report(second, "Calm"), report(first, "Calm", "BuildUp")], quick)
    collect_segments.fn(home, [report(third, "Energetic"), report(second, "Calm", "Energetic", model="m")], quick)
    table = table_of(home)
    assert list(table.columns) == [*FACTS.names, *FEATURE_COLUMNS]
    assert table.track.tolist() == [first, first, second, second, third]
    assert table.state.tolist() == ["Calm", "BuildUp", "Calm", "Energetic", "Energetic"]
    assert table.model.tolist() == ["own", "own", "m", "m", "own"]
    features = read_features(Corpus(home), first, quick)
    expected = features[features.index >= 5].mean().to_numpy()  # the last segment lasts until the song's end
    assert table.loc[1, list(FEATURE_COLUMNS)].astype(float).to_numpy() == pytest.approx(expected, rel=1e-5)


def test_an_analysis_that_changes_nothing_writes_nothing(home, keys, quick):
    path = Corpus(home).segments_path
    collect_segments.fn(home, [report(keys[0], "Calm")], quick)
    before = path.stat().st_mtime_ns
    collect_segments.fn(home, [report(keys[0], "Calm")], quick)
    assert path.stat().st_mtime_ns == before
    collect_segments.fn(home, [report(keys[0], "Energetic")], quick)
    assert path.stat().st_mtime_ns != before


@pytest.mark.parametrize("content", [b"", b"PAR1 no table", "other"])
def test_file_that_is_not_a_table_is_renamed_and_the_table_is_made_again(home, keys, quick, content):
    path = home / "data" / "segments.parquet"
    if content == "other":
        pd.DataFrame({"x": [1]}).to_parquet(path)
    else:
        path.write_bytes(content)
    before = path.read_bytes()
    (problem,) = collect_segments.fn(home, [report(keys[0], "Calm")], quick)
    assert problem.startswith(f"{path} ")
    assert "renamed to segments.parquet.damaged-1" in problem
    assert "analyzed again" in problem
    assert path.with_name("segments.parquet.damaged-1").read_bytes() == before
    assert table_of(home).track.tolist() == [keys[0]]
    assert collect_segments.fn(home, [report(keys[0], "Calm")], quick) == []


def test_a_full_disk_leaves_the_old_table(home, keys, quick, monkeypatch):
    path = Corpus(home).segments_path
    collect_segments.fn(home, [report(keys[0], "Calm")], quick)
    before = path.read_bytes()

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tasks.store.tables.pq.write_table", full)
    with pytest.raises(OSError, match="No space left"):
        collect_segments.fn(home, [report(keys[1], "Calm")], quick)
    assert path.read_bytes() == before


def test_concurrent_analyses_do_not_lose_rows(home, keys, quick, monkeypatch):
    """The second analysis starts when the first one has read the table but not written it yet, and has to wait."""
    first, second = keys[:2]
    other = threading.Thread(target=collect_segments.fn, args=(home, [report(second, "Calm")], quick))

    def interrupted(*arguments):
        monkeypatch.undo()
        table = replaced_rows(*arguments)
        other.start()
        other.join(timeout=0.5)  # if it did not wait, it would end here, and its rows would be lost
        return table

    monkeypatch.setattr("tasks.report.segment_table.replaced_rows", interrupted)
    collect_segments.fn(home, [report(first, "Calm")], quick)
    other.join()
    assert sorted(table_of(home).track) == sorted([first, second])
