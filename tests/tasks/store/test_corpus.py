from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from songform.errors import CorpusError
from tasks.store.atomic_files import atomic_path, write_json
from tasks.store.corpus import AUDIO_SUFFIXES, Corpus
from tasks.store.tables import read_table, write_table
from tasks.store.temp_files import machine
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
    """Return the number of a process that is no more."""
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
def test_no_suffix_but_a_known_one_reaches_a_path(corpus, suffix):
    """What libsndfile would take for samples without a header is not among them."""
    for path_of in (corpus.incoming_path, corpus.audio_path):
        assert path_of("k", "native", suffix) == path_of("k", "native").with_name("k.audio")
        assert path_of("k", "native", ".MP3").name == "k.mp3"


def test_a_download_is_found_by_its_key_and_encoding_whatever_its_suffix(corpus):
    for path_of, found in ((corpus.incoming_path, corpus.incoming_audio), (corpus.audio_path, corpus.kept_audio)):
        for suffix in (*AUDIO_SUFFIXES, ".audio"):
            path = path_of("k", "native", suffix)
            assert found("k", "native") is None
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
            assert found("k", "native") == path
            assert [found("k", "mp3-192"), found("K", "native"), found("k.x", "native")] == [None] * 3
            path.unlink()


def test_a_relative_home_stays_where_it_was(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    corpus = Corpus("home")
    monkeypatch.chdir("/")
    assert corpus.home == tmp_path / "home"


def test_preparing_makes_the_folders_twice_without_harm(tmp_path):
    for _ in range(2):
        Corpus(tmp_path / "new" / "home").prepare()
    assert names(tmp_path / "new" / "home") == ["data", "mlruns"]
    assert names(tmp_path / "new" / "home" / "data") == ["tracks"]


@pytest.mark.parametrize("obstacle", ["", "home", "home/data", "home/mlruns"])
def test_a_home_that_cannot_be_written_is_one_sentence(tmp_path, obstacle):
    """A file stands where a folder should: that stops even root, whom permissions do not."""
    (tmp_path / "top").mkdir()
    blocked = tmp_path / "top" / obstacle if obstacle else tmp_path / "top" / "home"
    blocked.parent.mkdir(parents=True, exist_ok=True)
    blocked.write_text("in the way")
    home = blocked / "below" if not obstacle else tmp_path / "top" / "home"
    with pytest.raises(CorpusError, match=r"^the home \S+ cannot be written \(.+\); choose another with --home, make"):
        Corpus(home).prepare()


def test_a_disk_with_room_for_names_alone_is_full(corpus):
    """An empty file finds room where nothing else does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        with pytest.raises(
            CorpusError, match=rf"^the home {corpus.home} cannot be written \(.+\); .* make room, or mend"
        ):
            corpus.prepare()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert names(corpus.data) == ["tracks"]


def test_preparing_sweeps_what_was_left_half_done(corpus):
    dead = f".web-0.json.{ended_process()}-{machine()}.0123abcd.tmp"
    for name in (dead, "web-0.json"):
        (corpus.data / "tracks" / name).touch()
    corpus.prepare()
    assert names(corpus.data / "tracks") == ["web-0.json"]
    assert names(corpus.data) == ["tracks"]


def test_a_new_file_and_a_replaced_one_arrive_whole(tmp_path):
    target = tmp_path / "deep" / "down" / "a.json"
    write_json(target, {"a": 1})
    write_json(target, {"title": "Là-bas", "b": [1.5, None]})
    assert target.read_text(encoding="utf-8") == '{\n  "title": "Là-bas",\n  "b": [\n    1.5,\n    null\n  ]\n}\n'
    assert names(target.parent) == ["a.json"]


@pytest.mark.parametrize("old", [None, "old"])
def test_an_exception_inside_the_block_leaves_the_old_file_and_nothing_else(tmp_path, old):
    target = tmp_path / "a.txt"
    if old:
        target.write_text(old)

    def half_write():
        with atomic_path(target) as temporary:
            temporary.write_text("half of")
            assert temporary.parent == target.parent
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        half_write()
    assert [path.read_text() for path in tmp_path.iterdir()] == ([old] if old else [])


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, step):
    def full(*_):
        raise OSError(28, "No space left on device")

    write_json(tmp_path / "a.json", "old")
    monkeypatch.setattr(os, step, full)
    with pytest.raises(OSError, match="No space"):
        write_json(tmp_path / "a.json", "new")
    monkeypatch.undo()
    assert names(tmp_path) == ["a.json"]
    assert json.loads((tmp_path / "a.json").read_text()) == "old"


def test_the_file_is_on_disk_before_it_gets_its_name_and_the_name_after_it(tmp_path, monkeypatch):
    """After a power cut a renamed file that was not flushed may be empty."""
    calls, fsync, replace = [], os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda fd: (calls.append(os.fstat(fd).st_ino), fsync(fd)))
    monkeypatch.setattr(os, "replace", lambda a, b: (calls.append("renamed"), replace(a, b)))
    with atomic_path(tmp_path / "a.txt") as temporary:
        temporary.write_text("whole")
    assert calls == [(tmp_path / "a.txt").stat().st_ino, "renamed", tmp_path.stat().st_ino]


def test_a_process_killed_before_the_rename_leaves_the_old_record_and_a_file_that_is_swept(corpus):
    corpus.save_record(record(attempts=1))
    program = f"""
import os, signal
from pathlib import Path
from tasks.store.corpus import write_json
os.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
write_json(Path({str(corpus.record_path("web-0"))!r}), "new")
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -signal.SIGKILL
    assert len(names(corpus.data / "tracks")) == 2
    assert corpus.records() == [record(attempts=1)]
    corpus.prepare()
    assert names(corpus.data / "tracks") == ["web-0.json"]


def test_writers_of_one_file_do_not_meet(tmp_path):
    with atomic_path(tmp_path / "a") as one, atomic_path(tmp_path / "a") as other:
        one.write_text("one")
        other.write_text("other")
    assert (tmp_path / "a").read_text() == "one"  # the last to end
    assert names(tmp_path) == ["a"]


def test_json_without_a_meaning_elsewhere_is_refused(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", float("nan"))
    assert not names(tmp_path)


def test_records_are_kept_and_come_in_order_of_their_keys(corpus):
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
def test_a_corrupt_record_is_one_sentence_that_says_where_and_why(corpus, content, why):
    corpus.record_path("web-0").write_bytes(content)
    with pytest.raises(CorpusError) as caught:
        corpus.records()
    message = str(caught.value)
    assert message.startswith(f"the record {corpus.record_path('web-0')} cannot be read ({why}")
    assert message.endswith("); delete it, and the next ingest makes it anew")
    assert "\n" not in message


def test_a_folder_in_the_place_of_a_record_is_one_sentence(corpus):
    corpus.record_path("web-0").mkdir()
    with pytest.raises(CorpusError, match="Is a directory"):
        corpus.record("web-0")


def test_a_track_is_held_when_each_file_has_the_size_that_its_record_says(corpus):
    one, other = corpus.features_path("c", "web-0"), corpus.overview_path("c", "web-0")
    write_table(one, TABLE)
    write_table(other, TABLE)
    known = record(files={corpus.relative(path): path.stat().st_size for path in (one, other)})
    assert corpus.holds(known, one, other)
    assert not corpus.holds(known, one, corpus.audio_path("web-0"))  # not named, not there
    assert not corpus.holds(record(), one)  # not named
    one.write_bytes(one.read_bytes()[:-1])
    assert not corpus.holds(known, one, other)
    assert corpus.holds(known, other)
    other.unlink()
    assert not corpus.holds(known, other)


def test_an_empty_file_is_never_held(corpus):
    path = corpus.features_path("c", "web-0")
    path.parent.mkdir(parents=True)
    path.touch()
    assert not corpus.holds(record(files={corpus.relative(path): 0}), path)


def test_a_folder_in_the_place_of_a_table_is_no_table(corpus):
    path = corpus.features_path("c", "web-0")
    path.mkdir(parents=True)
    assert not corpus.holds(record(files={corpus.relative(path): path.stat().st_size}), path)


def test_tables_are_named_in_records_as_they_lie_under_the_data(corpus):
    features, overview = corpus.table_names("c", "web-0")
    assert corpus.features_path("c", "web-0") == corpus.data / features
    assert corpus.overview_path("c", "web-0") == corpus.data / overview
    write_table(corpus.data / features, TABLE)
    known = record(files={features: (corpus.data / features).stat().st_size})
    assert (corpus.stands(known, features), corpus.stands(known, features, overview)) == (True, False)


def test_a_table_comes_back_as_it_was_and_says_what_it_is(tmp_path):
    path = tmp_path / "c" / "t.parquet"
    write_table(path, TABLE.replace_schema_metadata({"pandas": "{}"}), about={"sha256": "é"})
    table = read_table(path)
    assert table.equals(TABLE)
    assert json.loads(table.schema.metadata[b"songform"]) == {"sha256": "é"}
    assert table.schema.metadata[b"pandas"] == b"{}"
    assert read_table(path, columns=["rms"]).column_names == ["rms"]
    assert pq.ParquetFile(path).metadata.row_group(0).column(0).compression == "ZSTD"


@pytest.fixture(scope="module")
def parquet(tmp_path_factory):
    path = tmp_path_factory.mktemp("table") / "t.parquet"
    write_table(path, TABLE)
    return path


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_table_that_was_cut_or_overwritten_is_read_or_is_one_sentence(parquet, data):
    whole = parquet.read_bytes()
    broken = bytearray(whole[: data.draw(st.integers(0, len(whole)))])
    for place in data.draw(st.lists(st.integers(0, max(len(broken) - 1, 0)), max_size=8)):
        broken[place : place + 1] = data.draw(st.binary(min_size=1, max_size=1))
    path = parquet.with_name("broken.parquet")
    path.write_bytes(broken)
    try:
        read_table(path)
    except CorpusError as error:
        assert str(error).startswith(f"{path} cannot be read (")  # noqa: PT017  both ends are right
        assert "\n" not in str(error)  # noqa: PT017


@pytest.mark.parametrize("content", [None, b"", b"PAR1", b"no table at all"])
def test_a_missing_or_empty_table_is_one_sentence(tmp_path, content):
    path = tmp_path / "t.parquet"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CorpusError, match=r"^\S+t\.parquet cannot be read \(.+\); delete it and ingest"):
        read_table(path)


def test_a_table_without_a_wanted_column_is_one_sentence(parquet):
    with pytest.raises(CorpusError, match="chroma"):
        read_table(parquet, columns=["chroma"])
