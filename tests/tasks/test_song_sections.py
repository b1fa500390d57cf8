"""Beats and sections of a track: rounding, the fields of a report, and the stored beats."""

from __future__ import annotations

import json
import shutil
from itertools import pairwise

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from songform import synth
from songform.beats.beat_tracking import NO_BEATS, Beats
from songform.sections.repetition import repetition_model
from songform.sections.section_finding import BarSimilarity, Loudness, Sections, SongPart, divided
from tasks.ingest.extract_tracks import extract_tracks
from tasks.ingest.sources.local_files import local_listing
from tasks.song_sections import SongSections, part_fields, song_sections
from tasks.store.beat_tables import beats_config
from tasks.store.corpus import Corpus
from tasks.store.tables import read_features, read_overview

PART_FIELDS = {
    *("start", "end", "label", "confidence"),
    *("occurrence", "occurrences", "is_most_repeated", "is_loudest"),
}


def assert_partition(parts, duration):
    edges = [(part["start"], part["end"]) for part in parts]
    assert edges[0][0] == 0
    assert edges[-1][1] == duration
    assert all(before[1] == after[0] for before, after in pairwise(edges))
    assert all(start < end for start, end in edges)


@given(
    st.lists(st.floats(0.0001, 7000), min_size=1, max_size=40, unique=True).map(sorted),
    st.floats(0.0001, 1),
)
def test_rounded_parts_cover_the_song(inner, rest):
    """Also if two boundaries round to the same time, or one to the end of the song."""
    edges = [0.0, *inner, inner[-1] + rest]
    parts = [SongPart(start, end, "A", 0.123456) for start, end in pairwise(edges)]
    fields = part_fields(parts, edges[-1])
    assert_partition(fields, edges[-1])
    for field in fields:
        assert set(field) == PART_FIELDS
        assert field["confidence"] == 0.1235
        assert field["start"] == round(field["start"], 3) or field["start"] == edges[-1]


