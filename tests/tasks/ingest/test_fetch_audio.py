"""Download task, and reuse of existing downloads with the same settings."""

from __future__ import annotations

import time
import traceback
from contextlib import contextmanager
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from prefect.states import Failed

from songform.audio.stream import open_audio
from songform.errors import FAILURE_CLASSES, CorpusError, SourceError, TrackError
from tasks.ingest.fetch.host_rate_limiter import HostRateLimiter, host_limiter
from tasks.ingest.fetch_audio import existing_audio, fetch_audio, remove_leftover_downloads
from tasks.ingest.sources.local_files import local_listing
from tasks.ingest.track_locks import locked_tracks
from tasks.ingest.track_outcomes import record_failure
from tasks.settings import Settings
from tasks.store.corpus import Corpus
from tasks.store.tracks import Track

# yt-dlp leaves interrupted connections to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")

MP3, COARSE, NATIVE = (
    Settings.model_validate(
        {"audio": audio, "download": {"timeout_seconds": 1.0, "allow_private": True, "host_seconds": 0.0}}
    )
    for audio in ({}, {"bitrate": 64}, {"codec": "native"})
)


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


@pytest.fixture
def track(site, flac):
    """Return a track for a FLAC file on the test server."""
    url = site.put("/a.flac", flac, "audio/flac")
    return Track(key="web-0", title="Song", source=url, entry={"_type": "url", "url": url})


def fetch(home, track, settings=NATIVE):
    """Run the task function without Prefect."""
    return fetch_audio.fn(home, track, settings)


def a_track(url, key="web-2", **more):
    return Track(key=key, title="Song", source=url, entry={"_type": "url", "url": url}, **more)


def left_behind(home):
    """Return the names of all files except those of the rate limiters."""
    return sorted(path.name for path in home.rglob("*") if path.is_file() and path.parent != Corpus(home).hosts_path)


def seconds_from_now(time):
    return (datetime.fromisoformat(time) - datetime.now(UTC)).total_seconds()


def kept(home, path):
    """Move a download to the folder for kept audio, as the extraction does."""
    target = Corpus(home).data / "audio" / path.relative_to(Corpus(home).data / "incoming")
    target.parent.mkdir(parents=True)
    return path.replace(target)


def test_download_is_stored_in_the_folder_of_its_encoding(home, track, flac):
    assert fetch(home, track, MP3).path == home / "data/incoming/mp3-192/web-0.mp3"
    assert fetch(home, track, NATIVE).path == home / "data/incoming/native/web-0.flac"
    assert (home / "data/incoming/native/web-0.flac").read_bytes() == flac
    assert left_behind(home) == ["web-0.flac", "web-0.mp3"]


@pytest.mark.parametrize("place", [lambda home, path: path, kept])
def test_audio_of_another_codec_or_bit_rate_is_not_used(home, track, place):
    for number, settings in enumerate((MP3, COARSE, NATIVE)):
        others = (MP3, COARSE, NATIVE)[number:]
        assert [existing_audio(home, track, each) for each in others] == [None] * len(others)
        path = place(home, fetch(home, track, settings).path)
        assert existing_audio(home, track, settings) == path
    sizes = {existing_audio(home, track, settings).stat().st_size for settings in (MP3, COARSE, NATIVE)}
    assert len(sizes) == 3


def test_bit_rate_does_not_apply_to_native_files(home, track):
    path = fetch(home, track).path
    coarse = Settings.model_validate({"audio": {"codec": "native", "bitrate": 64, "keep": True}})
    assert existing_audio(home, track, coarse) == path


def test_local_file_is_used_with_any_settings(home, song):
    (local,) = local_listing(song("a.flac")).tracks
    for settings in (MP3, COARSE, NATIVE):
        assert str(existing_audio(home, local, settings)) == local.path
    assert not home.exists()


@pytest.mark.parametrize("served_as", ["/a.mov video/quicktime", "/a.spx audio/x", "/a application/octet-stream"])
def test_suffix_of_a_download_is_determined_by_its_content(home, site, flac, ffmpeg, served_as):
    path, content_type = served_as.split()
    url = site.put(path, flac, content_type)
    odd = Track(key="web-1", title="Odd", source=url, entry={"_type": "url", "url": url})
    found = fetch(home, odd).path
    assert found == home / "data/incoming/native/web-1.flac"
    assert existing_audio(home, odd, NATIVE) == found
    with open_audio(found, ffmpeg=ffmpeg) as audio:
        assert sum(map(len, audio)) == 3 * audio.sr


