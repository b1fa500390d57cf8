"""Golden values of beats and sections, with networks of random weights, and digests of the networks of the package."""

from __future__ import annotations

import hashlib
from importlib.resources import files
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from songform.beats import beat_tracking
from songform.beats.beat_tracking import FRAME_RATE, Beats, find_beats
from songform.beats.tatum_features import N_FEATURES as N_TATUM_FEATURES
from songform.features.frame_features import feature_columns
from songform.features.overview import Overview
from songform.features.semitone_spectrum import N_SEMITONES, SemitoneSpectrum
from songform.learning.temporal_network import Ensemble, TemporalNetwork
from songform.sections import section_finding
from songform.sections.boundary_features import N_FEATURES as N_BAR_FEATURES
from songform.sections.repetition import N_FEATURES as N_PAIR_FEATURES
from songform.sections.repetition import RepetitionModel
from songform.sections.section_finding import BoundaryModel, find_sections

FORM = "AABBCABBCA"  # of eight bars each
BAR_SECONDS, BARS_PER_PART = 2.0, 8
SECONDS = BAR_SECONDS * BARS_PER_PART * len(FORM)


def network(n_inputs, n_outputs, seed, *, bias=0.0, width=4, dilations=(1, 2)):
    """Return a network with random weights."""
    rng = np.random.default_rng(seed)

    def block():
        yield from ([np.ones(width), np.zeros(width)])
        yield from (rng.normal(size=(3, width, width)) / 3, rng.normal(size=width))
        yield from (rng.normal(size=(width, width)) / 2, np.zeros(width))

    first = [rng.normal(size=(n_inputs, width)) / np.sqrt(n_inputs), np.zeros(width)]
    last = [np.ones(width), np.zeros(width), rng.normal(size=(width, n_outputs)), np.full(n_outputs, bias)]
    return TemporalNetwork.from_weights(
        [*first, *(array for _ in dilations for array in block()), *last], list(dilations)
    )


@pytest.fixture(scope="module")
def song():
    """Return the tables of a song of ten parts with a beat every 0.5 s, computed by formula."""
    frame = np.arange(round(SECONDS * FRAME_RATE)) / FRAME_RATE
    part = np.array(["ABC".index(letter) for letter in FORM])
    of_frame = part[(frame // (BAR_SECONDS * BARS_PER_PART)).astype(int)]
    bar = frame % BAR_SECONDS
    names = feature_columns()
    columns = {
        name: np.sin(np.pi * bar * (1 + n % 3) + 2.1 * of_frame * n) + 0.35 * np.sin(1.7 * frame + n * n)
        for n, name in enumerate(names)
    }
    columns["rms_mean"] = 0.1 + 0.05 * of_frame
    click = np.exp(-20 * (frame % 0.5)) * (1 + (bar < 0.25))
    row = np.arange(round(SECONDS * 5)) / 5
    of_row = part[(row // (BAR_SECONDS * BARS_PER_PART)).astype(int)]
    levels = 100 + 60 * np.sin(np.arange(N_SEMITONES) * (1 + of_row[:, None]) + np.pi * row[:, None])
    counts = np.diff(np.searchsorted(frame, np.append(row, SECONDS)))
    features = pd.DataFrame({name: columns[name] for name in names}, index=pd.Index(frame, name="time_s"))
    spectrum = SemitoneSpectrum(
        time_s=row,
        semitones=levels.astype(np.uint8),
        onset_low=click.astype(np.float32),
        onset_mid=np.roll(click, 11).astype(np.float32),
        onset_high=(click**2).astype(np.float32),
        frame_counts=counts.astype(np.int32),
    )
    zeros = np.zeros(len(row), np.float32)
    overview = Overview(
        time_s=row,
        wave_min=zeros,
        wave_max=zeros,
        logmel=np.zeros((len(row), 64), np.uint8),
        chroma=np.zeros((len(row), 12), np.float32),
        low_share=zeros,
        onset=(10 * click).astype(np.float32),
        frame_counts=counts.astype(np.int32),
    )
    return features.astype(np.float32), overview, spectrum


def test_beats_match_stored_values(golden, song, monkeypatch):
    monkeypatch.setattr("songform.beats.beat_tracking.beat_network", lambda: network(N_TATUM_FEATURES, 3, seed=5))
    found = find_beats(*song)
    assert len(found.times) > 100
    golden.check("beats", [beat_tracking], {**vars(found), "times": found.times[::8]})


def mean_score_model():
    """Return a model whose log-odds are the mean score of the bars of two segments, minus 1."""
    weights = np.zeros((N_PAIR_FEATURES, 1), np.float32)
    weights[[0, 7]] = 0.5
    zero, one = np.zeros(N_PAIR_FEATURES, np.float32), np.ones(N_PAIR_FEATURES, np.float32)
    return RepetitionModel(zero, one, ((weights, np.float32([-1])),))


def test_sections_match_stored_values(golden, song):
    features, _, spectrum = song
    times = np.arange(0.0, SECONDS, BAR_SECONDS / 4)
    positions = np.arange(len(times)) % 4 + 1
    beats = Beats(times, positions, 120.0, 4, is_metre_sure=True, confidence=1.0)
    zero, one = np.zeros(N_BAR_FEATURES, np.float32), np.ones(N_BAR_FEATURES, np.float32)
    members = tuple(network(N_BAR_FEATURES, 1, seed, bias=-1.5) for seed in (5, 6))
    model = BoundaryModel(zero, one, Ensemble(members))
    found = find_sections(features, spectrum, beats, SECONDS, model=model, repetition=mean_score_model())
    assert all(before.end == after.start for before, after in pairwise(found.sections))
    assert len({part.label for part in found.sections}) > 1
    output = {level: [vars(part) for part in getattr(found, level)] for level in ("sections", "phrases")}
    golden.check("sections", [section_finding], output)


@pytest.mark.parametrize(
    ("package", "stage", "names"),
    [
        ("songform.beats", beat_tracking, ["beat_network.npz"]),
        ("songform.sections", section_finding, ["boundary_network.npz", "repetition_network.npz"]),
    ],
)
def test_another_network_needs_another_version(golden, package, stage, names):
    digests = {name: hashlib.sha256((files(package) / name).read_bytes()).hexdigest() for name in names}
    golden.check(f"networks_{package.partition('.')[2]}", [stage], digests)
