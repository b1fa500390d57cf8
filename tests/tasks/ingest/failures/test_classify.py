"""Classification of yt-dlp's errors, raised by yt-dlp itself with a simulated site or a real server."""

from __future__ import annotations

import errno
import pickle
import socket

import pytest
from yt_dlp.extractor.common import InfoExtractor
from yt_dlp.networking.exceptions import CertificateVerifyError, HTTPError, ProxyError, TransportError
from yt_dlp.utils import DownloadError, ExtractorError, PostProcessingError, UserNotLive

from songform.errors import TrackError
from tasks.ingest.failures.classify import listing_error, track_error
from tasks.ingest.failures.ytdlp_errors import explanation
from tasks.ingest.fetch.ytdlp import youtube_dl
from tasks.settings import DownloadSettings
from tasks.store.tracks import Track

pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")

HERE = DownloadSettings(allow_private=True)
TRACK = Track(key="web-0", title="So\x1b[31m What", source="https://a.example/so\nwhat")
# The address contains words that have a meaning in messages.
ADDRESS = "https://trouble.example/private-DRM-removed-captcha-premieres"


def raised(trouble):
    """Return the error that yt-dlp raises when an extractor fails."""

    class TroubleIE(InfoExtractor):
        _VALID_URL = r"https://trouble\.example/(?P<id>.+)"

        def _real_extract(self, url):
            trouble(self)

    with youtube_dl({}, [TroubleIE], settings=HERE) as ydl, pytest.raises(Exception) as caught:  # noqa: PT011  the class of the error is not known
        ydl.extract_info(ADDRESS, download=False)
    return caught.value


def site_says(words):
    def trouble(extractor):
        raise ExtractorError(words, expected=True)

    return trouble


@pytest.mark.parametrize(
    ("words", "failure"),
    [
        ("Sign in to confirm you’re not a bot. Use --cookies for the authentication", "throttled"),
        ("Please sign in. YouTube is requiring a captcha challenge before playback", "throttled"),
        ("This content isn't available. The current session has been rate-limited by YouTube", "throttled"),
        ("All player responses are invalid. Your IP is likely being blocked by Youtube", "throttled"),
        ("Premieres in 3 hours", "later"),
        ("This live event will begin in 5 days.", "later"),
        ("The channel is currently offline", "later"),
        ("The uploader has not made this video available in your country", "needs-you"),
        ("Blocked in your country on copyright grounds", "needs-you"),
        ("Sign in to confirm your age. This video may be inappropriate for some users.", "needs-you"),
        ("Private video. Sign in if you've been granted access to this video", "needs-you"),
        ("Video unavailable. This video is private", "needs-you"),
        ("Join this channel to get access to members-only content", "needs-you"),
        ("This video is available to this channel's members on level: Gold", "needs-you"),
        ("This video is only available for registered users", "needs-you"),
        ("This track is only available to Premium subscribers", "needs-you"),
        ("This video is protected by a password", "needs-you"),
        ("This video is DRM protected", "permanent"),
        ("Video unavailable", "permanent"),
        ("This video has been removed by the uploader", "permanent"),
        ("The account associated with this video has been terminated", "permanent"),
        ("The page needs to be reloaded.", "transient"),
        ("Something went wrong, please try again", "transient"),
        ("Esta canción no existe", "permanent"),
        ("Requested format is not available. Use --list-formats", "environment"),
    ],
)
def test_site_message_determines_the_class_and_is_quoted_without_yt_dlps_advice(words, failure):
    found = explanation(raised(site_says(words)))
    assert found.failure == failure
    assert found.cause.startswith(f'the site says "{words[:8]}')
    assert "--" not in found.cause


@pytest.mark.parametrize(
    ("trouble", "failure"),
    [
        (lambda ie: ie.raise_login_required(), "needs-you"),
        (lambda ie: ie.raise_geo_restricted(countries=["NZ"]), "needs-you"),
        (lambda ie: ie.report_drm("x"), "permanent"),
        (lambda ie: {}["title"], "bug"),
        (lambda ie: None + 1, "bug"),
        (lambda ie: ie._search_regex("a", "b", "private key"), "bug"),
        (lambda ie: ie._parse_json("<html>", "x"), "bug"),
    ],
)
def test_errors_of_extractors_have_a_failure_class(trouble, failure):
    assert explanation(raised(trouble)).failure == failure


