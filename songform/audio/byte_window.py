"""Access to the bytes of a file that is read mostly in their order."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import re
    from collections.abc import Iterator
    from typing import BinaryIO

__all__ = ["ByteWindow"]

CHUNK = 2**20  # bytes per read


class ByteWindow:
    """Access to the bytes of a file, of which one chunk is in memory.

    Parameters
    ----------
    file : BinaryIO
        The file; its position changes.
    chunk : int
        Number of bytes per read.

    Attributes
    ----------
    size : int
        Number of bytes in the file.
    """

    def __init__(self, file: BinaryIO, *, chunk: int = CHUNK) -> None:
        self._file, self._chunk, self._start, self._data = file, chunk, 0, b""
        self.size = file.seek(0, 2)

    def read(self, at: int, n_bytes: int) -> bytes:
        """Return bytes of the file; fewer at its end, and none before its start."""
        first = at - self._start
        if not 0 <= first <= len(self._data) - n_bytes:
            self._load(at, n_bytes)
            first = at - self._start
        return self._data[first : first + n_bytes]

    def matches(self, pattern: re.Pattern[bytes], start: int, end: int) -> Iterator[int]:
        """Yield the positions at which a pattern of at most four bytes matches."""
        beyond = start
        while start < end:
            n_bytes = len(self._data) - (start - self._start) if start >= self._start else 0
            data = self.read(start, min(n_bytes if n_bytes > 4 else self._chunk, end - start))
            if not data:
                return
            for found in pattern.finditer(data):
                if start + found.start() >= beyond:
                    yield start + found.start()
                    beyond = start + found.start() + 1
            start += max(1, len(data) - 3)

    def _load(self, at: int, n_bytes: int) -> None:
        if at < 0 or at >= self.size:
            self._start, self._data = at, b""
            return
        self._file.seek(at)
        self._start, self._data = at, self._file.read(max(n_bytes, self._chunk))
