"""A real validating admission webhook: an HTTPS server in this process that denies named Secrets' updates."""

from __future__ import annotations

import base64
import datetime
import ipaddress
import json
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.lab.administrator import Document, administrator
from tests.lab.model import Endpoint

NAME = "deny.kmslab.example"
"""The webhook's name, as the API server's refusal quotes it."""
CONFIGURATION = "kmslab-deny"
CONFIGURATIONS = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"


class DenyingWebhook:
    """Denies the update of the Secrets it was told; registers itself at the first and leaves at ``allow``."""

    def __init__(self, directory: Path, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._denied: set[str] = set()
        certificate = directory / "webhook.pem"
        self.ca_pem = _self_signed(certificate)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, name="webhook", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self._server.server_address[1]}/validate"

    def deny(self, namespace: str, name: str) -> None:
        self._denied.add(f"{namespace}/{name}")
        with administrator(self._endpoint) as api:
            api.create_if_absent(CONFIGURATIONS, self._configuration())

    def allow(self) -> None:
        """Take the registration away; nothing is denied any more."""
        self._denied.clear()
        with administrator(self._endpoint) as api:
            api.delete_if_present(f"{CONFIGURATIONS}/{CONFIGURATION}")

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def review(self, request: Document) -> Document:
        """Answer one AdmissionReview request."""
        name = f"{request.get('namespace', '')}/{request.get('name', '')}"
        if name not in self._denied:
            return {"uid": request["uid"], "allowed": True}
        status = {"code": 403, "message": refusal(request["namespace"], request["name"])}
        return {"uid": request["uid"], "allowed": False, "status": status}

    def _configuration(self) -> Document:
        return {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingWebhookConfiguration",
            "metadata": {"name": CONFIGURATION},
            "webhooks": [
                {
                    "name": NAME,
                    "clientConfig": {
                        "url": self.url,
                        "caBundle": base64.b64encode(self.ca_pem).decode(),
                    },
                    "rules": [
                        {
                            "apiGroups": [""],
                            "apiVersions": ["v1"],
                            "operations": ["UPDATE"],
                            "resources": ["secrets"],
                        }
                    ],
                    "failurePolicy": "Fail",
                    "sideEffects": "None",
                    "admissionReviewVersions": ["v1"],
                }
            ],
        }

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        webhook = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                answer = {**review, "response": webhook.review(review["request"])}
                answer.pop("request")
                body = json.dumps(answer).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Quiet: the answers say it all."""

        return Handler


def refusal(namespace: str, name: str) -> str:
    """What the webhook says."""
    return f"Secret {namespace}/{name} may not be changed"


def _self_signed(file: Path) -> bytes:
    """Write key and certificate for 127.0.0.1; the certificate's PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kmslab-webhook")])
    now = datetime.datetime.now(datetime.timezone.utc)
    address = x509.IPAddress(ipaddress.IPv4Address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=7))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.touch(0o600)
    file.write_bytes(private + pem)
    return pem