def test_channel_that_is_not_live_is_later():
    def trouble(extractor):
        raise UserNotLive(video_id="x")

    assert explanation(raised(trouble)).failure == "later"


def test_defect_of_yt_dlp_recommends_an_upgrade_and_keeps_its_cause():
    error = raised(lambda ie: {}["title"])
    found = track_error(error, TRACK)
    assert "KeyError: 'title'" in str(found)
    assert "pip install -U yt-dlp yt-dlp-ejs" in str(found)
    assert "please report" not in str(found)
    assert found.__cause__ is error


def test_extractors_message_takes_precedence_over_the_status(site):
    """The message of the extractor is more specific than status 403."""
    url = site.put("/x", status=403)

    def trouble(extractor):
        try:
            extractor._download_webpage(url, "x")
        except ExtractorError:
            extractor.raise_geo_restricted()

    assert "other countries" in explanation(raised(trouble)).fix
    assert "403" in explanation(raised(lambda ie: ie._download_webpage(url, "x"))).cause


@pytest.mark.parametrize(
    ("status", "failure"),
    [
        *[(status, "permanent") for status in (400, 404, 405, 410, 418)],
        *[(status, "needs-you") for status in (401, 402, 407, 451)],
        *[(status, "transient") for status in (403, 408, 416, 425, 500, 502, 503, 504, 599)],
        (429, "throttled"),
    ],
)
def test_every_status_has_a_class(status, failure, site):
    url = site.put("/x", status=status)
    found = explanation(raised(lambda ie: ie._download_webpage(url, "x")))
    assert found.failure == failure
    assert f"the server answered {status}" in found.cause


def test_requested_pause_is_in_the_message(site):
    url = site.put("/x", status=429, headers={"Retry-After": "90"})
    assert "asked for a pause of 90 s" in explanation(raised(lambda ie: ie._download_webpage(url, "x"))).cause


def test_redirect_loop_is_permanent(site):
    url = site.put("/x", status=302, headers={"Location": "/x"})
    found = explanation(raised(lambda ie: ie._download_webpage(url, "x")))
    assert found.failure == "permanent"
    assert "redirects in a loop" in found.cause
    assert "check the address" in found.fix


def fetching(url, **params):
    with youtube_dl({"socket_timeout": 0.2, **params}, settings=HERE) as ydl, pytest.raises(Exception) as caught:  # noqa: PT011
        ydl.extract_info(url, download=True)
    return caught.value


def test_refused_connection_is_transient():
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        found = explanation(fetching(f"http://127.0.0.1:{closed.getsockname()[1]}/a.ogg"))
    assert (found.failure, found.fix) == ("transient", "try again later")
    assert "the server may be down" in found.cause


def test_unknown_host_suggests_to_check_for_typos():
    found = explanation(fetching("http://nowhere.example/a.ogg"))
    assert (found.failure, found.cause) == ("transient", "its host is not found")
    assert "typos" in found.fix


def test_stalled_server_is_transient_for_pages_and_media(site, tmp_path):
    page = site.put("/page", "<html>" + " " * 2000, "text/html", pause=0.5)
    assert explanation(fetching(page)).failure == "transient"
    media = site.put("/a.ogg", b"OggS" * 1000)
    site.put("/a.ogg", b"OggS" * 1000, pause=0.5)
    found = explanation(fetching(media, outtmpl=str(tmp_path / "a"), retries=1))
    assert found.failure == "transient"
    assert "stopped sending data" in found.cause


