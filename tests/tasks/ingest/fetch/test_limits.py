"""Limits on size and length, which the messages name; and file names without untrusted text."""

from __future__ import annotations

import gzip

import pytest
from yt_dlp.extractor.common import InfoExtractor

from songform.errors import TrackError
from tasks.ingest.fetch.download import download_track
from tasks.settings import AudioSettings, DownloadSettings
from tasks.store.tracks import Track

pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")

TOO_LARGE = r"it is larger than download\.max_megabytes = 0\.05, .*endless.*; raise this limit"
TOO_LONG = r"it is longer than download\.max_hours = 0\.001 \(0\.00 h\); raise this limit"
NOISE = bytes(range(256)) * 4000  # 1 MB


@pytest.fixture
def fetch(tmp_path, ffmpeg, patience):
    """Return a function that downloads an address into the test's folder with given limits."""

    def fetch(url, *, audio=AudioSettings(), duration=None, **limits):  # noqa: B008  frozen
        track = Track(key="web-0", title="Song", source=url, entry={"_type": "url", "url": url}, duration=duration)
        download = DownloadSettings(**{**patience.model_dump(), **limits})
        return download_track(track, tmp_path / "room", audio=audio, download=download, ffmpeg=ffmpeg)

    return fetch


@pytest.fixture
def refused(fetch, tmp_path):
    """Return a function that expects a permanent failure of an address and no remaining file."""

    def refused(words, url, **options):
        with pytest.raises(TrackError, match=rf"^Song \(http.*\) cannot be downloaded: {words}") as caught:
            fetch(url, **options)
        assert caught.value.failure == "permanent"
        assert list((tmp_path / "room").iterdir()) == []

    return refused


def test_announced_size_above_the_limit_is_refused_at_once(site, refused):
    url = site.put("/a.ogg", b"OggS" + NOISE, announced=10**9, pause=60.0)
    refused(TOO_LARGE, url, max_megabytes=0.05)


def test_received_size_above_the_limit_is_refused(site, refused):
    refused(TOO_LARGE, site.put("/a.ogg", b"OggS" + NOISE, announced=-1), max_megabytes=0.05)


def test_size_limit_applies_to_decompressed_bytes(site, refused):
    """A server may compress a file although the request did not allow it."""
    packed = gzip.compress(bytes(10_000_000))
    url = site.put("/a.ogg", packed, headers={"Content-Encoding": "gzip"})
    assert len(packed) < 20_000
    refused(TOO_LARGE, url, max_megabytes=0.05)
    assert {headers["Accept-Encoding"] for headers in site.headers} == {"identity"}


def test_size_limit_applies_to_all_fragments_together(site, refused):
    lines = [f"#EXTINF:2,\n{site.put(f'/{number}.ts', NOISE[:20_000], 'video/mp2t')}" for number in range(9)]
    playlist = "\n".join(["#EXTM3U", "#EXT-X-TARGETDURATION:2", *lines, "#EXT-X-ENDLIST"])
    refused(TOO_LARGE, site.put("/a.m3u8", playlist, "application/vnd.apple.mpegurl"), max_megabytes=0.05)
    assert "/2.ts" in site.asked
    assert "/5.ts" not in site.asked


def test_track_exactly_at_the_size_limit_is_accepted(site, flac, fetch):
    assert fetch(site.put("/a.flac", flac, "audio/flac"), max_megabytes=len(flac) / 1e6).path.is_file()


def test_track_with_a_too_long_announced_length_is_not_downloaded(site, ogg, refused):
    url = site.put("/a.ogg", ogg)
    refused(r"it is longer than download\.max_hours = 3 \(3\.50 h\)", url, duration=12_600.0)
    assert site.asked == ["/a.ogg"]  # for the detection of its type


@pytest.mark.parametrize("codec", ["mp3", "native"])
def test_too_long_track_without_announced_length_is_refused_after_the_download(codec, site, sound, refused):
    url = site.put("/a.flac", sound("FLAC", 440.0, 5.0), "audio/flac")
    refused(TOO_LONG, url, audio=AudioSettings(codec=codec), max_hours=0.001)


def test_track_exactly_at_the_length_limit_is_accepted(site, sound, fetch):
    assert fetch(site.put("/a.flac", sound("FLAC", 440.0, 3.6), "audio/flac"), max_hours=0.001).path.is_file()


class HostileIE(InfoExtractor):
    """Extractor of a site whose titles and IDs are malicious paths."""

    _VALID_URL = r"https?://hostile\.example/(?P<word>\d)/(?P<port>\d+)"
    WORDS = ("../../../evil", "/etc/evil", "evil\x00.sh", "x" * 5000, "-evil %(id)s\n$(evil)", "..", "CON", "\u202efig")

    def _real_extract(self, url):
        word, port = self._match_valid_url(url).group("word", "port")
        bad = self.WORDS[int(word)]
        named = dict.fromkeys(("id", "title", "uploader", "playlist", "format_id", "display_id"), bad)
        return {**named, "url": f"http://127.0.0.1:{port}/a", "ext": "ogg", "formats": None}


class ExtensionIE(InfoExtractor):
    """Extractor of a site with unusual file extensions."""

    _VALID_URL = r"https?://extension\.example/(?P<port>\d+)\?(?P<ext>.*)"

    def _real_extract(self, url):
        port, ext = self._match_valid_url(url).group("port", "ext")
        return {"id": "a", "title": "A", "url": f"http://127.0.0.1:{port}/a", "ext": ext}


@pytest.fixture
def port(site, ogg, play):
    """Serve a song at /a for the simulated sites, and return the port."""
    play(HostileIE, ExtensionIE)
    return site.put("/a", ogg).rpartition(":")[2].partition("/")[0]


@pytest.mark.parametrize("word", range(len(HostileIE.WORDS)))
@pytest.mark.parametrize(("codec", "name"), [("mp3", "sound.mp3"), ("native", "sound.ogg")])
def test_untrusted_text_is_not_used_in_paths(codec, name, word, port, fetch):
    found = fetch(f"https://hostile.example/{word}/{port}", audio=AudioSettings(codec=codec))
    assert [path.name for path in found.path.parent.iterdir()] == [found.path.name] == [name]


@pytest.mark.parametrize("ext", ["x/../../../evil", "sh", "exe", "y" * 300, "ogg.desktop"])
def test_untrusted_extension_is_not_used_in_paths(ext, port, fetch, tmp_path):
    found = fetch(f"https://extension.example/{port}?{ext}", audio=AudioSettings(codec="native"))
    assert found.path.name == "sound.ogg"
    assert [path.name for path in tmp_path.iterdir()] == ["room"]
