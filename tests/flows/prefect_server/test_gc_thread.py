"""Tests of garbage collection in a separate thread."""

from __future__ import annotations

import gc
import sqlite3
import threading
import weakref
from contextlib import closing

import pytest

import flows.prefect_server.gc_thread
from flows.prefect_server.gc_thread import collect_in_a_thread

PATIENCE = 20.0  # timeout in seconds


@pytest.fixture
def begin(monkeypatch):
    """Return the function that starts the thread, which then collects continuously; restore Python's settings."""
    for name, value in (("_SECONDS", 0.001), ("_THRESHOLD", 0)):
        monkeypatch.setattr(flows.prefect_server.gc_thread, name, value)
    gc.disable()
    yield collect_in_a_thread
    monkeypatch.setattr(flows.prefect_server.gc_thread, "_THRESHOLD", float("inf"))
    gc.enable()


class Ring:
    """Object with a reference to itself, which only a collection can free."""

    def __init__(self, content=None):
        self.content, self.me = content, self


def test_thread_collects_the_garbage_of_other_threads(begin):
    who, freed = [], threading.Event()
    weakref.finalize(Ring(), lambda: (who.append(threading.current_thread()), freed.set()))
    thread = begin()
    assert freed.wait(PATIENCE)
    assert who == [thread]
    assert not gc.isenabled()


def test_cursor_of_a_waiting_connection_blocks_only_the_collector(tmp_path, begin):
    """The Prefect server had this deadlock: a collection in this thread would delay the commit until the timeout."""
    path, waiting, collecting, failed = tmp_path / "a.db", threading.Event(), threading.Event(), []

    def insert():
        try:
            waits.execute("insert into numbers values (1)")
        except sqlite3.OperationalError as error:
            failed.append(error)

    with (
        closing(sqlite3.connect(path, isolation_level=None)) as holds,
        closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=PATIENCE)) as waits,
    ):
        holds.execute("pragma journal_mode = wal")
        holds.execute("create table numbers (number)")
        holds.execute("begin immediate")
        # The thread of an earlier test may collect at any time, and no other collection begins until it is done.
        gc.callbacks.append(began := lambda phase, _: collecting.set())
        Ring(waits.execute("select 1 union select 2"))  # not read to its end
        waits.set_trace_callback(lambda _: waiting.set())
        inserting = threading.Thread(target=insert)
        inserting.start()
        assert waiting.wait(PATIENCE)
        begin()
        assert collecting.wait(PATIENCE)
        gc.callbacks.remove(began)
        holds.execute("commit")
        inserting.join()
        waits.set_trace_callback(None)
        assert (failed, waits.execute("select number from numbers").fetchall()) == ([], [(1,)])
