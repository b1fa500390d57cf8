"""Cache of the hashes of local files."""

from __future__ import annotations

import hashlib
import json
import os
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.ingest.sources.local_files import FileHashes
from tasks.store.corpus import Corpus

LONG_AGO = 1_000_000_000  # in seconds since 1970


@pytest.fixture
def corpus(tmp_path) -> Corpus:
    return Corpus(tmp_path / "home")


@pytest.fixture
def file(tmp_path):
    """Return a function that writes a file with an old modification time."""

    def write(name: str, content: bytes, changed: float = LONG_AGO) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        os.utime(path, (changed, changed))
        return path

    return write


@pytest.fixture
def read(monkeypatch) -> list[str]:
    """Return a list that collects the names of all hashed files."""
    names: list[str] = []
    digest = hashlib.file_digest

    def noted(fileobj, *arguments):
        names.append(Path(fileobj.name).name)
        return digest(fileobj, *arguments)

    monkeypatch.setattr(hashlib, "file_digest", noted)
    return names


def index(corpus) -> Path:
    return corpus.data / "local-files.json"


def test_hash_is_that_of_the_content(corpus, file):
    path = file("a.mp3", b"abc")
    hashes = FileHashes(corpus)
    assert hashes.sha256(path) == hashes.sha256(path) == hashlib.sha256(b"abc").hexdigest()


def test_file_is_read_once_by_all_processes_together(corpus, file, read):
    path = file("a.mp3", b"abc")
    hashes = FileHashes(corpus)
    hashes.sha256(path)
    hashes.sha256(path)
    hashes.save()
    assert FileHashes(corpus).sha256(path) == hashlib.sha256(b"abc").hexdigest()
    assert read == ["a.mp3"]


@pytest.mark.parametrize(
    ("content", "changed"), [(b"abcd", LONG_AGO), (b"xyz", LONG_AGO + 1), (b"xyz", LONG_AGO - 1e-6), (b"abc", 0)]
)
def test_file_with_another_size_or_time_is_read_again(corpus, file, content, changed):
    hashes = FileHashes(corpus)
    hashes.sha256(file("a.mp3", b"abc"))
    hashes.save()
    changed_file = file("a.mp3", content, changed)
    assert FileHashes(corpus).sha256(changed_file) == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("seconds", [-3600.0, 0.0, 1.0, 1.9])
def test_recently_modified_file_is_not_cached(corpus, file, seconds):
    """It may be changed again without a new size or modification time."""
    hashes = FileHashes(corpus, now=lambda: round((LONG_AGO + seconds) * 1e9))
    assert hashes.sha256(file("a.mp3", b"abc")) == hashlib.sha256(b"abc").hexdigest()
    hashes.save()
    assert not index(corpus).exists()
    assert hashes.sha256(file("a.mp3", b"xyz")) == hashlib.sha256(b"xyz").hexdigest()


def test_file_just_written_is_not_cached_with_the_real_clock(corpus, file):
    hashes = FileHashes(corpus)
    hashes.sha256(file("new.mp3", b"abc", time.time()))
    hashes.save()
    assert not index(corpus).exists()


def test_file_modified_during_the_read_is_not_cached(corpus, file, monkeypatch):
    path = file("a.mp3", b"abc")
    digest = hashlib.file_digest

    def slow(fileobj, *arguments):
        with path.open("ab") as other:
            other.write(b"d")
        return digest(fileobj, *arguments)

    monkeypatch.setattr(hashlib, "file_digest", slow)
    hashes = FileHashes(corpus)
    hashes.sha256(path)
    hashes.save()
    assert not index(corpus).exists()


def test_hashes_of_two_processes_are_merged_and_the_last_one_wins(corpus, file):
    one, two = FileHashes(corpus), FileHashes(corpus)
    one.sha256(file("a.mp3", b"a"))
    one.sha256(file("c.mp3", b"c"))
    two.sha256(file("b.mp3", b"b"))
    two.sha256(file("c.mp3", b"C", LONG_AGO + 1))
    one.save()
    two.save()
    entries = {Path(name).name: sha256 for name, (_, _, sha256) in json.loads(index(corpus).read_text()).items()}
    assert entries == {f"{name}.mp3": hashlib.sha256(name.lower().encode()).hexdigest() for name in "ab"} | {
        "c.mp3": hashlib.sha256(b"C").hexdigest()
    }


