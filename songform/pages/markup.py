"""Markup: HTML in which whatever strangers wrote stays text, and of which nothing is ever fetched.

Titles and labels come from anywhere. They enter a page through `text` (between tags and in quoted attributes) or
through `data_block` (JSON that scripts read), and a content security policy stands behind both: a page may run the
scripts it was written with, known by their hashes, and reach no network at all.

References
----------
W3C, Content Security Policy Level 3; WHATWG, HTML, 4.12.1.3 "Restrictions for contents of script elements".
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from string import Template
from typing import Any

from songform.errors import ParameterError

__all__ = ["asset", "data_block", "filled", "page", "program", "text"]

# Within a script element these could end it, open a comment that swallows its end, or end a line of JavaScript.
_ESCAPES = {ord(char): f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"}

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="$policy">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<meta name="generator" content="songform">
<meta name="songform-stamp" content="$stamp">
<title>$title</title>
<link rel="icon" href="data:,">
<style>
$style
</style>
</head>
<body>
$body
$scripts
</body>
</html>
"""


def text(value: object) -> str:
    """Return any text as HTML that reads as that text, between tags and within quotes.

    Characters that no file may hold, lone surrogates among them, become question marks.
    """
    clean = str(value).encode("utf-8", "replace").decode("utf-8").replace("\0", "?")
    return html.escape(clean, quote=True)


def data_block(name: str, value: Any) -> str:
    """Return JSON that a page's scripts read by its id, as an element that is never run.

    Parameters
    ----------
    name : str
        The element's id.
    value : JSON values
        Without NaN, which JSON does not know.
    """
    plain = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    clean = plain.encode("utf-8", "replace").decode("utf-8").translate(_ESCAPES)
    return f'<script type="application/json" id="{text(name)}">{clean}</script>'


def filled(name: str, **values: str) -> str:
    """Return an asset in which each `$name` is replaced by a value, which is HTML already."""
    return Template(asset(name)).substitute(values)


def program(*names: str) -> str:
    """Return some of the assets' JavaScript as one script, whose names are seen by no other."""
    return "\n".join(['(() => {\n"use strict";', *map(asset, names), "})();"])


@cache
def asset(name: str) -> str:
    """Return the text of a file beside this module."""
    return (files("songform.pages") / "assets" / name).read_text(encoding="utf-8")


def page(title: str, body: str, *, style: str, scripts: Sequence[str], media: str = "'none'", stamp: str = "") -> str:
    """Return a whole page.

    Parameters
    ----------
    title : str
        Plain text.
    body : str
        HTML.
    style : str
        CSS.
    scripts : sequence of str
        JavaScript; nothing else is ever run.
    media : str
        Where sound may come from, as the policy says it: `data:` for sound within the page.
    stamp : str
        What the page is made of, for who wants to know whether to make it again.

    Raises
    ------
    ParameterError
        If a script would end its own element.
    """
    sources = " ".join(map(_fingerprint, scripts))
    policy: Mapping[str, str] = {
        "default-src": "'none'",
        "script-src": sources,
        "style-src": "'unsafe-inline'",  # Bokeh puts style elements beside each of its canvases
        "img-src": "data:",
        "media-src": media,
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    return Template(_PAGE).substitute(
        policy="; ".join(f"{name} {value}" for name, value in policy.items()),
        stamp=text(stamp),
        title=text(title),
        style=style,
        body=body,
        scripts="\n".join(f"<script>{script}</script>" for script in scripts),
    )


def _fingerprint(script: str) -> str:
    """Return how a content security policy names a script: by the hash of its text as a browser reads it."""
    if "</script" in script.lower() or "<!--" in script or "\r" in script or "\0" in script:
        raise ParameterError("a script that holds </script, <!--, a carriage return or a null cannot stand in a page")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return f"'sha256-{digest}'"
