"""Tests that an ingest processes each track once, and that a failed track does not affect the others."""

from __future__ import annotations

import errno
import os
import shutil
from functools import partial
from pathlib import Path

import pytest
import requests
import soundfile
from prefect.states import Completed
from prefect.utilities.collections import visit_collection

import tasks.store.corpus as songform_corpus
from flows.demo import served_feed
from flows.ingest import IngestReport, ingest, ingest_batch
from flows.prefect_server.launch import free_port
from songform.errors import SourceError
from tasks.ingest.known_copies import KnownTracks
from tasks.settings import DownloadSettings, Settings
from tasks.store.corpus import Corpus
from tasks.store.tables import has_features

HTML = b"<!DOCTYPE html><html><body><h1>Sorry, this episode has moved.</h1></body></html>"
QUICK = ["--set", "download.attempts=2", "--set", "download.retry_seconds=0"]


@pytest.fixture
def broken(songs, tmp_path):
    """Serve the songs, but the first is missing, the second a web page, the third cut in half and the fourth empty."""
    folder = tmp_path / "feed"
    folder.mkdir()
    with served_feed(folder, songs, 0) as url:
        whole = {number: (folder / f"{number}.flac").read_bytes() for number in range(4)}
        (folder / "0.flac").unlink()
        (folder / "1.flac").write_bytes(HTML)
        (folder / "2.flac").write_bytes(whole[2][: len(whole[2]) // 2])
        (folder / "3.flac").write_bytes(b"")
        yield url, folder, whole


def outcomes(document):
    """Return (status, attempts, class of the failure) of each track."""
    return [(t["status"], t["attempts"], t["error"] and t["error"]["class"]) for t in document["tracks"]]


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


@pytest.mark.usefixtures("api", "no_pauses")
def test_each_bad_enclosure_fails_alone_and_is_retried_later(songform, document, broken, home):
    """The 404 is retried only with --retry-failed; the other failures are retried by the next ingest."""
    url, folder, whole = broken
    result = songform("--home", home, "--json", "ingest", url, *QUICK)
    assert result.exit_code == 3
    tracks = document(result)["tracks"]
    assert outcomes(document(result)) == [
        ("failed", 1, "permanent"),
        ("failed", 2, "transient"),
        ("failed", 2, "transient"),
        ("failed", 2, "transient"),
        ("done", 0, None),
        ("done", 0, None),
    ]
    said = [track["error"]["message"] for track in tracks[:4]]
    causes = [
        "the server answered 404 Not Found",
        "not audio, perhaps an error page",
        "is cut short: 1",
        "empty file",
    ]
    for number, (message, cause) in enumerate(zip(said, causes, strict=True)):
        assert message.startswith(f"{tracks[number]['title']} ({url.replace('feed.rss', f'{number}.flac')}) ")
        assert cause in message
        assert "; " in message  # followed by the fix
    assert [path for path in (home / "data").rglob("*") if path.suffix in {".mp3", ".tmp", ".flac"}] == []

    for number, content in whole.items():
        (folder / f"{number}.flac").write_bytes(content)
    result = songform("--home", home, "--json", "ingest", url, *QUICK)
    assert result.exit_code == 3
    assert outcomes(document(result)) == [
        ("failed", 1, "permanent"),
        *[("done", 0, None)] * 3,
        *[("cached", 0, None)] * 2,
    ]
    assert [path for path in (home / "data" / "incoming").rglob("*") if path.is_file()] == []

    result = songform("--home", home, "--json", "ingest", "--retry-failed")
    assert result.exit_code == 0
    assert outcomes(document(result)) == [("done", 0, None)]
    assert [record.status for record in Corpus(home).records()] == ["done"] * 6


def test_home_of_an_earlier_version_says_once_how_to_upgrade_it(songform, document, audio_files, home, api):
    """Nothing is made anew before, and only the spectra are written by the upgrade."""
    call = partial(songform, "--home", home, "--json")
    assert call("ingest", *audio_files[:2]).exit_code == 0
    corpus = Corpus(home)
    for record in corpus.records():
        files = {name: size for name, size in record.files.items() if not name.startswith("spectrum/")}
        corpus.save_record(record.model_copy(update={"files": files}))
    shutil.rmtree(corpus.data / "spectrum")
    tables = {path: path.stat().st_ino for path in corpus.data.rglob("*.parquet")}

    result = call("ingest", *audio_files[:2])
    found = document(result)
    assert result.exit_code == 0
    assert outcomes(found) == [("cached", 0, None)] * 2
    assert found["without_spectrum"] == [track["key"] for track in found["tracks"]]
    (note,) = found["notes"]
    assert note.startswith("2 tracks have no semitone spectrum")
    assert "songform ingest --upgrade" in note
    assert document(call("status"))["without_spectrum"] == sorted(found["without_spectrum"])
    assert not (corpus.data / "spectrum").exists()

    found = document(call("ingest", "--upgrade"))
    assert outcomes(found) == [("done", 0, None)] * 2
    assert (found["notes"], found["without_spectrum"]) == ([], [])
    assert len(list((corpus.data / "spectrum").rglob("*.parquet"))) == 2
    assert {path: path.stat().st_ino for path in tables} == tables
    assert document(call("status"))["without_spectrum"] == []


def test_feed_with_only_failures_exits_with_4(songform, document, broken, home, api):
    url, folder, _ = broken
    for path in folder.glob("*.flac"):
        path.unlink()
    result = songform("--home", home, "--json", "ingest", url, *QUICK)
    assert result.exit_code == 4
    assert outcomes(document(result)) == [("failed", 1, "permanent")] * 6


@pytest.mark.usefixtures("api")
def test_unwritable_records_are_an_error(songform, document, broken, home, monkeypatch):
    url, folder, _ = broken
    for path in folder.glob("*.flac"):
        path.unlink()
    replace = os.replace

    def full(source, target):
        if "tracks" in Path(target).parts:
            raise OSError(errno.ENOSPC, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(songform_corpus.os, "replace", full)
    result = songform("--home", home, "--json", "ingest", url, *QUICK)
    assert result.exit_code == 4
    (said,) = document(result).values()
    assert said.startswith(f"{home / 'data'} cannot be written (No space left on device); ")
    assert "disk space" in said
    assert "permissions" in said
    assert list(document(result)) == ["error"]


def test_local_files_are_read_in_place_and_not_changed(api, audio_files, quick, home):
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_mode) for path in audio_files}
    report = ingest(home, [str(audio_files[0].parent)], quick)
    assert {track["status"] for track in report.tracks} == {"done"}
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_mode) for path in audio_files} == before
    assert sorted(audio_files[0].parent.iterdir()) == sorted(audio_files)
    assert not (home / "data" / "incoming").exists()
    again = ingest(home, [str(audio_files[0].parent)], quick)
    assert {track["status"] for track in again.tracks} == {"cached"}


