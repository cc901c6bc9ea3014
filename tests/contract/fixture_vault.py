"""A small Key Vault for the contract tests: two real RSA keys, a token endpoint, encrypt and decrypt."""

from __future__ import annotations

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.lab.model import VaultAccess

_CLIENT, _SECRET, _TOKEN = "cluster-identity", "identity-secret", "vault-token"
_PADDINGS: dict[str, padding.AsymmetricPadding] = {
    "RSA1_5": padding.PKCS1v15(),
    "RSA-OAEP-256": padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None),
}


class FixtureVault:
    """Serves plain HTTP on a free port; ``disabled`` holds the names of keys that refuse every"
    " operation."""

    def __init__(self) -> None:
        names = ("first", "second")
        self.keys = {name: rsa.generate_private_key(public_exponent=65537, key_size=2048) for name in names}
        self.disabled: set[str] = set()
        vault = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, answer = vault.answer(self.path, self.headers.get("Authorization", ""), body)
                text = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, format: str, *args: Any) -> None:
                return

        class Server(ThreadingHTTPServer):
            daemon_threads = True

        self._server = Server(("127.0.0.1", 0), Handler)
        self._url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def access(self) -> VaultAccess:
        return VaultAccess(f"{self._url}/tenant/oauth2/v2.0/token", _CLIENT, _SECRET, "")

    def key_id(self, name: str) -> str:
        return f"{self._url}/keys/{name}/{name}0000000000000000"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, target: str, authorization: str, body: bytes) -> tuple[int, dict[str, Any]]:
        parts = urlsplit(target)
        if parts.path == "/tenant/oauth2/v2.0/token":
            return _token({name: values[0] for name, values in parse_qs(body.decode()).items()})
        if authorization != f"Bearer {_TOKEN}":
            return _fault(401, "Unauthorized", "AKV10000: Request is missing a Bearer or PoP token.")
        if parse_qs(parts.query).get("api-version") != ["7.4"]:
            return _fault(400, "BadParameter", "The request URI contains an invalid or missing api-version.")
        _, _, name, _, operation = parts.path.split("/")
        if name in self.disabled:
            status, fault = _fault(403, "Forbidden", f"Operation {operation} is not allowed on a disabled key.")
            fault["error"]["innererror"] = {"code": "KeyDisabled"}
            return status, fault
        asked = json.loads(body)
        value = base64.urlsafe_b64decode(asked["value"] + "=" * (-len(asked["value"]) % 4))
        key, scheme = self.keys[name], _PADDINGS[asked["alg"]]
        try:
            encrypting = operation == "encrypt"
            result = key.public_key().encrypt(value, scheme) if encrypting else key.decrypt(value, scheme)
        except ValueError:
            return _fault(400, "BadParameter", "Property has invalid value")
        text = base64.urlsafe_b64encode(result).rstrip(b"=").decode()
        return 200, {"kid": self.key_id(name), "value": text}


def _token(form: dict[str, str]) -> tuple[int, dict[str, Any]]:
    wanted = {"grant_type": "client_credentials", "client_id": _CLIENT, "client_secret": _SECRET}
    if wanted | {"scope": "https://vault.azure.net/.default"} != form:
        return 401, {
            "error": "invalid_client",
            "error_description": "AADSTS7000215: Invalid client secret provided.",
        }
    return 200, {"access_token": _TOKEN, "token_type": "Bearer", "expires_in": 3599}


def _fault(status: int, code: str, message: str) -> tuple[int, dict[str, Any]]:
    return status, {"error": {"code": code, "message": message}}
