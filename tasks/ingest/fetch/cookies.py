"""Reading of the cookies file that `download.cookies` names.

Cookies give access to accounts. By default, yt-dlp rewrites the file at the end of a run, and prints lines that it
cannot parse. Therefore the file is read and checked here without quoting any of it, and yt-dlp gets a copy in memory.

References
----------
Netscape cookies.txt format, as documented by curl: one cookie per line, with seven fields separated by tabs.
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
_FIX = "export the cookies from the browser again, in Netscape format, or remove download.cookies from the settings"


def load_cookies(path: str) -> io.StringIO:
    """Read a cookies file into memory, where yt-dlp may change it.

    Parameters
    ----------
    path : str
        Value of `download.cookies`; `~` is expanded.

    Raises
    ------
    TrackError
        Of the class `environment`, if the file cannot be read or is not a cookies file. The message quotes none of it.
    """
    cookies = [_HEADER]
    for number, line in enumerate(_lines(path), 1):
        if not line.strip() or (line.startswith("#") and not line.startswith(_HTTP_ONLY)):
            continue
        cookie = _COOKIE.fullmatch(line.removeprefix(_HTTP_ONLY))
        if cookie is None:
            raise _unusable(f"line {number} is not a cookie in Netscape format")
        # Some exporters write a flag for subdomains that contradicts the domain, which Python's reader rejects.
        cookies.append(f"{cookie[1]}\t{'TRUE' if cookie[1].startswith('.') else 'FALSE'}{cookie[2]}\n")
    if len(cookies) == 1:
        raise _unusable("it contains no cookies")
    return io.StringIO("".join(cookies))


def _lines(path: str) -> list[str]:
    try:
        text = Path(path).expanduser().read_text(encoding="utf-8-sig")
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise _unusable(f"it cannot be read ({reason})") from None
    except UnicodeDecodeError:
        raise _unusable("it is not a text file") from None
    return [line.rstrip("\r") for line in text.split("\n")]


def _unusable(why: str) -> TrackError:
    # The message does not contain the path of the file, because it is stored in records and sent to Prefect.
    return TrackError(f"the file that download.cookies names cannot be used: {why}; {_FIX}", "environment")
