"""Decoding of lists whose encoding is declared, wrong or missing.

The order follows browsers and podcast apps: a byte order mark; then UTF-8 if the bytes are valid UTF-8 and not plain
ASCII, because other encodings hardly ever are; then the declared encoding; then windows-1252, which is also what
browsers read if ISO-8859-1 or ASCII is declared.

References
----------
WHATWG Encoding Standard, 4.2 (names and labels); RFC 7303, 3 (encodings of XML).
"""

from __future__ import annotations

import codecs
import re

__all__ = ["charset_of_type", "decoded", "yt_dlp_encoding"]

_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_DECLARED = (
    re.compile(rb"<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([A-Za-z0-9._:-]{1,40})[\"']"),
    re.compile(rb"(?im)^#EXTENC:\s*([A-Za-z0-9._:-]{1,40})"),  # M3U
)
# Python's codecs for encodings of text; others decode bytes in ways that have nothing to do with lists.
_TEXT = re.compile(r"(utf-?(8|16|32)|iso-?8859|latin|windows|cp\d|koi8|gb|big5|euc|shift|iso-?2022|mac|tis)")
_WESTERN = frozenset({"ascii", "iso8859-1"})
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([A-Za-z0-9._:-]{1,40})", re.IGNORECASE)
_META = re.compile(rb"<meta[^>]+charset=['\"]?([^'\")]+)[ /'\">]")


def decoded(content: bytes, charset: str | None = None) -> str:
    """Decode the text of a list.

    Parameters
    ----------
    content : bytes
        The list.
    charset : str, optional
        Encoding that the server declares. A declaration in the list itself takes precedence.
    """
    for mark, name in _BOMS:
        if content.startswith(mark):
            return content.decode(name, "replace")
    if content[:2] in (b"<\0", b"\0<"):
        return content.decode("utf-16-le" if content[:1] == b"<" else "utf-16-be", "replace")
    names = [name for name in (_declared(content), charset) if name]
    tries = names if content.isascii() else ["utf-8", *names]
    for name in tries:
        text = _strictly(content, name)
        if text is not None:
            return text
    return content.decode("ascii" if content.isascii() else "cp1252", "replace")


def charset_of_type(content_type: str) -> str | None:
    """Return the encoding that a Content-Type declares; None if it declares none."""
    found = _CHARSET.search(content_type)
    return found[1] if found else None


def yt_dlp_encoding(content: bytes, content_type: str) -> str:
    """Return the encoding with which yt-dlp decodes a page.

    Keys of feeds were made from text that was decoded like this, and must not change.
    """
    meta = _META.search(content[:1024])
    guess = "utf-16" if content.startswith(codecs.BOM_UTF16_LE) else "utf-8"
    name = charset_of_type(content_type) or (meta[1].decode("ascii", "replace") if meta else guess)
    try:
        b" ".decode(name, "replace")
    except LookupError:
        return "utf-8"
    return name


def _declared(content: bytes) -> str | None:
    found = (pattern.search(content[:4096]) for pattern in _DECLARED)
    return next((match[1].decode() for match in found if match), None)


def _strictly(content: bytes, name: str) -> str | None:
    """Decode the content, or return None if it is not in this encoding."""
    try:
        codec = codecs.lookup(name).name
        if _TEXT.match(name.lower()) is None and codec not in _WESTERN:
            return None
        if codec in _WESTERN and not content.isascii():
            codec = "cp1252"
        return content.decode(codec)
    except (LookupError, UnicodeError, ValueError):
        return None
