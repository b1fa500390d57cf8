"""Atomic writes: the target is never a partial file, even after a failure."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tasks.store.atomic_files import atomic_path, target_path, temporary_path, write_json


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_new_and_replaced_files_are_complete(tmp_path):
    target = tmp_path / "deep" / "down" / "a.json"
    write_json(target, {"a": 1})
    write_json(target, {"title": "Là-bas", "b": [1.5, None]})
    assert target.read_text(encoding="utf-8") == '{\n  "title": "Là-bas",\n  "b": [\n    1.5,\n    null\n  ]\n}\n'
    assert names(target.parent) == ["a.json"]


@pytest.mark.parametrize("path", [Path("/a/b.c.json"), Path("b.123.tmp"), Path(".b/ c")])
def test_target_of_a_temporary_path_is_known(path):
    assert target_path(temporary_path(path)) == target_path(path) == path
    assert target_path(temporary_path(path) / "x") == path / "x"


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


def test_file_is_flushed_before_the_rename_and_its_folder_after_it(tmp_path, monkeypatch):
    """Otherwise, the renamed file may be empty after a power failure."""
    calls, fsync, replace = [], os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda fd: (calls.append(os.fstat(fd).st_ino), fsync(fd)))
    monkeypatch.setattr(os, "replace", lambda a, b: (calls.append("renamed"), replace(a, b)))
    with atomic_path(tmp_path / "a.txt") as temporary:
        temporary.write_text("whole")
    assert calls == [(tmp_path / "a.txt").stat().st_ino, "renamed", tmp_path.stat().st_ino]


def test_two_writers_of_one_file_use_different_temporary_files(tmp_path):
    with atomic_path(tmp_path / "a") as one, atomic_path(tmp_path / "a") as other:
        one.write_text("one")
        other.write_text("other")
    assert (tmp_path / "a").read_text() == "one"  # the last one to end
    assert names(tmp_path) == ["a"]


def test_nan_is_rejected_in_json(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", float("nan"))
    assert not names(tmp_path)
