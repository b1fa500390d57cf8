"""A file that is hashed while it is read: the right hash, whatever the reader does."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from songform.audio.decoders import HashingFile

CONTENT = np.random.default_rng(0).bytes(300_001)
SHA256 = hashlib.sha256(CONTENT).hexdigest()

moves = st.lists(
    st.tuples(
        st.sampled_from([io.SEEK_SET, io.SEEK_CUR, io.SEEK_END]), st.integers(0, 300_001), st.integers(0, 200_000)
    )
)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("hashing") / "file.raw"
    path.write_bytes(CONTENT)
    return path


@settings(max_examples=60, deadline=None)
@given(moves)
def test_the_hash_does_not_depend_on_how_the_file_is_read(path, moves):
    with HashingFile(path) as file, path.open("rb") as plain:
        for whence, offset, n_bytes in moves:
            where = -offset if whence == io.SEEK_END else offset
            assert file.seek(where, whence) == plain.seek(where, whence)
            assert file.read(n_bytes) == plain.read(n_bytes)
        assert file.sha256() == SHA256


def test_asking_for_the_hash_in_the_middle_does_not_move_the_reader(path):
    with HashingFile(path) as file:
        first = file.read(70_000)
        assert file.sha256() == SHA256
        assert first + file.read() == CONTENT
        assert file.sha256() == SHA256


def test_what_was_read_is_not_read_again(path, monkeypatch):
    with HashingFile(path) as file:
        while file.read(1000):
            pass
        read = []
        monkeypatch.setattr(type(file.raw), "seek", lambda raw, where: read.append(where))
        file.sha256()
    assert read == [len(CONTENT)] * 2  # to where the hash ends, and back to where the reader is: the end


def test_an_empty_file_has_a_hash(tmp_path):
    (tmp_path / "empty").touch()
    with HashingFile(tmp_path / "empty") as file:
        assert file.sha256() == hashlib.sha256().hexdigest()


def test_an_error_of_the_disk_is_kept_for_those_whose_reader_cannot_raise():
    """Libsndfile calls the file from C, where nothing can be raised. Linux has a file that cannot be read at 0."""
    with HashingFile(Path("/proc/self/mem")) as file:
        assert file.read(10) == b""
        assert file.error is not None
        assert file.error.filename == "/proc/self/mem"
        with pytest.raises(OSError, match="Input/output error"):
            file.sha256()