@pytest.mark.parametrize(
    ("error", "failure", "words"),
    [
        (CertificateVerifyError("expired"), "needs-you", "certificate cannot be verified"),
        (ProxyError("refused"), "environment", "proxy does not answer"),
        (TransportError("reset"), "transient", "connection failed"),
        (OSError(errno.ENOSPC, "No space left on device"), "environment", "No space left on device"),
        (PermissionError(errno.EACCES, "Permission denied", "/a"), "environment", r"Permission denied \(/a\)"),
        (ConnectionResetError(errno.ECONNRESET, "reset"), "bug", "ConnectionResetError"),
        (PostProcessingError("ffprobe and ffmpeg not found. Please install"), "environment", "ffmpeg is missing"),
        (PostProcessingError("audio conversion failed: No space left on device"), "environment", "disk is full"),
        (PostProcessingError("audio conversion failed: x"), "transient", r"cannot convert it \(audio conversion"),
        (DownloadError("\r[download] Got error: 5 bytes read, 9 more expected"), "transient", "lost before the end"),
        (DownloadError("\r[download] Got error: HTTP Error 500: Oh"), "transient", r"failed .*\(HTTP Error 500: Oh\)"),
        (DownloadError("\r[download] Got error: Connection reset"), "transient", r"\(Connection reset\)"),
        (
            DownloadError("unable to write data: [Errno 28] No space left"),
            "environment",
            r"written to disk .*\[Errno 28\] No space left",
        ),
        (
            DownloadError("No suitable extractor (Youtube) found for URL x"),
            "permanent",
            "no extractor for this address",
        ),
        (DownloadError("{title}"), "bug", r"DownloadError: \{title\}"),
        (RuntimeError(), "bug", "no reason given"),
    ],
)
def test_errors_that_need_no_server_have_a_class(error, failure, words):
    found = track_error(error, TRACK)
    assert found.failure == failure
    with pytest.raises(TrackError, match=words):
        raise found


def test_message_is_one_plain_sentence_with_title_and_address():
    message = str(track_error(TransportError("\r\x1b[31mreset\n"), TRACK))
    assert message.startswith("So What (https://a.example/so what) cannot be downloaded: the connection failed")
    assert message.isprintable()


def test_error_of_an_earlier_attempt_does_not_explain_a_later_one(site):
    """yt-dlp reports the exception that its caller is handling as the cause of an interrupted download."""
    gone = site.put("/x", status=404)
    try:
        raise track_error(raised(lambda ie: ie._download_webpage(gone, "x")), TRACK)
    except TrackError:
        found = explanation(raised(lambda ie: ie._download_webpage(site.put("/y", status=503), "y")))
        broken = explanation(fetching(site.put("/z.ogg", b"OggS" * 9, announced=99), outtmpl="/dev/null/x"))
    assert (found.failure, "503" in found.cause) == ("transient", True)
    assert broken.failure == "environment"


def test_causes_of_an_earlier_failure_are_ignored():
    earlier = TrackError("private", "needs-you")
    earlier.__cause__ = raised(site_says("This video is private"))
    later = PostProcessingError("unable to obtain file audio codec")
    later.__context__ = earlier
    assert explanation(later).failure == "transient"


def test_failure_keeps_no_connection_and_is_picklable(site):
    url = site.put("/x", status=503)
    found = track_error(raised(lambda ie: ie._download_webpage(url, "x")), TRACK)
    assert found.__cause__ is None
    assert found.__context__ is None
    again = pickle.loads(pickle.dumps(found))
    assert (str(again), again.failure) == (str(found), "transient")


def test_track_error_is_returned_unchanged():
    found = TrackError("https://a.example has no end", "permanent")
    assert track_error(found, TRACK) is found
    assert listing_error(found, "https://a.example") is found


def test_listing_error_names_the_source():
    found = listing_error(TrackError("it has no end", "later", retry_after=5.0, robot=True), "https://a.example")
    assert str(found) == "https://a.example cannot be listed: it has no end"
    assert (found.failure, found.retry_after, found.robot) == ("later", 5.0, True)


def test_status_without_a_standard_phrase_is_reported_as_a_number(site):
    url = site.put("/x", status=499)
    error = raised(lambda ie: ie._download_webpage(url, "x"))
    assert any(isinstance(link, HTTPError) for link in (error.exc_info[1], error.exc_info[1].__context__))
    assert explanation(error).cause.startswith("the server answered 499 (the request was rejected")
