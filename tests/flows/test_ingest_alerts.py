"""Tests that an ingest sends each alert once, checks nothing without recipients, and never fails because of alerts."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta

import pytest

import flows.ingest_alerts
from flows.demo import served_feed
from flows.ingest import ingest, report_of
from flows.ingest_alerts import IngestAlerts
from songform.errors import SourceError
from tasks.store.corpus import Corpus

WRITE = "import sys; open(sys.argv[1], 'a').write(sys.stdin.read() + '\\n')"


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


@pytest.fixture
def listening(quick, tmp_path):
    """Return a function for settings whose command writes alerts to a file, and a function that reads the file."""

    def settings(command=(sys.executable, "-c", WRITE, str(tmp_path / "told")), **notify):
        wanted = {"command": list(command), "disk_gigabytes": 0.0, "yt_dlp_days": 10**6, **notify}
        return quick.model_copy(update={"notify": quick.notify.model_validate({**quick.notify.model_dump(), **wanted})})

    def told():
        path = tmp_path / "told"
        events = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        return [(event["event"], event["subject"]) for event in events]

    return settings, told


def known(home):
    """Return the conditions that are recorded in the home."""
    return set(json.loads((home / "data" / "alarms.json").read_text()))


@pytest.mark.usefixtures("api", "no_pauses")
def test_few_successes_and_a_full_disk_are_each_alerted_once(songs, home, listening, tmp_path):
    settings, told = listening
    (tmp_path / "feed").mkdir()
    with served_feed(tmp_path / "feed", songs[:3], 0) as url:
        for number in (0, 1):
            (tmp_path / "feed" / f"{number}.flac").write_bytes(b"")
        report = ingest(home, [url], settings())
        assert len(report.done) == 1
        assert told() == [("few-successes", url)]
        ingest(home, [url], settings(disk_gigabytes=1e9))  # the two failed tracks are not due and not counted
        assert told() == [("few-successes", url), ("disk-nearly-full", str(home / "data"))]
        assert known(home) == {f"few-successes {url}", f"disk-nearly-full {home / 'data'}"}


@pytest.mark.usefixtures("api", "no_pauses")
def test_failing_playlist_is_recorded_and_other_alerts_are_sent_immediately(home, listening, tmp_path):
    settings, told = listening
    (tmp_path / "feed").mkdir()
    with served_feed(tmp_path / "feed", [], 0) as url:
        gone = url.replace("feed.rss", "gone.rss")
        with pytest.raises(SourceError, match="404 Not Found"):
            ingest(home, [gone], settings(disk_gigabytes=1e9))
    assert known(home) == {f"playlist-failing {gone}", f"disk-nearly-full {home / 'data'}"}
    assert told() == [("disk-nearly-full", str(home / "data"))]  # the playlist is alerted after three days


@pytest.mark.usefixtures("api")
def test_missing_path_counts_as_a_playlist_only_if_songform_toml_lists_it(home, listening):
    settings, _ = listening
    nowhere = str(home / "nowhere")
    playlists = type(settings()).model_validate({"playlists": [{"url": nowhere}]}).playlists
    for listed, expected in (((), set()), (playlists, {f"playlist-failing {nowhere}"})):
        with pytest.raises(SourceError):
            ingest(home, [nowhere], settings(disk_gigabytes=1e9).model_copy(update={"playlists": listed}))
        assert known(home) - {f"disk-nearly-full {home / 'data'}"} == expected


@pytest.mark.usefixtures("api")
def test_long_pause_of_a_host_is_alerted(home, listening, audio_files):
    from tasks.ingest.fetch.host_rate_limiter import HostRateLimiter

    settings, told = listening
    Corpus(home).prepare()
    HostRateLimiter(Corpus(home).hosts_path, "a.example", settings().download).throttle(
        robot=True, reason="a check for robots"
    )
    ingest(home, [str(audio_files[0])], settings())
    assert told() == [("circuit-open", "a.example")]


def test_long_pause_is_alerted_if_it_ended_within_the_ingest_but_not_earlier(home, listening):
    from tasks.ingest.fetch.host_rate_limiter import HostRateLimiter

    settings, told = listening
    corpus, now = Corpus(home), datetime.now(UTC)
    corpus.prepare()
    began = now.timestamp() - 5000.0
    HostRateLimiter(corpus.hosts_path, "a.example", settings().download, now=lambda: began).throttle(robot=True)
    IngestAlerts(corpus, settings(), began=now - timedelta(seconds=60)).send()
    assert told() == []
    IngestAlerts(corpus, settings(), began=now - timedelta(seconds=6000)).send()
    assert told() == [("circuit-open", "a.example")]


@pytest.mark.usefixtures("api")
def test_nothing_is_checked_without_recipients(home, quick, audio_files, monkeypatch):
    monkeypatch.setattr(flows.ingest_alerts, "raise_alarms", None)  # calling it raises TypeError
    monkeypatch.setattr(flows.ingest_alerts, "host_pauses", None)
    assert len(ingest(home, [str(audio_files[0])], quick).done) == 1
    assert not (home / "data" / "alarms.json").exists()


@pytest.mark.usefixtures("api")
def test_defect_in_alerts_does_not_fail_the_ingest(home, listening, audio_files, monkeypatch, caplog):
    settings, told = listening
    monkeypatch.setattr(flows.ingest_alerts, "host_pauses", lambda corpus: 1 / 0)
    assert len(ingest(home, [str(audio_files[0])], settings()).done) == 1
    assert "alarms of this ingest could not be sent" in caplog.text
    assert told() == []


@pytest.mark.usefixtures("api")
def test_undelivered_alert_is_a_note_of_the_report(home, listening, audio_files):
    settings, _ = listening
    state = ingest(
        home, [str(audio_files[0])], settings(["/nowhere/to/be/found"], disk_gigabytes=1e9), return_state=True
    )
    assert state.name == "Completed"
    (note,) = report_of(state).notes
    assert "disk-nearly-full" in note
    assert "could not be delivered" in note
