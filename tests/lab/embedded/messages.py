"""One HTTP request and its answer, as plain values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit


@dataclass(frozen=True)
class Caller:
    """Who asks: a user name and its groups; empty when nobody is known."""

    name: str = ""
    groups: tuple[str, ...] = ()

    @property
    def is_admin(self) -> bool:
        return "system:masters" in self.groups


@dataclass(frozen=True)
class Request:
    """Header names are lower case; ``query`` keeps the last of repeated names."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""

    @classmethod
    def of(cls, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Request:
        parts = urlsplit(target)
        query = dict(parse_qsl(parts.query, keep_blank_values=True)) if parts.query else {}
        return cls(method, unquote(parts.path), query, headers, body)

    @property
    def content_type(self) -> str:
        return self.headers.get("content-type", "application/json").partition(";")[0].strip().lower()


@dataclass(frozen=True)
class Response:
    status: int
    body: bytes
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of_json(cls, status: int, document: Any) -> Response:
        text = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
        return cls(status, text.encode() + b"\n")

    @classmethod
    def of_text(cls, status: int, text: str) -> Response:
        headers = {"X-Content-Type-Options": "nosniff"}
        return cls(status, text.encode(), "text/plain; charset=utf-8", headers)
