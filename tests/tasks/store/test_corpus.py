from __future__ import annotations

import json
import re
import resource
import signal
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest

from songform.errors import CorpusError, UnreadableFileError
from tasks.store.atomic_files import machine
from tasks.store.corpus import AUDIO_SUFFIXES, Corpus
from tasks.store.tables import write_table
from tasks.store.tracks import TrackRecord

TABLE = pa.table({"time_s": np.arange(300.0), "rms": np.linspace(0, 1, 300, dtype=np.float32)})


@pytest.fixture
def corpus(tmp_path):
    corpus = Corpus(tmp_path)
    corpus.prepare()
    return corpus


def record(key="web-0", **more):
    return TrackRecord(key=key, title="Là-bas", source="here", status="done", updated_at="now", **more)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def ended_process():
    """Return the id of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_every_path_lies_below_the_home_and_no_two_are_equal(corpus):
    paths = [
        corpus.record_path("k"),
        corpus.incoming_path("k"),
        corpus.incoming_path("k", "mp3-64"),
        corpus.incoming_path("k", "mp3-64", ".m4a"),
        corpus.audio_path("k"),
        corpus.audio_path("k", "native", ".m4a"),
        corpus.features_path("c", "k"),
        corpus.overview_path("c", "k"),
        corpus.states_path("c", "k.parquet"),
        corpus.bundle_path("c") / "k.parquet",
        corpus.composed_path("c", "k.parquet"),
        corpus.report_path("c", "k.json"),
    ]
    assert len(set(paths)) == len(paths)
    assert corpus.relative(corpus.features_path("c", "k")) == "features/c/k.parquet"
    assert all(corpus.data / corpus.relative(path) == path for path in paths)


@pytest.mark.parametrize("suffix", ["", ".raw", ".unknown_video", "..", "/../x", ".mp3/", ".m*", "mp3"])
def test_unknown_suffix_of_a_download_is_replaced(corpus, suffix):
    """The known suffixes exclude `.raw`, because libsndfile reads such files as samples without a header."""
    for path_of in (corpus.incoming_path, corpus.audio_path):
        assert path_of("k", "native", suffix) == path_of("k", "native").with_name("k.audio")
        assert path_of("k", "native", ".MP3").name == "k.mp3"


def test_download_is_found_by_key_and_encoding_with_any_suffix(corpus):
    for path_of, found in ((corpus.incoming_path, corpus.incoming_audio), (corpus.audio_path, corpus.kept_audio)):
        for suffix in (*AUDIO_SUFFIXES, ".audio"):
            path = path_of("k", "native", suffix)
            assert found("k", "native") is None
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
            assert found("k", "native") == path
            assert [found("k", "mp3-192"), found("K", "native"), found("k.x", "native")] == [None] * 3
            path.unlink()


def test_relative_home_does_not_follow_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    corpus = Corpus("home")
    monkeypatch.chdir("/")
    assert corpus.home == tmp_path / "home"


def test_preparing_a_home_twice_is_harmless(tmp_path):
    for _ in range(2):
        Corpus(tmp_path / "new" / "home").prepare()
    assert names(tmp_path / "new" / "home") == ["data", "mlruns"]
    assert names(tmp_path / "new" / "home" / "data") == ["tracks"]


@pytest.mark.parametrize("obstacle", ["", "home", "home/data", "home/mlruns"])
def test_unwritable_home_raises_one_sentence(tmp_path, obstacle):
    """A file is in the place of a folder. Unlike permissions, that stops even root."""
    (tmp_path / "top").mkdir()
    blocked = tmp_path / "top" / obstacle if obstacle else tmp_path / "top" / "home"
    blocked.parent.mkdir(parents=True, exist_ok=True)
    blocked.write_text("in the way")
    home = blocked / "below" if not obstacle else tmp_path / "top" / "home"
    with pytest.raises(CorpusError, match=r"^the home \S+ cannot be written \(.+\); .*permissions.* --home"):
        Corpus(home).prepare()


def test_disk_on_which_only_empty_files_can_be_created_counts_as_full(corpus):
    """A full disk often has room for an empty file, so the check writes some bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        with pytest.raises(
            CorpusError, match=rf"^the home {corpus.home} cannot be written \(.+\); free .*disk space.* permissions"
        ):
            corpus.prepare()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert names(corpus.data) == ["tracks"]


def test_preparing_a_home_removes_stale_temporary_files(corpus):
    dead = f".web-0.json.{ended_process()}-{machine()}.0123abcd.tmp"
    for name in (dead, "web-0.json"):
        (corpus.data / "tracks" / name).touch()
    corpus.prepare()
    assert names(corpus.data / "tracks") == ["web-0.json"]
    assert names(corpus.data) == ["tracks"]


