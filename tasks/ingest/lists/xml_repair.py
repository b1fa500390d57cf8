"""Parsing of XML that is not well-formed, as podcast apps and browsers read it.

Well-formed XML is parsed by expat, unchanged. Otherwise the defects that publishers make most often are repaired: text
before the XML declaration, characters that XML does not allow, `&` and `<` that are not escaped, entities of HTML, and
prefixes without a namespace. If that is not enough, the items are parsed one by one, so that a broken item does not
affect the others.

feedparser was tried instead. It takes 0.9 s for 5,000 items that expat parses in 0.03 s, loses the items that follow an
unclosed tag, and normalizes the titles and guids that the keys of existing tracks are made from.

References
----------
XML 1.0, 2.1 (well-formedness) and 2.2 (characters); expat's error codes, as Python's `xml.parsers.expat.errors` names
them.
"""

from __future__ import annotations

import html
import html.entities
import re
from typing import NamedTuple
from xml.etree.ElementTree import Element, ParseError, fromstring
from xml.parsers.expat import ErrorString, errors
from xml.sax.saxutils import escape

from songform.errors import TrackError
from songform.plain_text import plain_text

__all__ = ["XmlList", "is_xml_list", "parse_xml_list"]

# What may precede the root element: a byte order mark, text, the XML declaration, comments, a document type.
_DOCTYPE = r"<!DOCTYPE[^>\[]*(?:\[(?>[^\]\"']+|\"[^\"]*\"|'[^']*')*+\]\s*)?>"
_ROOT = re.compile(
    rf"(?>[^<]+|<\?.*?\?>|<!--.*?-->|{_DOCTYPE})*+(<(rss|feed|rdf:RDF|opml|(?:\w+:)?playlist)\b[^>]*>)", re.DOTALL
)
_ITEMS = {"rss": "item", "rdf:RDF": "item", "feed": "entry"}

MAX_PROBLEMS = 20  # broken items that are named

_CDATA = re.compile(r"(<!\[CDATA\[.*?\]\]>)", re.DOTALL)
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SPECIAL = re.compile(r"&(?:(#\d{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});)?|<(?![A-Za-z_/!?])")
_OF_XML = frozenset({"amp", "lt", "gt", "quot", "apos"})
_PREFIX = re.compile(r"[</\s]([A-Za-z_][\w.-]*):[A-Za-z_]")
_NAMESPACES = {
    "itunes": "http://www.itunes.com/dtds/podcast-1.0.dtd",
    "media": "http://search.yahoo.com/mrss/",
    "atom": "http://www.w3.org/2005/Atom",
    "content": "http://purl.org/rss/1.0/modules/content/",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
}
_TOO_EARLY = frozenset(
    errors.codes[name]
    for name in (
        *(errors.XML_ERROR_NO_ELEMENTS, errors.XML_ERROR_UNCLOSED_TOKEN),
        *(errors.XML_ERROR_UNCLOSED_CDATA_SECTION, errors.XML_ERROR_PARTIAL_CHAR),
    )
)


class XmlList(NamedTuple):
    """Root element of a list, and one sentence per item that could not be parsed."""

    root: Element
    problems: tuple[str, ...] = ()


def is_xml_list(text: str) -> bool:
    """Return whether a page begins like a feed, an OPML or an XSPF list; the rest of it may be broken."""
    return _ROOT.match(text) is not None


def parse_xml_list(text: str, source: str) -> XmlList:
    """Parse a list, and repair it if it is not well-formed.

    Parameters
    ----------
    text : str
        The list, for which `is_xml_list` is true.
    source : str
        Name of the list, for messages.

    Raises
    ------
    TrackError
        If not even its items can be parsed. The failure is temporary if the XML ends too early, because the list was
        probably truncated in transit. Otherwise the publisher has to fix it.
    """
    try:
        return XmlList(_parsed(text))
    except ParseError as error:
        failure = error
    start = _ROOT.match(text)
    if start is None:
        raise _invalid(source, failure)
    body = text[start.start(1) :]
    head = _with_namespaces(start[1], body)
    try:
        return XmlList(_parsed(_escaped(head + body[len(start[1]) :])))
    except ParseError as error:
        if _is_truncated(error, body, start[2]):
            raise _invalid(source, failure if failure.code in _TOO_EARLY else error) from error
    return _by_items(body, head, start[2], source, failure)


