"""Tests of the fuzz test: its damage depends only on the seed, and its verdicts find each fault."""

from __future__ import annotations

import random
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.fuzz import seeds, worker
from benchmarks.fuzz.__main__ import outcome_table
from benchmarks.fuzz.mutations import MUTATIONS, mutated
from benchmarks.fuzz.seeds import SECONDS, SeedFile, composed_sound
from benchmarks.fuzz.worker import FAULTS, FuzzJob, Verdict, damaged_file, ingested, verdict_on
from songform.errors import AudioError, TrackError
from tasks.ingest.extraction_worker import ExtractionResult

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
SR = 8000


@pytest.fixture
def song(tmp_path):
    """Return the path of a WAV file of four seconds."""
    soundfile.write(tmp_path / "song.wav", 0.1 * np.random.default_rng(0).standard_normal(4 * SR), SR)
    return tmp_path / "song.wav"


@pytest.fixture
def intact(monkeypatch, song):
    """Let the fuzz test know one intact file, and not limit the memory of this process, in which many tests run."""
    seed = SeedFile("WAV", "s16.wav", song.read_bytes())
    monkeypatch.setattr(worker, "_seeds", lambda *_: (seed,))
    monkeypatch.setattr(worker, "MAX_MEGABYTES", 1_000_000)
    monkeypatch.setattr(worker.resource, "setrlimit", lambda *_: None)
    return seed


@pytest.mark.parametrize("mutation", MUTATIONS)
@settings(max_examples=15)
@given(content=st.binary(min_size=1, max_size=300), other=st.binary(min_size=1, max_size=300), seed=st.integers(0, 99))
def test_mutation_of_any_file_depends_only_on_the_seed(mutation, content, other, seed):
    first, second = (mutation(content, random.Random(seed), other) for _ in range(2))
    assert first == second


def test_most_mutations_change_a_file(song):
    content, other = song.read_bytes(), bytes(range(256)) * 50
    for mutation in MUTATIONS:
        n_changed = sum(mutation(content, random.Random(seed), other) != content for seed in range(20))
        assert n_changed >= 15, mutation.__name__


def test_one_to_three_mutations_are_named_and_never_leave_an_empty_file():
    made = [mutated(b"RIFF", random.Random(seed), b"fLaC") for seed in range(200)]
    assert all(content for content, _ in made)
    assert {1 + names.count(",") for _, names in made} == {1, 2, 3}


def test_number_and_seed_determine_the_file(intact, tmp_path):
    def made(seed, number):
        return damaged_file(FuzzJob(tmp_path, FFMPEG, seed, number))[1].read_bytes()

    files = {(seed, number): made(seed, number) for seed in (1, 2) for number in range(3)}
    assert all(made(*which) == content for which, content in files.items())
    assert len(set(files.values())) > 4


def test_damaged_file_is_ingested_and_leaves_no_file(intact, tmp_path):
    before = set(tmp_path.rglob("*.*"))
    verdicts = [ingested(FuzzJob(tmp_path, FFMPEG, 1, number)) for number in range(4)]
    assert {verdict.container for verdict in verdicts} == {"WAV"}
    assert all(verdict.outcome in ("done", "done with a note", "refused") for verdict in verdicts)
    assert all(verdict.took > 0 and verdict.megabytes > 10 for verdict in verdicts)
    assert set(tmp_path.rglob("*.*")) == before


def test_memory_over_the_limit_is_a_fault(intact, tmp_path, monkeypatch):
    monkeypatch.setattr(worker, "MAX_MEGABYTES", 1)
    assert ingested(FuzzJob(tmp_path, FFMPEG, 1, 0)).outcome == "over the limits"


