"""An HTTPS server on 127.0.0.1: routes, keep-alive, one thread a connection, every request logged."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import ssl
import sys
import threading
import traceback
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, unquote, urlsplit

from tests.lab.azure.refusal import ServiceError
from tests.lab.azure.request_log import RequestLog

_IDLE_SECONDS = 300.0


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        """The body as a JSON object; raises :class:`ServiceError` in Resource Manager's words."""
        try:
            value = json.loads(self.body or b"{}")
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise ServiceError(
                400, "InvalidRequestContent", "The request content was invalid and could not be deserialized."
            )
        return value

    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))


@dataclass(frozen=True)
class Response:
    """``body`` is sent as JSON; None sends no body."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[..., Response]


class ConnectionDropped(Exception):
    """The service is not there any more: the connection ends without an answer."""


class Router:
    """Path templates such as ``/subscriptions/{sub}``; matched without regard to case, as ARM does.

    ``{scope*}`` stands for several segments, the others for one.
    """

    def __init__(self) -> None:
        self._routes: list[tuple[str, re.Pattern[str], Handler]] = []

    def add(self, method: str, template: str, handler: Handler) -> None:
        pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(template))
        pattern = re.sub(r"\\{(\w+)\\\*\\}", r"(?P<\1>.+?)", pattern)
        self._routes.append((method, re.compile(pattern + "/?$", re.IGNORECASE), handler))

    def dispatch(self, request: Request) -> Response:
        known_path = False
        for method, pattern, handler in self._routes:
            match = pattern.match(request.path)
            if match and method == request.method:
                return handler(request, **{name: unquote(value) for name, value in match.groupdict().items()})
            known_path = known_path or bool(match)
        if known_path:
            raise ServiceError(405, "MethodNotAllowed", f"The http method '{request.method}' is not supported here.")
        raise ServiceError(404, "InvalidResourceType", f"The resource type could not be found: {request.path}")


class _Headers(dict[str, str]):
    """Header names without regard to case."""

    def __init__(self, headers: Iterable[tuple[str, str]]) -> None:
        super().__init__((name.lower(), value) for name, value in headers)

    def get(self, name: str, default: Any = None) -> Any:
        return super().get(name.lower(), default)


class HttpsServer:
    """Serves one router on a free port. ``start`` returns once connections are accepted."""

    def __init__(self, service: str, tls: ssl.SSLContext, router: Router, log: RequestLog) -> None:
        self.service = service
        self._server = _Server(self, tls)
        self._router = router
        self._log = log
        self._thread: threading.Thread | None = None

    @property
    def base_url(self) -> str:
        return f"https://127.0.0.1:{self._server.server_address[1]}"

    def start(self) -> None:
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name=f"local-azure-{self.service}", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Close the port and every open connection; safe to call twice."""
        if self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._thread = None
        self._server.server_close()
        self._server.drop_connections()

    def answer(self, request: Request, raw_query: str) -> Response:
        try:
            response = self._router.dispatch(request)
        except ServiceError as refusal:
            response = Response(refusal.status, refusal.body(), refusal.headers)
        except ConnectionDropped:
            response = Response(0)
        except Exception:
            traceback.print_exc(file=sys.stderr)
            body = {"error": {"code": "InternalServerError", "message": "Encountered internal server error."}}
            response = Response(500, body)
        kept = None
        if self.service == "arm" and request.method == "PUT":
            with contextlib.suppress(ValueError):
                kept = json.loads(request.body)
        self._log.add(self.service, request.method, request.path, raw_query, response.status, kept, request.body)
        return response


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, owner: HttpsServer, tls: ssl.SSLContext) -> None:
        self.owner = owner
        self._connections: set[socket.socket] = set()
        self._connections_lock = threading.Lock()
        super().__init__(("127.0.0.1", 0), _Connection)
        # The handshake happens in the connection's own thread: a silent client must not hold up the others.
        self.socket = tls.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._connections_lock:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._connections_lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def drop_connections(self) -> None:
        with self._connections_lock:
            connections = list(self._connections)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A client that goes away or does not trust the certificate is its own business.
        if not isinstance(sys.exc_info()[1], (OSError, ValueError)):
            traceback.print_exc(file=sys.stderr)


class _Connection(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    server_version = "LocalAzure"
    sys_version = ""
    disable_nagle_algorithm = True
    wbufsize = 65536
    timeout = _IDLE_SECONDS

    def handle_any(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else b""
        parts = urlsplit(self.path)
        request = Request(
            method=self.command,
            # The SDK writes an empty parent path as two slashes; Resource Manager does not mind.
            path=re.sub("/{2,}", "/", parts.path),
            query={name: values[-1] for name, values in parse_qs(parts.query).items()},
            headers=_Headers(self.headers.items()),
            body=body,
        )
        response = self.server.owner.answer(request, parts.query)
        if not response.status:
            self.close_connection = True
            return
        payload = b"" if response.body is None else json.dumps(response.body).encode()
        self.send_response(response.status)
        if payload:
            self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(payload)))
        self.send_header("x-ms-request-id", str(uuid.uuid4()))
        for name, value in response.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(payload)
        self.wfile.flush()

    do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = handle_any  # noqa: N815 - names given by http.server

    def log_message(self, format: str, *args: Any) -> None:
        """The request log is kept by the owner; nothing goes to stderr."""
