"""Tests of the length of unusual and damaged files: it is that of a full decode, or there is an error or a note."""

from __future__ import annotations

import re
import struct
import subprocess

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from songform.audio.decoders import open_decoder
from songform.audio.headers import announced_duration
from songform.audio.layout import Gap
from songform.audio.mpeg_frames import mpeg_layout
from songform.audio.ogg_pages import ogg_layout
from songform.audio.stream import open_audio
from songform.errors import AudioError
from tests.songform.audio.conftest import FFMPEG, SR

ID3V1 = b"TAG" + b"x" * 125
APE = b"APETAGEX" + struct.pack("<IIII", 2000, 32, 0, 0) + bytes(8)


def id3(n_bytes):
    return b"ID3\x04\x00\x00" + bytes(n_bytes >> 7 * k & 0x7F for k in (3, 2, 1, 0)) + b"\xff" * n_bytes


def frame_starts(mp3):
    """Return the positions of the frames of an MP3 at 44.1 kHz, without those of its tag."""
    at, found = mp3.index(b"\xff\xfb"), []
    while mp3[at : at + 2] == b"\xff\xfb":
        found.append(at)
        rate = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)[mp3[at + 2] >> 4]
        at += 144_000 * rate // SR + (mp3[at + 2] >> 1 & 1)
    return found


def with_frame_count(mp3, count):
    at = re.search(rb"Xing|Info", mp3).start()
    return mp3[: at + 8] + struct.pack(">I", count) + mp3[at + 12 :]


def read(path, **how):
    """Return the length of a file in seconds, the name of its decoder, and its notes."""
    with open_audio(path, ffmpeg=FFMPEG, **how) as audio:
        seconds = sum(map(len, audio)) / audio.sr
        return seconds, audio.decoder.split()[0], audio.notes


@pytest.fixture
def put(tmp_path):
    def put(name, content):
        (tmp_path / name).write_bytes(content)
        return tmp_path / name

    return put


@pytest.fixture(scope="module")
def mp3(encode):
    """Return MP3s of 20 s and 8 s: of constant and of varying bit rate."""
    return {
        "cbr": encode("cbr.mp3", "-b:a", "128k"),
        "vbr": encode("vbr.mp3", "-q:a", "4"),
        "cbr8": encode("cbr8.mp3", "-b:a", "128k", seconds=8),
        "vbr8": encode("vbr8.mp3", "-q:a", "4", seconds=8),
        "bare": encode("bare.mp3", "-q:a", "4", "-write_xing", "0", "-id3v2_version", "0"),
    }


def spliced(mp3, name):
    """Return an MP3 of a kind that decoders read incompletely, or with something other than audio in it."""
    cbr, starts = mp3["cbr"], frame_starts(mp3["cbr"])
    kinds = {
        "joined, constant bit rate": lambda: mp3["cbr8"] + cbr,
        "joined, varying bit rate": lambda: mp3["vbr8"] + mp3["vbr"],
        "joined with a tag between": lambda: mp3["cbr8"] + ID3V1 + id3(3000) + cbr,
        "advertisement within": lambda: cbr[: starts[300]] + mp3["cbr8"] + cbr[starts[300] :],
        "no frame count": lambda: mp3["bare"],
        "frame count of zero": lambda: with_frame_count(mp3["vbr"], 0),
        "half the frame count": lambda: with_frame_count(mp3["vbr"], 383),
        "twice the frame count": lambda: with_frame_count(mp3["vbr"], 1532),
        "text in front": lambda: b"garbage " * 40 + cbr,
        "zeros behind the tag": lambda: id3(100) + bytes(65536) + cbr,
        "tags behind": lambda: cbr + APE + ID3V1,
        "zeros behind": lambda: cbr + bytes(300_000),
        "junk within": lambda: cbr[: starts[400]] + bytes(5000) + cbr[starts[400] :],
        "a few bytes lost": lambda: cbr[: starts[400] + 100] + cbr[starts[400] + 107 :],
    }
    return kinds[name]()


KINDS = {
    "joined, constant bit rate": 28,
    "joined, varying bit rate": 28,
    "joined with a tag between": 28,
    "advertisement within": 28,
    "no frame count": 20,
    "frame count of zero": 20,
    "half the frame count": 20,
    "twice the frame count": 20,
    "text in front": 20,
    "zeros behind the tag": 20,
    "tags behind": 20,
    "zeros behind": 20,
    "junk within": 20,
    "a few bytes lost": 20,
}


