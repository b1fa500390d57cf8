from __future__ import annotations

import errno
import hashlib
import os
import subprocess
import tracemalloc

import imageio_ffmpeg
import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import songform.audio.decoders
from songform.audio.decoders import BLOCK_LENGTH
from songform.audio.hashing import _HashedBytes
from songform.audio.stream import announced_duration, audio_blocks, open_audio, resampled
from songform.errors import AudioError, ParameterError

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
SR = 48000
SECONDS = 10


@pytest.fixture(scope="module")
def stereo():
    """Return two channels with opposite noise, whose mean is a tone of 440 Hz."""
    t = np.arange(SECONDS * SR) / SR
    noise = 0.02 * np.random.default_rng(0).standard_normal(len(t))
    tone = 0.3 * np.sin(2 * np.pi * 440 * t)
    return np.stack([tone + noise, tone - noise], axis=1).astype(np.float32)


@pytest.fixture(scope="module")
def folder(stereo, tmp_path_factory):
    """Write the same sound in every format."""
    folder = tmp_path_factory.mktemp("audio")
    for name in ("a.wav", "a.flac", "a.ogg", "a.mp3"):
        soundfile.write(folder / name, stereo, SR)
    soundfile.write(folder / "a.opus", stereo, SR, format="OGG", subtype="OPUS")
    for name, *options in (("a.m4a", "-movflags", "+faststart"), ("a.webm",), ("late.m4a",)):
        subprocess.run([FFMPEG, "-nostdin", "-v", "error", "-i", folder / "a.wav", *options, folder / name], check=True)
    with (folder / "streamed.flac").open("wb") as file:
        subprocess.run(
            [FFMPEG, "-nostdin", "-v", "error", "-i", folder / "a.wav", "-f", "flac", "pipe:1"], check=True, stdout=file
        )
    return folder


def whole(path, **how):
    with open_audio(path, ffmpeg=FFMPEG, **how) as audio:
        return np.concatenate(list(audio))


def cut(path, share=0.5):
    shorter = path.with_name("cut-" + path.name)
    shorter.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    return shorter


FORMATS = ["a.wav", "a.flac", "a.ogg", "a.opus", "a.mp3", "a.m4a", "a.webm", "late.m4a", "streamed.flac"]


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_mean_of_its_channels_without_delay(folder, stereo, name):
    """Level, time and length are unchanged. Mixing by ffmpeg would add 3 dB."""
    y = whole(folder / name)
    assert y.dtype == np.float32
    assert abs(len(y) - len(stereo)) <= SR // 50
    assert abs(phasor(y) / phasor(stereo.mean(axis=1)) - 1) < 0.02  # one sample of delay would be 0.06


def phasor(y):
    """Measure amplitude and phase of the tone, over whole periods in the middle."""
    t = np.arange(SR, 9 * SR) / SR
    return np.mean(y[SR : 9 * SR] * np.exp(-2j * np.pi * 440 * t))


@pytest.mark.parametrize(
    ("name", "decoder"), [("a.mp3", "libsndfile 1."), ("a.m4a", "ffmpeg n"), ("streamed.flac", "ffmpeg n")]
)
def test_stream_reports_its_format_decoder_and_duration(folder, name, decoder):
    with open_audio(folder / name, ffmpeg=FFMPEG) as audio:
        assert (audio.sr, audio.channels, audio.n_samples) == (SR, 2, 0)
        assert audio.decoder.startswith(decoder)
        assert audio.duration == (None if name == "streamed.flac" else pytest.approx(SECONDS, abs=0.2))
        assert audio.seconds == 0
        assert sum(map(len, audio)) == audio.n_samples


def test_more_than_two_channels_are_averaged(tmp_path, rng):
    y = 0.1 * rng.standard_normal((4000, 6)).astype(np.float32)
    soundfile.write(tmp_path / "six.wav", y, SR, subtype="FLOAT")
    np.testing.assert_allclose(whole(tmp_path / "six.wav"), y.mean(axis=1), atol=1e-7)


