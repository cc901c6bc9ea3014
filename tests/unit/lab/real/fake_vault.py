"""A Key Vault data plane and its token endpoint, with what a KMS plugin needs: one key, real RSA."""

from __future__ import annotations

import base64
import json
import secrets
import ssl
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.lab.controlplane.real.cluster_pki import ClusterPki
from tests.lab.model import VaultAccess

_OAEP = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
_PADDINGS: dict[str, padding.AsymmetricPadding] = {"RSA1_5": padding.PKCS1v15(), "RSA-OAEP-256": _OAEP}


class FakeVault:
    """HTTPS with the server certificate of ``pki``. ``enabled`` turns the key off and on."""

    def __init__(self, pki: ClusterPki) -> None:
        self.enabled = True
        self.operations: list[tuple[str, str]] = []
        self.tokens: set[str] = set()
        self.tokens_granted = 0
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        vault = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, answer = vault.answer(self.path, body, self.headers.get("Authorization", ""))
                text = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, format: str, *args: Any) -> None:
                """Quiet: the test asks ``operations``."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(pki.server, pki.server_key)
        self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"https://127.0.0.1:{self._server.server_port}"
        self.key_id = f"{self.url}/keys/etcd/0123456789abcdef0123456789abcdef"
        # Another version with the same key: what the vault could decrypt, the plugin must still refuse.
        self.other_key_id = f"{self.url}/keys/etcd/fedcba9876543210fedcba9876543210"
        token_url = f"{self.url}/tenant/oauth2/v2.0/token"
        self.access = VaultAccess(token_url, "lab-identity", secrets.token_urlsafe(), pki.ca.read_text())
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, path: str, body: bytes, authorization: str) -> tuple[int, dict[str, Any]]:
        if path == "/tenant/oauth2/v2.0/token":
            return self._grant(dict(urllib.parse.parse_qsl(body.decode())))
        if authorization.removeprefix("Bearer ") not in self.tokens:
            return 401, _error("Unauthorized", "AKV10000: Request is missing a Bearer or PoP token.")
        key, _, operation = path.removesuffix("?api-version=7.4").rpartition("/")
        if f"{self.url}{key}" not in (self.key_id, self.other_key_id) or operation not in (
            "encrypt",
            "decrypt",
        ):
            return 404, _error("KeyNotFound", "A key with this name was not found in this key vault.")
        return self._operate(operation, json.loads(body))

    def _grant(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        wanted = {
            "grant_type": "client_credentials",
            "client_id": self.access.client_id,
            "client_secret": self.access.client_secret,
            "scope": "https://vault.azure.net/.default",
        }
        if form != wanted:
            return 401, {
                "error": "invalid_client",
                "error_description": "AADSTS7000215: Invalid client secret.",
            }
        token = secrets.token_urlsafe()
        self.tokens.add(token)
        self.tokens_granted += 1
        return 200, {"token_type": "Bearer", "expires_in": 3599, "access_token": token}

    def _operate(self, operation: str, request: dict[str, str]) -> tuple[int, dict[str, Any]]:
        self.operations.append((operation, request["alg"]))
        if not self.enabled:
            fault = _error("Forbidden", f"Operation {operation} is not allowed on a disabled key.")
            fault["error"]["innererror"] = {"code": "KeyDisabled"}
            return 403, fault
        value = base64.urlsafe_b64decode(request["value"] + "==")
        chosen = _PADDINGS[request["alg"]]
        try:
            result = (
                self._key.public_key().encrypt(value, chosen)
                if operation == "encrypt"
                else self._key.decrypt(value, chosen)
            )
        except ValueError:
            return 400, _error("BadParameter", "The parameter is incorrect.")
        return 200, {"kid": self.key_id, "value": base64.urlsafe_b64encode(result).rstrip(b"=").decode()}


def _error(code: str, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message}}
