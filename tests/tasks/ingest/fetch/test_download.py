"""Downloads with real yt-dlp and real ffmpeg, from a server on the loopback interface and from simulated sites."""

from __future__ import annotations

import subprocess

import numpy as np
import pytest
from yt_dlp.extractor.common import InfoExtractor

from songform.audio.headers import ffmpeg_banner
from songform.audio.stream import open_audio
from songform.errors import ParameterError, TrackError
from tasks.ingest.fetch.download import download_track
from tasks.ingest.sources.resolve_source import list_tracks
from tasks.settings import AudioSettings
from tasks.store.tracks import Track

# yt-dlp leaves interrupted connections to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")


@pytest.fixture
def fetch(tmp_path, ffmpeg, patience):
    """Return a function that downloads a track into the test's folder."""

    def fetch(track, **options):
        options = {"audio": AudioSettings(), "download": patience, "ffmpeg": ffmpeg, **options}
        return download_track(track, tmp_path / "room", **options)

    return fetch


@pytest.fixture
def encoded(tmp_path, ffmpeg, sound):
    """Return a function that encodes a tone with ffmpeg."""

    def encoded(name, *options, seconds=3.0):
        tone, path = tmp_path / "tone.wav", tmp_path / name
        tone.write_bytes(sound("WAV", 440.0, seconds))
        subprocess.run([ffmpeg, "-v", "error", "-y", "-i", str(tone), *options, str(path)], check=True)
        return path.read_bytes()

    return encoded


@pytest.fixture
def film(encoded):
    """Return a function that makes a video with the tone."""
    return lambda name, *options: encoded(name, "-filter_complex", "testsrc=size=64x64:rate=5:duration=3", *options)


def a_track(url, **more):
    return Track(key="web-0", title="Song", source=url, entry={"_type": "url", "url": url}, **more)


def heard(path, ffmpeg):
    """Return the length of a file in seconds, by decoding it; decoding fails if the file is truncated."""
    with open_audio(path, ffmpeg=ffmpeg) as audio:
        return sum(map(len, audio)) / audio.sr


def packets(path, ffmpeg, content=None):
    """Return the hash of the audio packets, which does not depend on the container."""
    if content is not None:
        path.write_bytes(content)
    command = [ffmpeg, "-v", "error", "-i", str(path), "-map", "0:a", "-c", "copy", "-f", "streamhash", "-"]
    return subprocess.run(command, capture_output=True, check=True).stdout


def remains(tmp_path):
    return list((tmp_path / "room").iterdir())


def test_feed_item_becomes_an_mp3_of_the_requested_bit_rate_and_the_same_length(site, ogg, fetch, patience):
    """Known answer: three seconds of a tone of 440 Hz."""
    item = {"title": "One", "url": site.put("/a.ogg", ogg), "guid": "g1", "duration": "0:03"}
    (track,) = list_tracks(site.put_feed("/feed.xml", "F", item), settings=patience).tracks
    found = fetch(track, audio=AudioSettings(bitrate=64))
    assert (found.title, found.duration, found.path.suffix) == ("One", 3.0, ".mp3")
    assert found.path.stat().st_size == pytest.approx(3 * 64_000 / 8, rel=0.1)
    with open_audio(found.path, announced=found.duration) as audio:
        y, sr = np.concatenate(list(audio)), audio.sr
    assert len(y) / sr == pytest.approx(3.0, abs=0.05)
    assert np.argmax(np.abs(np.fft.rfft(y))) * sr / len(y) == pytest.approx(440.0, abs=1.0)


def test_an_mp3_is_not_encoded_again(site, sound, fetch):
    original = sound("MP3", 440.0)
    found = fetch(a_track(site.put("/a.mp3", original, "audio/mpeg")))
    assert found.path.read_bytes() == original


NATIVE = AudioSettings(codec="native")
FILMS = {"film.mp4": ("aac", ".m4a"), "film.webm": ("libopus", ".webm"), "film.mkv": ("ac3", ".mka")}


@pytest.mark.parametrize("name", ["a.m4a", "a.webm", "a.opus", "a.ogg", "a.wav", "a.flac", "a.mp3"])
def test_native_file_is_identical_to_the_served_file(name, site, encoded, ffmpeg, fetch):
    served = encoded(name)
    found = fetch(a_track(site.put(f"/{name}", served, "audio/x"), duration=3.0), audio=NATIVE)
    assert found.path.suffix == name[1:]
    assert found.path.read_bytes() == served
    assert heard(found.path, ffmpeg) == pytest.approx(3.0, abs=0.05)