@pytest.mark.parametrize("kind", KINDS)
def test_length_of_an_unusual_mp3_is_that_of_a_full_decode(mp3, put, decoded_seconds, kind):
    path = put("song.mp3", spliced(mp3, kind))
    seconds, _, _ = read(path)
    assert seconds == pytest.approx(decoded_seconds(path), abs=0.06)
    assert seconds == pytest.approx(KINDS[kind], abs=0.15)


@pytest.mark.parametrize(
    ("kind", "note"),
    [
        ("joined, constant bit rate", "it contains 28.1 s of audio, but its header states 8.0 s"),
        ("half the frame count", "it contains 20.0 s of audio, but its header states 10.0 s"),
        ("twice the frame count", "it contains 20.0 s of audio, but its header states 40.0 s"),
        ("zeros behind", "its last 300000 bytes are not audio"),
        ("junk within", "it is damaged at 10.4 s, but no audio is missing"),
        ("a few bytes lost", "it is damaged at 10.4 s, where about 0.03 s of audio is missing"),
    ],
)
def test_note_says_what_is_unusual_about_an_mp3(mp3, put, kind, note):
    assert read(put("song.mp3", spliced(mp3, kind)))[2] == [note]


@pytest.mark.parametrize("kind", ["cbr", "vbr", "tags behind"])
def test_whole_mp3_is_read_by_libsndfile_without_a_note(mp3, put, kind):
    content = mp3.get(kind) or spliced(mp3, kind)
    assert read(put("song.mp3", content))[1:] == ("libsndfile", [])


def test_mp3_that_libsndfile_would_not_read_completely_needs_ffmpeg(mp3, put):
    with (
        pytest.raises(AudioError, match=r"all of song.mp3.*ffmpeg is needed.*ffmpeg=imageio_ffmpeg") as caught,
        open_audio(put("song.mp3", mp3["cbr8"] + mp3["cbr"])),
    ):
        pass
    assert caught.value.failure == "environment"


@pytest.fixture(scope="module")
def constant(mp3):
    """Return a function that returns the MP3 of constant bit rate; hypothesis would print the bytes themselves."""
    return lambda: mp3["cbr"]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=st.integers(0, 750), n_removed=st.integers(1, 2000), junk=st.integers(0, 3000))
def test_layout_counts_all_frames_but_the_damaged_ones(constant, put, first, n_removed, junk):
    """Bytes are replaced by zeros; every frame that they do not touch is found, but for two near the damaged place."""
    content, starts = constant(), frame_starts(constant())
    at = starts[first + 1] + 40
    damaged = content[:at] + bytes(junk) + content[at + n_removed :]
    with put("song.mp3", damaged).open("rb") as file:
        layout = mpeg_layout(file)
    ends = [*starts[1:], len(content)]
    n_intact = sum(end <= at or start >= at + n_removed for start, end in zip(starts, ends, strict=True))
    n_frames = sum(part.seconds for part in layout.parts) * SR / 1152
    assert n_frames == pytest.approx(n_intact - 1, abs=3)
    assert (not layout.is_plain) or (n_removed == junk and at + n_removed <= ends[first + 1])


def test_missing_audio_is_told_by_the_frame_count_or_by_the_damaged_bytes(mp3, put):
    content, starts = mp3["cbr"], frame_starts(mp3["cbr"])
    removed = content[: starts[300] + 50] + content[starts[310] :]
    with put("song.mp3", removed).open("rb") as file:
        (gap,) = mpeg_layout(file).gaps
    assert (gap.start, gap.missing) == (
        pytest.approx(300 * 1152 / SR, abs=0.06),
        pytest.approx(10 * 1152 / SR, abs=0.03),
    )
    bare = frame_starts(mp3["bare"])
    overwritten = mp3["bare"][: bare[300]] + bytes(bare[310] - bare[300]) + mp3["bare"][bare[310] :]
    with put("song.mp3", overwritten).open("rb") as file:
        (gap,) = mpeg_layout(file).gaps
    assert gap.missing == pytest.approx(10 * 1152 / SR, abs=0.1)


