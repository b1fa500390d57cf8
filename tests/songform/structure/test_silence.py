"""Tests of digital silence: where it begins and ends, and what does not count as silence."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

import songform
from songform.bundle import Bundle
from songform.features.extraction import describe_audio
from songform.structure.naming import STATES
from songform.structure.segments import Segment
from songform.structure.silence import MIN_SECONDS, SILENCE, SILENT_RMS, silence_seconds, silent_spans, with_silence
from songform.structure.states import fit_states, unit_vectors

SR, HOP, FRAME = 22050, 512, 2048
FRAME_SECONDS = HOP / SR
STEP = 2.0**-15  # one step of 16 bits


def zeros(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * SR), np.float32)


def spans_of(y: np.ndarray, sr: int = SR) -> list[tuple[float, float]]:
    features, _, n_samples = describe_audio([y.astype(np.float32)], sr=sr)
    return silent_spans(
        features["rms_mean"].to_numpy(), sr=sr, hop_length=HOP, frame_length=FRAME, duration=n_samples / sr
    )


@pytest.fixture(scope="module")
def music() -> np.ndarray:
    return songform.compose(3, duration=24.0).y


@pytest.fixture(scope="module")
def padded(music) -> np.ndarray:
    """Return the music with 5 s of silence before it, 3 s in its middle and 4 s after it."""
    half = len(music) // 2
    return np.concatenate([zeros(5), music[:half], zeros(3), music[half:], zeros(4)])


@pytest.fixture(scope="module")
def bundle(music) -> Bundle:
    features, overview, _ = describe_audio([music])
    return Bundle(fit_states([unit_vectors(features, overview)]), None, 0.0, tuple(features.columns))


def test_silences_of_a_composed_song_begin_and_end_within_one_frame(padded, music, bundle):
    features, overview, n_samples = describe_audio([padded])
    form = bundle.form(features, overview, n_samples / SR)
    duration, middle = len(padded) / SR, 5 + len(music) // 2 / SR
    silent = [(segment.start, segment.end) for segment in form.segments if segment.state == SILENCE]
    expected = [(0, 5), (middle, middle + 3), (duration - 4, duration)]
    assert np.array(silent) == pytest.approx(np.array(expected), abs=FRAME_SECONDS)
    assert (silent[0][0], silent[-1][1]) == (0, duration)
    assert all(before.end == after.start for before, after in pairwise(form.segments))
    assert {segment.state for segment in form.segments} - {SILENCE} <= set(STATES)
    assert form.joint.shape[1] == len(STATES)


def test_a_song_without_silence_keeps_its_segments(music, bundle):
    features, overview, n_samples = describe_audio([music])
    segments = bundle.form(features, overview, n_samples / SR).segments
    assert SILENCE not in {segment.state for segment in segments}
    assert with_silence(segments, [], np.empty((0, 5)), STATES) == segments


def test_a_silent_song_is_one_segment(bundle):
    features, overview, n_samples = describe_audio([zeros(10)])
    form = bundle.form(features, overview, n_samples / SR)
    assert form.segments == [Segment(0.0, 10.0, SILENCE, 1.0)]
    assert silence_seconds(form.segments) == 10


def test_frames_of_another_length_have_the_same_silence(padded, bundle):
    features, overview, n_samples = describe_audio([padded], frame_length=1024)
    form = bundle.form(features, overview, n_samples / SR, frame_length=1024)
    assert form.segments[0].end == pytest.approx(5, abs=FRAME_SECONDS)


@pytest.mark.parametrize(
    ("seconds", "n_spans"), [(1.9, 0), (2.1, 1), (30.0, 1)], ids=["a pause", "a silence", "a long silence"]
)
@pytest.mark.parametrize("place", ["start", "middle", "end"])
def test_only_more_than_two_seconds_are_silence(song, seconds, n_spans, place):
    before, after = {"start": (0, 1), "middle": (1, 1), "end": (1, 0)}[place]
    y = np.concatenate([np.tile(song, before), zeros(seconds), np.tile(song, after)])
    assert len(spans_of(y)) == n_spans


def test_silence_around_a_single_frame_is_one_span():
    """Noise near one step of 16 bits has such frames."""
    rms = np.zeros(1000)
    rms[500] = 1.0
    assert silent_spans(rms, sr=SR, hop_length=HOP, frame_length=FRAME, duration=23.0) == [(0.0, 23.0)]


@pytest.mark.parametrize("level_db", [-60.0, -75.0, -85.0])
def test_hiss_is_not_silence(song, rng, level_db):
    hiss = 10 ** (level_db / 20) * rng.standard_normal(5 * SR)
    assert spans_of(np.concatenate([song, hiss, song])) == []


def test_fade_out_is_silence_only_below_one_step_of_16_bits():
    """The sound falls by 10 dB per second, and is below one step after 9 s."""
    t = np.arange(15 * SR) / SR
    fade = np.sqrt(2) * 10 ** (-t / 2) * np.sin(2 * np.pi * 440 * t)
    ((start, end),) = spans_of(fade)
    assert (start, end) == (pytest.approx(-2 * np.log10(STEP), abs=0.1), 15)


def test_dither_of_16_bits_is_silence(song, rng):
    """The hiss that is added before rounding to 16 bits is not part of the music."""
    dither = rng.uniform(-0.5, 0.5, (2, 5 * SR)).sum(axis=0)
    y = np.concatenate([song, np.round(dither) * STEP, song])
    assert spans_of(y)[0] == pytest.approx((4, 9), abs=FRAME_SECONDS)


@pytest.mark.parametrize(("suffix", "sr"), [(".mp3", 44100), (".ogg", 48000), (".flac", 44100)])
def test_silence_of_an_encoded_file_is_found(tmp_path, song, suffix, sr):
    """The times are exact to 0.1 s, because encoders spread a sound that begins suddenly."""
    y = np.interp(np.arange(12 * sr) / sr, np.arange(12 * SR) / SR, np.concatenate([song, zeros(4), song]))
    path = tmp_path / f"song{suffix}"
    soundfile.write(path, y, sr)
    decoded, _ = songform.load(path)
    ((start, end),) = spans_of(decoded)
    assert (start, end) == (pytest.approx(4, abs=0.1), pytest.approx(8, abs=0.1))


@given(
    levels=st.lists(st.tuples(st.booleans(), st.integers(1, 5) | st.integers(1, 200)), min_size=1, max_size=8),
    cut=st.floats(0, FRAME_SECONDS),
)
def test_spans_contain_each_sample_of_a_silent_frame_once(levels, cut):
    """A frame has four hops, two of them before its center. Silent frames on both sides may overlap a loud one."""
    rms = np.concatenate([np.full(n, SILENT_RMS / 2 if is_silent else SILENT_RMS) for is_silent, n in levels])
    duration = (len(rms) - 1) * FRAME_SECONDS + cut + 1e-3
    silent_hops = {at for frame in np.flatnonzero(rms < SILENT_RMS) for at in range(frame - 2, frame + 2)}
    starts = sorted(at for at in silent_hops if at - 1 not in silent_hops)
    ends = sorted(at + 1 for at in silent_hops if at + 1 not in silent_hops)
    expected = []
    for first, after in zip(starts, ends, strict=True):
        is_last = after == len(rms) + 1 and rms[-1] < SILENT_RMS
        start, end = max(0, first * HOP) / SR, duration if is_last else min(after * HOP / SR, duration)
        expected += [(start, end)] if end - start > MIN_SECONDS else []
    assert silent_spans(rms, sr=SR, hop_length=HOP, frame_length=FRAME, duration=duration) == expected


POSTERIOR = np.repeat([[0.9, 0.1, 0.0], [0.2, 0.8, 0.0], [0.0, 0.3, 0.7]], 20, axis=0)  # 10 s of each state
THREE = STATES[:3]
SEGMENTS = [Segment(0.0, 10.0, THREE[0], 0.9), Segment(10.0, 20.0, THREE[1], 0.8), Segment(20.0, 30.0, THREE[2], 0.7)]


def cut(*spans: tuple[float, float]) -> list[tuple[float, float, str, float]]:
    found = with_silence(SEGMENTS, spans, POSTERIOR, THREE)
    return [(*segment[:3], round(segment.confidence, 6)) for segment in found]


def test_silence_within_a_segment_divides_it():
    assert cut((3.0, 6.5)) == [
        (0.0, 3.0, "Calm", 0.9),
        (3.0, 6.5, SILENCE, 1.0),
        (6.5, 10.0, "Calm", 0.9),
        *SEGMENTS[1:],
    ]


def test_boundary_within_silence_is_removed():
    assert cut((8.0, 12.0)) == [
        (0.0, 8.0, "Calm", 0.9),
        (8.0, 12.0, SILENCE, 1.0),
        (12.0, 20.0, "BuildUp", 0.8),
        SEGMENTS[2],
    ]


def test_boundary_less_than_half_a_second_from_silence_is_moved_to_it():
    """The first unit of the second segment, which has the first state, is counted in its confidence."""
    assert cut((6.9, 9.6))[:3] == [(0.0, 6.9, "Calm", 0.9), (6.9, 9.6, SILENCE, 1.0), (9.6, 20.0, "BuildUp", 0.766667)]
    assert cut((10.4, 13.0))[:3] == [
        (0.0, 10.4, "Calm", 0.866667),
        (10.4, 13.0, SILENCE, 1.0),
        (13.0, 20.0, *SEGMENTS[1][2:]),
    ]
    assert cut((10.5, 13.0))[1:3] == [(10.0, 10.5, "BuildUp", 0.8), (10.5, 13.0, SILENCE, 1.0)]


def test_segments_within_silence_disappear():
    assert cut((0.0, 30.0)) == [(0.0, 30.0, SILENCE, 1.0)]
    assert cut((9.0, 30.0)) == [(0.0, 9.0, "Calm", 0.9), (9.0, 30.0, SILENCE, 1.0)]


@given(edges=st.lists(st.floats(0, 30), min_size=2, max_size=8, unique=True).map(sorted))
def test_segments_with_silence_partition_the_song(edges):
    spans = list(zip(edges[::2], edges[1::2], strict=False))
    found = with_silence(SEGMENTS, spans, POSTERIOR, THREE)
    assert (found[0].start, found[-1].end) == (0, 30)
    assert all(before.end == after.start and before.state != after.state for before, after in pairwise(found))
    assert all(segment.start < segment.end and 0 <= segment.confidence <= 1 for segment in found)
    assert [segment[:2] for segment in found if segment.state == SILENCE] == spans
    assert silence_seconds(found) == pytest.approx(sum(end - start for start, end in spans))
