"""Address check and deadline for all requests of yt-dlp.

A refused request raises an error that is both a `TrackError` and a `RequestError` of yt-dlp, so that yt-dlp neither
wraps nor retries it. `tasks.ingest.fetch.connections` applies the check to every request and redirect.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from urllib3.util import parse_url
from urllib3.util.connection import allowed_gai_family
from yt_dlp.networking.exceptions import RequestError

from songform.errors import TrackError
from songform.plain_text import plain_text
from tasks.ingest.fetch.deadline import Deadline
from tasks.ingest.fetch.private_addresses import literal_address, why_not_public

__all__ = ["Guard", "NotPublicError", "RefusedError"]

MAX_ADDRESSES = 8  # of a host; each attempt may last until the timeout


class RefusedError(TrackError, RequestError):
    """A request is refused, and yt-dlp must not retry it."""


class NotPublicError(Exception):
    """A host has only addresses that are not public; the message is one of them."""


@dataclass(frozen=True)
class Guard:
    """Address check and deadline of one attempt.

    Parameters
    ----------
    allow_private : bool
        Whether addresses that are not public are allowed.
    deadline : Deadline
        Deadline of the attempt.
    """

    allow_private: bool
    deadline: Deadline

    def addresses(self, host: str, port: int) -> list[str]:
        """Resolve a host, and return its public addresses.

        Raises
        ------
        NotPublicError
            If the host has no public address.
        OSError
            If the host cannot be resolved.
        """
        answers = socket.getaddrinfo(host, port, allowed_gai_family(), socket.SOCK_STREAM)
        found = [str(answer[4][0]) for answer in answers]
        public = [address for address in found if why_not_public(address) is None]
        if not public:
            raise NotPublicError(found[0])
        return list(dict.fromkeys(public))[:MAX_ADDRESSES]

    def check(self, url: str) -> None:
        """Refuse a URL whose host is written as a private address, and any URL after the deadline."""
        self._refuse_when_over(url)
        literal = None if self.allow_private else literal_address(parse_url(url).host or "")
        if literal is not None and why_not_public(literal):
            raise _refused(url, literal)

    @contextmanager
    def watching(self, url: str) -> Iterator[None]:
        """Raise `RefusedError` if an address is not public, or if the request fails or ends after the deadline."""
        try:
            yield
        except NotPublicError as found:
            raise _refused(url, str(found)) from None
        except Exception:
            self._refuse_when_over(url)
            raise
        self._refuse_when_over(url)

    def _refuse_when_over(self, url: str) -> None:
        if self.deadline.is_over:
            raise RefusedError(f"{plain_text(url, 400)} timed out: {self.deadline}", "permanent") from None


def _refused(url: str, address: str) -> RefusedError:
    msg = (
        f"{plain_text(url, 400)} leads to {why_not_public(address)} ({address}); such addresses are refused, because "
        "an untrusted playlist could use them to reach private machines; if you trust this one, "
        "set download.allow_private = true"
    )
    return RefusedError(msg, "permanent")