def test_deleted_file_is_removed_from_the_cache_but_not_a_disconnected_disk(corpus, file, tmp_path):
    hashes = FileHashes(corpus)
    gone, away = file("gone.mp3", b"1"), file("disk/away.mp3", b"2")
    hashes.sha256(gone)
    hashes.sha256(away)
    hashes.save()
    gone.unlink()
    (tmp_path / "disk").rename(tmp_path / "drawer")
    later = FileHashes(corpus)
    later.sha256(file("new.mp3", b"3"))
    later.save()
    assert {Path(name).name for name in json.loads(index(corpus).read_text())} == {"away.mp3", "new.mp3"}


SHA = "0" * 64
DAMAGED = [
    *("", "{", "[]", "null", "7", '"x"', "\ufeff{}", "[" * 100_000),
    *('{"PATH": null}', '{"PATH": []}', '{"PATH": [3, TIME]}', '{"PATH": [3, TIME, 1]}'),
    *(f'{{"PATH": [3, TIME, "{sha}"]}}' for sha in ("", "../" * 21 + "a", SHA.replace("0", "A"), SHA + "0")),
    *(f'{{"PATH": [true, TIME, "{SHA}"]}}', f'{{"PATH": ["3", TIME, "{SHA}"]}}', f'{{"PATH": [3, 1e99, "{SHA}"]}}'),
    f'{{"PATH": {{"0": 3, "1": TIME, "2": "{SHA}"}}}}',
]


@pytest.mark.parametrize("text", DAMAGED)
def test_damaged_cache_is_ignored(corpus, file, text):
    path = file("a.mp3", b"abc")
    corpus.data.mkdir(parents=True)
    index(corpus).write_text(text.replace("PATH", str(path)).replace("TIME", str(LONG_AGO * 10**9)))
    hashes = FileHashes(corpus)
    assert hashes.sha256(path) == hashlib.sha256(b"abc").hexdigest()
    hashes.save()
    assert json.loads(index(corpus).read_text()) == {
        str(path): [3, LONG_AGO * 10**9, hashlib.sha256(b"abc").hexdigest()]
    }


def test_cache_that_is_not_text_or_not_a_file_is_ignored(corpus, file):
    path = file("a.mp3", b"abc")
    corpus.data.mkdir(parents=True)
    index(corpus).write_bytes(b"\xff\xfe\x00")
    assert FileHashes(corpus).sha256(path) == hashlib.sha256(b"abc").hexdigest()
    index(corpus).unlink()
    index(corpus).mkdir()
    hashes = FileHashes(corpus)
    assert hashes.sha256(path) == hashlib.sha256(b"abc").hexdigest()
    hashes.save()  # cannot be written, which is ignored


def test_invalid_file_names_are_removed_from_the_cache(corpus, file):
    corpus.data.mkdir(parents=True)
    index(corpus).write_text(json.dumps({name: [1, 2, SHA] for name in ("a\0b", "/" + "x" * 5000)}))
    hashes = FileHashes(corpus)
    path = file("a.mp3", b"abc")
    hashes.sha256(path)
    hashes.save()
    assert list(json.loads(index(corpus).read_text())) == [str(path)]


def test_nothing_is_written_without_new_hashes(corpus, file):
    FileHashes(corpus).save()
    assert not corpus.home.exists()


def test_missing_file_raises_an_os_error(corpus, tmp_path):
    with pytest.raises(FileNotFoundError):
        FileHashes(corpus).sha256(tmp_path / "nowhere.mp3")


CHANGES = st.lists(st.tuples(st.sampled_from("ab"), st.binary(max_size=3), st.integers(0, 5), st.booleans()))


@settings(max_examples=30)
@given(CHANGES)
def test_hashes_are_correct_after_any_visible_changes(tmp_path_factory, changes):
    """Each change of the content changes the size or the modification time, as on real file systems."""
    folder = tmp_path_factory.mktemp("files")
    corpus, written = Corpus(folder), {}
    hashes = FileHashes(corpus)
    for number, (name, content, seconds, saved) in enumerate(changes):
        path = folder / name
        path.write_bytes(content)
        same = written.get(name) == content
        changed = path.stat().st_mtime if same else LONG_AGO + 10 * number + seconds
        os.utime(path, (changed, changed))
        written[name] = content
        assert hashes.sha256(path) == hashlib.sha256(content).hexdigest()
        if saved:
            hashes.save()
            hashes = FileHashes(corpus)
