"""What Azure Cloud Shell puts around az: a token broker on localhost, and a way to the public sign-in.

The broker speaks as the one of Cloud Shell does, a managed identity's protocol with a user's tokens, at the address
that MSAL knows (``msal/cloudshell.py``). Before it asks, MSAL reads the discovery document of
login.microsoftonline.com, which no setting of az changes: a proxy takes that host to the local Entra ID, and no other
host anywhere.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.lab.azure.certificates import PUBLIC_SIGN_IN
from tests.lab.azure.identity import Identity, Principal
from tests.lab.azure.refusal import EntraError

BROKER_PORT = 50342
_PATIENCE = 60.0  # seconds in which another lab on this machine may give the port back
_CHUNK = 65536


class CloudShell:
    """``start`` listens on both ports; ``environment`` is then what Cloud Shell exports, and the proxy."""

    def __init__(self, identity: Identity, user: Principal, base_url: str) -> None:
        self._identity, self._user = identity, user
        self._door = urlsplit(base_url).port or 443
        self._servers: list[ThreadingHTTPServer] = []
        self.tokens_for: list[str] = []
        """The audiences that were asked for, oldest first."""
        self.refused_hosts: list[str] = []

    def start(self) -> None:
        broker = _bound(BROKER_PORT, _handler(_Broker, self))
        proxy = _bound(0, _handler(_Proxy, self))
        self._servers = [broker, proxy]
        for server in self._servers:
            threading.Thread(target=server.serve_forever, args=(0.05,), name="cloud-shell", daemon=True).start()

    def stop(self) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()
        self._servers = []

    @property
    def environment(self) -> dict[str, str]:
        proxy = f"http://127.0.0.1:{self._servers[1].server_address[1]}"
        return {
            "ACC_CLOUD": "PROD",
            "AZUREPS_HOST_ENVIRONMENT": "cloud-shell/1.0",
            "POWERSHELL_DISTRIBUTION_CHANNEL": "CloudShell",
            "MSI_ENDPOINT": f"http://localhost:{BROKER_PORT}/oauth2/token",
            "HTTPS_PROXY": proxy,
            "https_proxy": proxy,
        }

    def token(self, resource: str) -> tuple[int, dict[str, Any]]:
        """The broker's answer: status and body."""
        try:
            token, audience = self._identity.for_user(self._user, resource)
        except EntraError:
            message = f"Audience {resource} is not a supported MSI token audience."
            return 400, {"error": {"code": "AudienceNotSupported", "message": message}}
        self.tokens_for.append(audience)
        now, seconds = int(time.time()), self._identity.token_seconds
        times = {"expires_in": str(seconds), "expires_on": str(now + seconds), "not_before": str(now)}
        return 200, {
            "access_token": token,
            "refresh_token": "",
            "resource": resource,
            "token_type": "Bearer",
            **times,
        }

    def tunnel(self, host: str) -> socket.socket | None:
        """A connection to where this host is here; None for a host that is nowhere."""
        if host != f"{PUBLIC_SIGN_IN}:443":
            self.refused_hosts.append(host)
            return None
        return socket.create_connection(("127.0.0.1", self._door))


class _Broker(BaseHTTPRequestHandler):
    shell: CloudShell

    def do_POST(self) -> None:
        form = dict(parse_qsl(self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()))
        if urlsplit(self.path).path != "/oauth2/token":
            self._answer(404, {"error": {"code": "NotFound", "message": "Not found."}})
        elif self.headers.get("Metadata", "").lower() != "true":
            message = "Required metadata header not specified"
            self._answer(400, {"error": {"code": "bad_request_102", "message": message}})
        else:
            self._answer(*self.shell.token(form.get("resource", "")))

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        payload = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


class _Proxy(BaseHTTPRequestHandler):
    shell: CloudShell

    def do_CONNECT(self) -> None:
        there = self.shell.tunnel(self.path)
        if there is None:
            self.send_error(403, "Forbidden")
            return
        self.send_response(200, "Connection established")
        self.end_headers()
        self.wfile.flush()
        self.close_connection = True
        with there:
            back = threading.Thread(target=_pass_on, args=(there, self.connection), daemon=True)
            back.start()
            _pass_on(self.connection, there)
            back.join()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(_CHUNK):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def _handler(kind: type[_Broker] | type[_Proxy], shell: CloudShell) -> type[BaseHTTPRequestHandler]:
    return type(kind.__name__, (kind,), {"shell": shell})


def _bound(port: int, handler: type[BaseHTTPRequestHandler]) -> ThreadingHTTPServer:
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            server = ThreadingHTTPServer(("127.0.0.1", port), handler)
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.2)
        else:
            server.daemon_threads = True
            return server
