"""Connections: yt-dlp's handler for HTTP (requests and urllib3), with the guard at each place where it goes somewhere.

yt-dlp follows redirects, playlists of fragments and enclosures of feeds wherever they lead, and waits as long as bytes
trickle in. Here

* a connection looks its host up once, and connects to exactly that address if it is a public one. A name that leads
  elsewhere the second time it is looked up gains nothing by it, and a redirect is a connection like any other;
* each socket is known to the attempt's deadline;
* what is read as a whole is held in memory, so there is a bound to it; and the body of a redirect is not read at all.

Behind a proxy of the user's, which may well be private, it is the proxy that looks names up. Then only hosts that spell
a private address themselves are refused, and the proxy has to do the rest. A proxy that an extractor or a header asks
for is not used.
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

MAX_PAGE_BYTES = 64 * 2**20  # of a page, a feed or a playlist, unpacked; the largest feeds have some 20 MB
_CHUNK = 2**20


class GuardedRH(RequestsRH):
    """yt-dlp's handler for HTTP, with a guard; yt-dlp wants its name to end like this.

    Parameters
    ----------
    guard : Guard
        The attempt's.
    **options
        yt-dlp's own.
    """

    def __init__(self, *, guard: Guard, **options: Any) -> None:
        super().__init__(**options)
        self._guard = guard
        self._ssl_contexts: dict[bool | None, Any] = {}

    def _make_sslcontext(self, legacy_ssl_support: bool | None = None) -> Any:
        if legacy_ssl_support not in self._ssl_contexts:  # 30 ms each, and two adapters want one
            self._ssl_contexts[legacy_ssl_support] = super()._make_sslcontext(legacy_ssl_support)
        return self._ssl_contexts[legacy_ssl_support]

    def _get_proxies(self, request: Request) -> dict[str, str]:  # noqa: ARG002  the base class's
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
        except HTTPError as error:  # the page that explains it is read, too
            raise HTTPError(_Response(error.response, self._guard), redirect_loop=error.redirect_loop) from None


class _Adapter(RequestsHTTPAdapter):
    """Sends one request; each redirect comes here again."""

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
            response._content = b""  # requests would read it, as long as it may be, before it goes on
            response.raw.close()
        return response


class _Response(RequestsResponseAdapter):
    """A body that is read in time, and not without bounds."""

    def __init__(self, response: RequestsResponseAdapter, guard: Guard) -> None:
        super().__init__(response._requests_response)
        self._guard = guard
        self._response = response  # it would close the body when it is collected

    def read(self, amt: int | None = None) -> bytes:
        if amt is not None:
            with self._guard.watching(self.url):
                return bytes(super().read(amt))
        chunks, size = [], 0
        while chunk := self.read(_CHUNK):
            chunks.append(chunk)
            size += len(chunk)
            if size > MAX_PAGE_BYTES:
                msg = f"{plain_text(self.url, 400)} is no page: more than {MAX_PAGE_BYTES >> 20} MB of it came"
                raise RefusedError(f"{msg}; check the address in a browser", "permanent")
        return b"".join(chunks)


class _Watched(HTTPConnection):
    """A connection whose socket the deadline knows."""

    guard: Guard

    def _new_conn(self) -> socket.socket:
        sock = super()._new_conn()
        self.guard.deadline.watch(sock)
        return sock

    def connect(self) -> None:
        super().connect()
        # TLS puts another socket in its place, and within the TLS of a proxy something that holds one. Its handshake
        # needs no watching: as a whole, it must be done within the time-out.
        sock: socket.socket = getattr(self.sock, "socket", self.sock)
        self.guard.deadline.watch(sock)


class _Checked(_Watched):
    """The same, and it connects to public addresses only."""

    def _new_conn(self) -> socket.socket:
        host = self.host
        try:
            addresses = self.guard.addresses(host, self.port)
        except (OSError, UnicodeError) as error:
            raise NameResolutionError(host, self, error) from error  # type: ignore[arg-type]  # only its text is used
        try:
            for self.host in addresses:  # there, an address is not looked up again
                try:
                    return super()._new_conn()
                except (NewConnectionError, ConnectTimeoutError) as error:
                    failure = error
            raise failure
        finally:
            self.host = host


def _set_guard(manager: PoolManager, connection: type[_Watched], guard: Guard) -> None:
    """Let a pool manager's connections be guarded, whatever kind they are of."""
    pools = {}
    for scheme, pool in cast("dict[str, type[HTTPConnectionPool]]", manager.pool_classes_by_scheme).items():
        guarded = type("Connection", (connection, pool.ConnectionCls), {"guard": guard})
        pools[scheme] = type("Pool", (pool,), {"ConnectionCls": guarded})
    manager.pool_classes_by_scheme = pools