def test_notes_about_the_audio_of_a_track_are_notes_of_the_ingest(api, songs, quick, home, tmp_path):
    """Two MP3s are joined: all of both is read, but the header states the length of the first."""
    path = tmp_path / "joined.mp3"
    soundfile.write(path, songs[0].y, songs[0].sr)
    path.write_bytes(2 * path.read_bytes())
    report = ingest(home, [str(path)], quick)
    (track,) = report.tracks
    assert track["duration"] == pytest.approx(2 * len(songs[0].y) / songs[0].sr, abs=0.2)
    (note,) = track["notes"]
    assert "its header states" in note
    assert report.notes == [f"joined ({track['source']}): {note}"]


def test_limit_is_applied_per_source_and_duplicates_are_removed(api, audio_files, quick, home):
    folder, first = str(audio_files[0].parent), str(min(audio_files))
    report = ingest(home, [folder, first, folder], quick, limit=2)
    assert [track["title"] for track in report.tracks] == [path.stem for path in sorted(audio_files)[:2]]


def flow_runs(api, home):
    """Return the names of the flow runs of a home."""
    runs = requests.post(f"{api}/flow_runs/filter", json={"limit": 200}, timeout=30).json()
    return sorted(run["name"] for run in runs if run["parameters"].get("home") == str(home))


def test_only_several_batches_are_sub_flows(api, audio_files, quick, home, monkeypatch):
    paths = [str(path) for path in audio_files[:3]]
    subflows = [f"ingest {audio_files[first].stem} and others" for first in (0, 2)]
    for size, expected in ((3, []), (2, subflows)):
        monkeypatch.setattr("flows.steps.ingest_steps.BATCH_SIZE", size)
        report = ingest(home / str(size), paths, quick)
        assert [track["status"] for track in report.tracks] == ["done"] * 3
        assert flow_runs(api, home / str(size)) == sorted([f"ingest {paths}", *expected])


