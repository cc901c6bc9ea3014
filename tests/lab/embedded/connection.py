"""HTTP/1.1 on one accepted TCP connection: lean, keep-alive, one request after the other."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
import uuid
import zlib
from email.utils import formatdate
from typing import cast

from tests.lab.embedded.messages import Request, Response

MAX_HEAD = 1 << 16
# kube-apiserver's limit for a request body.
MAX_BODY = 3 * 1024 * 1024
_GZIP_FROM = 128 * 1024
_REASONS = {
    200: "OK", 201: "Created", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found",
    405: "Method Not Allowed", 406: "Not Acceptable", 409: "Conflict", 410: "Gone",
    413: "Request Entity Too Large", 415: "Unsupported Media Type", 422: "Unprocessable Entity",
    500: "Internal Server Error", 504: "Gateway Timeout",
}  # fmt: skip


class ProtocolError(Exception):
    """The peer does not speak HTTP/1.1 as we know it."""


class Connection:
    """Reads requests, writes answers; ``drain`` ends it at once when idle, else after the answer"
    " under way."""

    def __init__(self, sock: ssl.SSLSocket) -> None:
        self._socket = sock
        self._buffer = bytearray()
        self._lock = threading.Lock()
        self._busy = False
        self._draining = False

    def certificate_subject(self) -> tuple[str, tuple[str, ...]] | None:
        """CN and all O of the client's verified certificate."""
        certificate = self._socket.getpeercert()
        if not certificate:
            return None
        subject = cast("tuple[tuple[tuple[str, str], ...], ...]", certificate.get("subject", ()))
        fields = [pair for part in subject for pair in part]
        common = [value for name, value in fields if name == "commonName"]
        groups = tuple(value for name, value in fields if name == "organizationName")
        return (common[-1] if common else "", groups)

    def drain(self) -> None:
        with self._lock:
            self._draining = True
            if not self._busy:
                self._shut()

    def next_request(self) -> Request | None:
        """The next request, or None when the connection is over."""
        head = self._read_head()
        if head is None:
            return None
        with self._lock:
            if self._draining:
                return None
            self._busy = True
        lines = head.decode("latin-1").split("\r\n")
        try:
            method, target, protocol = lines[0].split(" ")
        except ValueError:
            raise ProtocolError(lines[0]) from None
        if protocol != "HTTP/1.1":
            raise ProtocolError(protocol)
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        if headers.get("expect", "").lower() == "100-continue":
            self._socket.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        return Request.of(method, target, headers, self._read_body(headers))

    def answer(self, request: Request, response: Response) -> bool:
        """Send the answer; whether the connection goes on."""
        body, headers = response.body, dict(response.headers)
        if len(body) > _GZIP_FROM and "gzip" in request.headers.get("accept-encoding", ""):
            packer = zlib.compressobj(1, zlib.DEFLATED, 31)
            body = packer.compress(body) + packer.flush()
            headers["Content-Encoding"] = "gzip"
            headers["Vary"] = "Accept-Encoding"
        last = self._draining or request.headers.get("connection", "").lower() == "close"
        if last:
            headers["Connection"] = "close"
        head = [
            f"HTTP/1.1 {response.status} {_REASONS.get(response.status, 'Status')}",
            f"Audit-Id: {uuid.uuid4()}",
            "Cache-Control: no-cache, private",
            f"Content-Type: {response.content_type}",
            f"Date: {formatdate(time.time(), usegmt=True)}",
            f"Content-Length: {len(body)}",
            *(f"{name}: {value}" for name, value in headers.items()),
        ]
        text = ("\r\n".join(head) + "\r\n\r\n").encode("latin-1")
        self._socket.sendall(text if request.method == "HEAD" else text + body)
        with self._lock:
            self._busy = False
            return not (last or self._draining)

    def close(self) -> None:
        with self._lock:
            self._draining = True
            self._shut()
        self._socket.close()

    def _shut(self) -> None:
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def _read_head(self) -> bytes | None:
        while True:
            end = self._buffer.find(b"\r\n\r\n")
            if end >= 0:
                head = bytes(self._buffer[:end])
                del self._buffer[: end + 4]
                return head
            if len(self._buffer) > MAX_HEAD:
                raise ProtocolError("the request's head is too long")
            if not self._fill():
                return None

    def _read_body(self, headers: dict[str, str]) -> bytes:
        if headers.get("transfer-encoding", "").lower() == "chunked":
            return self._read_chunks()
        size = int(headers.get("content-length") or 0)
        if size > MAX_BODY:
            raise ProtocolError("the request's body is too long")
        return self._take(size)

    def _read_chunks(self) -> bytes:
        body = bytearray()
        while True:
            size = int(self._read_line().partition(b";")[0], 16)
            if len(body) + size > MAX_BODY:
                raise ProtocolError("the request's body is too long")
            if size == 0:
                while self._read_line():
                    continue
                return bytes(body)
            body += self._take(size)
            self._take(2)

    def _read_line(self) -> bytes:
        while (end := self._buffer.find(b"\r\n")) < 0:
            if not self._fill():
                raise ProtocolError("the connection ended in a body")
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        return line

    def _take(self, size: int) -> bytes:
        while len(self._buffer) < size:
            if not self._fill():
                raise ProtocolError("the connection ended in a body")
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken

    def _fill(self) -> bool:
        try:
            data = self._socket.recv(1 << 16)
        except OSError:
            return False
        self._buffer += data
        return bool(data)
