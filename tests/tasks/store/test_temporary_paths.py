"""Stale temporary files are removed; files that a process on this or another machine may still write are kept."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

import tasks.store.atomic_files
from tasks.store.atomic_files import MAX_AGE_SECONDS, machine, remove_stale_temporaries, temporary_path

NOW = 1_800_000_000.0
OTHER = "0" * 8


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture(scope="module")
def dead():
    """Return the id of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def aged(path, seconds):
    """Create a file that was last modified some seconds ago."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    os.utime(path, (NOW - seconds, NOW - seconds))


def test_temporary_name_contains_process_and_machine_and_is_in_the_folder_of_its_target(tmp_path):
    target = tmp_path / "a.b" / "web-0.json"
    beside, again, step = temporary_path(target), temporary_path(target), temporary_path(target, "bundle")
    assert {beside.parent, step.parent} == {target.parent}
    assert beside != again
    assert beside.name.startswith(f".web-0.json.{os.getpid()}-{machine()}.")
    assert step.name == f".web-0.json.{os.getpid()}-{machine()}.bundle.tmp"
    for path in (beside, again, step):
        aged(path, 10 * MAX_AGE_SECONDS)
    remove_stale_temporaries(tmp_path, now=NOW)
    assert len(names(target.parent)) == 3  # this process is running


def test_files_of_an_ended_process_of_this_machine_are_removed(tmp_path, dead):
    stale = [
        f".web-0.json.{dead}-{machine()}.0123abcd.tmp",
        f".a.b.c.{dead}-{machine()}.x.tmp",
        f".web-0.json.{10**30}-{machine()}.0123abcd.tmp",
        f".line\nfeed.{dead}-{machine()}.x.tmp",
        f".web-0.json.{dead}.0123abcd.tmp",  # as earlier versions named them
        ".nobody.tmp",
    ]
    mine = [f".a.{os.getpid()}-{machine()}.0123abcd.tmp", f".a.{os.getpid()}.0123abcd.tmp"]
    kept = [*mine, "web-0.json", "song.tmp", ".hidden"]
    for name in stale + kept:
        aged(tmp_path / name, 1.0)
    aged(tmp_path / "deep" / f".b.{dead}-{machine()}.bundle.tmp" / "network.keras", 1.0)
    remove_stale_temporaries(tmp_path, now=NOW)
    assert names(tmp_path) == sorted([*kept, "deep"])
    assert names(tmp_path / "deep") == []


def test_files_of_another_machine_are_removed_only_when_they_are_old(tmp_path, dead):
    """The ids of processes on this machine say nothing about processes on another one."""
    for process in (dead, os.getpid()):
        aged(tmp_path / f".new.{process}-{OTHER}.0123abcd.tmp", MAX_AGE_SECONDS - 60.0)
        aged(tmp_path / f".old.{process}-{OTHER}.0123abcd.tmp", MAX_AGE_SECONDS + 60.0)
        aged(tmp_path / f".coming.{process}-{OTHER}.0123abcd.tmp", -MAX_AGE_SECONDS)  # its clock is ahead
    for name, seconds in (
        ("busy", [MAX_AGE_SECONDS + 60.0, 5.0]),
        ("left", [MAX_AGE_SECONDS + 60.0, MAX_AGE_SECONDS + 5.0]),
    ):
        folder = tmp_path / f".{name}.{dead}-{OTHER}.attempt.tmp"
        for number, age in enumerate(seconds):
            aged(folder / "deep" / str(number), age)
        for path in (folder / "deep", folder):
            os.utime(path, (NOW - seconds[0], NOW - seconds[0]))
    remove_stale_temporaries(tmp_path, now=NOW)
    assert sorted({name.split(".")[1] for name in names(tmp_path)}) == ["busy", "coming", "new"]


@pytest.mark.parametrize("part", ["name", "system", "processes"])
def test_machine_id_depends_on_host_name_system_id_and_process_namespace(part, tmp_path, monkeypatch):
    own = machine()
    machine.cache_clear()
    assert machine() == own  # it does not change
    if part == "name":
        monkeypatch.setattr("socket.gethostname", lambda: "elsewhere")
    else:
        place = {"system": "_SYSTEM_ID", "processes": "_PROCESSES"}[part]
        (tmp_path / "other").write_text("other")
        monkeypatch.setattr(tasks.store.atomic_files, place, tmp_path / "other")
    machine.cache_clear()
    try:
        assert machine() != own
        assert len(machine()) == len(own) == 8
    finally:
        machine.cache_clear()


def test_machine_without_a_system_id_still_has_an_id(tmp_path, monkeypatch):
    for place in ("_SYSTEM_ID", "_PROCESSES"):
        monkeypatch.setattr(tasks.store.atomic_files, place, tmp_path / "nowhere")
    machine.cache_clear()
    try:
        assert len(machine()) == 8
    finally:
        machine.cache_clear()


class _Listing:
    """Stand-in for the return value of `os.scandir`, of a folder that is changed right after it was read."""

    def __init__(self, entries):
        self._entries = iter(entries)

    def __iter__(self):
        return self._entries

    def __next__(self):
        return next(self._entries)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    close = __exit__


def test_folder_that_another_process_removes_meanwhile_is_skipped(tmp_path, dead, monkeypatch):
    data, vanishing = tmp_path / "data", tmp_path / "data" / "incoming" / "mp3-192"
    aged(vanishing / f".a.{dead}-{machine()}.attempt.tmp" / "attempt-1" / "audio", 1.0)
    aged(data / f".b.{dead}-{machine()}.x.tmp", 1.0)
    scandir = os.scandir

    def changing(path="."):
        with scandir(path) as found:
            entries = list(found)
        if vanishing.exists():
            vanishing.rename(tmp_path / "gone")
        return _Listing(entries)

    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", changing)
        remove_stale_temporaries(data, now=NOW)
    assert names(data) == ["incoming"]
