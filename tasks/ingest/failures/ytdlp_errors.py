"""Causes of yt-dlp's errors.

Behavior of yt-dlp 2026.10.26, observed with a loopback server and read in its source:

1. When the retries of a media download are used up, only the text of the `DownloadError` describes the cause. If the
   caller is handling another exception at that moment, yt-dlp reports that exception as the cause. Therefore the text
   is examined first.
2. When a page cannot be read, `DownloadError.exc_info[1]` is the innermost error, often an `HTTPError`. The
   `ExtractorError` that explains it may be in `__context__` only. Therefore the whole chain of exceptions is searched.
3. The message of an extractor takes precedence over the HTTP status, because it is more specific: an extractor may
   report a 403 as "this video is private".
4. `ExtractorError.expected` is False if the extractor itself is broken. Some defects are raised directly, for example
   as a `TypeError`.

The tables are in `tasks.ingest.failures.rules`. Sites change and translate their messages, so a message that matches no
rule is quoted, and the failure is permanent.
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
    """Return the explanation of an error of yt-dlp, from the first function of `_READERS` that has one."""
    chain = list(_chain(error))
    answers = (reader(chain) for reader in _READERS)
    return next((answer for answer in answers if answer is not None), None) or _unexpected_error(chain)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and its causes once each, the nearest first; stop at errors of earlier attempts."""
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
    """Explain a failed media download by the text of the error."""
    from yt_dlp.utils import DownloadError

    text = str(chain[0])
    if not isinstance(chain[0], DownloadError) or not re.search(DOWNLOAD_ERROR_PATTERN, text, re.IGNORECASE):
        return None
    text = plain_text(re.sub(r"ERROR:|\[download\] Got error:", "", text)).rstrip(". ")
    found = next(meaning for pattern, meaning in DOWNLOAD_ERROR_RULES if re.search(pattern, text, re.IGNORECASE))
    return found._replace(cause=found.cause.replace("{text}", text))


def _of_machine(chain: _Chain) -> Explanation | None:
    """Explain an error of the operating system; errors of connections are OSErrors, too, but have no file name."""
    for link in chain:
        if isinstance(link, OSError) and (link.errno in _FULL or (link.errno and link.filename)):
            where = f" ({plain_text(link.filename)})" if link.filename else ""
            return Explanation("environment", f"the system reported: {link.strerror}{where}", FREE_SPACE)
    return None


def _of_extractor(chain: _Chain) -> Explanation | None:
    """Explain an error by the message of the site's extractor, unless it only wraps an error of the network."""
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
        return Explanation("later", words, "ingest it again when a recording is available")
    if isinstance(said, GeoRestrictedError):
        return Explanation("needs-you", words, OTHER_COUNTRY)
    row = next((row for row in SITE_MESSAGE_RULES if re.search(row.pattern, words, re.IGNORECASE)), None)
    if row is None:
        return None
    return Explanation(
        row.failure, words, row.fix, robot=row.robot, retry_after=_seconds_until_start(row.failure, words)
    )


def _seconds_until_start(failure: str, words: str) -> float | None:
    """Return the number of seconds in messages like "Premieres in 3 hours"."""
    found = re.search(TIME_UNTIL_START_PATTERN, words, re.IGNORECASE) if failure == "later" else None
    return None if found is None else (int(found[1]) if found[1].isdigit() else 1) * UNIT_SECONDS[found[2].lower()]


def _of_status(chain: _Chain) -> Explanation | None:
    from yt_dlp.networking.exceptions import HTTPError

    answer = _nearest(chain, HTTPError)
    if answer is None:
        return None
    phrase = {status.value: status.phrase for status in HTTPStatus}.get(answer.status, "")
    said = f"the server answered {answer.status} {phrase}".rstrip()
    if answer.redirect_loop:
        return Explanation("permanent", "the server redirects in a loop", "check the address in a browser")
    found = STATUS_EXPLANATIONS.get(answer.status, SERVER_ERROR if answer.status >= 500 else CLIENT_ERROR)
    if answer.status == HTTPStatus.FORBIDDEN and "unable to download video data" in str(chain[0]):
        return found._replace(
            cause=f"{said} to the request for the audio, whose address may have expired", fix=TRY_AGAIN
        )
    pause = _pause_asked(answer.response.headers) if found.failure in ("throttled", "transient") else None
    asked = "" if pause is None else f" and asked for a pause of {pause:.0f} s"
    return found._replace(cause=f"{said} ({found.cause}){asked}", retry_after=pause)


def _pause_asked(headers: Mapping[str, str]) -> float | None:
    """Read the header Retry-After (RFC 9110, 10.2.3): seconds, or a date, which refers to the server's clock."""
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
        return Explanation("permanent", "its address is not valid", "check the address")
    if not isinstance(chain[0], ValueError) or not re.search(INVALID_ADDRESS_PATTERN, str(chain[0])):
        return None
    return Explanation("permanent", f"its address is not valid ({plain_text(chain[0])})", "check the address")


def _of_request(chain: _Chain) -> Explanation | None:
    from yt_dlp.networking.exceptions import CertificateVerifyError, ProxyError, RequestError, TransportError

    request = _nearest(chain, RequestError)
    if request is None:
        return None
    if isinstance(request, CertificateVerifyError):
        fix = "check this machine's clock, or report the problem to the site"
        return Explanation("needs-you", "the server's certificate cannot be verified", fix)
    if isinstance(request, ProxyError):
        fix = "check the proxy in the environment (https_proxy)"
        return Explanation("environment", "the proxy does not answer", fix)
    if not isinstance(request, TransportError):
        return Explanation("permanent", f"yt-dlp cannot request it ({plain_text(request)})", "check the address")
    if _nearest(chain, socket.gaierror):
        fix = "check the address for typos and this machine's internet connection, or try again later"
        return Explanation("transient", "its host is not found", fix)
    silent = _nearest(chain, TimeoutError) is not None
    cause = "the server does not answer" if silent else "the connection failed or was lost; the server may be down"
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


def _unexpected_error(chain: _Chain) -> Explanation:
    from yt_dlp.utils import DownloadError

    defect = next((link for link in chain if not isinstance(link, DownloadError)), chain[0])
    words = plain_text(re.sub(_ADVICE, "", str(defect), flags=re.DOTALL)) or "no reason given"
    cause = f"yt-dlp failed unexpectedly ({type(defect).__name__}: {words}), probably because the site has changed"
    return Explanation("bug", cause, UPGRADE_YT_DLP)


def _site_words(message: str) -> str:
    """Quote the message of a site without addresses and without yt-dlp's advice for its own command line."""
    words = re.sub(r"https?://\S+", "", re.sub(_ADVICE, "", message, flags=re.DOTALL))
    return f'the site says "{plain_text(words).rstrip(". ")}"'


_READERS = (
    *(_of_body, _of_machine, _of_extractor, _of_status, _of_address),
    *(_of_request, _of_conversion, _of_unknown_words),
)
