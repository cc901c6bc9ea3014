"""Real admission webhooks: one HTTPS server here, registered for what it is told to do to Secrets' updates."""

from __future__ import annotations

import base64
import contextlib
import datetime
import ipaddress
import itertools
import json
import ssl
import threading
import time
import uuid
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.lab.administrator import Document, administrator
from tests.lab.model import Endpoint

NAME = "deny.kmslab.example"
"""The denying webhook's name, as the API server's refusal quotes it."""
SLOW_NAME = "slow.kmslab.example"
MUTATING_NAME = "mutate.kmslab.example"
EFFECTS_NAME = "effects.kmslab.example"
"""One from before 1.22, when a webhook could still leave open whether it has side effects: no dry run asks it."""
SEEN = "kmslab.example/seen"
"""The annotation that the mutating webhook changes on every write."""

PutRaw = Callable[[str, bytes], None]

_VALIDATING = "ValidatingWebhookConfiguration"
_MUTATING = "MutatingWebhookConfiguration"
_TIMEOUT = {SLOW_NAME: 1}  # seconds that the API server waits; 10 for the others
_KIND = {NAME: _VALIDATING, SLOW_NAME: _VALIDATING, MUTATING_NAME: _MUTATING, EFFECTS_NAME: _VALIDATING}


class AdmissionWebhooks:
    """Refuses, delays or changes the updates of the Secrets it was told; ``allow`` takes everything back.

    ``put_raw`` puts a value straight into the store: for what an API server of today lets nobody create.
    """

    def __init__(self, directory: Path, endpoint: Endpoint, put_raw: PutRaw | None = None) -> None:
        self._endpoint, self._put_raw = endpoint, put_raw
        self._denied: set[str] = set()
        self._delayed: set[str] = set()
        self._mutated: set[str] = set()
        self._count = itertools.count(1)
        certificate = directory / "webhook.pem"
        self.ca_pem = _self_signed(certificate)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, name="webhook", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self._server.server_address[1]}"

    def deny(self, namespace: str, name: str) -> None:
        """A validating webhook refuses this Secret."""
        self._denied.add(f"{namespace}/{name}")
        self._register(NAME)

    def delay(self, namespace: str, name: str) -> None:
        """A validating webhook does not answer in time for this Secret."""
        self._delayed.add(f"{namespace}/{name}")
        self._register(SLOW_NAME)

    def mutate(self, namespace: str) -> None:
        """A mutating webhook changes an annotation at every write of a Secret in this namespace."""
        self._mutated.add(namespace)
        self._register(MUTATING_NAME)

    def leave_open(self, namespace: str) -> None:
        """A validating webhook that denies nothing and takes no part in dry runs, for this namespace's Secrets."""
        assert self._put_raw is not None
        document = self._document(EFFECTS_NAME)
        document["metadata"] |= {"uid": str(uuid.uuid4()), "creationTimestamp": "2020-01-01T00:00:00Z"}
        document["webhooks"][0] |= {
            "sideEffects": "Unknown",
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
            "objectSelector": {},
            "matchPolicy": "Equivalent",
        }
        self._put_raw(f"/registry/{_KIND[EFFECTS_NAME].lower()}s/{EFFECTS_NAME}", json.dumps(document).encode())

    def allow(self) -> None:
        """Take the registrations away; nothing is refused, delayed or changed any more."""
        for told in (self._denied, self._delayed, self._mutated):
            told.clear()
        with administrator(self._endpoint) as api:
            for name in _KIND:
                api.delete_if_present(f"{_collection(name)}/{name}")

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def review(self, webhook: str, request: Document) -> Document:
        """Answer one AdmissionReview request."""
        name = f"{request.get('namespace', '')}/{request.get('name', '')}"
        answer: Document = {"uid": request["uid"], "allowed": True}
        if webhook == NAME and name in self._denied:
            status = {"code": 403, "message": refusal(request["namespace"], request["name"])}
            return {**answer, "allowed": False, "status": status}
        if webhook == SLOW_NAME and name in self._delayed:
            time.sleep(_TIMEOUT[SLOW_NAME] + 1)
        if webhook == MUTATING_NAME and request.get("namespace") in self._mutated:
            patch = json.dumps(self._changes(request["object"])).encode()
            return {**answer, "patchType": "JSONPatch", "patch": base64.b64encode(patch).decode()}
        return answer

    def _changes(self, secret: Document) -> list[Document]:
        value = str(next(self._count))
        if not secret["metadata"].get("annotations"):
            return [{"op": "add", "path": "/metadata/annotations", "value": {SEEN: value}}]
        return [{"op": "add", "path": f"/metadata/annotations/{SEEN.replace('/', '~1')}", "value": value}]

    def _register(self, name: str) -> None:
        with administrator(self._endpoint) as api:
            api.create_if_absent(_collection(name), self._document(name))

    def _document(self, name: str) -> Document:
        rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["UPDATE"], "resources": ["secrets"]}
        webhook = {
            "name": name,
            "clientConfig": {
                "url": f"{self.url}/{name}",
                "caBundle": base64.b64encode(self.ca_pem).decode(),
            },
            "rules": [rule],
            "failurePolicy": "Fail",
            "sideEffects": "None",
            "timeoutSeconds": _TIMEOUT.get(name, 10),
            "admissionReviewVersions": ["v1"],
        }
        return {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": _KIND[name],
            "metadata": {"name": name},
            "webhooks": [webhook],
        }

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        webhook = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                asked = urlsplit(self.path).path.removeprefix("/")  # the API server adds ?timeout=10s
                response = webhook.review(asked, review["request"])
                answer = {**review, "response": response}
                answer.pop("request")
                body = json.dumps(answer).encode()
                # An API server that has waited long enough hangs up.
                with contextlib.suppress(OSError):
                    self.send_response(200)
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Quiet: the answers say it all."""

        return Handler


def _collection(name: str) -> str:
    return f"/apis/admissionregistration.k8s.io/v1/{_KIND[name].lower()}s"


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
