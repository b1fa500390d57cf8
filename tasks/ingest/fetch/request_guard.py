"""The guard of all that yt-dlp fetches: where it may go, and how long it may take.

A refusal is a `TrackError`, and an error of yt-dlp's network at once: it comes out of yt-dlp as it went in, and none of
yt-dlp's retries tries it again. `tasks.ingest.fetch.connections` asks the guard at every hop.
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

MAX_ADDRESSES = 8  # of a host that are tried; each may take a whole time-out


class RefusedError(TrackError, RequestError):
    """What was asked for is not fetched, and no retry of yt-dlp's changes that."""


class NotPublicError(Exception):
    """A host leads to this address, which strangers must not name."""


@dataclass(frozen=True)
class Guard:
    """What one attempt may do.

    Parameters
    ----------
    allow_private : bool
        Whether it may ask machines that are not public.
    deadline : Deadline
        When it ends.
    """

    allow_private: bool
    deadline: Deadline

    def addresses(self, host: str, port: int) -> list[str]:
        """Look a host up, and return its public addresses.

        Raises
        ------
        NotPublicError
            If there are none.
        OSError
            If there is no such host.
        """
        answers = socket.getaddrinfo(host, port, allowed_gai_family(), socket.SOCK_STREAM)
        found = [str(answer[4][0]) for answer in answers]
        public = [address for address in found if why_not_public(address) is None]
        if not public:
            raise NotPublicError(found[0])
        return list(dict.fromkeys(public))[:MAX_ADDRESSES]

    def check(self, url: str) -> None:
        """Refuse a URL whose host spells a private address, behind a proxy, too; and any URL when it is late."""
        self._refuse_when_over(url)
        literal = None if self.allow_private else literal_address(parse_url(url).host or "")
        if literal is not None and why_not_public(literal):
            raise _refused(url, literal)

    @contextmanager
    def watching(self, url: str) -> Iterator[None]:
        """Turn into a refusal what is not public, and what fails or is not done when the time is over."""
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
            raise RefusedError(f"{plain_text(url, 400)} is left: {self.deadline}", "permanent") from None


def _refused(url: str, address: str) -> RefusedError:
    msg = (
        f"{plain_text(url, 400)} leads to {why_not_public(address)} ({address}), which strangers' playlists "
        "must not reach; if it is yours, set download.allow_private = true"
    )
    return RefusedError(msg, "permanent")
