"""What an error of yt-dlp means.

Where an error's truth lies (yt-dlp 2026.10.26, seen on a loopback server and in its source):

1. While the media is fetched, and the retries are used up, there is only the text of the `DownloadError`. Worse, when
   the caller is itself handling an exception, that one is given out as the cause. So this text is read first.
2. While a page is read, `DownloadError.exc_info[1]` is the innermost error, often an `HTTPError`; the `ExtractorError`
   that explains it may be in `__context__` only. So the whole chain is walked.
3. What an extractor says in its own words outweighs the status that it met on the way: a 403 that an extractor
   translates to "this video is private" is no longer a riddle.
4. `ExtractorError.expected` is False when the extractor itself broke; some defects arrive bare, as a `TypeError`.

The tables are in `tasks.ingest.failures.rules`. Words change, and sites translate them: a reason that nobody knows
counts as permanent, in the site's own words.
"""

from __future__ import annotations

import errno
import re
import socket
import time
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TypeVar

from songform.errors import SongformError
from songform.plain_text import plain_text
from tasks.ingest.failures.rules import (
    CLIENT_ERROR,
    DOWNLOAD_ERROR_PATTERN,
    DOWNLOAD_ERROR_RULES,
    FREE_SPACE,
    INVALID_ADDRESS_PATTERN,
    INVALID_URL_ENDING,
    NOT_AUDIO,
    OTHER_COPY,
    OTHER_COUNTRY,
    SERVER_ERROR,
    SITE_MESSAGE_RULES,
    STATUS_EXPLANATIONS,
    TIME_UNTIL_START_PATTERN,
    TRY_AGAIN,
    UNIT_SECONDS,
    UPGRADE_YT_DLP,
    Explanation,
)

__all__ = ["explanation"]

_Chain = list[BaseException]
_E = TypeVar("_E", bound=BaseException)

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EMFILE, errno.ENFILE, errno.ENOMEM})
_ADVICE = r"[;,.]?\s*(Use --|See\s+http|For more information|please report|It is recommended|Confirm you are on).*"


def explanation(error: BaseException) -> Explanation:
    """Return what an error of yt-dlp means: the answer of the first reader that has one."""
    chain = list(_chain(error))
    answers = (reader(chain) for reader in _READERS)
    return next((answer for answer in answers if answer is not None), None) or _broken(chain)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and all it came from, the nearest first, each once; not what an earlier attempt came from."""
    waiting: list[object] = [error]
    seen: set[int] = set()
    while waiting:
        link = waiting.pop(0)
        if not isinstance(link, BaseException) or isinstance(link, SongformError) or id(link) in seen:
            continue
        seen.add(id(link))
        yield link
        given = getattr(link, "exc_info", None) or (None, None, None)
        waiting += [given[1], getattr(link, "cause", None), link.__cause__, link.__context__]


def _nearest(chain: _Chain, kind: type[_E]) -> _E | None:
    return next((link for link in chain if isinstance(link, kind)), None)


def _of_body(chain: _Chain) -> Explanation | None:
    """Read what the downloader said when it gave up on the media itself."""
    from yt_dlp.utils import DownloadError

    text = str(chain[0])
    if not isinstance(chain[0], DownloadError) or not re.search(DOWNLOAD_ERROR_PATTERN, text, re.IGNORECASE):
        return None
    text = plain_text(re.sub(r"ERROR:|\[download\] Got error:", "", text)).rstrip(". ")
    found = next(meaning for pattern, meaning in DOWNLOAD_ERROR_RULES if re.search(pattern, text, re.IGNORECASE))
    return found._replace(cause=found.cause.replace("{text}", text))


def _of_machine(chain: _Chain) -> Explanation | None:
    """Read what this machine refuses; errors of connections are OSErrors too, but name no file."""
    for link in chain:
        if isinstance(link, OSError) and (link.errno in _FULL or (link.errno and link.filename)):
            where = f" ({plain_text(link.filename)})" if link.filename else ""
            return Explanation("environment", f"this machine refuses: {link.strerror}{where}", FREE_SPACE)
    return None


def _of_extractor(chain: _Chain) -> Explanation | None:
    """Read what the site says through its extractor, if that is more than a wrapped error of the network."""
    from yt_dlp.networking.exceptions import RequestError
    from yt_dlp.utils import ExtractorError, GeoRestrictedError, UnsupportedError, UserNotLive

    said = _nearest(chain, ExtractorError)
    if said is None or not said.expected or isinstance(said.cause, RequestError):
        return None
    if isinstance(said, UnsupportedError):
        fix = "give the address of a track, a playlist or a podcast's RSS feed"
        return Explanation("permanent", "yt-dlp finds no audio on this page", fix)
    words = _site_words(said.orig_msg)
    if isinstance(said, UserNotLive):
        return Explanation("later", words, "ingest it again when there is something")
    if isinstance(said, GeoRestrictedError):
        return Explanation("needs-you", words, OTHER_COUNTRY)
    row = next((row for row in SITE_MESSAGE_RULES if re.search(row.pattern, words, re.IGNORECASE)), None)
    if row is None:
        return None
    return Explanation(row.failure, words, row.fix, robot=row.robot, retry_after=_soon(row.failure, words))


def _soon(failure: str, words: str) -> float | None:
    """Return the seconds of "Premieres in 3 hours"."""
    found = re.search(TIME_UNTIL_START_PATTERN, words, re.IGNORECASE) if failure == "later" else None
    return None if found is None else (int(found[1]) if found[1].isdigit() else 1) * UNIT_SECONDS[found[2].lower()]


def _of_status(chain: _Chain) -> Explanation | None:
    from yt_dlp.networking.exceptions import HTTPError

    answer = _nearest(chain, HTTPError)
    if answer is None:
        return None
    phrase = {status.value: status.phrase for status in HTTPStatus}.get(answer.status, "")
    said = f"the server answers {answer.status} {phrase}".rstrip()
    if answer.redirect_loop:
        return Explanation("permanent", "the server redirects in circles", "check the address in a browser")
    found = STATUS_EXPLANATIONS.get(answer.status, SERVER_ERROR if answer.status >= 500 else CLIENT_ERROR)
    if answer.status == HTTPStatus.FORBIDDEN and "unable to download video data" in str(chain[0]):
        return found._replace(cause=f"{said} to the media's address, which may have expired", fix=TRY_AGAIN)
    pause = _pause_asked(answer.response.headers) if found.failure in ("throttled", "transient") else None
    asked = "" if pause is None else f", and it asks for a pause of {pause:.0f} s"
    return found._replace(cause=f"{said}: {found.cause}{asked}", retry_after=pause)


def _pause_asked(headers: Mapping[str, str]) -> float | None:
    """Read the header Retry-After (RFC 9110, 10.2.3): seconds, or a date, which counts by the server's own clock."""
    asked = str(headers.get("Retry-After") or "").strip()
    if re.fullmatch(r"\d{1,9}", asked, re.ASCII):
        return float(asked)
    try:
        until = parsedate_to_datetime(asked).timestamp()
    except (ValueError, OverflowError):
        return None
    try:
        said_at = parsedate_to_datetime(headers.get("Date") or "").timestamp()
    except (ValueError, OverflowError):
        said_at = time.time()
    return max(0.0, until - said_at)


