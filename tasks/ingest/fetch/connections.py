"""HTTP handler for yt-dlp (requests and urllib3) that checks the address and the deadline of every connection.

By default, yt-dlp follows redirects, fragment playlists and feed enclosures to any address, and waits as long as any
bytes arrive. This handler adds the following checks:

* A connection resolves its host once, and connects to exactly that address if it is public. A name that resolves to
  another address the second time (DNS rebinding) has no effect. Redirects are checked in the same way.
* The deadline of the attempt closes all sockets.
* The size of pages is limited, because they are held in memory. The body of a redirect is not read.

With a proxy, which may be in a private network, the proxy resolves host names. In this case only hosts that are written
as private IP addresses are refused, and the proxy is responsible for the others. A proxy that an extractor or a header
requests is not used.
"""

from __future__ import annotations

import socket
from typing import Any, cast

from urllib3 import HTTPConnectionPool, PoolManager, Retry
from urllib3.connection import HTTPConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from yt_dlp.networking._requests import RequestsHTTPAdapter, RequestsResponseAdapter, RequestsRH
from yt_dlp.networking.common import Request
from yt_dlp.networking.exceptions import HTTPError

from songform.plain_text import plain_text
from tasks.ingest.fetch.request_guard import Guard, RefusedError

__all__ = ["GuardedRH"]

MAX_PAGE_BYTES = 64 * 2**20  # of a page, feed or playlist after decompression; the largest feeds have about 20 MB
_CHUNK = 2**20


class GuardedRH(RequestsRH):
    """HTTP handler of yt-dlp with an address check; yt-dlp requires that its name ends with RH.

    Parameters
    ----------
    guard : Guard
        Address check and deadline of the attempt.
    **options
        Parameters of yt-dlp's handler.
    """

    def __init__(self, *, guard: Guard, **options: Any) -> None:
        super().__init__(**options)
        self._guard = guard
        self._ssl_contexts: dict[bool | None, Any] = {}

    def _make_sslcontext(self, legacy_ssl_support: bool | None = None) -> Any:
        if legacy_ssl_support not in self._ssl_contexts:  # takes 30 ms, and two adapters need it
            self._ssl_contexts[legacy_ssl_support] = super()._make_sslcontext(legacy_ssl_support)
        return self._ssl_contexts[legacy_ssl_support]

    def _get_proxies(self, request: Request) -> dict[str, str]:  # noqa: ARG002  signature of the base class
        return dict(self.proxies)

    def _create_instance(self, cookiejar: Any, legacy_ssl_support: bool | None = None) -> Any:
        session = super()._create_instance(cookiejar, legacy_ssl_support)
        adapter = _Adapter(
            self._guard,
            ssl_context=self._make_sslcontext(legacy_ssl_support=legacy_ssl_support),
            source_address=self.source_address,
            max_retries=Retry(False),
        )
        session.mount("https://", adapter)
        session.mount("http://", adapter)
        return session

    def _send(self, request: Request) -> _Response:
        try:
            return _Response(super()._send(request), self._guard)
        except HTTPError as error:  # the error page is read, too
            raise HTTPError(_Response(error.response, self._guard), redirect_loop=error.redirect_loop) from None


class _Adapter(RequestsHTTPAdapter):
    """Adapter that sends requests; each redirect is a new request."""

    def __init__(self, guard: Guard, **options: Any) -> None:
        self._guard = guard
        super().__init__(**options)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        _set_guard(self.poolmanager, _Watched if self._guard.allow_private else _Checked, self._guard)

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        is_new = proxy not in self.proxy_manager
        manager = super().proxy_manager_for(proxy, **options)
        if is_new:
            _set_guard(manager, _Watched, self._guard)
        return manager

    def send(self, request: Any, *args: Any, **options: Any) -> Any:
        self._guard.check(request.url)
        with self._guard.watching(request.url):
            response = super().send(request, *args, **options)
        if response.is_redirect:
            response._content = b""  # requests would read the whole body, of any size, before following the redirect
            response.raw.close()
        return response


class _Response(RequestsResponseAdapter):
    """Response whose body is read with a time limit and a size limit."""

    def __init__(self, response: RequestsResponseAdapter, guard: Guard) -> None:
        super().__init__(response._requests_response)
        self._guard = guard
        self._response = response  # keeps a reference: garbage collection would close the body
        self._peeked = b""

    def peek(self, amt: int | None = None) -> bytes:
        """Return the next bytes of the body, or all of them, which remain to be read."""
        if amt is None or len(self._peeked) < amt:
            self._peeked = self.read(amt)
        return self._peeked if amt is None else self._peeked[:amt]

    def read(self, amt: int | None = None) -> bytes:
        if amt is not None:
            start, self._peeked = self._peeked[:amt], self._peeked[amt:]
            with self._guard.watching(self.url):
                return start + bytes(super().read(amt - len(start))) if len(start) < amt else start
        chunks, size = [], 0
        while chunk := self.read(_CHUNK):
            chunks.append(chunk)
            size += len(chunk)
            if size > MAX_PAGE_BYTES:
                msg = (
                    f"{plain_text(self.url, 400)} is too large for a page or feed (more than {MAX_PAGE_BYTES >> 20} MB)"
                )
                raise RefusedError(f"{msg}; check the address in a browser", "permanent")
        return b"".join(chunks)


class _Watched(HTTPConnection):
    """Connection whose socket is closed at the deadline."""

    guard: Guard

    def _new_conn(self) -> socket.socket:
        sock = super()._new_conn()
        self.guard.deadline.watch(sock)
        return sock

    def connect(self) -> None:
        super().connect()
        # TLS replaces the socket; TLS within the TLS of a proxy replaces it by an object that wraps a socket. The
        # handshake needs no deadline, because its total time is limited by the timeout.
        sock: socket.socket = getattr(self.sock, "socket", self.sock)
        self.guard.deadline.watch(sock)


class _Checked(_Watched):
    """Watched connection that connects to public addresses only."""

    def _new_conn(self) -> socket.socket:
        host = self.host
        try:
            addresses = self.guard.addresses(host, self.port)
        except (OSError, UnicodeError) as error:
            raise NameResolutionError(host, self, error) from error  # type: ignore[arg-type]  # only the text of the error is used
        try:
            for self.host in addresses:  # an IP address is not resolved again
                try:
                    return super()._new_conn()
                except (NewConnectionError, ConnectTimeoutError) as error:
                    failure = error
            raise failure
        finally:
            self.host = host


def _set_guard(manager: PoolManager, connection: type[_Watched], guard: Guard) -> None:
    """Add the address check to all connection classes of a pool manager."""
    pools = {}
    for scheme, pool in cast("dict[str, type[HTTPConnectionPool]]", manager.pool_classes_by_scheme).items():
        guarded = type("Connection", (connection, pool.ConnectionCls), {"guard": guard})
        pools[scheme] = type("Pool", (pool,), {"ConnectionCls": guarded})
    manager.pool_classes_by_scheme = pools
