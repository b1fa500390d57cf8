"""Files that are hashed while a decoder reads them."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

__all__ = ["HashingFile"]

BUFFER = 65_536  # bytes per read; decoders request only a few hundred at a time


class HashingFile(io.BufferedReader):
    """A file opened for reading that hashes each byte when it is first read from disk.

    Parameters
    ----------
    path : Path
        Path of the file. The attribute `name` is empty, so that decoders identify the format by the content of the file
        and not by its suffix.
    sha256 : str, optional
        Hash of the file, if it is known; then nothing is hashed.

    Examples
    --------
    >>> _ = Path("song.mp3").write_bytes(b"abc")
    >>> with HashingFile(Path("song.mp3")) as file:
    ...     file.sha256()[:8]
    'ba7816bf'
    """

    name = ""

    def __init__(self, path: Path, *, sha256: str | None = None) -> None:
        self._bytes = _HashedBytes(path, sha256)
        super().__init__(self._bytes, BUFFER)

    @property
    def error(self) -> OSError | None:
        """The error of a failed read, or None.

        Exceptions cannot pass through libsndfile, which therefore treats a failed read as the end of the file.
        """
        return self._bytes.error

    def sha256(self) -> str:
        """Return the hash of the whole file as hex digits.

        Bytes that have not been read yet are read now. The current position in the file does not change.

        Raises
        ------
        OSError
            If a part of the file could not be read.
        """
        return self._bytes.sha256()


class _HashedBytes(io.FileIO):
    """The unbuffered file below a `HashingFile`."""

    def __init__(self, path: Path, sha256: str | None) -> None:
        super().__init__(str(path), "rb")  # errors contain this name
        self.known = sha256
        self.error: OSError | None = None
        self.n_hashed = 0  # number of bytes hashed so far, from the beginning
        self._hash = hashlib.sha256()

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        start = self.tell()
        try:
            n_bytes = super().readinto(buffer) or 0
        except OSError as error:
            error.filename = self.name
            self.error = error
            return 0
        if self.known is None and start <= self.n_hashed < start + n_bytes:
            self._hash.update(memoryview(buffer).cast("B")[self.n_hashed - start : n_bytes])
            self.n_hashed = start + n_bytes
        return n_bytes

    def sha256(self) -> str:
        if self.known is not None and self.error is None:
            return self.known
        position, buffer = self.tell(), bytearray(BUFFER)
        self.seek(self.n_hashed)
        while self.readinto(buffer):
            pass
        if self.error:
            raise self.error
        self.seek(position)
        return self._hash.hexdigest()
