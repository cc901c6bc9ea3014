"""One kept connection to one API server: HTTP/1.1 as the standard library speaks it.

A pass sends hundreds of requests a second, and what happens here is most of what a request costs the client: the
``kubernetes`` package's REST client over urllib3 took more than twice the CPU. Everything else goes over that one
(``kube.rest``).
"""

from __future__ import annotations

import base64
import http.client
import ssl
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

_CONNECT_SECONDS = 10.0
_READ_SECONDS = 60.0  # the server itself gives up a write after 34 s

Broken = (http.client.HTTPException, OSError)
"""What ``exchange`` raises when no answer came."""


@dataclass(frozen=True)
class Route:
    """Where a connection goes: the API server's URL, and a proxy's (``http://[user:password@]host:port``) or none."""

    server: str
    proxy: str | None = None

    @classmethod
    def to(cls, server: str) -> Route:
        """Through the proxy of the environment, where there is one for this server."""
        from requests.utils import get_environ_proxies, select_proxy

        return cls(server, select_proxy(server, get_environ_proxies(server)))


class Wire:
    """Opened by the first request, and by the first after ``close`` or after the server has ended it."""

    def __init__(self, route: Route, tls: ssl.SSLContext) -> None:
        self._route, self._tls = route, tls
        self._connection: _Connection | None = None
        self.made = 0

    def exchange(self, method: str, target: str, headers: dict[str, str], body: bytes | None) -> tuple[int, Any, bytes]:
        """Status, headers and body of the answer. After an exception the wire has to be closed."""
        if self._connection is None or self.ended_by_server():
            self.close()
            self._connection = self._opened()
            self.made += 1
        self._connection.request(method, target, body, headers)
        response = self._connection.getresponse()
        return response.status, response.headers, response.read()

    def ended_by_server(self) -> bool:
        """Whether there is something to read before anything was asked: the end of the connection."""
        from urllib3.util import wait_for_read

        sock = self._connection.sock if self._connection else None
        return sock is not None and bool(wait_for_read(sock, timeout=0.0))

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection:
            connection.close()

    def _opened(self) -> _Connection:
        server = urlsplit(self._route.server)
        host, port = server.hostname or "", server.port or 443
        if not self._route.proxy:
            return _Connection(host, port, context=self._tls, timeout=_CONNECT_SECONDS)
        proxy = urlsplit(self._route.proxy)
        connection = _Connection(proxy.hostname or "", proxy.port or 80, context=self._tls, timeout=_CONNECT_SECONDS)
        connection.set_tunnel(host, port, _proxy_headers(proxy.username, proxy.password))
        return connection


class _Connection(http.client.HTTPSConnection):
    """Sends the head and the body of a request in one piece: one TLS record, and one wake-up of the server."""

    _held = b""
    _connecting = False

    def connect(self) -> None:
        self._connecting = True
        try:
            super().connect()
        finally:
            self._connecting = False
        self.sock.settimeout(_READ_SECONDS)

    def send(self, data: Any) -> None:
        if self._connecting:
            super().send(data)  # what a proxy is asked has to be answered first
        else:
            self._held += data

    def getresponse(self) -> http.client.HTTPResponse:
        held, self._held = self._held, b""
        super().send(held)
        return super().getresponse()


def _proxy_headers(user: str | None, password: str | None) -> dict[str, str]:
    if user is None:
        return {}
    plain = f"{unquote(user)}:{unquote(password or '')}".encode()
    return {"Proxy-Authorization": f"Basic {base64.b64encode(plain).decode()}"}
