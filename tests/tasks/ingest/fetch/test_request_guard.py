"""Refusal of private addresses that untrusted playlists contain, at every redirect and in all notations."""

from __future__ import annotations

import pytest
import urllib3.util.connection
from yt_dlp.extractor.common import InfoExtractor
from yt_dlp.networking.exceptions import RequestError, TransportError

import tasks.ingest.fetch.connections
from songform.errors import SourceError, TrackError
from tasks.ingest.fetch.download import download_track
from tasks.ingest.fetch.ytdlp import youtube_dl
from tasks.ingest.sources.resolve_source import list_tracks
from tasks.settings import AudioSettings, DownloadSettings
from tasks.store.tracks import Track

# yt-dlp leaves connections and files to the garbage collector when it is interrupted.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")

STRICT = DownloadSettings(timeout_seconds=1.0)
FIX = "set download.allow_private = true"


@pytest.fixture
def fetch(tmp_path, ffmpeg):
    """Return a function that downloads an address with strict settings."""

    def fetch(url, settings=STRICT):
        track = Track(key="web-0", title="Song", source=url, entry={"_type": "url", "url": url})
        return download_track(track, tmp_path, audio=AudioSettings(), download=settings, ffmpeg=ffmpeg)

    return fetch


@pytest.fixture
def refused(fetch):
    """Return a function that expects a permanent refusal of an address and returns the message."""

    def refused(url):
        with pytest.raises(TrackError) as caught:
            fetch(url)
        assert caught.value.failure == "permanent"
        assert type(caught.value) is TrackError  # not a subclass, which could not be unpickled everywhere
        assert caught.value.__context__ is None
        return str(caught.value)

    return refused


@pytest.fixture
def radio(site, internet, public):
    """Return the address of a server on the simulated internet; another host name leads to a private address."""
    internet(radio=[[public]], intern=[["127.0.0.1"]])
    return site.url.replace("127.0.0.1", "radio.example")


def test_private_address_is_refused_without_a_request(site, ogg, refused):
    url = site.put("/a.ogg", ogg)
    said = refused(url)
    assert said.startswith(f"Song ({url}) cannot be downloaded: {url} leads to this machine (127.0.0.1); ")
    assert "untrusted playlist" in said
    assert said.endswith(FIX)
    assert site.asked == []


@pytest.mark.parametrize(
    "host",
    ["localhost", "2130706433", "0x7f.1", "127.1", "0.0.0.0", "[::ffff:127.0.0.1]", "①②⑦.⓪.⓪.①"],
)
def test_other_spellings_of_a_private_address_are_refused(host, site, ogg, refused):
    url = site.put("/a.ogg", ogg).replace("127.0.0.1", host)
    assert "leads to this machine" in refused(url)
    assert site.asked == []


def test_allow_private_allows_private_addresses(site, ogg, fetch):
    assert fetch(site.put("/a.ogg", ogg), DownloadSettings(allow_private=True)).path.is_file()


def test_public_server_is_allowed(site, ogg, radio, fetch):
    site.put("/a.ogg", ogg)
    assert fetch(f"{radio}/a.ogg").path.is_file()


def test_host_name_that_resolves_to_a_private_address_is_refused(site, ogg, radio, refused):
    url = site.put("/a.ogg", ogg).replace("127.0.0.1", "intern.example")
    assert f"{url} leads to this machine (127.0.0.1)" in refused(url)
    assert site.asked == []


@pytest.mark.parametrize("host", ["127.0.0.1", "intern.example", "169.254.169.254", "10.0.0.1", "[fe80::1]"])
def test_a_redirect_to_a_private_address_is_refused(host, site, ogg, radio, refused):
    secret = site.put("/secret.ogg", ogg).replace("127.0.0.1", host)
    site.put("/a.ogg", status=302, headers={"Location": secret})
    assert f"{secret} leads to " in refused(f"{radio}/a.ogg")
    assert set(site.asked) == {"/a.ogg"}


def test_private_enclosure_of_a_feed_is_refused(site, ogg, radio, tmp_path, ffmpeg):
    items = [{"title": "In", "url": site.put("/secret.ogg", ogg)}, {"title": "Out", "url": f"{radio}/a.ogg"}]
    site.put("/a.ogg", ogg)
    site.put_feed("/feed.xml", "F", *items)
    inside, outside = list_tracks(f"{radio}/feed.xml", settings=STRICT).tracks
    options = {"audio": AudioSettings(), "download": STRICT, "ffmpeg": ffmpeg}
    with pytest.raises(TrackError, match=r"secret\.ogg leads to this machine"):
        download_track(inside, tmp_path, **options)
    assert download_track(outside, tmp_path, **options).path.is_file()
    assert "/secret.ogg" not in site.asked


def test_private_source_is_not_listed(site):
    with pytest.raises(SourceError, match="leads to this machine") as caught:
        list_tracks(site.put_feed("/feed.xml", "F"), settings=STRICT)
    assert caught.value.__cause__.failure == "permanent"
    assert site.asked == []


