"""Addresses in lists: relative ones, and those of audio files."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote, urljoin, urlsplit
from xml.etree.ElementTree import Element

__all__ = ["Candidate", "base_of", "best_candidate", "is_media_file", "is_web_address", "resolved", "suffix"]

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_WEB = re.compile(r"https?://", re.IGNORECASE)
_SMUGGLED = "#__youtubedl_smuggle"  # yt-dlp appends internal data to addresses; a list must not contain any

_AUDIO = frozenset(
    {
        *("mp3", "m4a", "m4b", "aac", "ogg", "oga", "opus", "flac", "wav", "wma", "aif", "aiff", "aifc", "mka", "weba"),
        *("wv", "ape", "tta", "tak", "mpc", "ac3", "eac3", "dts", "amr", "au", "snd", "caf", "mp2", "mpga", "spx"),
        *("dsf", "dff", "alac", "w64", "rf64"),
    }
)
_VIDEO = frozenset({"mp4", "m4v", "webm", "mkv", "mov", "avi", "ogv", "flv", "3gp", "mpg", "mpeg", "wmv", "ts"})
_NO_AUDIO = frozenset(
    {
        *("jpg", "jpeg", "png", "gif", "webp", "svg", "bmp", "pdf", "epub", "txt", "srt", "vtt", "json", "xml", "zip"),
        *("torrent", "doc", "docx", "htm", "html", "ico"),
    }
)


@dataclass(frozen=True)
class Candidate:
    """Address that may be the audio of an item, and its media type as declared."""

    address: str
    media_type: str = ""

    @property
    def rank(self) -> int:
        """0 for audio, 1 for a file of unknown type, 2 for video, 3 for anything else."""
        ending, kind = suffix(self.address), self.media_type.strip().lower().partition("/")[0]
        if ending in _NO_AUDIO or kind in ("image", "text") or "bittorrent" in self.media_type:
            return 3
        if kind == "audio" or (ending in _AUDIO and kind != "video"):
            return 0
        return 2 if kind == "video" or ending in _VIDEO else 1


def best_candidate(candidates: Iterable[Candidate]) -> Candidate | None:
    """Return the first candidate of the best rank; None if there are no candidates."""
    return min(candidates, key=lambda candidate: candidate.rank, default=None)


def is_media_file(address: str) -> bool:
    """Return whether the path of an address has the suffix of an audio or video file."""
    return suffix(address) in _AUDIO | _VIDEO


def is_web_address(address: str) -> bool:
    """Return whether an address begins with http:// or https://."""
    return _WEB.match(address) is not None


def resolved(address: str, base: str | None) -> str:
    """Return an address from a list as an absolute one.

    Parameters
    ----------
    address : str
        Address as written.
    base : str, optional
        Address of the list; with None, the list is a local file, and the address stays relative.

    Returns
    -------
    str
        Address without surrounding whitespace. An invalid address is returned unchanged; its download reports that.
    """
    address = address.strip().partition(_SMUGGLED)[0]
    if base is None or not address or _SCHEME.match(address):
        return address
    try:
        return urljoin(base, address)
    except ValueError:
        return address


def base_of(root: Element, base: str | None) -> str | None:
    """Return the address that relative addresses in an XML list refer to, given that of the list (`xml:base`)."""
    return base and resolved(root.get("{http://www.w3.org/XML/1998/namespace}base", base), base)


def suffix(address: str) -> str:
    """Return the suffix of the path of an address in lower case, without the dot; an empty string if there is none."""
    try:
        path = urlsplit(address).path
    except ValueError:
        return ""
    name = unquote(path).rpartition("/")[2]
    return name.rpartition(".")[2].lower() if "." in name else ""
