"""Safe HTML for pages with untrusted text.

Titles and labels may come from the web. Jinja escapes every value that it inserts into a template, and `data_block`
escapes JSON for scripts. A content security policy is a second line of defense: the browser runs only the page's own
scripts, identified by their hashes, and the page cannot access the network.

References
----------
W3C, Content Security Policy Level 3; WHATWG, HTML, 4.12.1.3 "Restrictions for contents of script elements".
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from songform.errors import ParameterError
from songform.pages.filters import FILTERS

__all__ = ["asset", "data_block", "encoded_block", "encoded_json", "page", "program", "templates"]

# Within a script element, these characters could end the element, start a comment, or end a line of JavaScript.
_ESCAPES = {ord(char): f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"}


@cache
def templates() -> Environment:
    """Return the templates among the assets; values are escaped, and an unknown name is an error."""
    environment = Environment(
        loader=PackageLoader("songform.pages", "assets"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_encodable,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(FILTERS)
    return environment


def _encodable(value: object) -> object:
    """Replace null characters and lone surrogates, which no HTML file may contain, by question marks."""
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    return value.encode("utf-8", "replace").decode("utf-8").replace("\0", "?")


def data_block(name: str, value: Any) -> Markup:
    """Return an element that contains JSON for the page's scripts and is not executed.

    Parameters
    ----------
    name : str
        Id of the element.
    value : object
        Value that can be serialized to JSON, without NaN and infinity.

    Returns
    -------
    Markup
        HTML of the element.
    """
    return encoded_block(name, encoded_json(value))


def encoded_json(value: Any) -> str:
    """Return a value as JSON that is safe in a script element and that UTF-8 can encode.

    Parameters
    ----------
    value : object
        Value that can be serialized to JSON, without NaN and infinity.

    Returns
    -------
    str
        JSON for `encoded_block`.
    """
    plain = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return plain.encode("utf-8", "replace").decode("utf-8").translate(_ESCAPES)


def encoded_block(name: str, encoded: str) -> Markup:
    """Return the element of `data_block` for JSON that was made by `encoded_json`, perhaps in several pieces."""
    return Markup('<script type="application/json" id="{}">{}</script>').format(name, Markup(encoded))  # noqa: S704


def program(*names: str) -> str:
    """Concatenate JavaScript assets into one script, inside a function so that their names are not global."""
    return "\n".join(['(() => {\n"use strict";', *map(asset, names), "})();"])


@cache
def asset(name: str) -> str:
    """Return the text of a file in the folder `assets`."""
    return (files("songform.pages") / "assets" / name).read_text(encoding="utf-8")


def page(
    template: str,
    *,
    title: str,
    style: str,
    scripts: Sequence[str],
    media: str = "'none'",
    stamp: str = "",
    **values: Any,
) -> str:
    """Return a complete HTML page.

    Parameters
    ----------
    template : str
        Name of a template that extends `page.html`.
    title : str
        Title as plain text.
    style : str
        Style sheet as CSS.
    scripts : sequence of str
        Scripts as JavaScript. The browser runs no others.
    media : str
        Allowed sources of audio, in the syntax of a content security policy: `data:` for audio within the page.
    stamp : str
        Digest of everything that the page depends on, to detect later whether the page is out of date.
    **values
        Variables of the template. Text is escaped.

    Returns
    -------
    str
        HTML of the page.

    Raises
    ------
    ParameterError
        If a script contains text that could end its `script` element or change its hash.
    """
    return (
        templates()
        .get_template(template)
        .render(
            title=title,
            stamp=stamp,
            policy=_content_security_policy(scripts, media),
            style=Markup(style),  # noqa: S704  our own style sheets
            scripts=[Markup(script) for script in scripts],  # noqa: S704  checked by `_fingerprint`
            **values,
        )
    )


def _content_security_policy(scripts: Sequence[str], media: str) -> str:
    policy: Mapping[str, str] = {
        "default-src": "'none'",
        "script-src": " ".join(map(_fingerprint, scripts)),
        "style-src": "'unsafe-inline'",  # Bokeh inserts style elements next to its canvases
        "img-src": "data:",
        "media-src": media,
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in policy.items())


def _fingerprint(script: str) -> str:
    """Return the hash by which a content security policy allows a script."""
    if "</script" in script.lower() or "<!--" in script or "\r" in script or "\0" in script:
        raise ParameterError("a page's script must not contain </script, <!--, a carriage return or a null character")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return f"'sha256-{digest}'"
