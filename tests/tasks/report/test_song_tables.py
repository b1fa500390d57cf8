"""Tables of all segments and sections: updates by analyses, atomic replacement, and concurrent processes."""

from __future__ import annotations

import shutil
import threading

import pandas as pd
import pytest

from songform.features.frame_features import FEATURE_COLUMNS
from songform.output import section_table, segment_table
from songform.output.song_rows import replaced_rows
from tasks.report.song_tables import update_song_tables
from tasks.store.corpus import Corpus
from tasks.store.tables import read_features, read_table, write_table


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
    document = {"track": {"key": key, "title": f"Title of {key}"}, "model": {"id": model}, "segments": segments}
    return document | {"sections": [], "phrases": [], "beats": None}


def with_sections(document, *letters, tempo=120.0):
    """Return a report with sections of 5 s, each of which is one phrase."""
    facts = {"confidence": 0.5, "occurrence": 1, "occurrences": 1, "is_most_repeated": False, "is_loudest": False}
    sections = [{"start": 5.0 * n, "end": 5.0 * n + 5, "label": letter, **facts} for n, letter in enumerate(letters)]
    phrases = [{**section, "label": section["label"].lower()} for section in sections]
    return document | {"sections": sections, "phrases": phrases, "beats": {"tempo": tempo, "metre": 4}}


def table_of(home, name="segments"):
    return pd.read_parquet(home / "data" / f"{name}.parquet")


@pytest.mark.parametrize("batch", [1, 250])
def test_an_analysis_replaces_its_own_songs_and_keeps_the_others(home, keys, quick, monkeypatch, batch):
    monkeypatch.setattr("tasks.report.song_tables.BATCH", batch)
    first, second, third = sorted(keys)[:3]
    update_song_tables.fn(home, [report(second, "Calm"), report(first, "Calm", "BuildUp")], quick)
    update_song_tables.fn(home, [report(third, "Energetic"), report(second, "Calm", "Energetic", model="m")], quick)
    table = table_of(home)
    assert list(table.columns) == [*segment_table.LAYOUT.facts.names, *FEATURE_COLUMNS]
    assert table.track.tolist() == [first, first, second, second, third]
    assert table.state.tolist() == ["Calm", "BuildUp", "Calm", "Energetic", "Energetic"]
    assert table.model.tolist() == ["own", "own", "m", "m", "own"]
    features = read_features(Corpus(home), first, quick)
    expected = features[features.index >= 5].mean().to_numpy()  # the last segment lasts until the song's end
    assert table.loc[1, list(FEATURE_COLUMNS)].astype(float).to_numpy() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("batch", [1, 250])
def test_sections_and_phrases_of_all_songs_are_rows(home, keys, quick, monkeypatch, batch):
    monkeypatch.setattr("tasks.report.song_tables.BATCH", batch)
    first, second, third = sorted(keys)[:3]
    songs = [with_sections(report(key, "Calm", "BuildUp"), "A", "B") for key in (third, first)]
    update_song_tables.fn(home, [*songs, report(second, "Calm")], quick)
    table = table_of(home, "sections")
    assert list(table.columns) == [*section_table.LAYOUT.facts.names, *FEATURE_COLUMNS]
    assert table.track.tolist() == [first] * 4 + [third] * 4
    assert table.level.tolist() == ["section", "section", "phrase", "phrase"] * 2
    assert table.label.tolist() == ["A", "B", "a", "b"] * 2
    features = read_features(Corpus(home), first, quick)
    expected = features[features.index < 5].mean().to_numpy()
    for row in (0, 2):
        assert table.loc[row, list(FEATURE_COLUMNS)].astype(float).to_numpy() == pytest.approx(expected, rel=1e-5)
    segments = table_of(home).set_index("track")
    assert segments.section[first].tolist() == ["A", "B"]
    assert segments.phrase[third].tolist() == ["a", "b"]
    assert pd.isna(segments.section[second])
    update_song_tables.fn(home, [report(first, "Calm")], quick)  # a later analysis finds no sections
    assert table_of(home, "sections").track.tolist() == [third] * 4