def test_mp3_with_more_than_two_percent_missing_in_the_middle_is_refused(mp3, put):
    content, starts = mp3["cbr"], frame_starts(mp3["cbr"])
    damaged = content[: starts[300]] + bytes(starts[330] - starts[300]) + content[starts[330] :]
    with pytest.raises(
        AudioError, match=r"song.mp3 is damaged at 7\.\d s.*0\.8 s of 20\.\d s.*2 %.*fetch it again"
    ) as caught:
        read(put("song.mp3", damaged))
    assert (caught.value.failure, caught.value.repeated) == ("transient", "permanent")


def test_parts_of_an_mp3_with_other_rates_and_channels_keep_their_length_and_level(encode, put):
    """A single run of ffmpeg would make a mono part 3 dB quieter, because it spreads it over two channels."""
    tone = ("-af", "aeval=0.3*sin(2*PI*440*t):c=same", "-write_xing", "0")
    first = encode("t1.mp3", *tone, "-ac", "2", "-b:a", "128k", seconds=5)
    second = encode("t2.mp3", *tone, "-ac", "1", "-ar", "22050", "-b:a", "48k", seconds=5)
    with open_audio(put("song.mp3", first + second), ffmpeg=FFMPEG) as audio:
        y = np.concatenate(list(audio))
        assert audio.notes == ["its sampling rate or its number of channels changes at 5.0 s"]
    assert len(y) / SR == pytest.approx(10.1, abs=0.1)
    levels = [np.sqrt(np.mean(y[int(at * SR) : int((at + 3) * SR)] ** 2)) for at in (1, 6)]
    assert levels == pytest.approx([0.3 / np.sqrt(2)] * 2, rel=0.08)  # 3 dB would be 0.29


@pytest.mark.parametrize("behind", [ID3V1, APE, bytes(400_000), b"APETAGEX" + bytes(24) + ID3V1])
def test_tag_behind_a_flac_file_does_not_matter(encode, put, behind):
    flac = encode("a.flac")
    with open_audio(put("plain.flac", flac), ffmpeg=FFMPEG) as audio:
        expected = np.concatenate(list(audio))
    with open_audio(put("song.flac", flac + behind), ffmpeg=FFMPEG) as audio:
        np.testing.assert_array_equal(np.concatenate(list(audio)), expected)
    assert audio.notes == []


def test_damaged_flac_is_used_with_a_note(encode, put, decoded_seconds):
    flac = encode("a.flac")
    middle = len(flac) // 2
    path = put("song.flac", flac[:middle] + flac[middle + 700 :])
    seconds, decoder, (note,) = read(path)
    assert decoder == "ffmpeg"
    assert seconds == pytest.approx(decoded_seconds(path), abs=0.01)
    assert re.fullmatch(r"it is damaged at (9|10)\.\d s, where about 0\.\d\d s of audio is missing", note)


@pytest.mark.parametrize(("suffix", "codec"), [("ogg", "libvorbis"), ("opus", "libopus")])
def test_all_recordings_of_a_chained_ogg_file_are_read(encode, put, suffix, codec):
    parts = [encode(f"{n}.{suffix}", "-c:a", codec, seconds=n) for n in (5, 3)]
    seconds, _, notes = read(put(f"song.{suffix}", b"".join(parts)))
    assert seconds == pytest.approx(8, abs=0.05)
    assert notes == []


def test_chained_ogg_file_may_change_its_rate_and_channels(encode, put):
    """Ffmpeg alone stops at the change without an error."""
    other = encode("other.ogg", "-c:a", "libvorbis", "-ac", "1", "-ar", "22050", seconds=3)
    content = encode("5.ogg", "-c:a", "libvorbis", seconds=5) + other
    seconds, _, notes = read(put("song.ogg", content))
    assert seconds == pytest.approx(8, abs=0.05)
    assert notes == ["its sampling rate or its number of channels changes at 5.0 s"]


def pages(ogg):
    return [found.start() for found in re.finditer(rb"OggS\x00", ogg)]


