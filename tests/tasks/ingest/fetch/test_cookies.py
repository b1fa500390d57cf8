"""Cookies are sent only to their site, and appear in no file and no message."""

from __future__ import annotations

import pytest

from songform.errors import TrackError
from tasks.ingest.fetch.cookies import load_cookies
from tasks.ingest.fetch.download import download_track
from tasks.ingest.fetch.ytdlp import youtube_dl
from tasks.settings import AudioSettings, DownloadSettings
from tasks.store.tracks import Track

COOKIE = "127.0.0.1\tFALSE\t/\tFALSE\t0\tsession\tsecret"


@pytest.fixture
def cookies(tmp_path):
    """Return a function that writes a cookies file."""

    def write(content):
        path = tmp_path / "cookies.txt"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def test_cookies_are_sent_to_their_site_and_the_file_is_unchanged(site, ogg, cookies, tmp_path, ffmpeg):
    path = cookies(f"# Netscape HTTP Cookie File\n{COOKIE}\n{COOKIE.replace('127.0.0.1', 'other.example')}\n")
    written = path.stat().st_mtime_ns, path.read_bytes()
    url = site.put("/a.ogg", ogg, headers={"Set-Cookie": "session=another"})
    track = Track(key="web-0", title="Song", source=url, entry={"_type": "url", "url": url})
    settings = DownloadSettings(allow_private=True, cookies=str(path))
    download_track(track, tmp_path / "room", audio=AudioSettings(), download=settings, ffmpeg=ffmpeg)
    assert site.headers[0]["Cookie"] == "session=secret"
    assert (path.stat().st_mtime_ns, path.read_bytes()) == written
    assert sorted(file.name for file in tmp_path.iterdir()) == ["cookies.txt", "room"]


@pytest.mark.parametrize(
    "content",
    [
        COOKIE,
        f"\ufeff{COOKIE}\r\n\r\n",
        f"# a comment\n\n#HttpOnly_{COOKIE}\n",
        COOKIE.replace("FALSE", "TRUE", 1),  # contradicts the domain, which has no leading dot
        COOKIE.replace("\t0\t", "\t\t"),
        COOKIE.replace("\t0\t", "\t4000000000.5\t"),
    ],
)
def test_browser_exports_are_read(content, cookies):
    with youtube_dl({"cookiefile": load_cookies(str(cookies(content)))}) as ydl:
        assert [(cookie.name, cookie.value) for cookie in ydl.cookiejar] == [("session", "secret")]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ('[{"name": "session", "value": "secret"}]', "line 1 is not a cookie in Netscape format"),
        (f"{COOKIE}\nsession=secret\n", "line 2 is not a cookie"),
        (f"# comment\n{COOKIE}\tsecret\n", "line 2 is not a cookie"),
        (COOKIE.replace("\t0\t", "\tsecret\t"), "line 1 is not a cookie"),
        ("", "contains no cookies"),
        ("# Netscape HTTP Cookie File\n", "contains no cookies"),
        (b"\xff\xfe\x00secret", "not a text file"),
    ],
)
def test_invalid_cookies_file_is_reported_without_quoting_it(content, why, cookies, capfd):
    path = cookies(content)
    with pytest.raises(
        TrackError, match=rf"download\.cookies names cannot be used: .*{why}.*; export .* again"
    ) as caught:
        youtube_dl({}, settings=DownloadSettings(cookies=str(path)))
    assert caught.value.failure == "environment"
    assert "secret" not in str(caught.value)
    assert str(path) not in str(caught.value)  # the message goes to Prefect and into records
    assert caught.value.__cause__ is None
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", ["missing.txt", ".", "no/such/folder", "~nobody-at-all/cookies.txt"])
def test_unreadable_cookies_file_is_reported(name, tmp_path):
    path = name if name.startswith("~") else str(tmp_path / name)
    with pytest.raises(TrackError, match=r"download\.cookies .* cannot be read \(.+\); export ") as caught:
        load_cookies(path)
    assert caught.value.failure == "environment"


def test_track_fails_with_the_message_about_the_cookies_file(site, ogg, tmp_path, ffmpeg):
    url = site.put("/a.ogg", ogg)
    track = Track(key="web-0", title="Song", source=url, entry={"_type": "url", "url": url})
    settings = DownloadSettings(cookies=str(tmp_path / "missing.txt"))
    with pytest.raises(TrackError, match=r"download\.cookies names .* \(No such file or directory\)") as caught:
        download_track(track, tmp_path / "room", audio=AudioSettings(), download=settings, ffmpeg=ffmpeg)
    assert (caught.value.failure, site.asked) == ("environment", [])