@pytest.mark.parametrize("orig_sr", [44100, 48000, 8000, 22050])
@pytest.mark.parametrize("block", [1000, 65_536])
def test_resampling_in_blocks_equals_resampling_the_whole_signal(rng, orig_sr, block):
    y = rng.standard_normal(60_001).astype(np.float32)
    blocks = np.split(y, range(block, len(y), block))
    found = np.concatenate(list(resampled(blocks, orig_sr=orig_sr, target_sr=22050)))
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, soxr.resample(y, orig_sr, 22050, quality="HQ"))


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.opus", "a.mp3", "a.webm"])
@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(block=st.integers(1000, 500_000))
def test_samples_do_not_depend_on_the_size_of_the_blocks(folder, monkeypatch, name, block):
    """Decoding and resampling in blocks gives the same bits as decoding and resampling the whole file at once."""
    with monkeypatch.context() as patch:
        patch.setattr(songform.audio.decoders, "BLOCK_LENGTH", 10 * SECONDS * SR)
        expected = soxr.resample(whole(folder / name), SR, 22050, quality="HQ")
        patch.setattr(songform.audio.decoders, "BLOCK_LENGTH", block)
        found = np.concatenate(list(audio_blocks(folder / name, ffmpeg=FFMPEG)))
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("name", FORMATS)
def test_hash_of_the_file_is_available_after_its_audio_was_read(folder, name):
    with open_audio(folder / name, ffmpeg=FFMPEG) as audio:
        assert sum(map(len, audio))
        assert audio.sha256 == hashlib.sha256((folder / name).read_bytes()).hexdigest()


def test_picture_before_the_audio_is_hashed_and_not_decoded(folder, tmp_path):
    """Music shops write ID3 tags of several megabytes."""
    size = 3_000_000
    tag = b"ID3\x04\x00\x00" + bytes(size >> 7 * k & 0x7F for k in (3, 2, 1, 0)) + bytes(size)
    (tmp_path / "tagged.mp3").write_bytes(tag + (folder / "a.mp3").read_bytes())
    with open_audio(tmp_path / "tagged.mp3") as audio:
        np.testing.assert_array_equal(np.concatenate(list(audio)), whole(folder / "a.mp3"))
        assert audio.sha256 == hashlib.sha256((tmp_path / "tagged.mp3").read_bytes()).hexdigest()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # librosa.load looks for outdated decoders
def test_samples_equal_those_of_librosa_load(folder):
    import librosa

    expected, _ = librosa.load(folder / "a.ogg", sr=22050)
    found = np.concatenate(list(audio_blocks(folder / "a.ogg")))
    n = min(len(found), len(expected))
    assert abs(len(found) - len(expected)) <= 1
    np.testing.assert_allclose(found[:n], expected[:n], atol=1e-6)


def test_target_sampling_rate_of_zero_is_an_error():
    with pytest.raises(ParameterError, match=r"target_sr must be.*not 0"):
        list(resampled([], orig_sr=SR, target_sr=0))


