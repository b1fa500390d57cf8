"""Deadlines: a track's fetching ends when its time is over, whatever a server does.

The time-out of a socket is a limit of silence. A server that sends one byte every few seconds is never silent and never
done, and neither is a stream without an end. So each attempt has a deadline that knows its connections and shuts them
when it strikes: a read that waits in another thread returns at once, as if the server had hung up.

What the attempts of one ingest take is counted together (`Stopwatch`), for a server that hangs up every ten minutes
has no more claim than one that does not. The pauses between them are not counted: a host may have asked for them.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
import weakref
from typing import Self

__all__ = ["Deadline", "Stopwatch"]


class Stopwatch:
    """Counts the time of `with` blocks, in s; the clock that it reads is never set.

    Parameters
    ----------
    seconds : float
        What was counted before.
    """

    def __init__(self, seconds: float = 0.0) -> None:
        self._before = seconds
        self._began: float | None = None

    @property
    def seconds(self) -> float:
        """What is counted so far."""
        return self._before + (0.0 if self._began is None else time.monotonic() - self._began)

    def __enter__(self) -> Self:
        self._began = time.monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        self._before, self._began = self.seconds, None


class Deadline:
    """The end of an attempt. As a context manager it is started, and cancelled at the end of the block.

    Parameters
    ----------
    minutes : float > 0
        From now on.
    spent : float
        Seconds of them that earlier attempts have spent.
    """

    def __init__(self, minutes: float, *, spent: float = 0.0) -> None:
        self.minutes = minutes
        seconds = max(0.0, min(60.0 * minutes, threading.TIMEOUT_MAX) - spent)
        self._end = time.monotonic() + seconds
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self._lock = threading.Lock()
        self._timer = threading.Timer(seconds, self._strike)
        self._timer.daemon = True

    def start(self) -> None:
        """Begin to wait, in a thread that holds up nothing."""
        self._timer.start()

    def cancel(self) -> None:
        """Let what is open be open: the attempt is done."""
        self._timer.cancel()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.cancel()

    @property
    def left(self) -> float:
        """What is left of the time, in s; 0 when it is over."""
        return max(0.0, self._end - time.monotonic())

    @property
    def is_over(self) -> bool:
        """Whether the deadline has passed."""
        return self.left == 0.0

    def watch(self, sock: socket.socket) -> None:
        """Shut a socket when the time is over; at once, if it is."""
        with self._lock:
            self._sockets.add(sock)
        if self.is_over:
            _shut(sock)

    def __str__(self) -> str:
        return (
            f"it takes longer than download.max_minutes = {self.minutes:g}, as a stream without an end does; "
            "raise this limit if it has one"
        )

    def _strike(self) -> None:
        with self._lock:
            sockets = list(self._sockets)
        for sock in sockets:
            _shut(sock)


def _shut(sock: socket.socket) -> None:
    # Not the method of an SSLSocket, which first throws away the state that the reading thread is using.
    with contextlib.suppress(OSError):
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