def _parsed(text: str) -> Element:
    return fromstring(text)  # noqa: S314  expat limits the expansion of entities, and loads none from elsewhere


def _is_truncated(error: ParseError, body: str, name: str) -> bool:
    return error.code in _TOO_EARLY and not body.rstrip().endswith(f"</{name}>")


def _by_items(body: str, head: str, name: str, source: str, failure: ParseError) -> XmlList:
    """Parse the items one by one, and leave out those that are broken."""
    kind = _ITEMS.get(name)
    before, *parts = re.split(rf"(?=<{kind}[\s>])", body) if kind else [body]
    good, problems = [], []
    for number, part in enumerate(parts, 1):
        item = _escaped(part.rpartition(f"</{kind}>")[0] or part) + f"</{kind}>"
        try:
            _parsed(f"{head}{item}</{name}>")
        except ParseError as error:
            problems.append(_item_problem(source, number, part, error))
        else:
            good.append(item)
    if not good:
        raise _invalid(source, failure)
    if len(problems) > MAX_PROBLEMS:
        more = f"{source}: {len(problems) - MAX_PROBLEMS} more items are left out, because their XML is invalid"
        problems[MAX_PROBLEMS:] = [more]
    return XmlList(_parsed(f"{head}{_title(before)}{''.join(good)}</{name}>"), tuple(problems))


def _title(text: str) -> str:
    """Return the title element of the channel, for a list whose items are parsed one by one."""
    end = text.find("</title")
    start = text.rfind("<title", 0, end) if end > 0 else -1
    if start < 0:
        return ""
    title = _escaped(text[start:end].partition(">")[2])
    return f"<channel><title>{title}</title></channel>" if "<" not in title.replace("<![CDATA[", "") else ""


def _item_problem(source: str, number: int, item: str, error: ParseError) -> str:
    title = re.search(r"<title[^>]*>([^<]*)", item)
    named = f" ({plain_text(title[1])})" if title and title[1].strip() else ""
    return (
        f"{source}: item {number}{named} is left out, because its XML is invalid ({ErrorString(error.code)}); "
        "report this to its publisher"
    )


def _invalid(source: str, error: ParseError) -> TrackError:
    line, column = error.position
    place = f"at line {line}, column {column + 1}: {ErrorString(error.code)}"
    what = f"{source} is a feed whose XML"
    if error.code in _TOO_EARLY:
        said = f"{what} ends too early, {place}; it was probably truncated; try again later"
        return TrackError(said, "transient")
    return TrackError(
        f"{what} is invalid, {place}; report this to its publisher, or use another address of the feed", "permanent"
    )


def _escaped(text: str) -> str:
    """Return XML without forbidden characters and with all special characters escaped, except in CDATA sections."""
    legal = _FORBIDDEN.sub("", text)
    end = legal.rfind("]]>") + 3  # no section ends after it; searching for the end of each would take quadratic time
    *parts, rest = _CDATA.split(legal[:end]) if end > 2 else [""]
    pieces = [*parts, rest + legal[end:] if end > 2 else legal]
    return "".join(part if number % 2 else _SPECIAL.sub(_replacement, part) for number, part in enumerate(pieces))


def _replacement(found: re.Match[str]) -> str:
    name = found[1]
    if name is None:
        return escape(found[0])
    if name in _OF_XML:
        return found[0]
    if name.startswith("#"):
        return escape(_FORBIDDEN.sub("", html.unescape(found[0])))
    return escape(html.entities.html5.get(f"{name};", found[0]))


def _with_namespaces(root: str, body: str) -> str:
    """Return the start tag of the root element with a declaration of every prefix that is used but not declared."""
    declared = set(re.findall(r"xmlns:([\w.-]+)\s*=", body))
    used = sorted(set(_PREFIX.findall(body)) - declared - {"xml", "xmlns"})
    names = "".join(f' xmlns:{prefix}="{_NAMESPACES.get(prefix, f"urn:undeclared:{prefix}")}"' for prefix in used)
    return _escaped(root.removesuffix(">").removesuffix("/")) + names + ">"