@pytest.mark.parametrize("what", ["fragment", "key", "initialization"])
def test_private_addresses_in_an_hls_playlist_are_refused(what, site, ogg, radio, refused):
    secret, here = site.put("/secret.ogg", ogg), f"{radio}/piece.ogg"
    site.put("/piece.ogg", ogg)
    lines = {
        "fragment": f"#EXTINF:3,\n{here}\n#EXTINF:3,\n{secret}",
        "key": f'#EXT-X-KEY:METHOD=AES-128,URI="{secret}"\n#EXTINF:3,\n{here}',
        "initialization": f'#EXT-X-MAP:URI="{secret}"\n#EXTINF:3,\n{here}',
    }
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:3\n{lines[what]}\n#EXT-X-ENDLIST\n"
    site.put("/a.m3u8", playlist, "application/vnd.apple.mpegurl")
    assert "secret.ogg leads to this machine" in refused(f"{radio}/a.m3u8")
    assert "/secret.ogg" not in site.asked


def test_private_addresses_in_a_dash_manifest_are_refused(site, ogg, radio, refused):
    secret = site.put("/secret.mp4", ogg)
    manifest = f"""<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT3S">
<Period><AdaptationSet mimeType="audio/mp4"><Representation id="a" bandwidth="64000" codecs="mp4a.40.2">
<SegmentList duration="3" timescale="1"><SegmentURL media="{secret}"/></SegmentList>
</Representation></AdaptationSet></Period></MPD>"""
    site.put("/a.mpd", manifest, "application/dash+xml")
    assert "secret.mp4 leads to this machine" in refused(f"{radio}/a.mpd")
    assert "/secret.mp4" not in site.asked


def test_dns_rebinding_is_refused(site, ogg, internet, public, refused):
    """Each connection resolves the host once and uses the address that was checked; the second one is refused."""
    looked_up = internet(fickle=[[public], ["127.0.0.1"]])
    site.put("/a.ogg", ogg, headers={"Connection": "close"})
    url = f"{site.url.replace('127.0.0.1', 'fickle.example')}/a.ogg"
    assert "leads to this machine (127.0.0.1)" in refused(url)
    assert (looked_up.count("fickle.example"), site.asked) == (2, ["/a.ogg"])


def test_only_the_public_addresses_of_a_host_are_tried(internet, public, monkeypatch):
    tried = []
    internet(radio=[["127.0.0.1", "8.8.8.8", "10.0.0.1", public]])

    def create_connection(address, *_, **__):
        tried.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(urllib3.util.connection, "create_connection", create_connection)
    with youtube_dl({}) as ydl, pytest.raises(TransportError, match="Failed to establish a new connection"):
        ydl.urlopen("http://radio.example/a.ogg")
    assert tried == [("8.8.8.8", 80), (public, 80)]


def test_unknown_host_is_a_transport_error():
    with youtube_dl({}) as ydl, pytest.raises(TransportError, match="Failed to resolve"):
        ydl.urlopen("http://nobody.example/")


@pytest.mark.parametrize("url", ["ws://radio.example/a", "ftp://radio.example/a", "file:///etc/passwd", "data:,a"])
def test_other_schemes_than_http_are_unsupported(url):
    with youtube_dl({}) as ydl:
        with pytest.raises(RequestError, match=r"Unsupported url scheme|WebSocket"):
            ydl.urlopen(url)
        assert list(ydl._request_director.handlers) == ["Guarded"]


@pytest.fixture
def proxy(new_site, monkeypatch):
    """Start a proxy on the loopback interface that responds itself, and set it in the environment."""
    site = new_site()
    monkeypatch.setenv("http_proxy", site.url)
    return site


def test_proxy_may_be_private_but_literal_private_addresses_behind_it_are_refused(proxy, site, ogg, fetch, refused):
    """The proxy resolves host names."""
    proxy.put("http://radio.example/a.ogg", ogg)
    assert fetch("http://radio.example/a.ogg").path.is_file()
    for host in ("10.0.0.1", "127.0.0.1", "0x7f.1", "localhost"):
        assert "refused, because" in refused(f"http://{host}/a.ogg")
    assert set(proxy.asked) == {"http://radio.example/a.ogg"}


class ProxiedIE(InfoExtractor):
    """Extractor that requests a proxy of its own."""

    _VALID_URL = r"https?://proxied\.example/(?P<port>\d+)"

    def _real_extract(self, url):
        port = self._match_valid_url(url)["port"]
        headers = {"Ytdl-Request-Proxy": f"http://127.0.0.1:{port}"}
        media = f"http://radio.example:{port}/a.ogg"
        return {"id": "a", "title": "A", "url": media, "ext": "ogg", "http_headers": headers}


def test_proxy_requested_by_a_page_is_not_used(site, ogg, radio, play, fetch):
    play(ProxiedIE)
    site.put("/a.ogg", ogg)
    assert fetch(f"https://proxied.example/{radio.rpartition(':')[2]}").path.is_file()
    assert site.asked == ["/a.ogg"]


@pytest.mark.parametrize("status", [200, 404])
def test_endless_page_is_refused(status, site, monkeypatch, patience):
    monkeypatch.setattr(tasks.ingest.fetch.connections, "MAX_PAGE_BYTES", 100_000)
    page = site.put("/", b"<html>" + bytes(200_000), "text/html", status=status)
    with youtube_dl({}, settings=patience) as ydl, pytest.raises(TrackError, match="is too large for a page"):
        InfoExtractor(ydl)._download_webpage(page, "a", expected_status=404)


def test_body_of_a_redirect_is_not_read(site, ogg, fetch, patience):
    """Reading it would take time and memory."""
    target = site.put("/a.ogg", ogg)
    site.put("/", b"x" * 10, status=302, headers={"Location": target}, announced=10**12, pause=9.0)
    assert fetch(f"{site.url}/", patience).path.is_file()
