"""yt-dlp as a library: it leaves no traces, and streams that need another program are refused."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from yt_dlp.downloader.external import FFmpegFD
from yt_dlp.extractor.common import InfoExtractor
from yt_dlp.utils import DownloadError

from songform.audio.headers import ffmpeg_banner
from songform.audio.stream import open_audio
from songform.errors import TrackError
from tasks.ingest.fetch.download import download_track
from tasks.ingest.fetch.ytdlp import youtube_dl
from tasks.settings import AudioSettings
from tasks.store.tracks import Track

pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")

KEY, IV = bytes(range(16)), bytes(16)


class OddIE(InfoExtractor):
    """Extractor that takes the protocol of its media from the address."""

    _VALID_URL = r"https?://odd\.example/(?P<protocol>\w+)\?(?P<url>.+)"

    def _real_extract(self, url):
        protocol, media = self._match_valid_url(url).group("protocol", "url")
        return {"id": "a", "title": "A", "url": media, "ext": "mp4", "protocol": protocol}


@pytest.fixture
def fetch(play, tmp_path, ffmpeg, patience):
    """Return a function that downloads an address into the test's folder."""
    play(OddIE)

    def fetch(url, **options):
        track = Track(key="web-0", title="Song", source=url, entry={"_type": "url", "url": url})
        options = {"audio": AudioSettings(), "download": patience, "ffmpeg": ffmpeg, **options}
        return download_track(track, tmp_path / "room", **options)

    return fetch


@pytest.fixture(autouse=True)
def no_program_is_sent_anywhere(tmp_path_factory, monkeypatch):
    """Put programs on PATH that log their arguments, and check at the end that none was called with an address."""
    folder = tmp_path_factory.mktemp("bin")
    trace = folder / "trace"
    trace.touch()
    for name in ("ffmpeg", "ffprobe", "rtmpdump", "aria2c", "curl"):
        program = folder / name
        program.write_text(f'#!/bin/sh\necho "$@" >> {trace}\necho {name} version 9.0\n')
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    yield
    assert "://" not in trace.read_text()


@pytest.fixture(scope="session")
def pieces(tmp_path_factory, sound, ffmpeg):
    """Return six seconds of AAC as MPEG-TS segments of two seconds."""
    folder = tmp_path_factory.mktemp("pieces")
    (folder / "tone.wav").write_bytes(sound("WAV", 440.0, 6.0))
    command = [ffmpeg, "-v", "error", "-i", str(folder / "tone.wav"), "-c:a", "aac", "-f", "segment"]
    subprocess.run([*command, "-segment_time", "2", str(folder / "%d.ts")], check=True)
    return [(folder / f"{number}.ts").read_bytes() for number in range(3)]


@pytest.fixture
def stream(site, pieces):
    """Return a function that serves an HLS playlist of the segments."""

    def stream(*before, end="#EXT-X-ENDLIST", pieces=pieces):
        lines = ["#EXTM3U", "#EXT-X-VERSION:3", "#EXT-X-TARGETDURATION:3", "#EXT-X-MEDIA-SEQUENCE:0", *before]
        for number, piece in enumerate(pieces):
            site.put(f"/{number}.ts", piece, "video/mp2t")
            lines += ["#EXTINF:2,", f"{number}.ts"]
        return site.put("/a.m3u8", "\n".join([*lines, end, ""]), "application/vnd.apple.mpegurl")

    return stream


def heard(path, ffmpeg):
    with open_audio(path, ffmpeg=ffmpeg) as audio:
        return sum(map(len, audio)) / audio.sr


@pytest.mark.parametrize(("codec", "suffix"), [("mp3", ".mp3"), ("native", ".m4a")])
def test_hls_playlist_becomes_one_audio_file(codec, suffix, stream, fetch, ffmpeg):
    found = fetch(stream(), audio=AudioSettings(codec=codec))
    assert found.path.suffix == suffix
    assert re.search(r"Input #0, (mp3|mov,)", ffmpeg_banner(found.path, ffmpeg))
    assert heard(found.path, ffmpeg) == pytest.approx(6.0, abs=0.1)


def test_aes_128_fragments_with_a_public_key_are_decrypted(site, stream, pieces, fetch, ffmpeg):
    """For AES-128 with a public key, yt-dlp would by default call ffmpeg, which is faster."""
    cipher, locked = Cipher(algorithms.AES(KEY), modes.CBC(IV)), []
    for piece in pieces:
        padder, encryptor = padding.PKCS7(128).padder(), cipher.encryptor()
        padded = padder.update(piece) + padder.finalize()
        locked.append(encryptor.update(padded) + encryptor.finalize())
    key = site.put("/key", KEY, "application/octet-stream")
    found = fetch(stream(f'#EXT-X-KEY:METHOD=AES-128,URI="{key}",IV=0x{IV.hex()}', pieces=locked))
    assert heard(found.path, ffmpeg) == pytest.approx(6.0, abs=0.1)


