"""A TCP port on 127.0.0.1 that stays ours while the server behind it is restarted."""

from __future__ import annotations

import socket
from types import TracebackType


class ReservedPort:
    """Holds a port from now until close; a server may listen on it meanwhile.

    Linux lets a second socket bind and listen on a port whose other holders have SO_REUSEADDR and do not
    listen (Go and HAProxy set it). The kernel, for its part, gives a bound port to nobody who asks for any
    free one: so labs that run side by side never take each other's ports, not even during a restart.
    """

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", 0))
        self.number: int = self._socket.getsockname()[1]

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> ReservedPort:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
