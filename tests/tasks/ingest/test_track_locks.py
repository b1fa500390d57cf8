"""Locks that prevent two processes of one home from working on the same track."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading

from tasks.ingest.track_locks import locked_tracks
from tasks.store.corpus import Corpus


def test_locked_track_cannot_be_locked_again(tmp_path) -> None:
    corpus = Corpus(tmp_path)
    with locked_tracks(corpus, ["a-1", "a-2"]) as ours, locked_tracks(corpus, ["a-2", "a-3"]) as theirs:
        assert ours == {"a-1", "a-2"}
        assert theirs == {"a-3"}


def test_lock_files_are_removed(tmp_path) -> None:
    corpus = Corpus(tmp_path)
    with locked_tracks(corpus, ["a-1"]):
        assert [path.name for path in corpus.track_locks_path.iterdir()] == ["a-1.lock"]
    assert not list(corpus.track_locks_path.iterdir())
    with locked_tracks(corpus, ["a-1"]) as again:
        assert again == {"a-1"}


def test_waiting_process_gets_the_lock_after_its_release(tmp_path) -> None:
    corpus = Corpus(tmp_path)
    got: list[frozenset[str]] = []

    def wait_for_it() -> None:
        with locked_tracks(corpus, ["a-1"], wait=True) as keys:
            got.append(keys)

    thread = threading.Thread(target=wait_for_it)
    with locked_tracks(corpus, ["a-1"]):
        thread.start()
        assert not got
    thread.join(30)
    assert got == [{"a-1"}]
    assert not list(corpus.track_locks_path.iterdir())


def hold(home, has_locked) -> None:
    """Lock a track and never release it."""
    with locked_tracks(Corpus(home), ["a-1"]):
        has_locked.set()
        threading.Event().wait(60)


def test_lock_of_a_killed_process_is_released(tmp_path) -> None:
    context = multiprocessing.get_context("spawn")
    has_locked = context.Event()
    process = context.Process(target=hold, args=(tmp_path, has_locked))
    process.start()
    assert has_locked.wait(60)
    with locked_tracks(Corpus(tmp_path), ["a-1"]) as keys:
        assert not keys
    os.kill(process.pid, signal.SIGKILL)
    process.join(30)
    with locked_tracks(Corpus(tmp_path), ["a-2"]):
        found = [path.name for path in Corpus(tmp_path).track_locks_path.iterdir()]
        assert found == ["a-2.lock"]  # the file of the killed process is removed
    with locked_tracks(Corpus(tmp_path), ["a-1"]) as keys:
        assert keys == {"a-1"}
