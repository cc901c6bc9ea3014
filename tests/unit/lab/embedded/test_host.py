"""What the contract does not ask of both hosts: sign-in, draining, denials, kubectl."""

from __future__ import annotations

import base64
import json
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jwt
import pytest
import urllib3
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.contract.api_client import Api, secret, secrets
from tests.lab.embedded.certificates import Authority
from tests.lab.embedded.host import EmbeddedReplicaHost
from tests.lab.model import IDENTITY, Endpoint, EntraTrust, StoredForm, kms_v1

KEY_ID = "https://v.vault.azure.net/keys/k/1"
AUDIENCE, ADMIN = "6dae42f8-4368-4678-94ff-3960e28e3630", "00000000-0000-0000-0000-00000000aaaa"


@pytest.fixture
def host(tmp_path: Path) -> Iterator[EmbeddedReplicaHost]:
    host = EmbeddedReplicaHost(tmp_path, 2)
    host.start()
    for index in range(2):
        host.run_replica(index, "1.26.15", [kms_v1(KEY_ID), IDENTITY])
    yield host
    host.stop()


def test_a_denied_secret_refuses_updates_of_any_kind_until_it_is_allowed(host: EmbeddedReplicaHost) -> None:
    api = Api(host.endpoint())
    made = api.post(secrets("default"), secret("a")).body
    host.deny("default", "a", "policy.example.com", "not on a Friday")
    text = 'admission webhook "policy.example.com" denied the request: not on a Friday'
    path = secrets("default", "a")
    for answer in (api.patch(path, {}), api.patch(path, {}, dryRun="All"), api.put(path, made)):
        assert answer.status_of() == (403, "Forbidden", text)
    assert api.get(path).status == 200
    host.allow("default", "a")
    assert api.patch(path, {}).status == 200


def test_other_users_are_known_but_may_nothing(host: EmbeddedReplicaHost) -> None:
    certificate, key = host.client_certificate("jane", "developers")
    api = Api(replace(host.endpoint(), client_cert_pem=certificate, client_key_pem=key))
    text = 'secrets is forbidden: User "jane" cannot list resource "secrets" in API group "" in the namespace "default"'
    assert api.get(secrets("default")).status_of() == (403, "Forbidden", text)
    assert api.get("/version").status == 200
    assert api.get("/metrics").status_of()[1] == "Forbidden"
    assert Api(host.endpoint(), certificate=False).get("/version").status_of()[0] == 401


def test_a_certificate_of_another_authority_does_not_get_in(host: EmbeddedReplicaHost) -> None:
    pair = Authority().client("kubernetes-admin", "system:masters")
    api = Api(replace(host.endpoint(), client_cert_pem=pair.certificate, client_key_pem=pair.key))
    with pytest.raises(urllib3.exceptions.HTTPError):
        api.get("/version")


class Issuer:
    """An OpenID provider over HTTPS with one signing key."""

    def __init__(self, directory: Path) -> None:
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        authority = Authority()
        self.ca_pem = authority.pem
        jwk = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key()))
        documents: dict[str, Any] = {"/keys": {"keys": [jwk | {"kid": "k1", "alg": "RS256", "use": "sig"}]}}

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = json.dumps(documents[self.path]).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(authority.server().write(directory / "issuer.pem"))
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        base = f"https://127.0.0.1:{self.server.server_port}"
        self.url = f"{base}/tenant/v2.0"
        documents["/tenant/v2.0/.well-known/openid-configuration"] = {
            "issuer": self.url,
            "jwks_uri": f"{base}/keys",
        }
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def token(self, **changed: Any) -> str:
        claims = {"iss": self.url, "aud": AUDIENCE, "oid": ADMIN, "exp": int(time.time()) + 600} | changed
        return jwt.encode(claims, self.key, "RS256", headers={"kid": "k1"})


def test_entra_tokens_are_checked(tmp_path: Path) -> None:
    issuer = Issuer(tmp_path)
    trust = EntraTrust(issuer.url, AUDIENCE, issuer.ca_pem, ADMIN)
    host = EmbeddedReplicaHost(tmp_path / "host", 1, entra=trust)
    host.start()
    host.run_replica(0, "1.26.15", [IDENTITY])
    api = Api(host.endpoint(), certificate=False)

    def status(token: str) -> int:
        return api.get(secrets("default"), headers={"Authorization": f"Bearer {token}"}).status

    assert status(issuer.token()) == 200
    assert status(issuer.token(oid="someone-else")) == 403
    assert status(issuer.token(aud="https://management.azure.com/")) == 401
    assert status(issuer.token(iss="https://sts.windows.net/tenant/")) == 401
    assert status(issuer.token(exp=int(time.time()) - 60)) == 401
    good = issuer.token()
    assert status(good[:-8] + "AAAAAAAA") == 401
    head, payload, _ = good.split(".")
    none = base64.urlsafe_b64encode(b'{"alg":"none","kid":"k1"}').rstrip(b"=").decode()
    assert status(f"{none}.{payload}.") == 401
    assert status(f"{head}.{payload}.") == 401
    host.stop()
    issuer.server.shutdown()


def test_a_restart_drains_only_its_own_connections(host: EmbeddedReplicaHost) -> None:
    first, second = Api(host.replica_endpoint(0)), Api(host.replica_endpoint(1))
    assert first.get("/version").body["minor"] == second.get("/version").body["minor"] == "26"
    host.run_replica(0, "1.27.1", [IDENTITY, kms_v1(KEY_ID)])
    assert second.get("/version").body["minor"] == "26"
    assert first.get("/version").body["minor"] == "27"  # over a new connection: the old one is closed
    host.stop_replica(0)
    with pytest.raises(urllib3.exceptions.HTTPError):
        first.get("/version")
    door = Api(host.endpoint())
    for _ in range(4):
        assert door.get("/version").body["minor"] == "26"
        door.reconnect()


