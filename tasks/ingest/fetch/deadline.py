"""Time limit of downloads.

The timeout of a socket limits only the time without data. It does not stop a server that sends one byte every few
seconds, or an endless stream. Therefore each attempt has a deadline that closes its connections when it expires. A read
that waits in another thread then returns at once, as if the server had closed the connection.

The attempts of one ingest share the time limit (`Stopwatch`); otherwise a server that closes the connection every ten
minutes would get more time. Pauses between attempts do not count, because a host may have asked for them.
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
    """Stopwatch that measures the total time of `with` blocks by the monotonic clock.

    Parameters
    ----------
    seconds : float
        Initial value, in seconds.
    """

    def __init__(self, seconds: float = 0.0) -> None:
        self._before = seconds
        self._began: float | None = None

    @property
    def seconds(self) -> float:
        """Time measured so far, in seconds."""
        return self._before + (0.0 if self._began is None else time.monotonic() - self._began)

    def __enter__(self) -> Self:
        self._began = time.monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        self._before, self._began = self.seconds, None


class Deadline:
    """Deadline of a download attempt. As a context manager it is started, and canceled at the end of the block.

    Parameters
    ----------
    minutes : float > 0
        Time limit, in minutes from now on.
    spent : float
        Part of this time that earlier attempts have used, in seconds.
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
        """Start the timer, in a daemon thread."""
        self._timer.start()

    def cancel(self) -> None:
        """Stop the timer; open sockets stay open."""
        self._timer.cancel()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.cancel()

    @property
    def left(self) -> float:
        """Remaining time, in seconds; 0 after the deadline."""
        return max(0.0, self._end - time.monotonic())

    @property
    def is_over(self) -> bool:
        """Whether the deadline has passed."""
        return self.left == 0.0

    def watch(self, sock: socket.socket) -> None:
        """Shut down a socket at the deadline, or at once if the deadline has passed."""
        with self._lock:
            self._sockets.add(sock)
        if self.is_over:
            _shut(sock)

    def __str__(self) -> str:
        return (
            f"the download takes longer than download.max_minutes = {self.minutes:g}; it may be an endless stream; "
            "raise this limit if it is not"
        )

    def _strike(self) -> None:
        with self._lock:
            sockets = list(self._sockets)
        for sock in sockets:
            _shut(sock)


def _shut(sock: socket.socket) -> None:
    # SSLSocket.shutdown would first discard the TLS state, which the reading thread is using.
    with contextlib.suppress(OSError):
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