@pytest.mark.parametrize("name", FILMS)
def test_only_the_audio_of_a_video_is_kept_packet_by_packet(name, site, film, ffmpeg, fetch):
    codec, suffix = FILMS[name]
    served = film(name, "-c:a", codec)
    found = fetch(a_track(site.put(f"/{name}", served, "video/x")), audio=NATIVE)
    assert found.path.suffix == suffix
    assert [path.name for path in found.path.parent.iterdir()] == [found.path.name]
    assert packets(found.path, ffmpeg) == packets(found.path.with_name("served"), ffmpeg, served)
    assert "Video:" not in ffmpeg_banner(found.path, ffmpeg)
    assert heard(found.path, ffmpeg) == pytest.approx(3.0, abs=0.05)


@pytest.mark.parametrize("name", ["a.m4a", "a.webm", "a.wav"])
def test_truncated_native_file_is_detected_although_its_header_is_complete(name, site, encoded, fetch, tmp_path):
    served = encoded(name, *(["-movflags", "+faststart"] if name == "a.m4a" else []), seconds=20.0)
    url = site.put(f"/{name}", served[: len(served) // 2], "audio/x", announced=-1)
    for announced, who in ((20.0, "its source"), (None, "its header")):
        said = rf"is cut short: (9|10)\.\d s .* {who} states .*20\.0 s.*; try again"
        with pytest.raises(TrackError, match=said) as caught:
            fetch(a_track(url, duration=announced), audio=NATIVE)
        assert caught.value.failure == "transient"
    assert remains(tmp_path) == []


@pytest.mark.parametrize("audio", [AudioSettings(), NATIVE])
@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"<html>Who are you?</html>", (None, "not audio, perhaps an error page")),
        (b"ID3", (None, "not audio, perhaps an error page")),
        (bytes(range(256)) * 20, ("permanent", "ffmpeg finds no audio")),
    ],
)
def test_file_that_is_not_audio_is_detected_even_without_conversion(audio, body, expected, site, fetch):
    """An error page is a temporary failure of the server; a broken file stays broken."""
    repeated, words = expected
    url = site.put("/a.mp3", body, "audio/mpeg")
    with pytest.raises(TrackError, match=rf"Song \(http.*\) cannot be downloaded: .* {words}; try again") as caught:
        fetch(a_track(url), audio=audio)
    assert (caught.value.failure, caught.value.repeated) == ("transient", repeated)


def test_video_without_audio_is_a_failure(site, film, fetch):
    with pytest.raises(TrackError, match="finds no audio"):
        fetch(a_track(site.put("/film.mp4", film("film.mp4", "-an"), "video/mp4")), audio=NATIVE)


def test_cover_image_does_not_make_a_file_a_video(site, encoded, fetch):
    picture = ["-filter_complex", "testsrc=size=64x64:rate=1:duration=1", "-c:v", "mjpeg"]
    served = encoded("a.m4a", *picture, "-disposition:v", "attached_pic")
    found = fetch(a_track(site.put("/a.m4a", served, "audio/mp4")), audio=NATIVE)
    assert b"\xff\xd8\xff" in served  # start of a JPEG image
    assert found.path.read_bytes() == served


def test_full_disk_during_audio_extraction_is_an_environment_failure(site, film, fetch, monkeypatch):
    run = subprocess.run

    def full(command, **options):
        if "-y" in command:
            return subprocess.CompletedProcess(command, 228, "", "Error writing trailer: No space left on device\n")
        return run(command, **options)

    url = site.put("/film.mp4", film("film.mp4"), "video/mp4")
    monkeypatch.setattr(subprocess, "run", full)
    with pytest.raises(TrackError, match=r"No space left on device.*; free .*space") as caught:
        fetch(a_track(url), audio=NATIVE)
    assert caught.value.failure == "environment"


