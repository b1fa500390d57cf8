"""Alerts: an ingest tells once what somebody should hear, costs nothing if nobody listens, and never breaks by it."""

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
    """Return settings with a command that writes to a file, and the reader of the file."""

    def settings(command=(sys.executable, "-c", WRITE, str(tmp_path / "told")), **notify):
        wanted = {"command": list(command), "disk_gigabytes": 0.0, "yt_dlp_days": 10**6, **notify}
        return quick.model_copy(update={"notify": quick.notify.model_validate({**quick.notify.model_dump(), **wanted})})

    def told():
        path = tmp_path / "told"
        events = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        return [(event["event"], event["subject"]) for event in events]

    return settings, told


def known(home):
    """Return the conditions that the home remembers."""
    return set(json.loads((home / "data" / "alarms.json").read_text()))


@pytest.mark.usefixtures("api", "no_pauses")
def test_an_ingest_with_few_successes_is_told_of_once_and_a_disk_that_fills_up_beside_it(
    songs, home, listening, tmp_path
):
    settings, told = listening
    (tmp_path / "feed").mkdir()
    with served_feed(tmp_path / "feed", songs[:3], 0) as url:
        for number in (0, 1):
            (tmp_path / "feed" / f"{number}.flac").write_bytes(b"")
        report = ingest(home, [url], settings())
        assert len(report.done) == 1
        assert told() == [("few-successes", url)]
        ingest(home, [url], settings(disk_gigabytes=1e9))  # the two that failed are not due, and no news
        assert told() == [("few-successes", url), ("disk-nearly-full", str(home / "data"))]
        assert known(home) == {f"few-successes {url}", f"disk-nearly-full {home / 'data'}"}


@pytest.mark.usefixtures("api", "no_pauses")
def test_a_playlist_that_cannot_be_listed_is_remembered_and_other_things_are_told_at_once(home, listening, tmp_path):
    settings, told = listening
    (tmp_path / "feed").mkdir()
    with served_feed(tmp_path / "feed", [], 0) as url:
        gone = url.replace("feed.rss", "gone.rss")
        with pytest.raises(SourceError, match="404 Not Found"):
            ingest(home, [gone], settings(disk_gigabytes=1e9))
    assert known(home) == {f"playlist-failing {gone}", f"disk-nearly-full {home / 'data'}"}
    assert told() == [("disk-nearly-full", str(home / "data"))]  # the other one has three days to mend itself


@pytest.mark.usefixtures("api")
def test_a_mistyped_path_is_nobodys_playlist_unless_songform_toml_lists_it(home, listening):
    settings, _ = listening
    nowhere = str(home / "nowhere")
    playlists = type(settings()).model_validate({"playlists": [{"url": nowhere}]}).playlists
    for listed, expected in (((), set()), (playlists, {f"playlist-failing {nowhere}"})):
        with pytest.raises(SourceError):
            ingest(home, [nowhere], settings(disk_gigabytes=1e9).model_copy(update={"playlists": listed}))
        assert known(home) - {f"disk-nearly-full {home / 'data'}"} == expected


@pytest.mark.usefixtures("api")
def test_a_host_that_wants_to_be_left_alone_for_long_is_told_of(home, listening, audio_files):
    from tasks.ingest.fetch.host_rate_limiter import HostRateLimiter

    settings, told = listening
    Corpus(home).prepare()
    HostRateLimiter(Corpus(home).hosts_path, "a.example", settings().download).throttle(
        robot=True, reason="a check for robots"
    )
    ingest(home, [str(audio_files[0])], settings())
    assert told() == [("circuit-open", "a.example")]


def test_a_long_pause_that_ended_within_the_ingest_is_told_of_and_an_older_one_is_not(home, listening):
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
def test_without_anybody_to_tell_nothing_is_looked_at(home, quick, audio_files, monkeypatch):
    monkeypatch.setattr(flows.ingest_alerts, "raise_alarms", None)  # to call it is a defect
    monkeypatch.setattr(flows.ingest_alerts, "host_pauses", None)
    assert len(ingest(home, [str(audio_files[0])], quick).done) == 1
    assert not (home / "data" / "alarms.json").exists()


@pytest.mark.usefixtures("api")
def test_whatever_breaks_here_breaks_no_ingest(home, listening, audio_files, monkeypatch, caplog):
    settings, told = listening
    monkeypatch.setattr(flows.ingest_alerts, "host_pauses", lambda corpus: 1 / 0)
    assert len(ingest(home, [str(audio_files[0])], settings()).done) == 1
    assert "the alarms of this ingest could not be raised" in caplog.text
    assert told() == []


@pytest.mark.usefixtures("api")
def test_an_alarm_that_does_not_arrive_is_a_note_of_the_report(home, listening, audio_files):
    settings, _ = listening
    state = ingest(
        home, [str(audio_files[0])], settings(["/nowhere/to/be/found"], disk_gigabytes=1e9), return_state=True
    )
    assert state.name == "Completed"
    (note,) = report_of(state).notes
    assert "disk-nearly-full" in note
    assert "could not be delivered" in note
