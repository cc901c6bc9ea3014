"""A whole list, page by page: each kind is listed once, whatever its length."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from azext_kmsmigrate.kube.api import Api


def pages(
    api: Api, what: str, path: str, *, accept: str = "application/json", limit: int = 500
) -> Iterator[dict[str, Any]]:
    """Every item of a collection. Raises as ``Api.call`` does; ``what`` completes "The API server could not …"."""
    token = ""
    while True:
        query = {"limit": str(limit)} | ({"continue": token} if token else {})
        document = api.call(what, "GET", path, query=query, accept=accept)
        yield from document.get("items") or ()
        token = document["metadata"].get("continue") or ""
        if not token:
            return
