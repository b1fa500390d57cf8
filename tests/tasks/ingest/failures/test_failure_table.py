"""Failure classes of everything that can go wrong with yt-dlp.

Most cases are simulated by a server on the loopback interface. Messages of sites are simulated by an extractor, and the
remaining cases by errors of yt-dlp.
"""

from __future__ import annotations

import socket
import time
from email.utils import formatdate
from io import BytesIO
from pathlib import Path

import pytest
import yt_dlp.downloader.common
from yt_dlp.extractor.common import InfoExtractor
from yt_dlp.networking.common import Response
from yt_dlp.networking.exceptions import HTTPError
from yt_dlp.utils import ExtractorError, UserNotLive

from songform.errors import FAILURE_CLASSES, TrackError
from tasks.ingest.failures.classify import track_error
from tasks.ingest.failures.rules import FAILURE_FIXES
from tasks.ingest.failures.ytdlp_errors import explanation
from tasks.ingest.fetch.download import download_track
from tasks.ingest.fetch.ytdlp import youtube_dl
from tasks.settings import AudioSettings, DownloadSettings
from tasks.store.tracks import Track

# yt-dlp leaves interrupted connections to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")

OGG = b"OggS" * 1000
PLAYLIST = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n{0}/1.ts\n#EXTINF:4,\n{0}/2.ts\n#EXT-X-ENDLIST\n"


class StudioIE(InfoExtractor):
    """Extractor that calls the function of a test."""

    _VALID_URL = r"https?://studio\.example/(?P<id>.+)"
    says = None

    def _real_extract(self, url):
        return type(self).says(self)


def says(words):
    def say(extractor):
        raise ExtractorError(words, expected=True)

    return say


def trouble(error):
    def stumble(extractor):
        raise error

    return stumble


@pytest.fixture
def fetch(tmp_path, ffmpeg, play):
    """Return a function that downloads an address, expects a failure and returns it."""

    def fetch(url, says=None, entry=None, **more):
        StudioIE.says = says
        play(StudioIE)
        track = Track(key="web-0", title="Song", source=url, entry={"_type": "url", "url": url, **(entry or {})})
        settings = DownloadSettings(timeout_seconds=0.3, allow_private=True)
        options = {"audio": AudioSettings(), "download": settings, "ffmpeg": ffmpeg, **more}
        with pytest.raises(TrackError) as caught:
            download_track(track, tmp_path / "room", **options)
        return caught.value

    return fetch


@pytest.mark.parametrize(
    ("row", "answers", "failure"),
    [
        ("not found", [{"status": 404}], "permanent"),
        ("removed", [{"status": 410}], "permanent"),
        ("bad request", [{"status": 400}], "permanent"),
        ("login required", [{"status": 401}], "needs-you"),
        ("payment required", [{"status": 402}], "needs-you"),
        ("proxy login required", [{"status": 407}], "needs-you"),
        ("legal reasons", [{"status": 451}], "needs-you"),
        ("too many requests for the page", [{"status": 429}], "throttled"),
        ("too many requests for the media", [{"body": OGG}, {"status": 429}], "throttled"),
        ("server error for the page", [{"status": 500}], "transient"),
        ("bad gateway", [{"status": 502}], "transient"),
        ("service unavailable", [{"status": 503}], "transient"),
        ("server error for the media", [{"body": OGG}, {"status": 500}], "transient"),
        ("stalled server, page", [{"body": OGG, "pause": 0.6, "content_type": "text/html"}], "transient"),
        ("stalled server, media", [{"body": OGG}, {"body": OGG, "pause": 0.6}], "transient"),
        ("truncated body", [{"body": OGG, "announced": 99999}], "transient"),
        ("empty body", [{"body": b""}], "transient"),
        ("page without audio", [{"body": b"<html>Hello</html>", "content_type": "text/html"}], "permanent"),
        ("page served as audio", [{"body": b"<html>Are you human?</html>"}], "transient"),
        ("bytes that are not audio", [{"body": bytes(range(256)) * 20}], "transient"),
        ("redirect to a file", [{"status": 302, "headers": {"Location": "file:///etc/passwd"}}], "permanent"),
        ("redirect to another protocol", [{"status": 302, "headers": {"Location": "ftp://a.example/a"}}], "permanent"),
        ("redirect loop", [{"status": 302, "headers": {"Location": "/a.ogg"}}], "permanent"),
    ],
)
def test_server_responses_have_a_failure_class(row, answers, failure, site, fetch):
    for answer in answers:
        url = site.put("/a.ogg", **answer)
    found = fetch(url)
    assert (found.failure, found.robot) == (failure, False)
    assert f"Song ({url}) cannot be downloaded: " in str(found)