def test_damaged_page_of_an_ogg_file_is_noticed(encode, put):
    """Libsndfile skips the page without an error."""
    ogg = encode("long.ogg", "-c:a", "libvorbis", "-page_duration", "100000")
    at = pages(ogg)[20]
    damaged = ogg[: at + 200] + bytes([ogg[at + 200] ^ 255]) + ogg[at + 201 :]
    seconds, decoder, (note,) = read(put("song.ogg", damaged))
    assert decoder == "ffmpeg"
    assert re.fullmatch(r"it is damaged at \d\.\d s, where about 0\.\d\d s of audio is missing", note)
    assert 19.5 < seconds < 20


def test_ogg_file_with_too_much_missing_in_the_middle_is_refused(encode, put):
    ogg = encode("long.ogg", "-c:a", "libvorbis", "-page_duration", "100000")
    start, end = pages(ogg)[20], pages(ogg)[40]
    with pytest.raises(AudioError, match=r"song.ogg is damaged at \d\.\d s.*more than 2 %"):
        read(put("song.ogg", ogg[:start] + ogg[end:]))


def test_recording_of_a_radio_stream_starts_later_and_is_not_damaged(encode, put):
    ogg = encode("long.ogg", "-c:a", "libvorbis", "-page_duration", "100000")
    at = pages(ogg)
    seconds, decoder, notes = read(put("song.ogg", ogg[: at[2]] + ogg[at[60] :]))
    assert (decoder, notes) == ("libsndfile", [])
    assert 5 < seconds < 17


def test_layout_of_an_ogg_file_has_the_length_and_the_gaps(encode, put):
    ogg = encode("long.ogg", "-c:a", "libvorbis", "-page_duration", "100000")
    with put("song.ogg", ogg).open("rb") as file:
        layout = ogg_layout(file)
    assert (layout.is_plain, layout.is_complete, layout.gaps) == (True, True, ())
    assert layout.parts[0].seconds == pytest.approx(20, abs=0.01)
    with put("cut.ogg", ogg[:-500]).open("rb") as file:
        assert not ogg_layout(file).is_complete


