"""Manifests that list too many segments are refused before yt-dlp expands them in memory."""

from __future__ import annotations

from xml.etree.ElementTree import fromstring, tostring

import pytest

from songform.errors import SourceError, TrackError
from tasks.ingest.fetch.download import download_track
from tasks.ingest.fetch.stream_manifests import MAX_SEGMENTS, refuse_long_dash, refuse_long_hls, refuse_long_smooth
from tasks.ingest.sources.resolve_source import list_tracks
from tasks.settings import AudioSettings
from tasks.store.tracks import Track

pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")

MANY = r"its stream lists \d+ segments, more than any song.*; find another copy of it$"
WIDE = r"its stream has an invalid segment template; find another copy of it$"
ENDLESS_HLS = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n" + "#EXTINF:1,\na.ts\n" * (MAX_SEGMENTS + 1) + "#EXT-X-ENDLIST\n"


def dash(template, *, length="PT3H", quality="1", n_qualities=1):
    """Return a DASH manifest with some qualities."""
    one = f'<Representation id="{quality}" bandwidth="1" codecs="opus">{template}</Representation>'
    head = f'<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" mediaPresentationDuration="{length}">'
    return f'{head}<Period><AdaptationSet mimeType="audio/webm">{one * n_qualities}</AdaptationSet></Period></MPD>'


def timeline(*pieces, media="$Number$.webm"):
    listed = "".join(f'<S d="1" r="{repeat}"/>' for repeat in pieces)
    return f'<SegmentTemplate media="{media}"><SegmentTimeline>{listed}</SegmentTimeline></SegmentTemplate>'


def every(duration, timescale=1, media="$Number$.webm"):
    return f'<SegmentTemplate media="{media}" duration="{duration}" timescale="{timescale}" startNumber="1"/>'


def smooth(repeat, n_qualities=1):
    """Return a Smooth Streaming manifest."""
    quality = '<QualityLevel Bitrate="1" FourCC="AACL" SamplingRate="44100" Channels="2"/>' * n_qualities
    stream = (
        f'<StreamIndex Type="audio" Url="{{bitrate}}/{{start time}}">{quality}<c d="1" r="{repeat}"/></StreamIndex>'
    )
    return f'<SmoothStreamingMedia Duration="1">{stream}</SmoothStreamingMedia>'


BOMBS = [
    (dash(timeline(2_000_000_000)), MANY),
    (dash(timeline(*[1000] * 600)), MANY),
    (dash(timeline(100_000), n_qualities=6), MANY),
    (dash(every(1, 1_000_000)), MANY),
    (dash(every(1), length="PT9999999H"), MANY),
    (dash(every(1e-300)), MANY),
    (dash(every(-1, 1_000_000)), MANY),
    (dash(every(1, media="$Number%0999999999d$")), WIDE),
    (dash(every(1, media="$Number%0$RepresentationID$d$"), quality="999999999"), WIDE),
    (dash(every(1, media="$Number$RepresentationID$"), quality="%0999999999d$"), r"quality .*template characters"),
    (dash(every("", 1_000_000_000)).replace("<Repr", f"{every(1)}<Repr", 1), MANY),
    (smooth(2_000_000_000), MANY),
    (smooth(100_000, n_qualities=6), MANY),
]
HARMLESS = [
    dash(timeline(10_800, 0), n_qualities=30),
    dash(every(2), n_qualities=30),
    dash(every("x", "y")),
    dash(every(1, media="a%20b/$RepresentationID$/$Number%05d$-$Bandwidth$$$.webm"), quality="audio-1"),
    smooth(10_800, n_qualities=30),
]


@pytest.mark.parametrize(("manifest", "words"), BOMBS)
def test_manifest_with_too_many_segments_is_refused(manifest, words):
    refuse = refuse_long_smooth if "Smooth" in manifest else refuse_long_dash
    with pytest.raises(TrackError, match=words) as caught:
        refuse(fromstring(manifest))
    assert caught.value.failure == "permanent"


@pytest.mark.parametrize("manifest", HARMLESS)
def test_manifest_of_a_long_song_in_many_qualities_is_accepted(manifest):
    tree = fromstring(manifest)
    (refuse_long_smooth if "Smooth" in manifest else refuse_long_dash)(tree)
    assert tostring(tree) == tostring(fromstring(manifest))  # yt-dlp reads it next


def test_hls_playlist_with_too_many_segments_is_refused():
    with pytest.raises(TrackError, match=MANY):
        refuse_long_hls(ENDLESS_HLS)
    refuse_long_hls(ENDLESS_HLS[: len(ENDLESS_HLS) // 2])


@pytest.fixture
def fetch(tmp_path, ffmpeg, patience):
    """Return a function that downloads an address into the test's folder."""

    def fetch(url):
        track = Track(key="web-0", title="Song", source=url, entry={"_type": "url", "url": url})
        return download_track(track, tmp_path, audio=AudioSettings(), download=patience, ffmpeg=ffmpeg)

    return fetch


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (BOMBS[0][0], "application/dash+xml"),
        (BOMBS[7][0], "text/xml"),
        (BOMBS[11][0], "text/xml"),
        (ENDLESS_HLS, "application/vnd.apple.mpegurl"),
        (ENDLESS_HLS, "text/plain"),
    ],
)
def test_manifest_with_too_many_segments_is_refused_before_yt_dlp_expands_it(body, content_type, site, patience, fetch):
    url = site.put("/a", body, content_type)
    with pytest.raises(SourceError, match=rf"^{url} cannot be listed: its stream ") as caught:
        list_tracks(url, settings=patience)
    assert caught.value.failure == "permanent"
    with pytest.raises(TrackError, match=rf"^Song \({url}\) cannot be downloaded: its stream ") as caught:
        fetch(url)
    assert caught.value.failure == "permanent"