@pytest.mark.parametrize("answers", [[{"status": 403}], [{"body": OGG}, {"status": 403}]])
def test_403_is_transient_once_and_then_needs_the_user(answers, site, fetch):
    for answer in answers:
        url = site.put("/a.ogg", **answer)
    found = fetch(url)
    assert (found.failure, found.repeated) == ("transient", "needs-you")


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(("said", "pause"), [("90", 90.0), ("0", 0.0), ("", None), ("soon", None)])
def test_retry_after_is_stored_and_mentioned_in_the_message(status, said, pause, site, fetch):
    found = fetch(site.put("/a.ogg", status=status, headers={"Retry-After": said}))
    assert found.retry_after == pause
    assert ("asked for a pause of" in str(found)) == (pause is not None)


def test_retry_after_of_the_media_response_is_stored(site, fetch):
    url = site.put("/a.ogg", OGG)
    site.put("/a.ogg", status=429, headers={"Retry-After": formatdate(time.time() + 90, usegmt=True)})
    found = fetch(url)
    assert found.failure == "throttled"
    assert found.retry_after == pytest.approx(90.0, abs=5.0)


@pytest.mark.parametrize(
    ("said", "date", "pause"),
    [
        ("Wed, 18 May 2033 03:34:50 GMT", "Wed, 18 May 2033 03:33:20 GMT", 90.0),
        ("Wed, 18 May 2033 03:34:50 GMT", "Wed, 18 May 2033 04:33:20 GMT", 0.0),
        ("Wednesday, 18-May-33 03:34:50 GMT", "Wed, 18 May 2033 03:33:20 GMT", 90.0),
        ("Mon, 99 Foo 2033 33:33:33 GMT", "Wed, 18 May 2033 03:33:20 GMT", None),
        *[(said, "", None) for said in ("-5", "1e9", "٣", "1" * 30)],
        ("Sun, 09 Sep 2001 01:46:40 GMT", "", 0.0),
    ],
)
def test_retry_after_date_is_relative_to_the_servers_clock(said, date, pause):
    answer = Response(BytesIO(), "https://a.example", {"Retry-After": said, "Date": date}, status=429)
    assert explanation(HTTPError(answer)).retry_after == pause


def test_unreachable_server_is_transient(fetch):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        assert fetch(f"http://127.0.0.1:{closed.getsockname()[1]}/a.ogg").failure == "transient"
    assert fetch("http://nowhere.example/a.ogg").failure == "transient"


@pytest.mark.parametrize("url", ["foo://a.example/a", "file:///etc/passwd", "http://[a.example/a.ogg"])
def test_invalid_address_is_permanent(url, fetch):
    assert fetch(url).failure == "permanent"


def test_disallowed_extractor_is_permanent():
    with youtube_dl({"allowed_extractors": ["youtube.*"]}) as ydl, pytest.raises(Exception) as caught:  # noqa: PT011
        ydl.extract_info("http://127.0.0.1:9/a.ogg")
    assert track_error(caught.value, Track(key="web-0", title="a", source="b")).failure == "permanent"


def test_missing_fragment_is_a_failure_and_not_a_shorter_song(site, fetch):
    """By default, yt-dlp skips missing fragments and reports success."""
    site.put("/1.ts", b"G" + bytes(187), "video/mp2t")
    url = site.put("/a.m3u8", PLAYLIST.format(site.url), "application/vnd.apple.mpegurl")
    found = fetch(url)
    assert found.failure in {"transient", "permanent"}
    assert "404" in str(found) or "fragment" in str(found)


@pytest.mark.parametrize(
    ("body", "repeated"), [(bytes(range(256)) * 20, "permanent"), ("<html>Wer da? Ä", None), ("Sorry", None)]
)
def test_unknown_bytes_become_permanent_but_a_page_of_text_stays_transient(body, repeated, site, fetch):
    found = fetch(site.put("/a.ogg", body))
    assert (found.failure, found.repeated) == ("transient", repeated)


def test_missing_ffmpeg_and_unwritable_folder_are_environment_failures(site, ogg, fetch, tmp_path, monkeypatch):
    url = site.put("/a.ogg", ogg)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert fetch(url, ffmpeg=str(tmp_path / "ffmpeg")).failure == "environment"
    (tmp_path / "room").rmdir()
    (tmp_path / "room").write_text("a file")
    assert fetch(url).failure == "environment"


