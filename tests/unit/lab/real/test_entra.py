"""Entra-shaped tokens, checked by kube-apiserver itself."""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from tests.lab.controlplane.real.cluster_pki import ClusterPki
from tests.lab.controlplane.real.host import RealReplicaHost
from tests.lab.model import IDENTITY, EntraTrust
from tests.unit.lab.real.api_client import SECRETS, ApiClient

pytestmark = pytest.mark.real

AKS_SERVER = "6dae42f8-4368-4678-94ff-3960e28e3630"
ADMIN = "11111111-2222-3333-4444-555555555555"


class Issuer:
    """OIDC discovery and signing keys over HTTPS, and tokens to match."""

    def __init__(self, pki: ClusterPki) -> None:
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        public = {**RSAAlgorithm.to_jwk(self._key.public_key(), as_dict=True), "kid": "lab", "use": "sig"}
        documents: dict[str, Any] = {"/tenant/keys": {"keys": [{**public, "alg": "RS256"}]}}

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                text = json.dumps(documents[self.path]).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, format: str, *args: Any) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(pki.server, pki.server_key)
        self.server.socket = tls.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        base = f"https://127.0.0.1:{self.server.server_port}"
        self.url = f"{base}/tenant/v2.0"
        documents["/tenant/v2.0/.well-known/openid-configuration"] = {
            "issuer": self.url,
            "jwks_uri": f"{base}/tenant/keys",
            "authorization_endpoint": f"{base}/tenant/oauth2/v2.0/authorize",
            "token_endpoint": f"{base}/tenant/oauth2/v2.0/token",
            "response_types_supported": ["code"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def token(self, object_id: str) -> str:
        now = int(time.time())
        claims = {
            "iss": self.url,
            "aud": AKS_SERVER,
            "oid": object_id,
            "sub": "s",
            "iat": now,
            "exp": now + 600,
        }
        return jwt.encode(claims, self._key, "RS256", {"kid": "lab"})


@pytest.fixture
def issuer(pki: ClusterPki) -> Iterator[Issuer]:
    issuer = Issuer(pki)
    yield issuer
    issuer.server.shutdown()
    issuer.server.server_close()


@pytest.mark.parametrize("version", ["1.26.15", "1.34.4"])
def test_the_administrator_gets_in_and_nobody_else(
    version: str, make_host: Callable[..., RealReplicaHost], issuer: Issuer, pki: ClusterPki, tmp_path: Path
) -> None:
    trust = EntraTrust(issuer.url, AKS_SERVER, pki.ca.read_text(), ADMIN)
    host = make_host(replicas=1, entra=trust)
    host.run_replica(0, version, [IDENTITY])

    def status(token: str) -> int:
        return ApiClient(host.endpoint(), tmp_path, token).request("GET", SECRETS).status

    assert status(issuer.token(ADMIN)) == 200
    assert status(issuer.token("99999999-2222-3333-4444-555555555555")) == 403
    assert status(issuer.token(ADMIN)[:-8] + "AAAAAAAA") == 401