@pytest.mark.parametrize("suffix", [".wav", ".webm"])
def test_memory_does_not_grow_with_the_length_of_the_song(tmp_path, suffix):
    """Two minutes are 46 MB of samples. With both decoders the stream holds a few blocks of 0.5 MB."""
    path = tmp_path / "long.wav"
    soundfile.write(path, np.zeros((120 * SR, 2), np.int16), SR)
    if suffix != ".wav":
        subprocess.run([FFMPEG, "-nostdin", "-v", "error", "-i", path, path.with_suffix(suffix)], check=True)
    tracemalloc.start()
    n = sum(map(len, audio_blocks(path.with_suffix(suffix), ffmpeg=FFMPEG)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert n == pytest.approx(120 * 22050, rel=1e-3)
    assert peak < 5e6


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.mp3", "a.m4a", "a.webm"])
def test_file_cut_in_the_middle_is_detected(folder, name):
    with pytest.raises(AudioError, match=f"cut-{name}.*cut short.*fetch it again") as caught:
        whole(cut(folder / name))
    assert caught.value.failure == "transient"


@pytest.mark.parametrize("name", ["a.ogg", "a.opus"])
def test_cut_ogg_is_detected_if_its_source_announced_a_duration(folder, name):
    shorter = cut(folder / name)
    assert len(whole(shorter)) < 0.6 * SECONDS * SR
    with pytest.raises(AudioError, match=r"cut short.*its source states .*10.0 s"):
        whole(shorter, announced=SECONDS)


def test_file_that_is_less_than_two_seconds_shorter_than_announced_is_accepted(folder):
    assert len(whole(folder / "a.ogg", announced=SECONDS + 1.9)) > 0


def test_m4a_without_its_index_is_not_an_audio_file(folder):
    with pytest.raises(AudioError, match=r"cut-late.m4a .*no audio.*Invalid data.*incomplete file"):
        whole(cut(folder / "late.m4a"))


def test_m4a_file_cannot_be_read_without_ffmpeg(folder):
    with (
        pytest.raises(AudioError, match=r"a.m4a.*ffmpeg is needed.*ffmpeg=imageio_ffmpeg") as caught,
        open_audio(folder / "a.m4a"),
    ):
        pass
    assert caught.value.failure == "environment"


@pytest.mark.parametrize("name", ["page.mp3", "page.raw", "-i page.m4a", "http:page.webm"])
def test_web_page_is_not_an_audio_file(tmp_path, name):
    """The name of the file is not interpreted as an option, an address or a format of headerless samples."""
    (tmp_path / name).write_bytes(b"<html>Are you a robot?</html>" * 50)
    with pytest.raises(AudioError, match=r"no audio that ffmpeg can read.*web page"):
        whole(tmp_path / name)


def test_empty_file_is_an_error(tmp_path):
    (tmp_path / "nothing.mp3").touch()
    with pytest.raises(AudioError, match=r"nothing.mp3 is empty.*0 bytes.*fetch it again"):
        whole(tmp_path / "nothing.mp3")


def test_missing_file_is_an_error(tmp_path):
    with pytest.raises(AudioError, match=r"no audio file .*missing.mp3.*check"):
        whole(tmp_path / "missing.mp3")


@pytest.mark.parametrize("name", ["zero.wav", "zero.ogg"])
def test_file_without_samples_is_an_error(tmp_path, name):
    soundfile.write(tmp_path / name, np.zeros((0, 2)), SR)
    with pytest.raises(AudioError, match=f"{name} contains no audio samples.*empty"):
        whole(tmp_path / name)


@pytest.mark.parametrize("sr", [1, 999])
def test_impossible_sampling_rate_is_an_error_before_it_is_resampled(tmp_path, sr):
    """Resampling from 1 Hz to 22,050 Hz would take gigabytes of memory."""
    soundfile.write(tmp_path / "header.wav", np.zeros(1000), sr)
    with pytest.raises(AudioError, match=rf"header.wav .*sampling rate of {sr} Hz.*1,000.*damaged.*another copy"):
        whole(tmp_path / "header.wav")


@pytest.mark.parametrize(
    ("value", "shown"), [(np.nan, "nan"), (np.inf, "inf"), (-np.inf, "-inf"), (-3e7, r"-30000000\.0")]
)
def test_invalid_sample_is_reported_with_its_time(tmp_path, value, shown):
    y = np.zeros((4 * SR, 2), np.float32)
    y[3 * SR, 1] = value
    soundfile.write(tmp_path / "damaged.wav", y, SR, subtype="FLOAT")
    with pytest.raises(AudioError, match=rf"damaged.wav .*invalid.*\({shown}\) at 3\.000 s.*damaged"):
        whole(tmp_path / "damaged.wav")


def test_invalid_sample_is_found_late_in_the_song(tmp_path):
    """The sample is in a block after many others. Both decoders find it."""
    y = np.zeros(12 * SR, np.float32)
    y[11 * SR] = np.nan
    soundfile.write(tmp_path / "late.wav", y, SR, subtype="FLOAT")
    command = [FFMPEG, "-nostdin", "-v", "error", "-i", tmp_path / "late.wav", "-c", "copy", tmp_path / "late.mka"]
    subprocess.run(command, check=True)
    for name in ("late.wav", "late.mka"):
        with pytest.raises(AudioError, match=rf"{name} .*invalid.*\(nan\) at 11\.000 s"):
            whole(tmp_path / name)


def with_data_size(path, folder, size):
    """Copy a WAV file and store another size in its header."""
    content = bytearray(path.read_bytes())
    at = content.index(b"data") + 4
    content[4:8] = content[at : at + 4] = size.to_bytes(4, "little")
    (folder / "header.wav").write_bytes(content)
    return folder / "header.wav"


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF])
def test_streamed_wav_is_accepted_as_complete(folder, tmp_path, size):
    np.testing.assert_array_equal(whole(with_data_size(folder / "a.wav", tmp_path, size)), whole(folder / "a.wav"))


@pytest.mark.parametrize("size", [0xFFFFFFFE, 3_000_000_000, 20_000_000])
def test_wav_that_announces_more_than_it_contains_is_cut_short(folder, tmp_path, size):
    with pytest.raises(AudioError, match=r"header.wav is cut short.*10\.0 s.*its header states.*fetch it again"):
        whole(with_data_size(folder / "a.wav", tmp_path, size))


