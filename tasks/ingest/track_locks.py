"""Locks on tracks, so that simultaneous ingests of one home do not process a track twice.

The lock of a track is a file lock of the operating system on `data/claims/<key>.lock`. It is released when its process
ends, so locks never become stale and no process ID is stored. If several machines share a home over NFS, the server
holds the locks, and they work between machines, too. The file is removed while the lock is still held. Files that
killed processes left behind are removed by the next process that locks a track.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from tasks.store.corpus import Corpus

__all__ = ["locked_tracks"]


@contextmanager
def locked_tracks(corpus: Corpus, keys: Iterable[str], *, wait: bool = False) -> Iterator[frozenset[str]]:
    """Lock tracks for the duration of a `with` block.

    Parameters
    ----------
    corpus : Corpus
        Corpus of the tracks.
    keys : iterable of str
        Keys of the tracks to lock.
    wait : bool
        Whether to wait for tracks that another process has locked. Locks are acquired in a fixed order, which prevents
        deadlocks as long as the caller holds no other lock.

    Yields
    ------
    frozenset of str
        Keys of the tracks that were locked; with `wait`, all of them.
    """
    corpus.track_locks_path.mkdir(parents=True, exist_ok=True)
    _remove_stale_files(corpus)
    with ExitStack() as held:
        yield frozenset(key for key in sorted(keys) if _locked(corpus, key, held, wait=wait))


def _remove_stale_files(corpus: Corpus) -> None:
    """Remove lock files that no process holds."""
    for path in corpus.track_locks_path.glob("*.lock"):
        lock = FileLock(path, timeout=0, thread_local=False)
        with suppress(Timeout):
            lock.acquire()
            _release(lock)


def _locked(corpus: Corpus, key: str, held: ExitStack, *, wait: bool) -> bool:
    lock = FileLock(corpus.track_locks_path / f"{key}.lock", timeout=-1 if wait else 0, thread_local=False)
    try:
        lock.acquire()
    except Timeout:
        return False
    held.callback(_release, lock)
    return True


def _release(lock: FileLock) -> None:
    # Remove the file before the release: a process that waits for it notices the removal, and tries again.
    Path(lock.lock_file).unlink(missing_ok=True)
    lock.release()
