"""The tracks that were found in a SOURCE, and what is to be said of those that were not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from songform.errors import SourceError
from songform.plain_text import plain_text
from tasks.store.tracks import Track

__all__ = ["DuplicateFiles", "Listing", "problems_message", "unique_tracks"]

_MAX_NAMED = 5  # duplicates that are named in a note
_MAX_LINES = 20  # reasons that are told one by one: a list may have ten thousand lines, all of them wrong
USUAL_HIDDEN_SHARE = 0.1  # sites count private and withdrawn tracks, but do not list them: up to this share is no alarm


@dataclass(frozen=True)
class Listing:
    """The tracks of a source, cheaply listed: nothing of them is fetched.

    Parameters
    ----------
    title : str
        The playlist's, feed's or track's title; the name of a folder or list.
    tracks : tuple of Track
        In the source's order, each key once.
    announced : int, optional
        The number of tracks that the site speaks of. When it is larger than what was listed, the list was cut
        (`check_announced` says so): a track that is absent from a listing is never to be taken for a deleted one.
    problems : tuple of str
        A sentence for each part that could not be listed (a line of a list, a file of a folder, a list within a
        list) while others could.
    notes : tuple of str
        A sentence for what is worth telling, but usual.
    """

    title: str
    tracks: tuple[Track, ...]
    announced: int | None = None
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def require_tracks(self, source: str) -> Listing:
        """Return the listing itself.

        Raises
        ------
        SourceError
            If it is empty: with the problems, or saying that there is nothing.
        """
        if self.tracks:
            return self
        if self.problems:
            raise SourceError(problems_message(f"nothing of {source} can be listed", self.problems))
        msg = f"{source} holds no tracks; check that it is what you meant, and that it is not empty"
        raise SourceError(msg)

    def check_announced(self, source: str, listed: int, limit: int | None = None) -> Listing:
        """Return the listing with a word on what the site announced and did not list.

        Parameters
        ----------
        source : str
            Named in the sentence.
        listed : int
            Entries that were listed, twins and lists within the list included.
        limit : int, optional
            Most entries that were asked for.
        """
        wanted = min(self.announced or 0, limit or self.announced or 0)
        if listed >= wanted:
            return self
        said = f"{source}: the site speaks of {self.announced} tracks, but"
        if wanted - listed <= USUAL_HIDDEN_SHARE * wanted:
            note = f"{said} {listed} were listed; the others are probably hidden, which is usual"
            return replace(self, notes=(*self.notes, note))
        problem = f"{said} only {listed} were listed; nothing is removed, the rest comes with a later ingest"
        return replace(self, problems=(*self.problems, problem))


def problems_message(what: str, problems: Iterable[str]) -> str:
    """Return the message of a failure that has several reasons, each on a line of its own; a single one is the message.

    Parameters
    ----------
    what : str
        What failed, as the beginning of a sentence.
    problems : iterable of str
        Why: at least one sentence.
    """
    reasons = list(dict.fromkeys(problems))
    if len(reasons) == 1:
        return reasons[0]
    lines = [f"{what}:", *("- " + reason.replace("\n", "\n  ") for reason in reasons[:_MAX_LINES])]
    if len(reasons) > _MAX_LINES:
        lines.append(f"- and {len(reasons) - _MAX_LINES} more such problems")
    return "\n".join(lines)


class DuplicateFiles:
    """Notices files with the same content: they are one track, because a file's key is the hash of its content.

    Attributes
    ----------
    duplicates : list of (str, str)
        The path of each duplicate, and that of the file with the same content which came first.
    """

    def __init__(self) -> None:
        self.duplicates: list[tuple[str, str]] = []
        self._first: dict[str, str] = {}

    def observe(self, tracks: Iterable[Track]) -> Iterator[Track]:
        """Yield all tracks as they come, and remember the duplicates among them."""
        for track in tracks:
            if track.path is not None:
                first = self._first.setdefault(track.key, track.path)
                if first != track.path:
                    self.duplicates.append((track.path, first))
            yield track

    def notes(self) -> tuple[str, ...]:
        """Return one sentence on all of them, or none."""
        if not self.duplicates:
            return ()
        named = (map(plain_text, pair, (400, 400)) for pair in self.duplicates[:_MAX_NAMED])
        pairs = [" holds the same as ".join(pair) for pair in named]
        more = f"; and {len(self.duplicates) - _MAX_NAMED} more such files" if len(self.duplicates) > _MAX_NAMED else ""
        return (f"the same content is one track, taken once: {'; '.join(pairs)}{more}",)


def unique_tracks(tracks: Iterable[Track], limit: int | None = None) -> tuple[Track, ...]:
    """Return each track once, where it came first, and no more than `limit`; no more are asked for than needed."""
    found: dict[str, Track] = {}
    for track in tracks:
        found.setdefault(track.key, track)
        if len(found) == limit:
            break
    return tuple(found.values())