def test_ogg_file_without_its_end_has_a_note(encode, put):
    ogg = encode("long.ogg", "-c:a", "libvorbis")
    assert read(put("song.ogg", ogg[: len(ogg) // 2]))[2] == [
        "it may be cut short, because its last frame is incomplete or its end is not marked"
    ]


VIDEO = ("-f", "lavfi", "-i", "testsrc=size=64x64:rate=5:duration=30", "-map", "0:a", "-map", "1:v")


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.mp4", ["-c:v", "mpeg4", "-c:a", "aac"]),
        ("a.webm", ["-c:v", "libvpx", "-b:v", "50k", "-c:a", "libopus"]),
        ("a.ts", ["-c:v", "mpeg2video", "-c:a", "aac"]),
        ("a.avi", ["-c:v", "mpeg4", "-c:a", "mp2"]),
    ],
)
def test_video_that_is_longer_than_its_sound_is_not_cut_short(encode, put, decoded_seconds, name, options):
    path = put(name, encode(name, *VIDEO, *options))
    seconds, _, (note,) = read(path)
    assert seconds == pytest.approx(decoded_seconds(path), abs=0.01)
    assert seconds == pytest.approx(20, abs=0.1)
    assert re.fullmatch(r"it contains 20\.\d s of audio, but its header states (29|30)\.\d s", note)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.mp4", ["-c:v", "mpeg4", "-c:a", "aac", "-movflags", "+faststart"]),
        ("a.webm", ["-c:v", "libvpx", "-b:v", "50k", "-c:a", "libopus"]),
    ],
)
def test_cut_video_is_still_detected(encode, put, name, options):
    content = encode(name, *VIDEO, *options)
    with pytest.raises(AudioError, match=r"is cut short.*its header states a length of 30\.\d s"):
        read(put(name, content[: len(content) // 3]))


def test_audio_that_starts_late_starts_at_its_first_sample(encode, put):
    path = put("late.m4a", encode("late.m4a", "-af", "asetpts=PTS+5/TB", "-c:a", "aac"))
    seconds, _, _ = read(path)
    assert seconds == pytest.approx(20, abs=0.1)


def test_first_of_several_audio_streams_is_used_with_a_note(encode, put):
    """Ffmpeg would choose the one that is marked as the default, or has more channels."""
    content = encode(
        "two.mka",
        *("-f", "lavfi", "-i", "sine=duration=15", "-map", "1:a", "-map", "0:a", "-c:a", "libvorbis", "-ac:a:1", "2"),
        *("-disposition:a:0", "0", "-disposition:a:1", "default", "-metadata:s:a:1", "language=fra"),
    )
    seconds, _, notes = read(put("two.mka", content))
    assert seconds == pytest.approx(15, abs=0.05)
    assert notes[0] == "it contains 2 audio streams; the first is used, not #2 (fra, vorbis)"


@pytest.mark.parametrize("codec", ["adpcm_ima_wav", "adpcm_ms", "adpcm_yamaha"])
def test_adpcm_in_a_wav_file_is_whole_whatever_its_byte_rate(encode, put, decoded_seconds, codec):
    content = bytearray(encode(f"{codec}.wav", "-c:a", codec))
    content[28:32] = struct.pack("<I", struct.unpack_from("<I", content, 28)[0] // 3)
    path = put("song.wav", content)
    seconds, _, notes = read(path)
    assert seconds == pytest.approx(decoded_seconds(path), abs=0.01)
    assert notes == []


@pytest.mark.parametrize("codec", ["adpcm_ima_wav", "adpcm_ms"])
def test_missing_end_of_a_file_coded_in_blocks_is_not_silence(encode, put, decoded_seconds, codec):
    """Libsndfile returns as many samples as the header states, and zeros for those that are missing."""
    content = encode(f"{codec}.wav", "-c:a", codec)
    assert read(put("whole.wav", content))[1] == "libsndfile"
    path = put("song.wav", content[: -len(content) // 14])
    seconds, _, _ = read(path)
    assert seconds == pytest.approx(decoded_seconds(path), abs=0.05)
    assert seconds == pytest.approx(20 * 13 / 14, abs=0.1)


def test_damaged_block_of_adpcm_is_not_garbage_without_a_note(encode, put, decoded_seconds):
    content = bytearray(encode("adpcm_ms.wav", "-c:a", "adpcm_ms"))
    middle = len(content) // 2
    content[middle : middle + 2100] = b"\xff" * 2100
    path = put("song.wav", content)
    seconds, decoder, notes = read(path)
    assert (seconds, decoder) == (pytest.approx(decoded_seconds(path), abs=0.01), "ffmpeg")
    assert 19 < seconds < 19.99
    assert re.match(r"it is damaged at (9|10)\.\d s, where about 0\.\d\d s", notes[0])


def test_audio_behind_the_end_that_the_header_of_an_au_file_states_is_read(encode, put, decoded_seconds):
    path = put("song.au", encode("a.au") + encode("a.au", seconds=8))
    seconds, _, _ = read(path)
    assert seconds == pytest.approx(decoded_seconds(path), abs=0.05)
    assert seconds == pytest.approx(28, abs=0.05)


def test_alac_in_caf_is_whole_if_it_is_intact_and_what_ffmpeg_decodes_if_it_is_damaged(put, tmp_path, decoded_seconds):
    """Ffmpeg omits the last samples of an intact file; libsndfile reports no damage, and returns garbage for it."""
    noise = 0.1 * np.random.default_rng(0).standard_normal(20 * SR)
    soundfile.write(tmp_path / "a.caf", noise, SR, format="CAF", subtype="ALAC_16")
    assert read(tmp_path / "a.caf")[:2] == (20.0, "libsndfile")
    content = bytearray((tmp_path / "a.caf").read_bytes())
    middle = len(content) // 2
    content[middle : middle + 300] = bytes(300)
    path = put("damaged.caf", content)
    seconds, decoder, notes = read(path)
    assert (seconds, decoder) == (pytest.approx(decoded_seconds(path), abs=0.01), "ffmpeg")
    assert re.match(r"it is damaged at (9|10)\.\d s", notes[0])


@pytest.mark.parametrize(("kind", "subtype"), [("AU", "G721_32"), ("WAV", "NMS_ADPCM_16"), ("MAT5", "PCM_16")])
def test_format_that_ffmpeg_does_not_decode_is_read_by_libsndfile(tmp_path, kind, subtype):
    soundfile.write(tmp_path / "a", np.zeros(3 * SR), SR, format=kind, subtype=subtype)
    assert read(tmp_path / "a") == (pytest.approx(3.0, abs=0.01), "libsndfile", [])


@pytest.mark.parametrize("name", ["a.mp3", "a.flac", "a.ogg", "a.wav", "a.m4a", "a.webm", "a.aac"])
@pytest.mark.parametrize("stated", [10.0, 40.0])
def test_duration_stated_by_the_source_is_a_note_if_the_file_is_complete(encode, put, name, stated):
    seconds, _, notes = read(put(name, encode(name)), announced=stated)
    assert seconds == pytest.approx(20, abs=0.1)
    assert notes == [f"it contains 20.0 s of audio, but its source states {stated} s"]


@pytest.mark.parametrize("name", ["a.aiff", "a.wma", "a.au", "a.w64", "a.caf", "a.avi"])
def test_container_that_states_more_bytes_than_the_file_has_is_cut_short(encode, put, name):
    content = encode(name)
    with pytest.raises(AudioError, match=rf"{name} is cut short.*fetch it again"):
        read(put(name, content[: len(content) // 2]))


@pytest.mark.parametrize("behind", [ID3V1, b"<html>not found</html>"])
def test_text_behind_an_mp4_file_is_not_a_box_that_is_cut_short(encode, put, behind):
    seconds, _, notes = read(put("a.m4a", encode("a.m4a") + behind))
    assert (seconds, notes) == (pytest.approx(20, abs=0.1), [])


RAW = ["a.aac", "a.ac3", "a.eac3", "a.dts"]


@pytest.mark.parametrize("size", [2**64 - 16, 2**62])
def test_size_beyond_that_of_any_file_is_read(put, size):
    """The size of RF64 has 64 bits, but a position in a file has fewer."""
    chunk = struct.pack("<4sIQQQI", b"ds64", 28, 2**64 - 9, size, 0, 0)
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, SR, 2 * SR, 2, 16)
    content = b"RF64" + b"\xff" * 4 + b"WAVE" + chunk + form + b"data" + b"\xff" * 4 + bytes(20 * SR)
    assert announced_duration(put("a.wav", content)) == pytest.approx(size / (2 * SR))


@pytest.mark.parametrize(("name", "unknown"), [("a.au", b"\xff" * 4), ("a.w64", bytes(8)), ("a.caf", b"\xff" * 8)])
def test_cut_file_of_unknown_size_is_used(encode, put, name, unknown):
    """The size was not known when the file was written, as in a live recording."""
    content = bytearray(encode(name))
    at = {"a.au": 8, "a.w64": 16, "a.caf": content.find(b"data") + 4}[name]
    content[at : at + len(unknown)] = unknown
    seconds, _, _ = read(put(name, content[: len(content) // 2]))
    assert seconds == pytest.approx(10, abs=0.1)


@pytest.mark.parametrize("name", ["a.m4a", "a.wma", *RAW[:3]])  # damage within a frame of DTS is concealed
def test_damage_in_the_middle_of_a_container_has_a_place_and_a_length(encode, put, name):
    content = bytearray(encode(name))
    middle = len(content) // 2
    content[middle : middle + 600] = bytes(600)
    seconds, _, notes = read(put(name, content))
    assert 19 < seconds < 20.1
    assert re.fullmatch(r"it is damaged at (9|10)\.\d s, where about 0\.\d\d s of audio is missing", notes[0])


def test_container_with_too_much_damage_in_the_middle_is_refused(encode, put):
    content = bytearray(encode("a.mka", "-c:a", "aac"))
    middle = len(content) // 2
    content[middle : middle + 600] = bytes(600)
    with pytest.raises(AudioError, match=r"a.mka is damaged at (9|10)\.\d s; \d\.\d s of 20\.0 s .*more than 2 %"):
        read(put("a.mka", content))


@pytest.mark.parametrize(
    ("name", "place"),
    [("a.avi", "damaged"), ("a.nut", r"damaged at (9|10)\.\d s"), ("a.rm", r"damaged at (9|10)\.\d s")],
)
def test_hole_that_a_demuxer_skips_without_an_error_is_refused(encode, put, name, place):
    """The packets of AVI have no times, and those of RealAudio have times of several hours behind the hole."""
    content = bytearray(encode(name))
    middle, lost = len(content) // 2, len(content) // 16
    content[middle : middle + lost] = bytes(lost)
    with pytest.raises(AudioError, match=rf"{name} is {place}; [012]\.\d s of (19|20)\.\d s cannot be decoded"):
        read(put(name, content))


@pytest.mark.parametrize("name", ["a.wav", "a.aiff"])
def test_file_that_was_joined_to_another_has_a_note(encode, put, name):
    second = encode(f"b{name}", seconds=5)
    seconds, _, (note,) = read(put(name, encode(name) + second))
    assert seconds == pytest.approx(20)
    assert note.startswith(f"its last {len(second)} bytes follow the end that its container states, and are not used")


def test_overwritten_block_that_ends_a_voc_file_has_a_note(encode, put):
    content = bytearray(encode("a.voc"))
    assert read(put("a.voc", content))[2] == []
    middle = len(content) // 2
    content[middle : middle + 30_000] = bytes(30_000)
    seconds, _, (note,) = read(put("a.voc", content))
    assert seconds == pytest.approx(10, abs=0.1)
    assert re.match(r"its last 17\d{5} bytes follow the end that its container states, and are not used", note)


def test_cut_transport_stream_has_a_note(encode, put):
    content = encode("a.ts")
    assert read(put("a.ts", content))[2] == []
    assert read(put("a.ts", content[: len(content) * 3 // 5]))[2] == [
        "it may be cut short, because its last packet is incomplete"
    ]


def test_damaged_frame_of_tta_is_not_silence_without_a_note(encode, put):
    content = bytearray(encode("a.tta"))
    middle = len(content) // 2
    content[middle : middle + 600] = bytes(600)
    with pytest.raises(AudioError, match=r"a.tta is damaged at (9|10)\.\d s; 1\.0 s of 20\.0 s cannot be decoded"):
        read(put("a.tta", content))


@pytest.mark.parametrize("options", [(), ("-ac", "1", "-ar", "32000")])
@pytest.mark.parametrize("name", RAW)
def test_frames_without_a_container_have_the_length_of_a_full_decode(encode, put, name, options):
    """Two different recordings are joined, with tags around them, and the second one is cut within a frame."""
    first, second = encode(name, *options), encode(f"b{name}", "-ac", "1", "-ar", "44100", seconds=5.0)
    seconds, _, notes = read(put(name, id3(300) + first + ID3V1))
    assert (seconds, notes) == (pytest.approx(20, abs=0.1), [])
    seconds, _, notes = read(put(name, first + id3(300) + second[:-150]))
    assert seconds == pytest.approx(25, abs=0.2)
    assert notes == [
        "its sampling rate or its number of channels changes at 20.0 s",
        "it may be cut short, because its last frame is incomplete or its end is not marked",
    ]


def test_frame_count_of_all_ones_is_unknown(mp3, put):
    assert read(put("song.mp3", with_frame_count(mp3["vbr"], 2**32 - 1)))[2] == []


@pytest.mark.parametrize("name", RAW)
def test_frames_without_a_container_are_refused_if_too_much_is_missing(encode, put, name):
    content = bytearray(encode(name))
    middle, lost = len(content) // 2, len(content) // 25
    content[middle : middle + lost] = bytes(lost)
    with pytest.raises(AudioError, match=rf"{name} is damaged at (9|10)\.\d s; 0\.\d s of .*more than 2 %"):
        read(put(name, content))


def test_damage_within_one_frame_of_aac_has_a_place(encode, put):
    """The headers are intact, so the place comes from the times of the decoded frames."""
    content = bytearray(encode("a.aac"))
    at = content.index(b"\xff\xf1", len(content) // 2) + 20
    content[at : at + 90] = bytes(90)
    assert re.fullmatch(r"it is damaged at (9|10)\.\d s, .*", read(put("a.aac", content))[2][0])


@pytest.mark.parametrize("n_removed", [3, 9])
def test_missing_frames_of_flac_are_not_silence(tmp_path, decoded_seconds, n_removed):
    """LibFLAC replaces them by silence, and reports no error. 9 frames of 191 are more than 2 %."""
    noise = 0.1 * np.random.default_rng(0).standard_normal(191 * 4096)
    soundfile.write(tmp_path / "a.flac", noise, SR)
    content = (tmp_path / "a.flac").read_bytes()
    # Frame 128 is the first one with a number of two bytes.
    at, end = (content.index(b"\xff\xf8\xc9\x08" + chr(n).encode()) for n in (120, 120 + n_removed))
    (tmp_path / "b.flac").write_bytes(content[:at] + content[end:])
    assert read(tmp_path / "a.flac")[1:] == ("libsndfile", [])
    if n_removed == 9:
        with pytest.raises(AudioError, match=r"b.flac is damaged at 11\.1 s; 0\.8 s of 17\.7 s .*more than 2 %"):
            read(tmp_path / "b.flac")
        return
    seconds, decoder, notes = read(tmp_path / "b.flac")
    assert (seconds, decoder) == (pytest.approx(188 * 4096 / SR, abs=0.001), "ffmpeg")
    assert seconds == pytest.approx(decoded_seconds(tmp_path / "b.flac"), abs=0.01)
    assert notes == ["it is damaged at 11.1 s, where about 0.28 s of audio is missing"]


def test_id3_tag_of_invalid_size_hides_no_audio(mp3, put, decoded_seconds):
    """Each byte of the size has seven bits; with eight bits, the tag would cover a second of audio."""
    path = put("song.mp3", b"ID3\x04\x00\x00\x00\x00" + b"\xff\x00" + mp3["bare"])
    seconds, _, _ = read(path)
    assert seconds == pytest.approx(decoded_seconds(path), abs=0.06)
    assert seconds == pytest.approx(20, abs=0.15)


def test_refusal_of_damage_does_not_say_that_no_audio_is_missing(encode, put):
    """A page of a Vorbis file is overwritten, and a decoder skips more than the positions of the pages show."""
    content = encode("a.ogg", "-c:a", "libvorbis")
    pages = [found.start() for found in re.finditer(b"OggS", content)]
    damaged = content[: pages[8] + 6] + bytes(8) + content[pages[8] + 14 :]
    with pytest.raises(AudioError, match=r"a.ogg is damaged at \d\.\d s; \d\.\d s of 2\d\.\d s cannot be decoded"):
        read(put("a.ogg", damaged))


def test_message_of_ffmpeg_is_its_reason_and_not_the_end_of_its_threads(encode, put):
    content = encode("a.flac", seconds=2)
    with pytest.raises(AudioError, match=r"cannot be decoded beyond 0\.0 s .*\(ffmpeg: .*rate") as caught:
        read(put("a.flac", content[: content.index(b"\xff\xf8") + 200]))
    assert "thread" not in str(caught.value).lower()


def test_broken_picture_in_a_tag_is_not_damage(encode, put):
    picture = (
        b"APIC" + struct.pack(">IH", 40, 0) + b"\0image/jpeg\0\3\0" + b"\xff\xd8\xff\xe0not a picture at all".ljust(26)
    )
    tag = b"ID3\x03\x00\x00" + bytes([0, 0, 0, len(picture)]) + picture
    assert read(put("song.mp3", tag + encode("joined.mp3") + encode("joined.mp3")))[2] == [
        "it contains 40.0 s of audio, but its header states 20.0 s"
    ]


def test_gaps_of_a_decoder_are_those_of_the_layout(mp3, put):
    with open_decoder(put("song.mp3", spliced(mp3, "a few bytes lost")), ffmpeg=FFMPEG) as decoder:
        assert decoder.gaps == []
        assert sum(map(len, decoder.blocks)) > 0
        assert [type(gap) for gap in decoder.gaps] == [Gap]


def test_no_process_is_left_when_reading_stops_between_the_parts(encode, put, monkeypatch):
    started = []

    class Recorded(subprocess.Popen):
        def __init__(self, *args, **how):
            super().__init__(*args, **how)
            started.append(self)

    parts = [encode(f"{n}.ogg", "-c:a", "libvorbis", seconds=n) for n in (1, 3)]
    monkeypatch.setattr(subprocess, "Popen", Recorded)
    with open_audio(put("song.ogg", b"".join(parts)), ffmpeg=FFMPEG) as audio:
        blocks = iter(audio)
        assert sum(len(next(blocks)) for _ in range(2)) > SR
    assert len(started) == 3
    assert all(process.returncode is not None for process in started)
