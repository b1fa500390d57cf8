"""Tests of compressed audio in 16-bit samples: it is recognized and decoded, and music is not taken for it."""

from __future__ import annotations

import subprocess
import threading

import numpy as np
import pytest
import soundfile

from songform.audio.bursts import find_bursts, has_sync_words
from songform.audio.stream import open_audio
from songform.errors import AudioError
from tests.songform.audio.conftest import FFMPEG

SR = 48000
SECONDS = 4


@pytest.fixture(scope="module")
def tone(tmp_path_factory):
    """Return the path of a stereo tone that starts after 1 s."""
    path = tmp_path_factory.mktemp("tone") / "tone.wav"
    t = np.arange(SECONDS * SR) / SR
    y = 0.3 * np.sin(2 * np.pi * 440 * t) * (t >= 1)
    soundfile.write(path, np.stack([y, 0.5 * y], axis=1), SR)
    return path


@pytest.fixture(scope="module")
def words(tone):
    """Return a function that encodes the tone, and returns the data as 16-bit words."""
    found = {}

    def words(*options):
        if options not in found:
            command = [FFMPEG, "-v", "error", "-i", tone, "-strict", "-2", *options, "pipe:1"]
            data = subprocess.run(command, check=True, capture_output=True).stdout
            found[options] = np.frombuffer(data[: len(data) // 4 * 4], "<u2")
        return found[options]

    return words


IEC_AC3 = ("-c:a", "ac3", "-f", "spdif")
IEC_DTS = ("-c:a", "dca", "-b:a", "768k", "-f", "spdif")
RAW_AC3 = ("-c:a", "ac3", "-b:a", "448k", "-f", "ac3")
RAW_DTS = ("-c:a", "dca", "-b:a", "1344k", "-f", "dts")  # big-endian; frames of 1792 bytes


def as_14_bits(words):
    """Return DTS frames of 16-bit words, 1792 bytes each, as words of 14 bits with sign extension."""
    bits = np.unpackbits(words.view(np.uint8)).reshape(-1, 14)
    values = bits @ (1 << np.arange(13, -1, -1))
    return np.where(values >= 2**13, values - 2**14, values).astype(np.int16).view(np.uint16)


def write(path, words, *, channels=2, **how):
    samples = words[: len(words) // channels * channels].view(np.int16).reshape(-1, channels)
    soundfile.write(path, samples, SR, **how)
    return path


def read(path):
    with open_audio(path, ffmpeg=FFMPEG) as audio:
        return np.concatenate(list(audio)), audio.notes, audio.decoder


def is_tone(y, start=1.0):
    """Check the level of the tone, and that it starts where it should."""
    first = np.flatnonzero(np.abs(y) > 0.05)[0] / SR
    middle = y[int((start + 0.5) * SR) : int((start + 2.5) * SR)]
    assert np.sqrt(2) * np.std(middle) == pytest.approx(0.225, rel=0.05)
    assert first == pytest.approx(start, abs=0.05)


@pytest.mark.parametrize(
    ("options", "what"),
    [
        (IEC_AC3, "AC-3 in IEC 61937"),
        (IEC_DTS, "DTS in IEC 61937"),
        (("-c:a", "mp2", "-f", "spdif"), "MPEG audio in IEC 61937"),
        (RAW_AC3, "AC-3 frames"),
        (RAW_DTS, "DTS frames"),
    ],
)
@pytest.mark.parametrize("is_swapped", [False, True])
def test_bursts_are_decoded_with_a_note(words, tmp_path, options, what, is_swapped):
    data = words(*options)
    y, notes, decoder = read(write(tmp_path / "song.wav", data.byteswap() if is_swapped else data))
    is_tone(y)
    assert len(y) / SR == pytest.approx(SECONDS, abs=0.05)
    assert what in notes[0]
    assert decoder.startswith("ffmpeg")


@pytest.mark.parametrize("is_swapped", [False, True])
def test_dts_with_14_bits_per_word_is_decoded(words, tmp_path, is_swapped):
    data = as_14_bits(words(*RAW_DTS))
    y, notes, _ = read(write(tmp_path / "song.flac", data.byteswap() if is_swapped else data))
    is_tone(y)
    assert "DTS frames" in notes[0]


@pytest.mark.parametrize("n_silent", [2 * 1000, 2 * 65_500, 2 * 100_000 + 1])
@pytest.mark.parametrize("options", [IEC_AC3, RAW_DTS])
def test_bursts_after_silence_start_at_their_time(words, tmp_path, options, n_silent):
    data = np.concatenate([np.zeros(n_silent, np.uint16), words(*options)])
    y, notes, _ = read(write(tmp_path / "song.flac", data))
    is_tone(y, start=1 + n_silent / 2 / SR)
    assert not y[: n_silent // 2].any()
    assert "instead of samples" in notes[0]


def test_file_that_begins_within_a_burst_begins_with_silence(words, tmp_path):
    y, _, _ = read(write(tmp_path / "song.wav", words(*IEC_AC3)[1000:]))
    is_tone(y, start=1 - 500 / SR)
    assert not y[:500].any()


@pytest.mark.parametrize(("name", "subtype"), [("song.aiff", "PCM_16"), ("song.wav", "PCM_24"), ("song.wav", "FLOAT")])
def test_bursts_are_recognized_in_other_formats(words, tmp_path, name, subtype):
    samples = words(*IEC_AC3).view(np.int16).reshape(-1, 2) / 32768
    soundfile.write(tmp_path / name, samples, SR, subtype=subtype)
    y, notes, _ = read(tmp_path / name)
    is_tone(y)
    assert "AC-3" in notes[0]


def test_bursts_need_ffmpeg(words, tmp_path):
    path = write(tmp_path / "song.wav", words(*IEC_AC3))
    with (
        pytest.raises(AudioError, match=r"song\.wav contains AC-3 .* ffmpeg .* pass it") as found,
        open_audio(path) as a,
    ):
        list(a)
    assert found.value.failure == "environment"


def test_bursts_that_ffmpeg_cannot_decode_are_refused_in_one_sentence(words, tmp_path):
    data = words(*IEC_AC3).copy()
    starts = np.flatnonzero(data == 0xF872)
    for start in starts:
        data[start + 4 : start + 1400] = 0x5555
    path = write(tmp_path / "song.wav", data)
    with pytest.raises(AudioError, match=r"contains AC-3 .* cannot decode .* find another copy"):
        read(path)


@pytest.mark.parametrize("options", [IEC_AC3, IEC_DTS, RAW_AC3])
def test_damaged_bursts_are_noted(words, tmp_path, options):
    data = words(*options).copy()
    note = "it may be damaged or cut short, because its decoder reported errors"
    assert note not in read(write(tmp_path / "song.wav", data))[1]
    middle = len(data) // 2
    data[middle : middle + 9000] = 0
    y, notes, _ = read(write(tmp_path / "song.wav", data))
    assert len(y) / SR < SECONDS - 0.05
    assert note in notes


def test_caller_who_stops_early_leaves_no_thread_waiting(words, tmp_path):
    before = threading.active_count()
    with open_audio(write(tmp_path / "song.wav", words(*IEC_AC3)), ffmpeg=FFMPEG) as audio:
        next(iter(audio))
    assert threading.active_count() == before


def test_music_and_noise_are_not_taken_for_bursts(rng):
    """Noise of 16 bits contains each word, and a clipped square wave contains 7FFE 8001 at a constant distance."""
    noise = rng.integers(0, 2**16, 2**20).astype(np.uint16)
    square = np.tile(np.repeat(np.array([0x7FFE, 0x8001], np.uint16), 100), 500)
    for words in (noise, square, np.zeros(2**16, np.uint16), np.tile(noise[:300], 300)):
        assert find_bursts(words) is None


def test_single_sync_word_is_a_coincidence(rng):
    words = rng.integers(0, 2**16, 2**17).astype(np.uint16)
    words[2**17 - 2000 : 2**17 - 1996] = 0xF872, 0x4E1F, 1, 1000
    assert has_sync_words(words.view(np.int16).reshape(-1, 2).astype(np.float32) / 32768)
    assert find_bursts(words) is None


def test_samples_of_a_finer_resolution_are_not_searched(words):
    block = words(*IEC_AC3).view(np.int16).reshape(-1, 2).astype(np.float32) / 32768
    assert has_sync_words(block)
    assert not has_sync_words(block * 0.999)