def test_unlistable_source_is_a_problem_with_others_and_an_error_alone(api, audio_files, quick, home, caplog):
    nowhere = str(home / "nowhere")
    report = ingest(home, [nowhere, str(audio_files[0])], quick)
    assert [track["status"] for track in report.tracks] == ["done"]
    (problem,) = report.problems
    assert nowhere in problem
    assert ("WARNING", problem) in [(record.levelname, record.message) for record in caplog.records]
    with pytest.raises(SourceError, match="does not exist"):
        ingest(home, [nowhere], quick)
    with pytest.raises(SourceError, match="does not exist"):
        ingest(home, [nowhere, nowhere], quick)


def test_each_source_is_reported_if_none_can_be_listed(api, home, tmp_path):
    (tmp_path / "notes.pdf").touch()
    sources = [str(tmp_path / "nowhere"), f"http://127.0.0.1:{free_port()}/feed.xml", str(tmp_path / "notes.pdf")]
    settings = Settings(download=DownloadSettings(attempts=1, allow_private=True, host_seconds=0.0))
    with pytest.raises(SourceError) as caught:
        ingest(home, sources, settings)
    first, *each = str(caught.value).splitlines()
    assert first.startswith("none of these sources could be listed")
    reasons = ("does not exist; ", "cannot be listed: ", "is neither a folder, ")
    for line, source, reason in zip(each, sources, reasons, strict=True):
        assert line.startswith(f"- {source} {reason}")


def test_problem_with_finished_tracks_exits_with_3(songform, document, audio_files, home, api):
    result = songform("--home", home, "--json", "ingest", home / "nowhere", audio_files[0])
    assert result.exit_code == 3
    assert [track["status"] for track in document(result)["tracks"]] == ["done"]
    assert "nowhere" in document(result)["problems"][0]
    assert "nowhere" in result.stderr


def test_features_of_several_settings_are_stored_together(api, audio_files, quick, home):
    finer = quick.model_copy(update={"features": quick.features.model_copy(update={"n_mfcc": 20})})
    for settings in (quick, finer, quick, finer):
        report = ingest(home, [str(audio_files[0])], settings)
    assert [track["status"] for track in report.tracks] == ["cached"]
    corpus = Corpus(home)
    (record,) = corpus.records()
    assert len(record.files) == 5  # the number of MFCCs does not affect the semitone spectrum
    assert has_features(corpus, record, quick)
    assert has_features(corpus, record, finer)


def test_prefect_does_not_search_the_tracks_of_a_report_for_futures():
    seen = []
    report = IngestReport([{"key": "web-a", "status": "done"}], ["a problem"], ["a note"])
    visit_collection(Completed(data=report), seen.append, return_data=False)
    assert report in seen
    assert not [each for each in seen if each in ("web-a", "a problem", "a note")]


@pytest.mark.usefixtures("api")
def test_track_whose_address_has_changed_is_told_as_a_copy_and_downloaded_once(
    songform, document, songs, home, tmp_path
):
    folder = tmp_path / "feed"
    folder.mkdir()
    with served_feed(folder, songs[:1], 0) as url:
        documents = []
        for address in ("0.flac", "0.flac?updated=1", "0.flac?updated=1"):
            (folder / "list.m3u").write_text(f"#EXTM3U\n{address}\n")
            documents.append(
                document(songform("--home", home, "--json", "ingest", url.replace("feed.rss", "list.m3u")))
            )
    (key,) = {track["key"] for each in documents for track in each["tracks"]}
    assert [track["status"] for each in documents for track in each["tracks"]] == ["done", "cached", "cached"]
    assert [len(each["notes"]) for each in documents] == [0, 1, 1]
    assert "0.flac?updated=1) is a copy of 0 (" in documents[1]["notes"][0]
    assert [record.key for record in Corpus(home).records()] == [key]
    assert [path for path in (home / "data" / "incoming").rglob("*") if path.is_file()] == []


def test_prefect_does_not_store_the_records_of_the_home_with_each_batch(home):
    known = KnownTracks(home, Settings())
    assert known.originals() == {}  # now the records have been read
    assert ingest_batch.serialize_parameters({"known": known}) == {"known": "<KnownTracks>"}
