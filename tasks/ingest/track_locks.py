"""Locks on tracks: which process works on a track, so that two ingests of one home do each track once.

A track's lock is a lock of the operating system on `data/claims/<key>.lock`. It ends with its process, however that
happens, so there is never a stale one, and no number of a process is needed: on a home that several machines share
(NFS), the locks are held by its server, and those of another machine count and end like our own. A lock's file is
removed while the lock is still held; the files of processes that were killed are removed by the next one that locks a
track.
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
    """Lock tracks for the length of a `with` block.

    Parameters
    ----------
    corpus : Corpus
        Whose tracks.
    keys : iterable of str
        The tracks that are wanted.
    wait : bool
        Wait for those that another process works on. All processes take them in the same order, so none waits for
        ever; but hold no other lock meanwhile.

    Yields
    ------
    frozenset of str
        The keys of the tracks that are ours; with `wait`, all of them.
    """
    corpus.track_locks_path.mkdir(parents=True, exist_ok=True)
    _remove_stale_files(corpus)
    with ExitStack() as held:
        yield frozenset(key for key in sorted(keys) if _locked(corpus, key, held, wait=wait))


def _remove_stale_files(corpus: Corpus) -> None:
    """Remove the files that nobody holds."""
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
    # Removed while it is still held: whoever waits on the old file sees that it has no name any more, and begins anew.
    Path(lock.lock_file).unlink(missing_ok=True)
    lock.release()
