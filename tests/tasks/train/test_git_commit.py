"""Git commit of a run. A script replaces git, because the machine that runs the tests may not have it."""

from __future__ import annotations

import os
import subprocess

import pytest

import tasks.train.git_commit
from tasks.train.git_commit import git_state

# Prints the files `.commit` and `.changes` of a checkout. Like git, it fails outside any checkout.
GIT = """#!/bin/sh
[ "$1" = -C ] && cd "$2" || exit 2
case "$3 $4 $5" in
    "rev-parse HEAD ") cat .commit ;;
    "status --porcelain --untracked-files=no") cat .changes ;;
    *) exit 2 ;;
esac
"""


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Return songform's own folder and a home, both outside any checkout."""
    (tmp_path / "bin").mkdir()
    git = tmp_path / "bin" / "git"
    git.write_text(GIT)
    git.chmod(0o755)
    monkeypatch.setenv("PATH", str(git.parent), prepend=os.pathsep)
    own, home = tmp_path / "own", tmp_path / "home"
    own.mkdir()
    home.mkdir()
    monkeypatch.setattr(tasks.train.git_commit, "__file__", str(own / "git_commit.py"))
    return own, home


def check_out(folder, commit, changes=""):
    (folder / ".commit").write_text(f"{commit}\n")
    (folder / ".changes").write_text(changes)


def test_no_tags_outside_any_checkout(folders):
    assert git_state(folders[1]) == {}


@pytest.mark.parametrize(("changes", "dirty"), [("", "false"), (" M songform/structure/states.py\n", "true")])
def test_checkout_gives_its_commit_and_whether_it_has_changes(folders, changes, dirty):
    own, home = folders
    check_out(own, "1" * 40, changes)
    assert git_state(home) == {"mlflow.source.git.commit": "1" * 40, "songform.git.dirty": dirty}


def test_commit_of_the_home_is_used_if_songform_is_not_in_a_checkout(folders):
    check_out(folders[1], "2" * 40)
    assert git_state(folders[1])["mlflow.source.git.commit"] == "2" * 40


def test_songforms_own_checkout_comes_before_the_home(folders):
    for folder, commit in zip(folders, ("1" * 40, "2" * 40), strict=True):
        check_out(folder, commit)
    assert git_state(folders[1])["mlflow.source.git.commit"] == "1" * 40


def test_dirty_tag_is_omitted_if_git_status_fails(folders):
    own, home = folders
    check_out(own, "1" * 40)
    (own / ".changes").unlink()
    assert git_state(home) == {"mlflow.source.git.commit": "1" * 40}


def test_no_tags_without_git(folders, monkeypatch, tmp_path):
    check_out(folders[0], "1" * 40)
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    assert git_state(folders[1]) == {}


def test_no_tags_if_git_hangs(folders, monkeypatch):
    def hang(command, *, timeout, **_):
        raise subprocess.TimeoutExpired(command, timeout)

    monkeypatch.setattr(subprocess, "run", hang)
    assert git_state(folders[1]) == {}