def _of_address(chain: _Chain) -> Explanation | None:
    from yt_dlp.utils import ExtractorError

    said = _nearest(chain, ExtractorError)
    if said is not None and said.expected and said.orig_msg.endswith(INVALID_URL_ENDING):
        return Explanation("permanent", "it is no address", "check the address")
    if not isinstance(chain[0], ValueError) or not re.search(INVALID_ADDRESS_PATTERN, str(chain[0])):
        return None
    return Explanation("permanent", f"it is no address ({plain_text(chain[0])})", "check the address")


def _of_request(chain: _Chain) -> Explanation | None:
    from yt_dlp.networking.exceptions import CertificateVerifyError, ProxyError, RequestError, TransportError

    request = _nearest(chain, RequestError)
    if request is None:
        return None
    if isinstance(request, CertificateVerifyError):
        fix = "check this machine's clock, or report it to the site"
        return Explanation("needs-you", "the server's certificate cannot be verified", fix)
    if isinstance(request, ProxyError):
        fix = "check the proxy in the environment (https_proxy)"
        return Explanation("environment", "the proxy does not answer", fix)
    if not isinstance(request, TransportError):
        return Explanation("permanent", f"it cannot be asked for ({plain_text(request)})", "check the address")
    if _nearest(chain, socket.gaierror):
        fix = "check the address for a typing error and this machine's connection, or try again later"
        return Explanation("transient", "its host is not found", fix)
    silent = _nearest(chain, TimeoutError) is not None
    cause = "the server does not answer" if silent else "the connection fails or breaks off; the server may be down"
    return Explanation("transient", cause, TRY_AGAIN)


def _of_conversion(chain: _Chain) -> Explanation | None:
    from yt_dlp.utils import PostProcessingError

    conversion = _nearest(chain, PostProcessingError)
    if conversion is None:
        return None
    words = plain_text(conversion)
    if re.search(r"ff(mpeg|probe) not found", words):
        return Explanation("environment", "ffmpeg is missing", "install ffmpeg, or run `pip install imageio-ffmpeg`")
    if re.search(r"No space left|Disk quota", words):
        return Explanation("environment", "the disk is full", FREE_SPACE)
    if "unable to obtain file audio codec" in words:
        return NOT_AUDIO
    return Explanation("transient", f"ffmpeg cannot convert it ({words})", TRY_AGAIN)


def _of_unknown_words(chain: _Chain) -> Explanation | None:
    from yt_dlp.utils import ExtractorError

    said = _nearest(chain, ExtractorError)
    return Explanation("permanent", _site_words(said.orig_msg), OTHER_COPY) if said and said.expected else None


def _broken(chain: _Chain) -> Explanation:
    from yt_dlp.utils import DownloadError

    defect = next((link for link in chain if not isinstance(link, DownloadError)), chain[0])
    words = plain_text(re.sub(_ADVICE, "", str(defect), flags=re.DOTALL)) or "no reason given"
    return Explanation("bug", f"yt-dlp stumbles over it ({type(defect).__name__}: {words})", UPGRADE_YT_DLP)


def _site_words(message: str) -> str:
    """Quote the site without addresses, and without yt-dlp's advice to users of its own command line."""
    words = re.sub(r"https?://\S+", "", re.sub(_ADVICE, "", message, flags=re.DOTALL))
    return f'the site says "{plain_text(words).rstrip(". ")}"'


_READERS = (
    *(_of_body, _of_machine, _of_extractor, _of_status, _of_address),
    *(_of_request, _of_conversion, _of_unknown_words),
)