def test_process_killed_before_the_rename_leaves_the_old_record_and_a_removable_file(corpus):
    corpus.save_record(record(attempts=1))
    program = f"""
import os, signal
from pathlib import Path
from tasks.store.atomic_files import write_json
os.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
write_json(Path({str(corpus.record_path("web-0"))!r}), "new")
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -signal.SIGKILL
    assert len(names(corpus.data / "tracks")) == 2
    assert corpus.records() == [record(attempts=1)]
    corpus.prepare()
    assert names(corpus.data / "tracks") == ["web-0.json"]


def test_records_are_saved_and_listed_by_key(corpus):
    known = [record(key, duration=1.5, files={"audio/a.mp3": 3}) for key in ("web-2", "file-1", "web-1")]
    for each in known:
        corpus.save_record(each)
    assert corpus.record("web-2") == known[0]
    assert [each.key for each in corpus.records()] == ["file-1", "web-1", "web-2"]
    assert corpus.record("web-3") is None
    assert json.loads(corpus.record_path("web-1").read_text())["title"] == "Là-bas"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "Invalid JSON: EOF while parsing a value at line 1 column 0"),
        (b'{"key": "web-0", ', "Invalid JSON: EOF while parsing"),
        (b"\xff\xfe", "Invalid JSON"),
        (b"[]", "Input should be an object"),
        (b'{"key": "web-0", "title": "", "source": "", "status": "done"}', "updated_at: Field required"),
    ],
)
def test_damaged_record_raises_one_sentence_with_path_and_reason_and_the_others_are_read(corpus, content, why):
    corpus.save_record(record("web-1"))
    corpus.record_path("web-0").write_bytes(content)
    with pytest.raises(UnreadableFileError) as caught:
        corpus.record("web-0")
    message = str(caught.value)
    assert message.startswith(f"the record {corpus.record_path('web-0')} cannot be read ({why}")
    assert re.search(r"\); ingest its track again", message)
    assert "\n" not in message
    assert (caught.value.path, caught.value.is_damaged) == (corpus.record_path("web-0"), True)
    found = corpus.read_records()
    assert [one.key for one in found.records] == ["web-1"]
    assert found.problems == [message]
    assert corpus.records() == found.records


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-1e999"])
def test_record_with_an_impossible_number_is_damaged(corpus, number):
    """Such a number could not be written to a JSON document."""
    corpus.save_record(record("web-0", duration=3.25))
    path = corpus.record_path("web-0")
    path.write_text(path.read_text().replace("3.25", number))
    with pytest.raises(UnreadableFileError, match="duration"):
        corpus.record("web-0")


def test_folder_in_the_place_of_a_record_raises_one_sentence(corpus):
    corpus.record_path("web-0").mkdir()
    with pytest.raises(CorpusError, match="Is a directory"):
        corpus.record("web-0")


def test_files_exist_if_they_have_the_sizes_in_the_record(corpus):
    one, other = corpus.table_names("c", "web-0")
    for name in (one, other):
        write_table(corpus.data / name, TABLE)
    known = record(files={name: (corpus.data / name).stat().st_size for name in (one, other)})
    assert corpus.has_files(known, one, other)
    assert not corpus.has_files(
        known, one, corpus.relative(corpus.audio_path("web-0"))
    )  # neither in the record nor on disk
    assert not corpus.has_files(record(), one)  # not in the record
    (corpus.data / one).write_bytes((corpus.data / one).read_bytes()[:-1])
    assert not corpus.has_files(known, one, other)
    assert corpus.has_files(known, other)
    (corpus.data / other).unlink()
    assert not corpus.has_files(known, other)


def test_an_empty_file_counts_as_missing(corpus):
    path = corpus.features_path("c", "web-0")
    path.parent.mkdir(parents=True)
    path.touch()
    name = corpus.relative(path)
    assert not corpus.has_files(record(files={name: 0}), name)


def test_folder_in_the_place_of_a_table_counts_as_missing(corpus):
    path = corpus.features_path("c", "web-0")
    path.mkdir(parents=True)
    name = corpus.relative(path)
    assert not corpus.has_files(record(files={name: path.stat().st_size}), name)


def test_names_of_tables_in_records_are_relative_to_data(corpus):
    features, overview = corpus.table_names("c", "web-0")
    assert corpus.features_path("c", "web-0") == corpus.data / features
    assert corpus.overview_path("c", "web-0") == corpus.data / overview
