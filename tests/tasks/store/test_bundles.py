"""Damage of any file of a bundle is found without loading its network."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys

import pytest

from tasks.store.bundles import bundle_fault, is_lost, newest_bundle, set_aside_bundle
from tasks.store.corpus import Corpus

FILES = ("bundle.json", "states.npz", "sequence.npz", "network.npz", "training.json", "judgement.json")


@pytest.fixture
def folder(trained, tmp_path):
    return shutil.copytree(trained.folder, Corpus(tmp_path).bundle_path("0123456789ab"))


def flipped(content):
    place = len(content) // 2
    return content[:place] + bytes([content[place] ^ 0x55]) + content[place + 1 :]


DAMAGE = {
    "empty": lambda content: b"",
    "random bytes of equal size": lambda content: random.Random(0).randbytes(len(content)),
    "cut in half": lambda content: content[: len(content) // 2],
    "a byte is flipped": flipped,
}


def test_intact_or_missing_bundle_has_no_fault_and_is_kept(folder):
    assert bundle_fault(folder) is None
    assert set_aside_bundle(folder) == []
    assert bundle_fault(folder.with_name("missing")) is None
    assert not is_lost(folder)


@pytest.mark.parametrize("kind", DAMAGE)
@pytest.mark.parametrize("name", FILES)
def test_damage_of_each_file_is_found(folder, name, kind):
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(DAMAGE[kind](content))
    if kind == "a byte is flipped" and name.endswith(".json"):
        (folder / name).write_bytes(content.replace(b"{", b"\xff", 1))  # JSON has no checksum
    fault = bundle_fault(folder)
    assert fault
    assert "\n" not in fault


@pytest.mark.parametrize("name", FILES[:4])
def test_missing_file_is_found_and_the_folder_is_renamed_as_a_whole(folder, name):
    (folder / name).unlink()
    left = sorted(path.name for path in folder.iterdir())
    (problem,) = set_aside_bundle(folder)
    assert f"the model {folder} is damaged (" in problem
    assert "it was renamed to 0123456789ab.damaged-1" in problem
    assert is_lost(folder)
    assert sorted(path.name for path in folder.with_name("0123456789ab.damaged-1").iterdir()) == left


def test_the_newest_bundle_that_can_be_loaded_is_found(folder):
    corpus = Corpus(folder.parents[2])
    older = shutil.copytree(folder, folder.with_name("ba9876543210"))
    os.utime(older / "bundle.json", (1, 1))
    assert newest_bundle(corpus) == folder.name
    (folder / "states.npz").write_bytes(b"")
    assert newest_bundle(corpus) == older.name
    set_aside_bundle(folder)
    shutil.rmtree(older)
    assert newest_bundle(corpus) is None


def test_checking_a_bundle_does_not_import_keras(folder):
    program = f"""
import sys
from pathlib import Path
from tasks.store.bundles import bundle_fault
assert bundle_fault(Path({str(folder)!r})) is None
assert not {{"keras", "tensorflow", "prefect"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", program], check=True)