def test_wav_that_announces_less_than_it_contains_is_an_error(folder, tmp_path):
    path = with_data_size(folder / "a.wav", tmp_path, len((folder / "a.wav").read_bytes()) // 10)
    with pytest.raises(AudioError, match=r"header.wav .*1\.0 s.*its header.*9\.0 s more.*header is wrong.*again"):
        whole(path)


def test_wav_of_more_than_4_gb_is_an_error(folder, tmp_path):
    """Its 32-bit size wraps around."""
    path = with_data_size(folder / "a.wav", tmp_path, len((folder / "a.wav").read_bytes()) // 10)
    os.truncate(path, 2**32 + 2**20)  # zeros that occupy no space on the disk
    with pytest.raises(AudioError, match=r"header.wav .*1\.0 s.*its header.*s more follow.*4 GB.*RF64"):
        announced_duration(path)


def test_another_chunk_may_follow_the_audio_of_a_wav(folder, tmp_path):
    path = tmp_path / "chunk.wav"
    path.write_bytes((folder / "a.wav").read_bytes() + b"PAD " + (3_000_000).to_bytes(4, "little") + bytes(3_000_000))
    np.testing.assert_array_equal(whole(path), whole(folder / "a.wav"))


def short_flac(folder, tmp_path):
    """Let the header of a FLAC file of ten seconds announce one second."""
    content = bytearray((folder / "a.flac").read_bytes())
    packed = int.from_bytes(content[18:26], "big")
    content[18:26] = (packed >> 36 << 36 | SR).to_bytes(8, "big")
    (tmp_path / "short.flac").write_bytes(content)
    return tmp_path / "short.flac"


def test_flac_that_announces_less_than_it_contains_is_read_to_its_end_with_a_note(folder, tmp_path):
    with open_audio(short_flac(folder, tmp_path), ffmpeg=FFMPEG) as audio:
        np.testing.assert_array_equal(np.concatenate(list(audio)), whole(folder / "a.flac"))
    assert audio.notes == ["it contains 10.0 s of audio, but its header states 1.0 s"]


def test_flac_that_announces_less_than_it_contains_cannot_be_read_without_ffmpeg(folder, tmp_path):
    with (
        pytest.raises(AudioError, match=r"header .*ends.*\d+ bytes follow"),
        open_audio(short_flac(folder, tmp_path)) as audio,
    ):
        list(audio)


@pytest.mark.parametrize("suffix", ["ogg", "wav"])
def test_read_error_is_not_treated_as_the_end_of_the_file(folder, monkeypatch, suffix):
    read = _HashedBytes.readinto

    def refuse(file, buffer):
        if file.tell() > 60_000:
            file.error = OSError(errno.EIO, "Input/output error")
            return 0
        return read(file, buffer)

    monkeypatch.setattr(_HashedBytes, "readinto", refuse)
    with pytest.raises(OSError, match="Input/output error"):
        whole(folder / f"a.{suffix}")


@pytest.mark.parametrize("n_bytes", [2_000_000, BLOCK_LENGTH * 4 * 2 * 3 + 46])
def test_error_of_a_failing_decoder_contains_the_time(folder, tmp_path, n_bytes):
    """Here `head` ends the output of ffmpeg early, in one case in the middle of a sample."""
    stub = tmp_path / "ffmpeg"
    dying = f'{FFMPEG} "$@" | head -c {n_bytes}; echo "out of luck" >&2; exit 9'
    stub.write_text(f'#!/bin/sh\ncase "$*" in *pipe:1) {dying};; *) exec {FFMPEG} "$@";; esac\n')
    stub.chmod(0o755)
    with pytest.raises(
        AudioError, match=r"a.webm cannot be decoded beyond \d.\d s of the expected 10.0 s \(ffmpeg: out of luck\)"
    ):
        list(audio_blocks(folder / "a.webm", ffmpeg=str(stub)))


def test_no_process_is_left_after_reading_stops_early(folder, monkeypatch):
    started = []

    class Recorded(subprocess.Popen):
        def __init__(self, *args, **how):
            super().__init__(*args, **how)
            started.append(self)

    monkeypatch.setattr(subprocess, "Popen", Recorded)
    with open_audio(folder / "a.webm", ffmpeg=FFMPEG) as audio:
        assert len(next(iter(audio)))
    assert started
    assert all(process.returncode is not None for process in started)


def test_ffmpeg_does_not_open_files_named_by_a_disguised_list(folder, tmp_path):
    soundfile.write(tmp_path / "secret.wav", np.ones(SR, np.float32), SR)
    disguised = tmp_path / "song.m4a"
    disguised.write_text("ffconcat version 1.0\nfile 'secret.wav'\n")
    with pytest.raises(AudioError, match=r"song.m4a .*no audio that ffmpeg can read"):
        whole(disguised)
