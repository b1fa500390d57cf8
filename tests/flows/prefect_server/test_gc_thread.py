"""Garbage is collected, and by a thread that nobody waits for."""

from __future__ import annotations

import gc
import sqlite3
import threading
import weakref
from contextlib import closing

import pytest

import flows.prefect_server.gc_thread
from flows.prefect_server.gc_thread import collect_in_a_thread

PATIENCE = 20.0  # seconds, of which none pass when all is well


@pytest.fixture
def begin(monkeypatch):
    """Return what starts the thread, which then looks all the time; leave Python as it was."""
    for name, value in (("_SECONDS", 0.001), ("_MANY", 0)):
        monkeypatch.setattr(flows.prefect_server.gc_thread, name, value)
    gc.disable()
    yield collect_in_a_thread
    monkeypatch.setattr(flows.prefect_server.gc_thread, "_MANY", float("inf"))
    gc.enable()


class Ring:
    """Something that refers to itself, so that only a collection frees it."""

    def __init__(self, content=None):
        self.content, self.me = content, self


def test_the_thread_collects_what_others_leave_behind(begin):
    who, freed = [], threading.Event()
    weakref.finalize(Ring(), lambda: (who.append(threading.current_thread()), freed.set()))
    thread = begin()
    assert freed.wait(PATIENCE)
    assert who == [thread]
    assert not gc.isenabled()


def test_a_cursor_of_a_connection_that_waits_for_a_lock_holds_up_the_collector_alone(tmp_path, begin):
    """As it was in Prefect's server. Collected in this thread, the transaction would not be committed in time."""
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
        Ring(waits.execute("select 1 union select 2"))  # not read to its end
        waits.set_trace_callback(lambda _: waiting.set())
        inserting = threading.Thread(target=insert)
        inserting.start()
        assert waiting.wait(PATIENCE)
        gc.callbacks.append(began := lambda phase, _: collecting.set())
        begin()
        assert collecting.wait(PATIENCE)
        gc.callbacks.remove(began)
        holds.execute("commit")
        inserting.join()
        waits.set_trace_callback(None)
        assert (failed, waits.execute("select number from numbers").fetchall()) == ([], [(1,)])
