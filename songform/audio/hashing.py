"""Hashing: the SHA-256 of a file, computed while somebody else reads it.

A decoder reads nearly every byte of a file, nearly in order. `HashingFile` looks over its shoulder, so that the disk is
read once. What the decoder left out (a picture in a tag, a list of chapters at the end) is read when the hash is asked
for; and where it jumped back, nothing is hashed twice.

References
----------
FIPS 180-4 (SHA-256); `io.FileIO`, the file under `open` without its buffer.
"""

from __future__ import annotations

import hashlib
import io
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from _typeshed import WriteableBuffer

__all__ = ["HashingFile"]

BUFFER = 65_536  # bytes that are read at a time: decoders ask for a few hundred


class HashingFile(io.BufferedReader):
    """A file, open to be read, that hashes each byte when it is first read from the disk.

    Parameters
    ----------
    path : Path
        The file. It keeps its name to itself: whoever reads it looks at what it is, not at what its suffix says.

    Examples
    --------
    >>> with HashingFile(Path("song.mp3")) as file:  # doctest: +SKIP
    ...     decode(file)
    ...     print(file.sha256())
    """

    name = ""

    def __init__(self, path: Path) -> None:
        self._bytes = _HashedBytes(path)
        super().__init__(self._bytes, BUFFER)

    @property
    def error(self) -> OSError | None:
        """What the disk refused, if it did: nothing can be raised through libsndfile, so it sees the file's end."""
        return self._bytes.error

    def n_unread(self) -> int:
        """Return how many bytes lie behind those that were read from the beginning on, without a gap."""
        return os.fstat(self.fileno()).st_size - self._bytes.n_hashed

    def sha256(self) -> str:
        """Return the hash of the whole file in hex digits; what nobody has read so far is read now.

        Whoever reads the file goes on where he was.

        Raises
        ------
        OSError
            If the disk refused any of it.
        """
        return self._bytes.sha256()


class _HashedBytes(io.FileIO):
    """The file under the buffer."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path), "rb")  # the name that an error tells
        self.error: OSError | None = None
        self.n_hashed = 0  # the file's first bytes that were hashed
        self._hash = hashlib.sha256()

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        start = self.tell()
        try:
            n_bytes = super().readinto(buffer) or 0
        except OSError as error:
            error.filename = self.name
            self.error = error
            return 0
        if start <= self.n_hashed < start + n_bytes:
            self._hash.update(memoryview(buffer).cast("B")[self.n_hashed - start : n_bytes])
            self.n_hashed = start + n_bytes
        return n_bytes

    def sha256(self) -> str:
        position, buffer = self.tell(), bytearray(BUFFER)
        self.seek(self.n_hashed)
        while self.readinto(buffer):
            pass
        if self.error:
            raise self.error
        self.seek(position)
        return self._hash.hexdigest()
