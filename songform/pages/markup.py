"""Safe HTML for pages with untrusted text.

Titles and labels may come from the web. They are inserted with `text` (between tags and in quoted attributes) or with
`data_block` (JSON for scripts), which escape them. A content security policy is a second line of defense: the browser
runs only the page's own scripts, identified by their hashes, and the page cannot access the network.

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

# Within a script element, these characters could end the element, start a comment, or end a line of JavaScript.
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
    """Escape text for HTML, between tags and in quoted attributes.

    Null characters and lone surrogates become question marks.
    """
    clean = str(value).encode("utf-8", "replace").decode("utf-8").replace("\0", "?")
    return html.escape(clean, quote=True)


def data_block(name: str, value: Any) -> str:
    """Return an element that contains JSON for the page's scripts and is not executed.

    Parameters
    ----------
    name : str
        Id of the element.
    value : object
        Value that can be serialized to JSON, without NaN and infinity.

    Returns
    -------
    str
        HTML of the element.
    """
    plain = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    clean = plain.encode("utf-8", "replace").decode("utf-8").translate(_ESCAPES)
    return f'<script type="application/json" id="{text(name)}">{clean}</script>'


def filled(name: str, **values: str) -> str:
    """Return the text of an asset with each `$name` replaced by a value; the values must already be HTML."""
    return Template(asset(name)).substitute(values)


def program(*names: str) -> str:
    """Concatenate JavaScript assets into one script, inside a function so that their names are not global."""
    return "\n".join(['(() => {\n"use strict";', *map(asset, names), "})();"])


@cache
def asset(name: str) -> str:
    """Return the text of a file in the folder `assets`."""
    return (files("songform.pages") / "assets" / name).read_text(encoding="utf-8")


def page(title: str, body: str, *, style: str, scripts: Sequence[str], media: str = "'none'", stamp: str = "") -> str:
    """Return a complete HTML page.

    Parameters
    ----------
    title : str
        Title as plain text.
    body : str
        Content of the body as HTML.
    style : str
        Style sheet as CSS.
    scripts : sequence of str
        Scripts as JavaScript. The browser runs no others.
    media : str
        Allowed sources of audio, in the syntax of a content security policy: `data:` for audio within the page.
    stamp : str
        Digest of everything that the page depends on, to detect later whether the page is out of date.

    Returns
    -------
    str
        HTML of the page.

    Raises
    ------
    ParameterError
        If a script contains text that could end its `script` element or change its hash.
    """
    sources = " ".join(map(_fingerprint, scripts))
    policy: Mapping[str, str] = {
        "default-src": "'none'",
        "script-src": sources,
        "style-src": "'unsafe-inline'",  # Bokeh inserts style elements next to its canvases
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
    """Return the hash by which a content security policy allows a script."""
    if "</script" in script.lower() or "<!--" in script or "\r" in script or "\0" in script:
        raise ParameterError("a page's script must not contain </script, <!--, a carriage return or a null character")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return f"'sha256-{digest}'"
