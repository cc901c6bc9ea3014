"""The proxy before the API servers, against a plain echo server."""

from __future__ import annotations

import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from tests.lab.connections import ConnectionProxy


class Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        while data := self.request.recv(65_536):
            self.request.sendall(data)


@pytest.fixture
def proxy() -> Iterator[ConnectionProxy]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Echo) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        made = ConnectionProxy(f"https://127.0.0.1:{server.server_address[1]}")
        made.start()
        yield made
        made.stop()
        server.shutdown()


def connect(proxy: ConnectionProxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", urlsplit(proxy.address).port or 0), timeout=30)


def echo(connection: socket.socket, text: bytes) -> bytes:
    connection.sendall(text)
    answer = b""
    while len(answer) < len(text) and (part := connection.recv(65_536)):
        answer += part
    return answer


def test_bytes_pass_both_ways(proxy: ConnectionProxy) -> None:
    text = bytes(range(256)) * 4096
    with connect(proxy) as connection:
        assert echo(connection, text) == text


def test_a_half_closed_connection_still_answers(proxy: ConnectionProxy) -> None:
    with connect(proxy) as connection:
        connection.sendall(b"last words")
        connection.shutdown(socket.SHUT_WR)
        assert connection.makefile("rb").read() == b"last words"


def test_a_round_trip_takes_at_least_its_time(proxy: ConnectionProxy) -> None:
    proxy.pass_on(0.2)
    with connect(proxy) as connection:
        echo(connection, b"hello")
        begun = time.monotonic()
        echo(connection, b"hello")
        assert time.monotonic() - begun >= 0.2


def test_reset_ends_old_and_new_connections_until_passed_on(proxy: ConnectionProxy) -> None:
    with connect(proxy) as connection:
        echo(connection, b"hello")
        proxy.reset()
        with pytest.raises(ConnectionResetError):
            connection.recv(1)
    with pytest.raises(ConnectionResetError), connect(proxy) as connection:
        connection.recv(1)
    proxy.pass_on(0)
    with connect(proxy) as connection:
        assert echo(connection, b"again") == b"again"


def test_cut_ends_only_what_is_open(proxy: ConnectionProxy) -> None:
    with connect(proxy) as old:
        echo(old, b"hello")
        proxy.cut()
        with pytest.raises(ConnectionResetError):
            old.recv(1)
    with connect(proxy) as connection:
        assert echo(connection, b"again") == b"again"