@pytest.mark.parametrize(
    ("seconds", "notes", "outcome"),
    [
        (4.0, (), "done"),
        (4.09, (), "done"),
        (4.0, ("it is damaged at 1.0 s, but no audio is missing",), "done with a note"),
        (4.2, (), "wrong length"),
        (3.8, ("it is damaged at 1.0 s, but no audio is missing",), "wrong length"),
        (4.15, ("its sampling rate or its number of channels changes at 1.0 s",), "done with a note"),
        (4.0, ("ValueError: it",), "no sentence"),
        (4.0, ("two\nlines",), "no sentence"),
    ],
)
def test_length_is_compared_with_a_full_decode(song, seconds, notes, outcome):
    done = ExtractionResult(seconds, "", "libsndfile", (Path(), Path()), notes)
    verdict = verdict_on(done, song, FFMPEG)
    assert (verdict.outcome, verdict.expected, verdict.reference) == (outcome, 4.0, "ffmpeg")


def test_length_of_a_file_that_only_libsndfile_reads_is_compared_with_libsndfile(tmp_path):
    soundfile.write(tmp_path / "a.mat", np.zeros(2 * SR), SR, format="MAT5")
    verdict = verdict_on(ExtractionResult(2.0, "", "", (Path(), Path())), tmp_path / "a.mat", FFMPEG)
    assert (verdict.outcome, verdict.expected, verdict.reference) == ("done", 2.0, "libsndfile")


def test_length_that_libsndfile_alone_returns_is_compared_with_ffmpeg(tmp_path, song):
    """Libsndfile ignores what follows the size that an AU file states; ffmpeg decodes it."""
    soundfile.write(tmp_path / "a.au", np.zeros(2 * SR), SR, format="AU")
    (tmp_path / "joined.au").write_bytes((tmp_path / "a.au").read_bytes() * 2)
    done = ExtractionResult(4.0, "", "ffmpeg", (Path(), Path()))
    joined, plain = (verdict_on(done, path, FFMPEG) for path in (tmp_path / "joined.au", song))
    assert (joined.outcome, joined.by_libsndfile, joined.do_decoders_disagree) == ("done", 2.0, True)
    assert (plain.outcome, plain.by_libsndfile, plain.do_decoders_disagree) == ("done", 4.0, False)


def test_length_without_any_audio_is_wrong(tmp_path):
    (tmp_path / "page.mp3").write_bytes(b"<html>" * 100)
    done = ExtractionResult(2.0, "", "", (Path(), Path()))
    assert verdict_on(done, tmp_path / "page.mp3", FFMPEG).outcome == "wrong length"


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (AudioError("a.mp3 is cut short; fetch it again", "transient"), "refused"),
        (AudioError("a.mp3 is empty"), "refused"),
        (AudioError(""), "no sentence"),
        (AudioError("a.mp3 cannot be read:"), "no sentence"),
        (AudioError("a.mp3 cannot be read\nTraceback (most recent call last)"), "no sentence"),
        (TrackError("songform failed on a: KeyError: 'x'", "permanent"), "no sentence"),
        (TrackError("the decoder crashed on a.mp3", "bug"), "no sentence"),
        (TrackError("the disk is full", "environment"), "no sentence"),
    ],
)
def test_refusal_must_be_one_sentence_about_the_file(error, outcome):
    assert verdict_on(error, Path(), FFMPEG).outcome == outcome


def test_table_counts_the_outcomes_of_each_container():
    outcomes = {"MP3": ["done", "done", "refused"], "WAV": [*FAULTS, "done with a note"]}
    verdicts = [Verdict(container, outcome=outcome) for container, found in outcomes.items() for outcome in found]
    header, _, *rows = outcome_table(verdicts).splitlines()
    columns = header.strip("| ").split(" | ")
    counts = {
        cells[0]: dict(zip(columns, cells, strict=True)) for cells in (row.strip("| ").split(" | ") for row in rows)
    }
    assert list(counts) == ["MP3", "WAV", "all"]
    assert (counts["MP3"]["files"], counts["MP3"]["done"], counts["MP3"]["refused"]) == ("3", "2", "1")
    assert [counts["all"][fault] for fault in FAULTS] == ["1"] * 4
    assert sum(verdict.is_fault for verdict in verdicts) == 4


def test_intact_sound_is_not_silent_anywhere():
    """Silence would hide samples that are lost."""
    sound = composed_sound()
    assert len(sound) == SECONDS * seeds.SR
    assert abs(sound).max() < 1.0
    assert all(abs(part).max() > 0.1 for part in np.array_split(sound, 40))
