"""Garbage: collected by a thread of its own, so that a server's event loop never waits for a database over it.

Python collects garbage in whatever thread makes the last object too many. In Prefect's server that was the event loop
now and then; and among the garbage was a cursor of a connection to SQLite that waited, in its own thread, for a lock.
To clear a cursor is to wait for its connection [1]_. So the loop waited for that connection, which waited for a
transaction, which waited for the loop: until SQLite gave up after a minute, with "database is locked". Of the runs with
hundreds of tasks on a busy machine, one in six stood still for that minute. Here only this thread waits, and the loop
goes on.

References
----------
.. [1] CPython, `Modules/_sqlite/cursor.c`, `cursor_clear`: it calls `sqlite3_reset`, which takes the connection's
   mutex.
"""

from __future__ import annotations

import gc
import threading
import time

__all__ = ["collect_in_a_thread"]

_SECONDS = 0.5  # between two looks
_MANY = 5_000  # objects made and not freed since the last collection: an idle server makes fewer, and is left alone
_ROUNDS = 10  # collections of what is young before one of everything, as Python itself has it


def collect_in_a_thread() -> threading.Thread:
    """Take the collection of garbage over from all other threads of this process, for as long as it lives.

    Returns
    -------
    threading.Thread
        A daemon: it ends with the process.
    """
    gc.disable()
    thread = threading.Thread(target=_collect_for_ever, name="garbage collection", daemon=True)
    thread.start()
    return thread


def _collect_for_ever() -> None:
    while True:
        time.sleep(_SECONDS)
        young, _, rounds = gc.get_count()
        if young >= _MANY:
            gc.collect(2 if rounds >= _ROUNDS else 1)
