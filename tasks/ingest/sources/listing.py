"""Tracks that were listed from a SOURCE, with problems and notes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from songform.errors import SourceError
from songform.plain_text import plain_text
from tasks.store.tracks import Track

__all__ = ["DuplicateFiles", "Listing", "problems_message", "unique_tracks"]

_MAX_NAMED = 5  # duplicates that a note names
_MAX_LINES = 20  # reasons that a message lists: a list may have ten thousand invalid lines
USUAL_HIDDEN_SHARE = 0.1  # sites count private and removed tracks but do not list them; up to this share is only a note


@dataclass(frozen=True)
class Listing:
    """Tracks of a source, listed without downloading them.

    Parameters
    ----------
    title : str
        Title of the playlist, feed or track; name of the folder or list.
    tracks : tuple of Track
        Tracks in the order of the source, without duplicate keys.
    announced : int, optional
        Number of tracks that the site reports. If it is larger than the number of listed tracks, the listing is
        incomplete (`check_announced` adds a note or a problem), so a track that is not listed may still exist.
    problems : tuple of str
        One sentence per part that could not be listed: a line of a list, a file of a folder, a list within a list.
    notes : tuple of str
        One sentence per observation that is not a problem.
    sources : tuple of str
        Addresses in the list that have to be listed in turn, such as the feeds of an OPML list.
    """

    title: str
    tracks: tuple[Track, ...]
    announced: int | None = None
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()

    def require_tracks(self, source: str) -> Listing:
        """Return the listing if it has tracks.

        Raises
        ------
        SourceError
            If it has neither tracks nor sources; the message contains the problems, if any.
        """
        if self.tracks or self.sources:
            return self
        if self.problems:
            raise SourceError(problems_message(f"no track of {source} can be listed", self.problems))
        msg = f"{source} contains no tracks; check that it is the right source and that it is not empty"
        raise SourceError(msg)

    def check_announced(self, source: str, listed: int, limit: int | None = None) -> Listing:
        """Return the listing, with a note or a problem if the site reports more tracks than it lists.

        Parameters
        ----------
        source : str
            Name of the source, for the message.
        listed : int
            Number of listed entries, including duplicates and lists within the list.
        limit : int, optional
            Maximum number of entries that were requested.
        """
        wanted = min(self.announced or 0, limit or self.announced or 0)
        if listed >= wanted:
            return self
        said = f"{source}: the site reports {self.announced} tracks, but"
        if wanted - listed <= USUAL_HIDDEN_SHARE * wanted:
            note = f"{said} {listed} were listed; the others are probably private or removed, which is common"
            return replace(self, notes=(*self.notes, note))
        problem = (
            f"{said} only {listed} were listed; tracks ingested earlier are kept, "
            "and ingesting again later may add the others"
        )
        return replace(self, problems=(*self.problems, problem))


def problems_message(what: str, problems: Iterable[str]) -> str:
    """Return the message of a failure with one or more reasons: the only reason, or one line per reason.

    Parameters
    ----------
    what : str
        What failed, as the beginning of a sentence.
    problems : iterable of str
        Reasons, at least one sentence.
    """
    reasons = list(dict.fromkeys(problems))
    if len(reasons) == 1:
        return reasons[0]
    lines = [f"{what}:", *("- " + reason.replace("\n", "\n  ") for reason in reasons[:_MAX_LINES])]
    if len(reasons) > _MAX_LINES:
        lines.append(f"- and {len(reasons) - _MAX_LINES} more such problems")
    return "\n".join(lines)


class DuplicateFiles:
    """Detector of files with the same content.

    Such files are one track, because the key of a file is the hash of its content.

    Attributes
    ----------
    duplicates : list of (str, str)
        Path of each duplicate, and path of the first file with the same content.
    """

    def __init__(self) -> None:
        self.duplicates: list[tuple[str, str]] = []
        self._first: dict[str, str] = {}

    def observe(self, tracks: Iterable[Track]) -> Iterator[Track]:
        """Yield all tracks in their order, and record duplicates."""
        for track in tracks:
            if track.path is not None:
                first = self._first.setdefault(track.key, track.path)
                if first != track.path:
                    self.duplicates.append((track.path, first))
            yield track

    def notes(self) -> tuple[str, ...]:
        """Return one sentence about all duplicates, or nothing if there are none."""
        if not self.duplicates:
            return ()
        named = (map(plain_text, pair, (400, 400)) for pair in self.duplicates[:_MAX_NAMED])
        pairs = [" is a copy of ".join(pair) for pair in named]
        more = f"; and {len(self.duplicates) - _MAX_NAMED} more such files" if len(self.duplicates) > _MAX_NAMED else ""
        return (f"files with the same content are ingested once, as one track: {'; '.join(pairs)}{more}",)


def unique_tracks(tracks: Iterable[Track], limit: int | None = None) -> tuple[Track, ...]:
    """Return the first `limit` tracks without duplicates; `tracks` is consumed only as far as needed."""
    found: dict[str, Track] = {}
    for track in tracks:
        found.setdefault(track.key, track)
        if len(found) == limit:
            break
    return tuple(found.values())
