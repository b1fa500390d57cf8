"""Files whose content differs from their name; test_download covers the others."""

from __future__ import annotations

import subprocess

import numpy as np
import pytest
import soundfile

from songform.errors import AudioError
from tasks.ingest.fetch.audio_length import packet_seconds
from tasks.ingest.fetch.transcode import announced_seconds, as_mp3, audio_only

DISGUISES = {
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:3,\n{}\n#EXT-X-ENDLIST\n",
    "concat": "ffconcat version 1.0\nfile '{}'\n",
    "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
    'mediaPresentationDuration="PT3S"><Period><AdaptationSet mimeType="audio/mp4"><Representation id="a" '
    'bandwidth="9"><BaseURL>{}</BaseURL></Representation></AdaptationSet></Period></MPD>',
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=a\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 5004 RTP/AVP 0\na=control:{}\n",
}


def readers(path, ffmpeg):
    return [
        lambda: packet_seconds(path, ffmpeg=ffmpeg),
        lambda: audio_only(path, ffmpeg=ffmpeg),
        lambda: as_mp3(path, bitrate=192, seconds=60.0, ffmpeg=ffmpeg),
    ]


@pytest.fixture
def neighbour(sound, tmp_path):
    """Return the path of a file in the same folder that must not be opened."""
    path = tmp_path / "secret.mp3"
    path.write_bytes(sound("MP3", 440.0))
    return path


@pytest.mark.parametrize("name", ["audio.ogg", "audio.mp3", "audio.m3u8", "audio.m4a"])
@pytest.mark.parametrize("kind", DISGUISES)
def test_disguised_playlist_makes_ffmpeg_open_nothing(kind, name, site, neighbour, ffmpeg):
    path = neighbour.with_name(name)
    for target in (site.put("/secret.mp3", neighbour.read_bytes()), "secret.mp3", str(neighbour), f"file:{neighbour}"):
        path.write_text(DISGUISES[kind].format(target))
        for read in readers(path, ffmpeg):
            with pytest.raises(AudioError, match="not audio, perhaps an error page"):
                read()
        assert announced_seconds(path, ffmpeg=ffmpeg) is None
    assert site.asked == []
    assert sorted(file.name for file in path.parent.iterdir()) == sorted([name, "secret.mp3"])


def test_without_the_whitelist_ffmpeg_opens_the_file_of_a_playlist(neighbour, ffmpeg):
    """Control experiment: without the list of containers, ffmpeg opens the file that the playlist names."""
    path = neighbour.with_name("audio.m3u8")
    path.write_text(DISGUISES["hls"].format("secret.mp3"))
    command = [ffmpeg, "-v", "error", "-protocol_whitelist", "file,pipe", "-i", f"file:{path}", "-f", "null", "-"]
    assert subprocess.run(command, check=False, capture_output=True).returncode == 0


@pytest.mark.parametrize("container", ["OGG", "FLAC", "WAV", "MP3"])
def test_packet_length_equals_the_audio_length(container, sound, tmp_path, ffmpeg):
    """The length is known, also for Ogg, whose last packet has a negative duration."""
    path = tmp_path / "audio"
    path.write_bytes(sound(container, 440.0, 5.0))
    assert packet_seconds(path, ffmpeg=ffmpeg) == pytest.approx(5.0, abs=0.06)


def test_title_is_not_parsed_as_a_stream(sound, tmp_path, ffmpeg):
    """The description that ffmpeg prints contains untrusted text."""
    tone, path = tmp_path / "tone.wav", tmp_path / "audio.flac"
    tone.write_bytes(sound("WAV", 440.0))
    title = "x\n  Stream #0:0: Video: h264\nInput #0, mpegts, from\n    major_brand : dash\n  Stream #0:9: Audio: mp3"
    command = [ffmpeg, "-v", "error", "-i", str(tone), "-metadata", f"title={title}", str(path)]
    subprocess.run(command, check=True)
    served = path.read_bytes()
    found = audio_only(path, ffmpeg=ffmpeg)
    assert (found.suffix, found.read_bytes()) == (".flac", served)


def test_encoded_length_is_limited(sound, tmp_path, ffmpeg):
    path = tmp_path / "audio.flac"
    path.write_bytes(sound("FLAC", 440.0, 9.0))
    found = as_mp3(path, bitrate=64, seconds=4.0, ffmpeg=ffmpeg)
    assert packet_seconds(found, ffmpeg=ffmpeg) == pytest.approx(4.0, abs=0.1)


@pytest.mark.parametrize(("suffix", "is_swapped"), [(".wav", False), (".wav", True), (".flac", False)])
def test_file_with_bursts_instead_of_samples_is_not_converted(sound, tmp_path, ffmpeg, suffix, is_swapped):
    """As an MP3, the bursts would be noise."""
    (tmp_path / "tone.flac").write_bytes(sound("FLAC", 440.0, 9.0))
    command = [ffmpeg, "-v", "error", "-i", tmp_path / "tone.flac", "-ac", "2", "-ar", "48000", "-c:a", "ac3"]
    data = subprocess.run([*command, "-f", "spdif", "pipe:1"], check=True, capture_output=True).stdout
    samples = np.frombuffer(data, ">i2" if is_swapped else "<i2").astype(np.int16).reshape(-1, 2)
    path = tmp_path / f"audio{suffix}"
    soundfile.write(path, samples, 48000)
    served = path.read_bytes()
    found = as_mp3(path, bitrate=192, seconds=60.0, ffmpeg=ffmpeg)
    assert (found.suffix, found.read_bytes()) == (suffix, served)


def test_all_ffmpeg_calls_observe_the_timeout(tmp_path):
    endless, path = tmp_path / "ffmpeg", tmp_path / "audio.ogg"
    path.write_bytes(b"")
    endless.write_text("#!/bin/sh\nexec yes '0, 0, 0, 1, 1, 0x0'\n")
    endless.chmod(0o755)
    late = {"ffmpeg": str(endless), "timeout": 0.05}
    for read in (packet_seconds, audio_only, announced_seconds):
        with pytest.raises(subprocess.TimeoutExpired):
            read(path, **late)