def test_progress_is_reported_in_bytes(site, flac, fetch):
    told = []
    fetch(a_track(site.put("/a.flac", flac, "audio/flac")), progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (len(flac), len(flac))
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_two_attempts_never_share_a_folder(site, ogg, fetch):
    track = a_track(site.put("/a.ogg", ogg))
    assert fetch(track).path.parent != fetch(track).path.parent


def test_redirect_is_followed(site, ogg, fetch):
    target = site.put("/new.ogg", ogg)
    assert fetch(a_track(site.put("/old.ogg", status=302, headers={"Location": target}))).path.is_file()


def test_attempt_after_a_server_error_succeeds(site, ogg, fetch, tmp_path):
    url = site.put("/a.ogg", status=503)
    site.put("/a.ogg", ogg)
    with pytest.raises(TrackError, match="503 Service Unavailable") as caught:
        fetch(a_track(url))
    assert caught.value.failure == "transient"
    assert remains(tmp_path) == []
    assert fetch(a_track(url)).path.is_file()


def test_interrupted_download_is_resumed_within_the_attempt(site, ogg, fetch):
    url = site.put("/a.ogg", ogg)
    site.put("/a.ogg", ogg[:1000], announced=len(ogg))
    site.put("/a.ogg", ogg)
    assert fetch(a_track(url)).path.is_file()


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([{"status": 404}], ("permanent", "404 Not Found")),
        ([{"status": 410}], ("permanent", "410 Gone")),
        ([{"status": 418}], ("permanent", "418 I'm a Teapot")),
        ([{"status": 429}], ("throttled", "429 Too Many Requests")),
        ([{"status": 401}], ("needs-you", "401 Unauthorized.*login.*; set download.cookies")),
        ([{"status": 403}], ("transient", "403 Forbidden.*access.*denied.*; open it in a browser")),
        ([{"status": 451}], ("needs-you", "451 .*legal reasons.*other countries")),
        (
            [{}, {"status": 403}],
            ("transient", "403 Forbidden to the request for the audio, whose address may have expired"),
        ),
        ([{}, {"status": 404}], ("permanent", "404 Not Found")),
        ([{}, {"status": 429}], ("throttled", "429 Too Many Requests")),
        ([{}, {"status": 503}], ("transient", "server failed .*503.*; try again")),
        ([{"body": b"OggS" * 50, "announced": 9999}], ("transient", "connection was lost before the end.*; try again")),
        ([{"body": b""}], ("transient", "empty file; try again")),
        ([{"body": b"<html>Who are you?</html>"}], ("transient", "not audio, perhaps an error page; try again")),
        ([{"body": bytes(range(256)) * 20}], ("transient", "ffmpeg finds no audio; try again")),
        ([{"body": b"<html>Hello</html>", "content_type": "text/html"}], ("permanent", "finds no audio on this page")),
    ],
)
def test_server_failures_have_a_message_and_a_class(answers, expected, site, fetch, tmp_path):
    failure, words = expected
    for answer in answers:
        url = site.put("/a.ogg", **answer)
    with pytest.raises(TrackError, match=words) as caught:
        fetch(a_track(url))
    assert caught.value.failure == failure
    assert caught.value.__context__ is None  # otherwise every failure would keep a YoutubeDL alive
    assert str(caught.value).startswith(f"Song ({url}) cannot be downloaded: ")
    assert "\n" not in str(caught.value)
    assert remains(tmp_path) == []


