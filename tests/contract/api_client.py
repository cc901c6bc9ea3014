"""Plain HTTPS to an API server, as the contract tests speak it."""

from __future__ import annotations

import json
import re
import ssl
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import urllib3

from tests.lab.model import Endpoint

MERGE = "application/merge-patch+json"
PARTIAL = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
PARTIAL_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$", re.M)
_LABEL = re.compile(r'(\w+)="([^"]*)"')


@dataclass(frozen=True)
class Answer:
    status: int
    text: str

    @property
    def body(self) -> Any:
        return json.loads(self.text)

    @property
    def version(self) -> int:
        """The object's or the list's resourceVersion."""
        return int(self.body["metadata"]["resourceVersion"])

    def status_of(self) -> tuple[int, str, str]:
        """Code, reason and message of a refusal; asserts the rest of a Status' shape."""
        body = self.body
        assert (body["kind"], body["apiVersion"], body["status"]) == ("Status", "v1", "Failure")
        assert body["code"] == self.status
        return body["code"], body.get("reason", ""), body["message"]


class Api:
    """One kept-alive connection, so pinned to one replica; with the administrator's certificate or"
    " without."""

    def __init__(self, endpoint: Endpoint, *, certificate: bool = True) -> None:
        self._context = ssl.create_default_context(cadata=endpoint.ca_pem)
        if certificate:
            with tempfile.TemporaryDirectory() as directory:
                pair = Path(directory) / "admin.pem"
                pair.touch(mode=0o600)
                pair.write_text(endpoint.client_cert_pem + endpoint.client_key_pem)
                self._context.load_cert_chain(pair)
        self._place = urlsplit(endpoint.server)
        self.reconnect()

    def reconnect(self) -> None:
        """Go on with a new connection: behind the front door, maybe another replica."""
        self._pool = urllib3.HTTPSConnectionPool(
            self._place.hostname or "",
            self._place.port,
            maxsize=1,
            block=True,
            ssl_context=self._context,
            retries=False,
            timeout=60.0,
        )

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        media: str = "application/json",
        accept: str = "application/json",
        headers: dict[str, str] | None = None,
        **query: object,
    ) -> Answer:
        target = path + (f"?{urlencode({name: str(value) for name, value in query.items()})}" if query else "")
        sent = {"Accept": accept, "User-Agent": "contract/1.0", **(headers or {})}
        data = body.encode() if isinstance(body, str) else None if body is None else json.dumps(body).encode()
        if data is not None:
            sent["Content-Type"] = media
        answer = self._pool.request(method, target, body=data, headers=sent)
        return Answer(answer.status, answer.data.decode())

    def get(self, path: str, **more: Any) -> Answer:
        return self.ask("GET", path, **more)

    def post(self, path: str, body: Any, **more: Any) -> Answer:
        return self.ask("POST", path, body, **more)

    def put(self, path: str, body: Any, **more: Any) -> Answer:
        return self.ask("PUT", path, body, **more)

    def patch(self, path: str, body: Any, **more: Any) -> Answer:
        return self.ask("PATCH", path, body, **{"media": MERGE, **more})

    def delete(self, path: str, **more: Any) -> Answer:
        return self.ask("DELETE", path, **more)

    def counters(self, name: str) -> dict[tuple[tuple[str, str], ...], float]:
        """A metric's samples by their sorted labels, without ``resource`` and the server's own id."""
        found = {}
        for metric, labels, value in _SAMPLE.findall(self.get("/metrics").text):
            if metric == name:
                kept = {k: v for k, v in _LABEL.findall(labels) if k not in ("resource", "apiserver_id_hash")}
                found[tuple(sorted(kept.items()))] = float(value)
        return found


def secrets(namespace: str, name: str = "") -> str:
    return f"/api/v1/namespaces/{namespace}/secrets" + (f"/{quote(name)}" if name else "")


def secret(name: str, **fields: Any) -> dict[str, Any]:
    metadata = {"name": name, **fields.pop("metadata", {})}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, **fields}