@settings(max_examples=50)
@given(st.integers(16, 60), st.integers(0, 10**6), st.floats(0.4, 5))
def test_sections_and_phrases_of_any_song_cover_it_and_sections_begin_with_phrases(n_bars, seed, bar_seconds):
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(4, 12))[rng.integers(0, 4, n_bars // 4 + 1).repeat(4)[:n_bars]]
    vectors += 0.3 * rng.normal(size=vectors.shape)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    bars = np.arange(n_bars + 1) * bar_seconds - rng.uniform(0, bar_seconds / 4)
    duration = float(bars[-1] + rng.uniform(-bar_seconds / 4, bar_seconds / 4))
    loudness = Loudness(rng.uniform(0, 1, 500), duration / 500)
    similarity = BarSimilarity(bars, vectors @ vectors.T, vectors @ vectors.T)
    found = divided(similarity, rng.normal(-1, 3, n_bars + 1), duration, loudness, repetition_model())
    fields = SongSections(found, NO_BEATS, "x").fields(duration)
    for level in ("sections", "phrases"):
        assert_partition(fields[level], duration)
        assert sum(part["is_loudest"] for part in fields[level]) == 1
    assert {part["start"] for part in fields["sections"]} <= {part["start"] for part in fields["phrases"]}
    json.dumps(fields, allow_nan=False)
    assert "no_sections" not in fields


def test_song_without_sections_has_empty_lists_and_a_reason():
    fields = SongSections(Sections(reason="the song has no regular beat"), NO_BEATS, "data/beats/x.parquet").fields(9.0)
    assert (fields["sections"], fields["phrases"]) == ([], [])
    assert fields["no_sections"] == "the song has no regular beat"
    assert fields["beats"] == {
        "tempo": None,
        "metre": None,
        "is_metre_sure": False,
        "confidence": 0,
        "path": "data/beats/x.parquet",
    }
    assert SongSections(Sections(reason="x")).fields(9.0)["beats"] is None


@pytest.fixture(scope="module")
def composed(tmp_path_factory, quick):
    """Return the home of a song of a minute whose tempo is known, and the song."""
    home = tmp_path_factory.mktemp("composed")
    song = synth.compose(3, duration=60.0)
    (home / "songs").mkdir()
    soundfile.write(home / "songs" / "song.flac", song.y, song.sr)
    (track,) = local_listing(home / "songs").tracks
    extract_tracks.fn(home, [(track, home / "songs" / "song.flac")], quick, 1)
    return home, song


@pytest.fixture
def home(composed, tmp_path):
    shutil.copytree(composed[0] / "data", tmp_path / "data")
    return tmp_path


def found(home, settings):
    corpus = Corpus(home)
    (record,) = corpus.records()
    tables = (read(corpus, record.key, settings) for read in (read_features, read_overview))
    return song_sections(corpus, record, *tables, settings)


def beats_path(home, settings):
    corpus = Corpus(home)
    return corpus.beats_path(beats_config(settings), corpus.records()[0].key)


def test_beats_of_a_composed_song_are_found_and_stored(home, composed, quick):
    """The tempo is that of the composer, or its half or double."""
    first = found(home, quick)
    (record,) = Corpus(home).records()
    assert first.path == beats_path(home, quick).relative_to(home).as_posix()
    octave = np.log2(first.beats.tempo / composed[1].traits.bpm)
    assert min(abs(octave - whole) for whole in (-1, 0, 1)) < 0.02
    fields = first.fields(record.duration)
    assert first.sections.reason == fields.get("no_sections", "")
    assert bool(fields["sections"]) == bool(fields["phrases"]) == (not first.sections.reason)


def test_stored_beats_are_read_and_not_found_again(home, quick, monkeypatch):
    first = found(home, quick)
    monkeypatch.setattr("tasks.song_sections.find_beats", lambda *_, **__: pytest.fail("found again"))
    again = found(home, quick)
    assert again.beats.times.tolist() == first.beats.times.tolist()
    assert (again.sections, again.path, again.notes) == (first.sections, first.path, ())


@pytest.mark.parametrize("damage", ["cut", "flipped", "other table"])
def test_damaged_table_of_beats_is_renamed_and_made_again(home, quick, damage):
    first, path = found(home, quick), beats_path(home, quick)
    whole = path.read_bytes()
    if damage == "cut":
        path.write_bytes(whole[: len(whole) // 2])
    elif damage == "flipped":
        path.write_bytes(whole[:20] + bytes([whole[20] ^ 0x55]) + whole[21:])
    else:
        shutil.copy(Corpus(home).data / next(iter(Corpus(home).records()[0].files)), path)
    damaged = path.read_bytes()
    again = found(home, quick)
    (note,) = again.notes
    assert str(path) in note
    assert f"renamed to {path.name}.damaged-1" in note
    assert path.with_name(f"{path.name}.damaged-1").read_bytes() == damaged
    assert path.read_bytes() == whole
    assert again.sections == first.sections
    assert found(home, quick).notes == ()


def test_table_of_beats_that_may_not_be_read_is_left_in_place(home, quick, monkeypatch):
    first, path = found(home, quick), beats_path(home, quick)
    before = path.stat().st_mtime_ns, path.read_bytes()
    read = __import__("pyarrow.parquet").parquet.read_table

    def refuse(file, **options):
        if file == path:
            raise PermissionError(13, "Permission denied")
        return read(file, **options)

    monkeypatch.setattr("tasks.store.tables.pq.read_table", refuse)
    again = found(home, quick)
    assert again.sections == first.sections
    (note,) = again.notes
    assert "Permission denied" in note
    assert "permissions" in note
    assert (path.stat().st_mtime_ns, path.read_bytes()) == before


def test_track_without_spectrum_has_no_beats_and_says_how_to_upgrade_it(home, quick):
    shutil.rmtree(home / "data" / "spectrum")
    result = found(home, quick)
    assert result.beats is None
    assert "earlier version" in result.sections.reason
    assert "songform ingest --upgrade" in result.sections.reason
    assert not (home / "data" / "beats").exists()


def test_spectrum_that_cannot_be_read_is_the_reason_for_no_sections(home, quick):
    path = next((home / "data" / "spectrum").rglob("*.parquet"))
    path.write_bytes(bytes(path.stat().st_size))
    result = found(home, quick)
    assert (result.beats, str(path) in result.sections.reason) == (None, True)
    assert result.notes == (result.sections.reason,)


@pytest.mark.parametrize(("beats", "reason"), [(NO_BEATS, "no regular beat"), (None, "too short")])
def test_song_without_bars_says_why_it_has_no_sections(home, quick, monkeypatch, beats, reason):
    few = Beats(np.arange(8.0) + 50, np.arange(8) % 4 + 1, 60.0, 4, is_metre_sure=True, confidence=0.5)
    monkeypatch.setattr("tasks.song_sections.find_beats", lambda *_, **__: beats or few)
    assert reason in found(home, quick).sections.reason
