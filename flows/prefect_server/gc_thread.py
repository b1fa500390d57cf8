"""Garbage collection in a separate thread, which prevents a deadlock in the Prefect server.

Python collects garbage in the thread that happens to reach the allocation threshold. In the Prefect server this was
sometimes the thread of the event loop, and the garbage sometimes contained an SQLite cursor. Freeing a cursor waits for
its connection [1]_. If another thread used that connection and waited for a lock of the database, the event loop waited
for the connection, the connection waited for a transaction, and the transaction waited for the event loop, until SQLite
reported "database is locked" after a minute. On a busy machine, this stopped one in six runs with hundreds of tasks for
a minute. With a separate thread, only that thread waits.

References
----------
.. [1] CPython, `Modules/_sqlite/cursor.c`, `cursor_clear`: it calls `sqlite3_reset`, which acquires the mutex of the
   connection.
"""

from __future__ import annotations

import gc
import threading
import time

__all__ = ["collect_in_a_thread"]

_SECONDS = 0.5  # interval between checks
_THRESHOLD = 5_000  # allocations minus deallocations that trigger a collection; an idle server stays below
_ROUNDS = 10  # collections of younger generations before a full collection, as in Python's default


def collect_in_a_thread() -> threading.Thread:
    """Disable automatic garbage collection in this process, and collect garbage in a new thread instead.

    Returns
    -------
    threading.Thread
        Daemon thread, which ends with the process.
    """
    gc.disable()
    thread = threading.Thread(target=_collect_for_ever, name="garbage collection", daemon=True)
    thread.start()
    return thread


def _collect_for_ever() -> None:
    while True:
        time.sleep(_SECONDS)
        young, _, rounds = gc.get_count()
        if young >= _THRESHOLD:
            gc.collect(2 if rounds >= _ROUNDS else 1)
