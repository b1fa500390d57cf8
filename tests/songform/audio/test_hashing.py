"""Tests of HashingFile: the hash is right for any order of reads and seeks."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from songform.audio.hashing import HashingFile

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


@settings(max_examples=60)
@given(moves)
def test_hash_does_not_depend_on_the_order_of_reads_and_seeks(path, moves):
    with HashingFile(path) as file, path.open("rb") as plain:
        for whence, offset, n_bytes in moves:
            where = -offset if whence == io.SEEK_END else offset
            assert file.seek(where, whence) == plain.seek(where, whence)
            assert file.read(n_bytes) == plain.read(n_bytes)
        assert file.sha256() == SHA256


def test_computing_the_hash_while_reading_does_not_change_the_position(path):
    with HashingFile(path) as file:
        first = file.read(70_000)
        assert file.sha256() == SHA256
        assert first + file.read() == CONTENT
        assert file.sha256() == SHA256


def test_bytes_that_were_read_are_not_read_again_for_the_hash(path, monkeypatch):
    with HashingFile(path) as file:
        while file.read(1000):
            pass
        read = []
        monkeypatch.setattr(type(file.raw), "seek", lambda raw, where: read.append(where))
        file.sha256()
    assert (
        read == [len(CONTENT)] * 2
    )  # seeks to the end of the hashed part and back to the reader's position, both at the end


def test_known_hash_is_not_computed_again(path):
    with HashingFile(path, sha256="known") as file:
        assert file.read() == CONTENT
        assert file.sha256() == "known"
        assert file.raw.n_hashed == 0


def test_an_empty_file_has_a_hash(tmp_path):
    (tmp_path / "empty").touch()
    with HashingFile(tmp_path / "empty") as file:
        assert file.sha256() == hashlib.sha256().hexdigest()


def test_read_error_is_stored_and_raised_when_the_hash_is_computed():
    """Exceptions cannot pass through libsndfile. On Linux /proc/self/mem cannot be read at offset 0."""
    with HashingFile(Path("/proc/self/mem")) as file:
        assert file.read(10) == b""
        assert file.error is not None
        assert file.error.filename == "/proc/self/mem"
        with pytest.raises(OSError, match="Input/output error"):
            file.sha256()
