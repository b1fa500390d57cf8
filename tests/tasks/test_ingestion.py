"""What an ingest fetches, and what it has already: a download is used only by the settings that made it."""

from __future__ import annotations

import pytest

from songform.audio import open_audio
from songform.corpus import Corpus
from songform.errors import TrackError
from songform.settings import Settings
from songform.sources import Track
from tasks.ingestion import audio_at_hand, fetch_audio
from tasks.localfiles import local_listing

# yt-dlp leaves connections that broke off to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")

MP3, COARSE, NATIVE = (
    Settings.model_validate({"audio": audio, "download": {"timeout_seconds": 1.0}})
    for audio in ({}, {"bitrate": 64}, {"codec": "native"})
)


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


@pytest.fixture
def track(site, flac):
    """Serve a song as FLAC."""
    url = site.put("/a.flac", flac, "audio/flac")
    return Track(key="web-0", title="Song", source=url, entry={"_type": "url", "url": url})


def kept(home, path):
    """Do what extraction does with a download that is to stay."""
    target = Corpus(home).data / "audio" / path.relative_to(Corpus(home).data / "incoming")
    target.parent.mkdir(parents=True)
    return path.replace(target)


def test_a_download_waits_where_its_encoding_says_and_nothing_else_stays(home, track, flac):
    assert fetch_audio.fn(home, track, MP3) == home / "data/incoming/mp3-192/web-0.mp3"
    assert fetch_audio.fn(home, track, NATIVE) == home / "data/incoming/native/web-0.flac"
    assert (home / "data/incoming/native/web-0.flac").read_bytes() == flac
    assert sorted(path.name for path in home.rglob("*") if path.is_file()) == ["web-0.flac", "web-0.mp3"]


@pytest.mark.parametrize("place", [lambda home, path: path, kept])
def test_audio_of_another_codec_or_bit_rate_is_not_at_hand(home, track, place):
    for number, settings in enumerate((MP3, COARSE, NATIVE)):
        others = (MP3, COARSE, NATIVE)[number:]
        assert [audio_at_hand(home, track, each) for each in others] == [None] * len(others)
        path = place(home, fetch_audio.fn(home, track, settings))
        assert audio_at_hand(home, track, settings) == path
    sizes = {audio_at_hand(home, track, settings).stat().st_size for settings in (MP3, COARSE, NATIVE)}
    assert len(sizes) == 3


def test_a_bit_rate_says_nothing_of_a_native_file(home, track):
    path = fetch_audio.fn(home, track, NATIVE)
    coarse = Settings.model_validate({"audio": {"codec": "native", "bitrate": 64, "keep": True}})
    assert audio_at_hand(home, track, coarse) == path


def test_a_file_of_this_machine_is_at_hand_by_any_settings(home, song):
    (local,) = local_listing(song("a.flac")).tracks
    for settings in (MP3, COARSE, NATIVE):
        assert str(audio_at_hand(home, local, settings)) == local.path
    assert not home.exists()


@pytest.mark.parametrize("served_as", ["/a.mov video/quicktime", "/a.spx audio/x", "/a application/octet-stream"])
def test_a_suffix_that_nobody_knows_never_reaches_a_path(home, site, flac, ffmpeg, served_as):
    path, content_type = served_as.split()
    url = site.put(path, flac, content_type)
    odd = Track(key="web-1", title="Odd", source=url, entry={"_type": "url", "url": url})
    found = fetch_audio.fn(home, odd, NATIVE)
    assert found == home / "data/incoming/native/web-1.audio"
    assert audio_at_hand(home, odd, NATIVE) == found
    with open_audio(found, ffmpeg=ffmpeg) as audio:
        assert sum(map(len, audio)) == 3 * audio.sr


def test_a_download_that_fails_is_written_down_and_leaves_no_file(home, site):
    url = site.put("/a.flac", b"<html>", "audio/flac")
    track = Track(key="web-2", title="Page", source=url, entry={"_type": "url", "url": url})
    with pytest.raises(TrackError, match="is no audio"):
        fetch_audio.fn(home, track, NATIVE)
    record = Corpus(home).record("web-2")
    assert (record.status, record.error.failure, record.attempts) == ("failed", "transient", 1)
    assert [path.name for path in home.rglob("*") if path.is_file()] == ["web-2.json"]