def test_no_request_is_lost_while_replicas_roll(host: EmbeddedReplicaHost) -> None:
    api = Api(host.endpoint())
    for index in range(20):
        api.post(secrets("default"), secret(f"s{index}"))
    stop, failures, done = threading.Event(), list[str](), [0]

    def patch_on() -> None:
        client = Api(host.endpoint())
        while not stop.is_set():
            try:
                answer = client.patch(secrets("default", f"s{done[0] % 20}"), {})
            except urllib3.exceptions.HTTPError:
                client.reconnect()  # an idle connection was closed under the request: the client's to repeat
                continue
            done[0] += 1
            if answer.status != 200:
                failures.append(answer.text)

    workers = [threading.Thread(target=patch_on) for _ in range(4)]
    for worker in workers:
        worker.start()
    for index in (0, 1):
        host.run_replica(index, "1.26.15", [IDENTITY, kms_v1(KEY_ID)])
    stop.set()
    for worker in workers:
        worker.join()
    assert not failures
    for index in range(20):
        api.patch(secrets("default", f"s{index}"), {})
    assert {StoredForm.of(value) for value in host.raw("/registry/secrets/").values()} == {StoredForm.PLAIN}


def test_refusals_at_start(host: EmbeddedReplicaHost) -> None:
    with pytest.raises(TimeoutError, match="KMSv1 is deprecated"):
        host.run_replica(0, "1.34.4", [kms_v1(KEY_ID)])
    with pytest.raises(TimeoutError, match="duplicate KMS provider name"):
        host.run_replica(0, "1.27.1", [kms_v1(KEY_ID), kms_v1(KEY_ID)])
    host.put_raw("/registry/secrets/default/lost", b"k8s:enc:kms:v2:gone:x")
    with pytest.raises(TimeoutError, match=r"\[-\]informer-sync failed"):
        host.run_replica(0, "1.26.15", [IDENTITY])
    host.run_replica(0, "1.26.15", [IDENTITY], wait=False)
    assert Api(host.replica_endpoint(0)).get("/readyz").status == 500


def test_chunked_and_announced_bodies(host: EmbeddedReplicaHost, tmp_path: Path) -> None:
    pair = tmp_path / "client.pem"
    pair.write_text("".join(host.client_certificate("admin", "system:masters")))
    sock = _raw_connection(host.endpoint(), pair)
    body = json.dumps(secret("chunked")).encode()
    head = (
        "POST /api/v1/namespaces/default/secrets HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        "Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n"
    )
    sock.sendall(head.encode())
    assert sock.recv(100).startswith(b"HTTP/1.1 100 ")
    for part in (body[:10], body[10:]):
        sock.sendall(f"{len(part):x}\r\n".encode() + part + b"\r\n")
    sock.sendall(b"0\r\n\r\nGET /version HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    answers = b""
    while data := sock.recv(65536):
        answers += data
    assert answers.startswith(b"HTTP/1.1 201 Created\r\n")
    assert b'"gitVersion":"v1.26.15"' in answers


def _raw_connection(endpoint: Endpoint, pair: Path) -> ssl.SSLSocket:
    context = ssl.create_default_context(cadata=endpoint.ca_pem)
    context.load_cert_chain(pair)
    place = urlsplit(endpoint.server)
    sock = socket.create_connection(("127.0.0.1", place.port or 0), timeout=20)
    return context.wrap_socket(sock, server_hostname="127.0.0.1")


@pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl is not installed")
def test_the_documented_kubectl_pipe(host: EmbeddedReplicaHost, tmp_path: Path) -> None:
    kubeconfig = _kubeconfig(host.endpoint(), tmp_path)

    def kubectl(*arguments: str, stdin: str = "") -> str:
        command = ["kubectl", f"--kubeconfig={kubeconfig}", f"--cache-dir={tmp_path}/cache", *arguments]
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "kube-system" in kubectl("get", "ns")
    kubectl("create", "secret", "generic", "made", "--from-literal=a=b")
    manifest = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "applied"},
        "stringData": {"a": "b"},
    }
    kubectl("apply", "-f", "-", stdin=json.dumps(manifest))
    assert kubectl("get", "secrets", "-A", "--no-headers").count("Opaque") == 2
    listed = kubectl("get", "secrets", "-A", "-o", "json")
    assert kubectl("replace", "-f", "-", stdin=listed).count("replaced") == 2
    assert kubectl("auth", "can-i", "*", "*").strip() == "yes"
    kubectl("delete", "secret", "made", "applied")


def _kubeconfig(endpoint: Endpoint, directory: Path) -> Path:
    def data(text: str) -> str:
        return base64.b64encode(text.encode()).decode()

    user = {
        "client-certificate-data": data(endpoint.client_cert_pem),
        "client-key-data": data(endpoint.client_key_pem),
    }
    cluster = {"server": endpoint.server, "certificate-authority-data": data(endpoint.ca_pem)}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "lab",
        "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "lab"}}],
        "clusters": [{"name": "lab", "cluster": cluster}],
        "users": [{"name": "lab", "user": user}],
    }
    path = directory / "kubeconfig"
    path.write_text(json.dumps(config))
    return path