def test_failed_download_is_recorded_and_leaves_no_file_and_no_frames(home, site):
    with pytest.raises(TrackError, match="is not audio") as caught:
        fetch(home, a_track(site.put("/a.flac", b"<html>", "audio/flac")))
    record = Corpus(home).record("web-2")
    assert (record.status, record.error.failure, record.attempts) == ("failed", "transient", 1)
    assert 8 < seconds_from_now(record.next_retry_at) <= 10
    assert left_behind(home) == ["web-2.json"]
    frames = [frame.f_code.co_filename for frame, _ in traceback.walk_tb(caught.value.__traceback__)]
    assert not any("download.py" in name or "yt_dlp" in name for name in frames)
    assert caught.value.__context__ is None


@pytest.mark.parametrize(("headers", "pause"), [({"Retry-After": "3"}, 3), ({}, 60)])
def test_throttling_host_is_paused_for_all_tracks(headers, pause, home, site):
    track = a_track(site.put("/a.flac", status=429, headers=headers))
    with pytest.raises(TrackError) as caught:
        fetch(home, track)
    assert (caught.value.failure, caught.value.robot) == ("throttled", False)
    assert pause - 2 < caught.value.retry_after <= pause
    assert pause - 2 < seconds_from_now(Corpus(home).record("web-2").next_retry_at) <= pause + 1
    limiter = host_limiter(Corpus(home), a_track(f"{site.url}/b.flac", key="web-3"), NATIVE.download)
    assert pause - 2 < limiter.paused_until() - time.time() <= pause


def test_retry_after_of_a_busy_server_is_observed(home, site):
    with pytest.raises(TrackError) as caught:
        fetch(home, a_track(site.put("/a.flac", status=503, headers={"Retry-After": "100"})))
    assert caught.value.failure == "transient"
    assert 98 < caught.value.retry_after <= 100
    assert 98 < seconds_from_now(Corpus(home).record("web-2").next_retry_at) <= 101


def test_bot_check_pauses_the_host_for_an_hour(home, monkeypatch):
    def refuse(*_, **__):
        raise TrackError("Sign in to confirm you're not a bot", "throttled", robot=True)

    monkeypatch.setattr("tasks.ingest.fetch_audio.download_track", refuse)
    with pytest.raises(TrackError):
        fetch(home, a_track("https://www.youtube.com/watch?v=1"))
    assert 3590 < seconds_from_now(Corpus(home).record("web-2").next_retry_at) <= 3601
    state = fetch(home, a_track("https://youtu.be/2", key="web-3"))
    assert (state.is_completed(), state.name) == (True, "Skipped")
    assert "requests to youtube are paused until " in state.message
    assert "automated client" in state.message


def test_track_of_a_paused_host_is_skipped_without_a_request(home, site, flac):
    track = a_track(site.put("/a.flac", flac, "audio/flac"))
    until = host_limiter(Corpus(home), track, NATIVE.download).throttle(5000.0)
    state = fetch(home, track)
    assert (state.is_completed(), state.name) == (True, "Skipped")
    record = Corpus(home).record("web-2")
    assert (record.status, record.error.failure, record.attempts) == ("skipped", "throttled", 0)
    assert abs(datetime.fromisoformat(record.next_retry_at).timestamp() - until) <= 1
    assert site.asked == []


def test_retry_with_a_paused_host_is_a_failure_and_not_skipped(home, site, monkeypatch):
    track = a_track(site.put("/a.flac", status=503))
    with pytest.raises(TrackError):
        fetch(home, track)
    record = Corpus(home).record("web-2")
    host_limiter(Corpus(home), track, NATIVE.download).throttle(5000.0)
    monkeypatch.setenv("PREFECT__RUNTIME__TASK_RUN__RUN_COUNT", "2")
    with pytest.raises(TrackError, match="503") as caught:
        fetch(home, track)
    assert Corpus(home).record("web-2") == record
    assert not worth_another(caught.value, monkeypatch)


