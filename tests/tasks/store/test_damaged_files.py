"""Damaged files are renamed and kept; files that are only not accessible stay in place."""

from __future__ import annotations

import errno

import pytest

from songform.errors import CorpusError, UnreadableFileError
from tasks.store.damaged_files import is_content_fault, set_aside, set_aside_error, set_aside_files


def test_every_renamed_file_is_kept_next_to_its_place(tmp_path):
    path = tmp_path / "song.parquet"
    for number in (1, 2, 3):
        path.write_bytes(bytes([number]))
        assert set_aside(path) == tmp_path / f"song.parquet.damaged-{number}"
        assert not path.exists()
    assert [kept.read_bytes() for kept in set_aside_files(tmp_path)] == [b"\1", b"\2", b"\3"]


def test_folder_is_renamed_with_its_content_and_listed_as_one(tmp_path):
    (tmp_path / "bundles" / "0123").mkdir(parents=True)
    (tmp_path / "bundles" / "0123" / "x.damaged-1").touch()
    aside = set_aside(tmp_path / "bundles" / "0123")
    assert (aside / "x.damaged-1").exists()
    assert set_aside_files(tmp_path) == [aside]


def test_names_that_only_resemble_renamed_files_are_not_listed(tmp_path):
    for name in ("damaged-1", "x.damaged-", "x.damaged-1.json", "x.damaged", ".x.damaged-a"):
        (tmp_path / name).touch()
    assert set_aside_files(tmp_path) == []


def test_file_that_another_process_has_renamed_is_no_error(tmp_path):
    assert set_aside(tmp_path / "gone.json") == tmp_path / "gone.json.damaged-1"


def test_file_that_cannot_be_renamed_is_reported_in_one_sentence(tmp_path, monkeypatch):
    def forbidden(*_):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("pathlib.Path.rename", forbidden)
    with pytest.raises(
        CorpusError, match=r"x\.json is damaged and cannot be renamed \(Permission denied\); .*permissions"
    ):
        set_aside(tmp_path / "x.json")


def test_only_damaged_files_are_renamed(tmp_path):
    """A file without permission, and one that does not fit into memory, may be intact."""
    path = tmp_path / "x.json"
    path.touch()
    intact = UnreadableFileError(
        f"{path} cannot be read (Permission denied); fix its permissions", path, is_damaged=False
    )
    assert set_aside_error(intact, "it is made again") == str(intact)
    assert path.exists()
    damaged = UnreadableFileError(f"{path} cannot be read (it is empty); ingest it", path)
    expected = f"{path} cannot be read (it is empty); it was renamed to x.json.damaged-1, and it is made again"
    assert set_aside_error(damaged, "it is made again") == expected
    assert not path.exists()


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OSError("Couldn't deserialize thrift"), True),
        (IsADirectoryError(errno.EISDIR, "Is a directory"), True),
        (ValueError("invalid"), True),
        (PermissionError(errno.EACCES, "Permission denied"), False),
        (FileNotFoundError(errno.ENOENT, "No such file or directory"), False),
        (OSError(errno.EMFILE, "Too many open files"), False),
        (OSError(errno.EIO, "Input/output error"), False),
        (MemoryError(), False),
    ],
)
def test_faults_of_the_content_are_told_from_those_of_the_system(error, expected):
    assert is_content_fault(error) is expected
