"""A Kubernetes client of a few lines, for tests that look at replicas from outside."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import urllib.parse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.lab.model import Endpoint

SECRETS = "/api/v1/namespaces/default/secrets"
_METADATA = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"


@dataclass(frozen=True)
class Answer:
    status: int
    body: dict[str, Any]

    @property
    def resource_version(self) -> int:
        assert self.status in (200, 201), self
        return int(self.body["metadata"]["resourceVersion"])


class ApiClient:
    """A new connection for every request, or with ``token`` instead of the endpoint's certificate."""

    def __init__(self, endpoint: Endpoint, directory: Path, token: str = "") -> None:
        parts = urllib.parse.urlsplit(endpoint.server)
        assert parts.port is not None
        self._address = (parts.hostname or "", parts.port)
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.tls = ssl.create_default_context(cadata=endpoint.ca_pem)
        if not token:
            pair = directory / "client.pem"
            pair.write_text(endpoint.client_cert_pem + endpoint.client_key_pem)
            self.tls.load_cert_chain(pair)

    def connection(self) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(*self._address, context=self.tls, timeout=60)

    def request(self, method: str, path: str, document: Any = None, **headers: str) -> Answer:
        connection = self.connection()
        try:
            body = None if document is None else json.dumps(document)
            connection.request(method, path, body, {"Content-Type": "application/json", **self._headers, **headers})
            response = connection.getresponse()
            return Answer(response.status, json.loads(response.read()))
        finally:
            connection.close()

    def create_secret(self, name: str, value: bytes = b"hello") -> Answer:
        data = {"key": base64.b64encode(value).decode()}
        return self.request("POST", SECRETS, {"metadata": {"name": name}, "data": data})

    def touch(self, name: str) -> Answer:
        """The empty merge patch that makes the API server rewrite what it finds stale."""
        headers = {"Content-Type": "application/merge-patch+json", "Accept": _METADATA}
        return self.request("PATCH", f"{SECRETS}/{name}", {}, **headers)

    def value(self, name: str) -> bytes:
        answer = self.request("GET", f"{SECRETS}/{name}")
        assert answer.status == 200, answer
        return base64.b64decode(answer.body["data"]["key"])