def test_full_disk_during_the_download_is_an_environment_failure(site, fetch, monkeypatch):
    """Writing to /dev/full always fails on Linux."""

    def full(self, filename, open_mode):
        return Path("/dev/full").open("wb", buffering=0), filename

    monkeypatch.setattr(yt_dlp.downloader.common.FileDownloader, "sanitize_open", full)
    found = fetch(site.put("/a.ogg", OGG))
    assert found.failure == "environment"
    assert "No space left on device" in str(found)


@pytest.mark.parametrize(
    ("words", "failure", "robot"),
    [
        ("Private video. Sign in if you've been granted access to this video", "needs-you", False),
        ("Join this channel to get access to members-only content", "needs-you", False),
        ("Sign in to confirm your age. This video may be inappropriate for some users", "needs-you", False),
        ("Blocked in your country on copyright grounds", "needs-you", False),
        ("This video has been removed by the uploader", "permanent", False),
        ("The account associated with this video has been terminated", "permanent", False),
        ("Blocked on copyright grounds", "permanent", False),
        ("This video is DRM protected", "permanent", False),
        ("Sign in to confirm you’re not a bot. Use --cookies for the authentication", "throttled", True),
        ("Please sign in. YouTube is requiring a captcha challenge before playback", "throttled", True),
        ("Gone. The current session has been rate-limited by YouTube for up to an hour", "throttled", True),
        ("All player responses are invalid. Your IP is likely being blocked by Youtube", "throttled", True),
        ("You have exceeded the rate limit. Try again later", "throttled", False),
        ("Requested format is not available. Use --list-formats", "environment", False),
    ],
)
def test_site_messages_have_a_class_and_bot_checks_are_recognized(words, failure, robot, fetch):
    found = fetch("https://studio.example/1", says(words))
    assert (found.failure, found.robot) == (failure, robot)


@pytest.mark.parametrize(
    ("say", "failure", "words"),
    [
        (lambda ie: ie.raise_login_required(), "needs-you", "set download.cookies to a cookies.txt exported from a"),
        (says("Private video"), "needs-you", "set download.cookies"),
        (says("Sign in to confirm your age"), "needs-you", "set download.cookies"),
        (lambda ie: ie.raise_geo_restricted(countries=["NZ"]), "needs-you", "only in other countries"),
        (lambda ie: ie.report_drm("x"), "permanent", "find another copy"),
        (trouble(UserNotLive(video_id="x")), "later", "ingest it again when"),
        (trouble(KeyError("title")), "bug", "pip install -U yt-dlp"),
        (trouble(ExtractorError("Unable to extract title")), "bug", "pip install -U yt-dlp"),
    ],
)
def test_standard_errors_of_extractors_have_a_fix(say, failure, words, fetch):
    found = fetch("https://studio.example/1", say)
    assert found.failure == failure
    assert words in str(found)


@pytest.mark.parametrize(
    ("words", "entry", "seconds"),
    [
        ("Premieres in 3 hours", {}, 3 * 3600),
        ("This live event will begin in 5 days.", {}, 5 * 86400),
        ("This live event will begin in a minute.", {}, 60),
        ("This live event will begin in a few moments.", {}, None),
        ("Premieres in 3 hours", {"release_timestamp": 1_000_600}, 600),
        ("Premieres soon", {"release_timestamp": 1_000_600.5}, 600.5),
        ("Premieres soon", {"release_timestamp": 999_999}, None),
        ("Premieres soon", {"release_timestamp": "tomorrow"}, None),
        ("Video unavailable", {"release_timestamp": 1_000_600}, None),
    ],
)
def test_premiere_is_later_with_its_release_time_if_known(words, entry, seconds):
    track = Track(key="web-0", title="a", source="b", entry=entry)
    found = track_error(ExtractorError(words, expected=True), track, now=1_000_000)
    assert found.failure == ("permanent" if words == "Video unavailable" else "later")
    assert found.retry_after == seconds


@pytest.mark.parametrize("status", [{"is_live": True}, {"live_status": "is_live"}, {"live_status": "is_upcoming"}])
def test_live_stream_is_later(status, fetch):
    def info(extractor):
        return {"id": "1", "title": "Now", "url": "http://127.0.0.1:9/x", "ext": "ogg", "is_live": True, **status}

    assert fetch("https://studio.example/1", info).failure == "later"


def test_success_of_yt_dlp_without_a_file_is_a_failure(fetch):
    """yt-dlp reports success if there is nothing to download."""
    assert fetch("https://studio.example/1", lambda ie: ie.playlist_result([], "1", "Empty")).failure == "permanent"


def test_every_failure_class_has_a_fix():
    assert set(FAILURE_FIXES) == set(FAILURE_CLASSES)
    assert all(sentence.isprintable() and "  " not in sentence for sentence in FAILURE_FIXES.values())
