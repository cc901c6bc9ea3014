"""Kept connections, of both kinds, against a small TLS server of our own."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from azext_kmsmigrate.kube.rest import RestClient
from azext_kmsmigrate.kube.wire import Broken, Route, Wire
from tests.lab.embedded.certificates import Authority

Transport = Wire | RestClient
BOTH = [Wire, RestClient]
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class Server:
    """Answers every request with ``answer``; remembers the pieces in which requests came, by connection."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.answer = ANSWER
        self.answers_a_connection = 100
        self.connections: list[list[bytes]] = []
        self.asked_of_proxy: list[bytes] = []
        self.as_proxy = False
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._listen, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _listen(self) -> None:
        try:
            while True:
                self._serve(self._listener.accept()[0])
        except OSError:
            return

    def _serve(self, plain: socket.socket) -> None:
        if self.as_proxy:
            self.asked_of_proxy.append(plain.recv(4096))
            plain.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        pieces: list[bytes] = []
        self.connections.append(pieces)
        with self._context.wrap_socket(plain, server_side=True) as secure:
            while len(pieces) < self.answers_a_connection and (piece := secure.recv(65_536)):
                pieces.append(piece)
                secure.sendall(self.answer)


@pytest.fixture
def authority() -> Authority:
    return Authority()


@pytest.fixture
def server(authority: Authority, tmp_path: Path) -> Iterator[Server]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.server().write(tmp_path / "server.pem"))
    made = Server(context)
    yield made
    made.close()


@pytest.fixture
def tls(authority: Authority) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=authority.pem)


def test_requests_share_a_connection_and_each_goes_out_in_one_piece(server: Server, tls: ssl.SSLContext) -> None:
    wire = Wire(Route(f"https://127.0.0.1:{server.port}"), tls)
    for _ in range(3):
        status, headers, body = wire.exchange("PATCH", "/a", {"Accept": "x/y"}, b'{"a": 1}')
        assert (status, headers["Content-Length"], body) == (200, "2", b"{}")
    wire.close()
    (pieces,) = server.connections
    assert len(pieces) == 3
    assert pieces[0].startswith(b"PATCH /a HTTP/1.1\r\n")
    assert pieces[0].endswith(b'\r\n\r\n{"a": 1}')


def test_a_connection_that_the_server_has_ended_meanwhile_is_replaced(server: Server, tls: ssl.SSLContext) -> None:
    server.answers_a_connection = 1
    wire = Wire(Route(f"https://127.0.0.1:{server.port}"), tls)
    for _ in range(2):
        assert wire.exchange("GET", "/", {}, None)[0] == 200
        _wait_until_ended(wire)
    assert len(server.connections) == 2


@pytest.mark.parametrize("transport", BOTH)
def test_one_connection_is_kept_until_it_is_closed(
    server: Server, tls: ssl.SSLContext, transport: type[Transport]
) -> None:
    kept = transport(Route(f"https://127.0.0.1:{server.port}"), tls)
    for _ in range(3):
        assert kept.exchange("GET", "/a?b=c", {"Accept": "x/y"}, None)[2] == b"{}"
    kept.close()
    kept.exchange("GET", "/", {}, None)
    assert len(server.connections) == 2
    assert server.connections[0][0].startswith(b"GET /a?b=c HTTP/1.1\r\n")
    kept.close()


@pytest.mark.parametrize("transport", BOTH)
def test_a_refusal_is_an_answer_and_no_answer_is_an_exception(
    server: Server, tls: ssl.SSLContext, transport: type[Transport]
) -> None:
    server.answer = b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\nContent-Length: 2\r\n\r\n[]"
    kept = transport(Route(f"https://127.0.0.1:{server.port}"), tls)
    status, headers, body = kept.exchange("GET", "/", {}, None)
    assert (status, headers["Retry-After"], body) == (429, "7", b"[]")
    kept.close()
    server.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{}"
    server.answers_a_connection = 1
    with pytest.raises(Broken):
        kept.exchange("GET", "/", {}, None)
    kept.close()
    with pytest.raises(Broken):
        transport(Route("https://127.0.0.1:9"), tls).exchange("GET", "/", {}, None)


def test_after_close_the_next_request_opens_a_new_connection(server: Server, tls: ssl.SSLContext) -> None:
    wire = Wire(Route(f"https://127.0.0.1:{server.port}"), tls)
    for _ in range(2):
        wire.exchange("GET", "/", {}, None)
        wire.close()
    assert [len(pieces) for pieces in server.connections] == [1, 1]


def test_a_proxy_is_asked_for_a_tunnel_and_sees_nothing_else(server: Server, tls: ssl.SSLContext) -> None:
    server.as_proxy = True
    wire = Wire(Route("https://127.0.0.1:6443", f"http://robot:p%40ss@127.0.0.1:{server.port}"), tls)
    assert wire.exchange("GET", "/secret", {}, None)[2] == b"{}"
    wire.close()
    (asked,) = server.asked_of_proxy
    assert asked.startswith(b"CONNECT 127.0.0.1:6443 HTTP/1.")
    assert b"Proxy-Authorization: Basic cm9ib3Q6cEBzcw==\r\n" in asked
    assert b"/secret" not in asked


def test_an_answer_cut_short_and_a_server_nobody_trusts_are_broken_wires(server: Server, tls: ssl.SSLContext) -> None:
    server.answer, server.answers_a_connection = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}", 1
    with pytest.raises(Broken):
        Wire(Route(f"https://127.0.0.1:{server.port}"), tls).exchange("GET", "/", {}, None)
    stranger = ssl.create_default_context(cadata=Authority().pem)
    with pytest.raises(Broken):
        Wire(Route(f"https://127.0.0.1:{server.port}"), stranger).exchange("GET", "/", {}, None)


def _wait_until_ended(wire: Wire) -> None:
    for _ in range(500):
        if wire.ended_by_server():
            return
        threading.Event().wait(0.01)
    raise AssertionError("the server did not end the connection")
