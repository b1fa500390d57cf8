"""Cookies: what a browser shows to sites so that they know their user.

A file of cookies opens accounts. yt-dlp writes it anew when it is done, and prints the lines that it does not
understand. So it is read here, its form is checked without quoting it, and yt-dlp gets a copy that is in memory only.

References
----------
The format of Netscape's cookies.txt, as curl documents it: a cookie a line, seven fields with tabs between them.
"""

from __future__ import annotations

import io
import re
from pathlib import Path

from songform.errors import TrackError

__all__ = ["load_cookies"]

_HEADER = "# Netscape HTTP Cookie File\n"
_HTTP_ONLY = "#HttpOnly_"
_COOKIE = re.compile(r"([^\t]+)\t(?:TRUE|FALSE)(\t[^\t]*\t(?:TRUE|FALSE)\t(?:\d+(?:\.\d+)?)?\t[^\t]*\t[^\t]*)")
_MEND = "export it anew from the browser in Netscape's format, or take download.cookies out of the settings"


def load_cookies(path: str) -> io.StringIO:
    """Read a file of cookies into a copy that yt-dlp may write to.

    Parameters
    ----------
    path : str
        `download.cookies`; a `~` is the user's home.

    Raises
    ------
    TrackError
        Of the class `environment`, if the file cannot be read, or holds something else. No line of it is quoted.
    """
    cookies = [_HEADER]
    for number, line in enumerate(_lines(path), 1):
        if not line.strip() or (line.startswith("#") and not line.startswith(_HTTP_ONLY)):
            continue
        cookie = _COOKIE.fullmatch(line.removeprefix(_HTTP_ONLY))
        if cookie is None:
            raise _unusable(f"whose line {number} is no cookie in Netscape's format")
        # Some exporters contradict themselves on whether subdomains are meant, which Python's reader does not bear.
        cookies.append(f"{cookie[1]}\t{'TRUE' if cookie[1].startswith('.') else 'FALSE'}{cookie[2]}\n")
    if len(cookies) == 1:
        raise _unusable("in which there are no cookies")
    return io.StringIO("".join(cookies))


def _lines(path: str) -> list[str]:
    try:
        text = Path(path).expanduser().read_text(encoding="utf-8-sig")
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise _unusable(f"which cannot be read ({reason})") from None
    except UnicodeDecodeError:
        raise _unusable("which is no text") from None
    return [line.rstrip("\r") for line in text.split("\n")]


def _unusable(why: str) -> TrackError:
    # Not even its name: the message goes to Prefect and into records, and the user knows which file it is.
    return TrackError(f"download.cookies names a file {why}; {_MEND}", "environment")
