"""Tests of the feed of the demo and of its share of correct frames. `make demo` runs the whole demo."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import numpy as np
import pytest
import requests
import soundfile

from flows.demo import FEED_TITLE, N_SONGS, frames_right, guid, served_feed
from songform.synth import Section, Song
from tasks.ingest.sources.playlists import web_listing
from tasks.settings import DownloadSettings, Settings
from tasks.store.tracks import feed_key

SR, HOP = 22050, 512


def song(seconds, *sections, title="So What & <b>more</b>"):
    t = np.arange(round(seconds * SR)) / SR
    y = (0.3 * np.sin(2 * np.pi * 330 * t)).astype(np.float32)
    return Song(title, y, SR, tuple(Section(*section) for section in sections))


def ran(**segments):
    """Return the reports of some songs with the segments found in each."""
    return [
        {
            "track": {"key": key, "duration": found[-1][1]},
            "segments": [{"start": start, "end": end, "state": state} for start, end, state in found],
        }
        for key, found in segments.items()
    ]


TRUTH = song(10.0, (0.0, 4.0, "Calm"), (4.0, 10.0, "Energetic"))


def test_share_is_1_if_all_states_are_correct_and_0_if_all_are_wrong():
    assert frames_right(ran(a=[(0.0, 4.0, "Calm"), (4.0, 10.0, "Energetic")]), {"a": TRUTH}, Settings())[0] == 1
    assert frames_right(ran(a=[(0.0, 4.0, "Energetic"), (4.0, 10.0, "Calm")]), {"a": TRUTH}, Settings())[0] == 0
    assert frames_right(ran(), {}, Settings()) == (0.0, {})


def test_share_counts_single_frames():
    share, by_track = frames_right(ran(a=[(0.0, 10.0, "Calm")]), {"a": TRUTH}, Settings())
    times = np.arange(1 + 10 * SR // HOP) * HOP / SR
    assert share == by_track["a"] == pytest.approx((times < 4).mean())


def test_songs_are_weighted_by_their_length():
    short, long = song(10.0, (0.0, 10.0, "Calm")), song(30.0, (0.0, 30.0, "Calm"))
    report = ran(short=[(0.0, 10.0, "Calm")], long=[(0.0, 30.0, "Energetic")])
    share, by_track = frames_right(report, {"short": short, "long": long}, Settings())
    assert by_track == {"short": 1.0, "long": 0.0}
    counts = [1 + seconds * SR // HOP for seconds in (10, 30)]
    assert share == pytest.approx(counts[0] / sum(counts))


def test_share_hardly_depends_on_the_hop_length():
    found = [(0.0, 5.0, "Calm"), (5.0, 10.0, "Energetic")]
    fine = Settings.model_validate({"frames": {"hop_length": 128}})
    coarse, finer = (frames_right(ran(a=found), {"a": TRUTH}, settings)[0] for settings in (Settings(), fine))
    assert coarse == pytest.approx(0.9, abs=0.01)
    assert finer == pytest.approx(coarse, abs=0.01)


def test_feed_is_rss_with_guids_durations_and_audio(tmp_path):
    songs = [song(2.0, (0.0, 2.0, "Calm")), song(3.4, (0.0, 3.4, "Calm"), title="Là-bas")]
    with served_feed(tmp_path, songs, 7) as url:
        channel = ET.fromstring(requests.get(url, timeout=10).content).find("channel")
        assert channel.findtext("title") == FEED_TITLE
        items = channel.findall("item")
        assert [item.findtext("title") for item in items] == [each.title for each in songs]
        assert [item.findtext("guid") for item in items] == [guid(7, 0), guid(7, 1)]
        duration = "{http://www.itunes.com/dtds/podcast-1.0.dtd}duration"
        assert [item.findtext(duration) for item in items] == ["2", "3"]
        for item, each in zip(items, songs, strict=True):
            answer = requests.get(item.find("enclosure").get("url"), timeout=10)
            assert answer.headers["Content-Type"] in {"audio/flac", "audio/x-flac"}
            (tmp_path / "heard.flac").write_bytes(answer.content)
            y, sr = soundfile.read(tmp_path / "heard.flac")
            assert sr == each.sr
            assert np.abs(y - each.y).max() < 1e-4
    with pytest.raises(requests.ConnectionError):
        requests.get(url, timeout=10)


def test_yt_dlp_lists_the_feed_with_the_keys_of_the_true_forms(tmp_path):
    """The key depends only on the GUID, not on the port."""
    songs = [song(1.0, (0.0, 1.0, "Calm"), title=f"Song {n}") for n in range(2)]
    for seed, folder in ((0, tmp_path / "a"), (0, tmp_path / "b"), (1, tmp_path / "c")):
        folder.mkdir()
        with served_feed(folder, songs, seed) as url:
            tracks = web_listing(url, settings=DownloadSettings(allow_private=True)).tracks
        assert [track.key for track in tracks] == [feed_key(FEED_TITLE, guid(seed, n)) for n in range(2)]
        assert [track.title for track in tracks] == ["Song 0", "Song 1"]
    assert N_SONGS >= 6