def test_download_of_the_same_short_length_in_a_later_ingest_is_permanent(home, site, sound, monkeypatch):
    ogg = sound("OGG", 440.0, 20.0)
    track = a_track(site.put("/a.ogg", ogg[: len(ogg) // 2], "audio/ogg", announced=-1), duration=20.0)
    found = []
    for attempt in ("1", "2", "1"):
        monkeypatch.setenv("PREFECT__RUNTIME__TASK_RUN__RUN_COUNT", attempt)
        with pytest.raises(TrackError, match="cut short") as caught:
            fetch(home, track)
        found.append(caught.value.failure)
    assert found == ["transient", "transient", "permanent"]
    record = Corpus(home).record("web-2")
    assert (record.error.failure, record.next_retry_at) == ("permanent", None)
    assert 5.0 < record.measured < 15.0
    assert str(caught.value) == record.error.message


def test_second_403_needs_the_user(home, site):
    track = a_track(site.put("/a.flac", status=403))
    for failure in ("transient", "needs-you"):
        with pytest.raises(TrackError) as caught:
            fetch(home, track)
        assert caught.value.failure == Corpus(home).record("web-2").error.failure == failure


def test_time_limit_applies_to_all_attempts_of_an_ingest_together(home, monkeypatch):
    """Pauses do not count, and a server that closes the connection before the limit does not get more time."""
    now, spent = [0.0], []
    monkeypatch.setattr("tasks.ingest.fetch.deadline.time", SimpleNamespace(monotonic=lambda: now[0]))

    def broken_off(*_, **options):
        spent.append(options["spent"])
        now[0] += 600.0
        raise TrackError("it breaks off", "transient")

    @contextmanager
    def after_a_pause(self):
        now[0] += 900.0
        yield

    monkeypatch.setattr("tasks.ingest.fetch_audio.download_track", broken_off)
    monkeypatch.setattr(HostRateLimiter, "slot", after_a_pause)
    for attempt in ("1", "2", "3", "1"):
        monkeypatch.setenv("PREFECT__RUNTIME__TASK_RUN__RUN_COUNT", attempt)
        with pytest.raises(TrackError, match="breaks off"):
            fetch(home, a_track("http://a.example/a.flac"))
    assert spent == [0.0, 600.0, 1200.0, 0.0]
    assert Corpus(home).record("web-2").spent == 600.0


def test_track_whose_time_is_used_up_is_not_requested_again(home, site, flac, monkeypatch):
    track = a_track(site.put("/a.flac", flac, "audio/flac"))
    record_failure(Corpus(home), track, TrackError("it breaks off", "transient"), spent=1801.0)
    monkeypatch.setenv("PREFECT__RUNTIME__TASK_RUN__RUN_COUNT", "2")
    with pytest.raises(TrackError, match=r"the download takes longer than download\.max_minutes = 30") as caught:
        fetch(home, track)
    assert caught.value.failure == Corpus(home).record("web-2").error.failure == "permanent"
    assert site.asked == []


def test_invalid_address_is_a_failure_of_the_track(home):
    with pytest.raises(TrackError, match="its address is not valid") as caught:
        fetch(home, a_track("http://[a.example/a.ogg"))
    assert caught.value.failure == Corpus(home).record("web-2").error.failure == "permanent"


def worth_another(error, monkeypatch):
    """Call the retry condition of the task, with a patience of fifteen minutes."""
    monkeypatch.setattr("prefect.runtime.task_run", SimpleNamespace(parameters={"settings": Settings()}))
    return fetch_audio.prefect_task.retry_condition_fn(None, None, Failed(data=error))


@pytest.mark.parametrize(
    ("error", "worth"),
    [
        *[(TrackError("x", failure), failure in {"transient", "throttled"}) for failure in FAILURE_CLASSES],
        (TrackError("x", "throttled", retry_after=900.0), True),
        (TrackError("x", "throttled", retry_after=901.0), False),
        (TrackError("x", "transient", retry_after=901.0), False),
        (SourceError("x", "transient"), True),
        (SourceError("x", "permanent"), False),
        (SourceError("x"), False),
        (CorpusError("the disk is full"), False),
        (ZeroDivisionError(), False),
    ],
)
def test_prefect_retries_only_failures_that_may_pass_within_the_ingest(error, worth, monkeypatch):
    assert worth_another(error, monkeypatch) == worth


def test_leftover_download_of_a_finished_track_is_removed(home):
    """A download is left over if the process is killed between writing the record and removing the download."""
    corpus, finished = Corpus(home), a_track("http://a.example/a.flac")
    paths = [corpus.incoming_path(key, NATIVE.audio.encoding, ".flac") for key in (finished.key, "web-other")]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    with locked_tracks(corpus, [finished.key]):
        remove_leftover_downloads(home, [finished], NATIVE)
        assert [path.exists() for path in paths] == [True, True]
    remove_leftover_downloads(home, [finished], NATIVE)
    assert [path.exists() for path in paths] == [False, True]