def test_truncated_download_is_detected_by_the_length_from_the_feed(site, sound, fetch):
    """yt-dlp reports success in this case."""
    ogg = sound("OGG", 440.0, 20.0)
    url = site.put("/a.ogg", ogg[: len(ogg) // 2], announced=-1)
    with pytest.raises(TrackError, match=r"is cut short: \d+\.\d s .* its source states .*20\.0 s.*again") as caught:
        fetch(a_track(url, duration=20.0))
    assert (caught.value.failure, caught.value.repeated) == ("transient", "permanent")
    assert 5.0 < caught.value.measured < 15.0


def test_longer_audio_than_announced_is_accepted_with_a_warning(site, sound, fetch):
    url = site.put("/a.flac", sound("FLAC", 440.0, 9.0), "audio/flac")
    assert fetch(a_track(url, duration=7.5)).warnings == ()
    (warning,) = fetch(a_track(url, duration=6.0)).warnings
    assert warning.startswith(f"Song ({url}) is 9.0 s long")
    assert "its source states a length of 6.0 s" in warning


def test_truncated_download_is_detected_by_its_own_header_before_conversion(site, sound, fetch):
    flac = sound("FLAC", 440.0, 9.0)
    url = site.put("/a.flac", flac[: len(flac) // 2], "audio/flac", announced=-1)
    with pytest.raises(TrackError, match=r"is cut short: \d\.\d s .* its header states .*9\.0 s"):
        fetch(a_track(url))


def test_list_of_several_tracks_is_not_a_track(site, ogg, fetch):
    site.put("/a.ogg", ogg)
    site.put("/b.ogg", ogg)
    url = site.put("/page.html", '<html><audio src="/a.ogg"></audio><audio src="/b.ogg"></audio></html>', "text/html")
    with pytest.raises(TrackError, match="is a list of tracks") as caught:
        fetch(a_track(url))
    assert caught.value.failure == "permanent"


def test_folder_that_cannot_be_created_is_an_environment_failure(site, ogg, fetch, tmp_path):
    (tmp_path / "room").write_text("a file")
    with pytest.raises(TrackError, match=r"File exists \(/.*; .*permissions") as caught:
        fetch(a_track(site.put("/a.ogg", ogg)))
    assert caught.value.failure == "environment"


def test_missing_ffmpeg_is_an_environment_failure(site, ogg, fetch, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    for audio in (AudioSettings(), NATIVE):
        with pytest.raises(TrackError, match="ffmpeg") as caught:
            fetch(a_track(site.put("/a.ogg", ogg)), audio=audio, ffmpeg=str(tmp_path / "no" / "ffmpeg"))
        assert caught.value.failure == "environment"


def test_local_file_is_not_downloaded(fetch):
    with pytest.raises(ParameterError, match=r"Song is a local file \(/a\.flac\).*read it directly"):
        fetch(Track(key="file-0", title="Song", source="/a.flac", path="/a.flac"))


def test_interrupted_download_leaves_no_file(site, ogg, fetch, tmp_path):
    def interrupt(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(a_track(site.put("/a.ogg", ogg)), progress=interrupt)
    assert remains(tmp_path) == []


class StageIE(InfoExtractor):
    """Extractor of a live stream."""

    _VALID_URL = r"https?://stage\.example/(?P<id>live|coming)"

    def _real_extract(self, url):
        name = self._match_id(url)
        return {"id": name, "title": name, "url": "http://127.0.0.1:9/x", "ext": "ogg", "is_live": name == "live"}


class JukeboxIE(InfoExtractor):
    """Extractor of a page whose tracks have IDs but no addresses, and whose order changes with every visit."""

    _VALID_URL = r"https?://jukebox\.example/(?P<port>\d+)"
    _RETURN_TYPE = "playlist"
    visits: list[str] = []  # noqa: RUF012  counted by the test

    def _real_extract(self, url):
        root = f"http://127.0.0.1:{self._match_valid_url(url)['port']}"
        self.visits.append(url)
        tracks = [{"id": name, "title": name.title(), "url": f"{root}/{name}.flac", "ext": "flac"} for name in "ab"]
        return self.playlist_result(tracks[:: (-1) ** len(self.visits)], "box", "Box")


def test_live_stream_is_not_downloaded(play, fetch):
    play(StageIE)
    with pytest.raises(TrackError, match="is a live stream; ingest it again when it is over") as caught:
        fetch(a_track("https://stage.example/live"))
    assert caught.value.failure == "later"


def test_item_without_an_address_is_found_again_on_its_page(site, sound, play, fetch, patience):
    """Each track must get its own audio, regardless of the order on the page."""
    play(JukeboxIE)
    site.put("/a.flac", sound("FLAC", 300.0, 1.0), "audio/flac")
    site.put("/b.flac", sound("FLAC", 600.0, 2.0), "audio/flac")
    tracks = list_tracks(f"https://jukebox.example/{site.url.rpartition(':')[2]}", settings=patience).tracks
    assert {track.key for track in tracks} == {"jukebox-a", "jukebox-b"}
    for track in tracks:
        with open_audio(fetch(track).path) as audio:
            seconds = sum(map(len, audio)) / audio.sr
        assert seconds == pytest.approx({"A": 1.0, "B": 2.0}[track.title], abs=0.05)