def test_table_of_an_earlier_version_is_extended_and_not_set_aside(home, keys, quick):
    first, second = sorted(keys)[:2]
    path = Corpus(home).segments_path
    update_song_tables.fn(
        home, [with_sections(report(key, "Calm", "BuildUp"), "A", "B") for key in (first, second)], quick
    )
    whole = read_table(path)
    write_table(path, whole.drop_columns(["section", "phrase"]))
    assert update_song_tables.fn(home, [with_sections(report(second, "Calm", "BuildUp"), "A", "B")], quick) == []
    found = read_table(path)
    assert found.schema.equals(whole.schema)
    assert found.column("section").to_pylist() == [None, None, "A", "B"]
    assert found.column("phrase").to_pylist() == [None, None, "a", "b"]
    assert found.drop_columns(["section", "phrase"]).equals(whole.drop_columns(["section", "phrase"]))
    assert not list(path.parent.glob("*.damaged-*"))


@pytest.mark.parametrize("name", ["segments", "sections"])
def test_table_that_pandas_rewrote_keeps_its_songs(home, keys, quick, name):
    songs = [with_sections(report(key, "Calm"), "A") for key in keys[:2]]
    update_song_tables.fn(home, songs[:1], quick)
    table_of(home, name).astype({"track": "category"}).to_parquet(home / "data" / f"{name}.parquet")
    assert update_song_tables.fn(home, songs[1:], quick) == []
    assert set(table_of(home, name).track) == set(keys[:2])


@pytest.mark.parametrize("name", ["segments", "sections"])
def test_an_analysis_that_changes_nothing_writes_nothing(home, keys, quick, name):
    path = home / "data" / f"{name}.parquet"
    update_song_tables.fn(home, [with_sections(report(keys[0], "Calm"), "A")], quick)
    before = path.stat().st_mtime_ns
    update_song_tables.fn(home, [with_sections(report(keys[0], "Calm"), "A")], quick)
    assert path.stat().st_mtime_ns == before
    update_song_tables.fn(home, [with_sections(report(keys[0], "Energetic"), "B")], quick)
    assert path.stat().st_mtime_ns != before


@pytest.mark.parametrize("name", ["segments", "sections"])
@pytest.mark.parametrize("content", [b"", b"PAR1 no table", "other"])
def test_file_that_is_not_a_table_is_renamed_and_the_table_is_made_again(home, keys, quick, name, content):
    path = home / "data" / f"{name}.parquet"
    if content == "other":
        pd.DataFrame({"x": [1]}).to_parquet(path)
    else:
        path.write_bytes(content)
    before = path.read_bytes()
    song = with_sections(report(keys[0], "Calm"), "A")
    (problem,) = update_song_tables.fn(home, [song], quick)
    assert problem.startswith(f"{path} ")
    assert f"renamed to {name}.parquet.damaged-1" in problem
    assert "analyzed again" in problem
    assert path.with_name(f"{name}.parquet.damaged-1").read_bytes() == before
    assert set(table_of(home, name).track) == {keys[0]}
    assert update_song_tables.fn(home, [song], quick) == []


def test_a_full_disk_leaves_the_old_table(home, keys, quick, monkeypatch):
    path = Corpus(home).segments_path
    update_song_tables.fn(home, [report(keys[0], "Calm")], quick)
    before = path.read_bytes()

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tasks.store.tables.pq.write_table", full)
    with pytest.raises(OSError, match="No space left"):
        update_song_tables.fn(home, [report(keys[1], "Calm")], quick)
    assert path.read_bytes() == before


def test_concurrent_analyses_do_not_lose_rows(home, keys, quick, monkeypatch):
    """The second analysis starts when the first one has read the table but not written it yet, and has to wait."""
    first, second = keys[:2]
    other = threading.Thread(target=update_song_tables.fn, args=(home, [report(second, "Calm")], quick))

    def interrupted(*arguments):
        monkeypatch.undo()
        table = replaced_rows(*arguments)
        other.start()
        other.join(timeout=0.5)  # if it did not wait, it would end here, and its rows would be lost
        return table

    monkeypatch.setattr("tasks.report.song_tables.replaced_rows", interrupted)
    update_song_tables.fn(home, [report(first, "Calm")], quick)
    other.join()
    assert sorted(table_of(home).track) == sorted([first, second])