def test_missing_fragment_fails_the_attempt(site, stream, fetch):
    url = stream()
    site.answers["/1.ts"][0].status = 404
    with pytest.raises(TrackError):
        fetch(url)


@pytest.mark.parametrize("ask", ["{}", "https://odd.example/m3u8_native?{}", "https://odd.example/m3u8?{}"])
@pytest.mark.parametrize(
    ("playlist", "expected"),
    [
        (['#EXT-X-KEY:METHOD=SAMPLE-AES,URI="key"', "#EXT-X-ENDLIST"], ("permanent", "its stream is encrypted")),
        (['#EXT-X-KEY:METHOD=AES-128,URI="skd://a"', "#EXT-X-ENDLIST"], ("permanent", "DRM")),
        (["#EXT-X-PLAYLIST-TYPE:EVENT"], ("later", "it is a live stream; ingest it again when it is over")),
        ([], ("later", "it is a live stream")),
    ],
)
def test_live_and_drm_protected_playlists_are_refused(ask, playlist, expected, stream, fetch):
    """yt-dlp would download the current part of a live stream and report success."""
    failure, words = expected
    with pytest.raises(TrackError, match=words) as caught:
        fetch(ask.format(stream(*playlist, end="")))
    assert caught.value.failure == failure


def test_vod_playlist_needs_no_end_tag(stream, fetch):
    assert fetch(f"https://odd.example/m3u8_native?{stream('#EXT-X-PLAYLIST-TYPE:VOD', end='')}").path.is_file()


@pytest.mark.parametrize("protocol", ["rtmp", "rtmp_ffmpeg", "websocket_frag", "mhtml", "fc2_live", "niconico_live"])
def test_protocols_that_need_another_program_are_refused(protocol, site, fetch):
    with pytest.raises(TrackError, match=rf"protocol \({protocol}\) .* another program.*another copy") as caught:
        fetch(f"https://odd.example/{protocol}?{site.url}/a")
    assert caught.value.failure == "permanent"
    assert site.asked == []


def test_playlist_for_which_a_site_requests_ffmpeg_is_downloaded_without_it(stream, fetch, ffmpeg):
    assert heard(fetch(f"https://odd.example/m3u8?{stream()}").path, ffmpeg) == pytest.approx(6.0, abs=0.1)


def test_yt_dlp_cannot_find_ffmpeg(site, tmp_path):
    with youtube_dl({}) as ydl:
        stream = FFmpegFD(ydl, ydl.params)
        with pytest.raises(DownloadError, match="ffmpeg could not be found"):
            stream.real_download(str(tmp_path / "a"), {"url": site.url, "protocol": "m3u8", "ext": "mp4"})
    assert site.asked == []


@pytest.mark.parametrize(("allowed", "expected"), [(False, (0, "")), (True, (1, "the plugin runs\n"))])
def test_plugins_in_the_working_folder_run_only_if_allowed(allowed, expected, tmp_path, monkeypatch):
    monkeypatch.delenv("YTDLP_NO_PLUGINS", raising=False)
    plugin = tmp_path / "yt_dlp_plugins" / "extractor" / "evil.py"
    plugin.parent.mkdir(parents=True)
    plugin.write_text("raise SystemExit('the plugin runs')")
    program = f"""
import sys
sys.path.insert(0, ".")
from tasks.settings import DownloadSettings
from tasks.ingest.fetch.ytdlp import youtube_dl
youtube_dl({{}}, settings=DownloadSettings(allow_plugins={allowed})).close()
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == expected


@pytest.fixture
def new_home(tmp_path, monkeypatch):
    """Use an empty folder as home and working folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / ".config"))
    return tmp_path


def test_users_yt_dlp_configuration_is_not_read(new_home):
    for folder in (new_home / ".config" / "yt-dlp", new_home):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "yt-dlp.conf").write_text("--proxy http://127.0.0.1:9\n--exec 'touch evil'\n")
    with youtube_dl({}) as ydl:
        assert (ydl.proxies, ydl._pps["after_move"]) == ({}, [])


def test_nothing_is_printed_and_no_cache_is_kept(site, ogg, patience, capfd, new_home):
    with youtube_dl({}, settings=patience) as ydl:
        ydl.extract_info(site.put("/a.ogg", ogg), download=False)
    assert capfd.readouterr() == ("", "")
    assert list(new_home.iterdir()) == []


def test_retry_delay_grows_up_to_a_limit(monkeypatch):
    monkeypatch.undo()
    with youtube_dl({}) as ydl:
        pauses = [ydl.params["retry_sleep_functions"]["http"](n=n) for n in (0, 1, 2, 50)]
    assert pauses == [1.0, 2.0, 4.0, 30.0]
