"""What is too much is refused for good, with the limit's name; and nothing of a stranger's names a file."""

from __future__ import annotations

import gzip

import pytest
from yt_dlp.extractor.common import InfoExtractor

from songform.errors import TrackError
from tasks.ingest.fetch.download import download_track
from tasks.settings import AudioSettings, DownloadSettings
from tasks.store.tracks import Track

pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")

TOO_LARGE = r"it is larger than download\.max_megabytes = 0\.05, or has no end"
TOO_LONG = r"it is longer than download\.max_hours = 0\.001 \(0\.00 h\); raise this limit if that is no mistake"
NOISE = bytes(range(256)) * 4000  # 1 MB


@pytest.fixture
def fetch(tmp_path, ffmpeg, patience):
    """Fetch an address into the test's folder, within some limits."""

    def fetch(url, *, audio=AudioSettings(), duration=None, **limits):  # noqa: B008  frozen
        track = Track(key="web-0", title="Song", source=url, entry={"_type": "url", "url": url}, duration=duration)
        download = DownloadSettings(**{**patience.model_dump(), **limits})
        return download_track(track, tmp_path / "room", audio=audio, download=download, ffmpeg=ffmpeg)

    return fetch


@pytest.fixture
def refused(fetch, tmp_path):
    """Expect that an address is refused for good, and that nothing is left of it."""

    def refused(words, url, **options):
        with pytest.raises(TrackError, match=rf"^Song \(http.*\) cannot be fetched: {words}") as caught:
            fetch(url, **options)
        assert caught.value.failure == "permanent"
        assert list((tmp_path / "room").iterdir()) == []

    return refused


def test_more_bytes_than_the_limit_are_refused_as_soon_as_they_are_announced(site, refused):
    url = site.put("/a.ogg", b"OggS" + NOISE, announced=10**9, pause=60.0)
    refused(TOO_LARGE, url, max_megabytes=0.05)


def test_and_as_they_come_where_nothing_is_announced(site, refused):
    refused(TOO_LARGE, site.put("/a.ogg", b"OggS" + NOISE, announced=-1), max_megabytes=0.05)


def test_bytes_count_as_they_are_when_they_are_unpacked(site, refused):
    """A server may pack what it was asked to send as it is."""
    packed = gzip.compress(bytes(10_000_000))
    url = site.put("/a.ogg", packed, headers={"Content-Encoding": "gzip"})
    assert len(packed) < 20_000
    refused(TOO_LARGE, url, max_megabytes=0.05)
    assert {headers["Accept-Encoding"] for headers in site.headers} == {"identity"}


def test_the_bytes_of_all_fragments_count_together(site, refused):
    lines = [f"#EXTINF:2,\n{site.put(f'/{number}.ts', NOISE[:20_000], 'video/mp2t')}" for number in range(9)]
    playlist = "\n".join(["#EXTM3U", "#EXT-X-TARGETDURATION:2", *lines, "#EXT-X-ENDLIST"])
    refused(TOO_LARGE, site.put("/a.m3u8", playlist, "application/vnd.apple.mpegurl"), max_megabytes=0.05)
    assert "/2.ts" in site.asked
    assert "/5.ts" not in site.asked


def test_a_track_that_is_as_large_as_the_limit_is_not_larger(site, flac, fetch):
    assert fetch(site.put("/a.flac", flac, "audio/flac"), max_megabytes=len(flac) / 1e6).path.is_file()


def test_a_track_that_its_feed_calls_too_long_is_not_fetched(site, ogg, refused):
    url = site.put("/a.ogg", ogg)
    refused(r"it is longer than download\.max_hours = 3 \(3\.50 h\)", url, duration=12_600.0)
    assert site.asked == ["/a.ogg"]  # to see what it is


@pytest.mark.parametrize("codec", ["mp3", "native"])
def test_a_track_that_is_too_long_without_a_word_is_refused_when_it_is_there(codec, site, sound, refused):
    url = site.put("/a.flac", sound("FLAC", 440.0, 5.0), "audio/flac")
    refused(TOO_LONG, url, audio=AudioSettings(codec=codec), max_hours=0.001)


def test_a_track_that_is_as_long_as_the_limit_is_not_longer(site, sound, fetch):
    assert fetch(site.put("/a.flac", sound("FLAC", 440.0, 3.6), "audio/flac"), max_hours=0.001).path.is_file()


class HostileIE(InfoExtractor):
    """A site whose words want to be somewhere else."""

    _VALID_URL = r"https?://hostile\.example/(?P<word>\d)/(?P<port>\d+)"
    WORDS = ("../../../evil", "/etc/evil", "evil\x00.sh", "x" * 5000, "-evil %(id)s\n$(evil)", "..", "CON", "\u202efig")

    def _real_extract(self, url):
        word, port = self._match_valid_url(url).group("word", "port")
        bad = self.WORDS[int(word)]
        named = dict.fromkeys(("id", "title", "uploader", "playlist", "format_id", "display_id"), bad)
        return {**named, "url": f"http://127.0.0.1:{port}/a", "ext": "ogg", "formats": None}


class ExtensionIE(InfoExtractor):
    """A site that sends programs, or files of a kind of its own."""

    _VALID_URL = r"https?://extension\.example/(?P<port>\d+)\?(?P<ext>.*)"

    def _real_extract(self, url):
        port, ext = self._match_valid_url(url).group("port", "ext")
        return {"id": "a", "title": "A", "url": f"http://127.0.0.1:{port}/a", "ext": ext}


@pytest.fixture
def port(site, ogg, play):
    """Serve a song at /a, which the sites that are played name."""
    play(HostileIE, ExtensionIE)
    return site.put("/a", ogg).rpartition(":")[2].partition("/")[0]


@pytest.mark.parametrize("word", range(len(HostileIE.WORDS)))
@pytest.mark.parametrize(("codec", "name"), [("mp3", "sound.mp3"), ("native", "sound.ogg")])
def test_no_word_of_a_stranger_reaches_a_path(codec, name, word, port, fetch):
    found = fetch(f"https://hostile.example/{word}/{port}", audio=AudioSettings(codec=codec))
    assert [path.name for path in found.path.parent.iterdir()] == [found.path.name] == [name]


@pytest.mark.parametrize("ext", ["x/../../../evil", "sh", "exe", "y" * 300, "ogg.desktop"])
def test_no_extension_of_a_stranger_reaches_a_path(ext, port, fetch, tmp_path):
    found = fetch(f"https://extension.example/{port}?{ext}", audio=AudioSettings(codec="native"))
    assert found.path.name == "sound.ogg"
    assert [path.name for path in tmp_path.iterdir()] == ["room"]
