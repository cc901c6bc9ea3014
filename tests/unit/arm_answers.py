"""Azure as a table of answers: the real pipeline of the SDK, over a connection that looks them up."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import requests
from azure.core.pipeline.transport import RequestsTransport
from requests.adapters import BaseAdapter

from azext_kmsmigrate.arm.resource_manager import ResourceManager, Resources
from azext_kmsmigrate.arm.vault_data import VaultData
from azext_kmsmigrate.migration.facts import ClusterName

ARM = "https://management.azure.com"
NAME = ClusterName("blue", "shop", "sub", "/subscriptions/sub/resourceGroups/shop/blue")


@dataclass(frozen=True)
class Answer:
    """What Azure says. ``document`` is sent as JSON, bytes as they are."""

    document: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Answers(BaseAdapter):
    """``by_path``: what is said to ``METHOD host/path``, in lower case; what is not listed is 404.

    An exception is raised instead of said. ``asked`` keeps every request in order.
    """

    by_path: dict[str, Answer | Exception]
    asked: list[requests.PreparedRequest] = field(default_factory=list)

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        self.asked.append(request)
        parts = urlsplit(request.url or "")
        said = self.by_path.get(f"{request.method} {parts.netloc}{parts.path}".lower())
        if isinstance(said, Exception):
            raise said
        answer = said or Answer({"error": {"code": "ResourceNotFound", "message": "not found"}}, 404)
        response = requests.Response()
        response.status_code, response.request, response.url = answer.status, request, str(request.url)
        response.headers.update({"Content-Type": "application/json", **answer.headers})
        said_bytes = answer.document if isinstance(answer.document, bytes) else json.dumps(answer.document).encode()
        response.raw = io.BytesIO(said_bytes)
        return response

    def close(self) -> None:
        """Nothing is open."""

    @property
    def paths(self) -> list[str]:
        return [f"{r.method} {urlsplit(r.url or '').path}" for r in self.asked]

    def resources(self) -> Resources:
        return ResourceManager(None, "sub", ARM, transport=self.transport()).of(NAME)

    def data(self, token: str = "the-token") -> VaultData:
        return VaultData(lambda: token, transport=self.transport())

    def transport(self) -> RequestsTransport:
        session = requests.Session()
        session.mount("https://", self)
        return RequestsTransport(session=session, session_owner=False)


def azure(by_path: Mapping[str, Any]) -> Answers:
    """Answers by ``METHOD /path`` in Resource Manager or ``METHOD host/path`` elsewhere; a document means 200."""
    table: dict[str, Answer | Exception] = {}
    for where, said in by_path.items():
        method, _, path = where.partition(" ")
        host = "management.azure.com" if path.startswith("/") else ""
        table[f"{method} {host}{path}".lower()] = said if isinstance(said, (Answer, Exception)) else Answer(said)
    return Answers(table)


FORBIDDEN = Answer({"error": {"code": "AuthorizationFailed", "message": "no"}}, 403)
