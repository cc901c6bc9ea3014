"""Resource Manager's memory: every resource but the managed cluster, by its id."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlencode

from tests.lab.azure.merge import merge_patch
from tests.lab.azure.server import Request, Response

Json = dict[str, Any]


class Resources:
    """Documents by id; ids are compared without regard to case. Reading and writing hand out copies.

    ``page_size`` is how many a list shows at once: the rest is behind ``nextLink``.
    """

    def __init__(self, base_url: Callable[[], str]) -> None:
        self.lock = threading.RLock()
        self.page_size = 50
        self._base_url = base_url
        self._documents: dict[str, Json] = {}
        # Type -> keys, in the order in which they came; what is replaced keeps its place.
        self._kinds: dict[str, dict[str, None]] = {}

    def get(self, resource_id: str) -> Json | None:
        with self.lock:
            return copy.deepcopy(self._documents.get(_key(resource_id)))

    def put(self, resource_id: str, document: Json) -> Json:
        """Store a document under its id; ``id``, ``name`` and ``type`` follow from the id where they are missing."""
        names = {"id": resource_id, "name": resource_id.rpartition("/")[2], "type": type_of(resource_id)}
        with self.lock:
            kept = self._documents.get(_key(resource_id), {})
            stored = {**names, **copy.deepcopy(document)}
            stored["id"] = kept.get("id", stored["id"])
            self._documents[_key(resource_id)] = stored
            self._kinds.setdefault(stored["type"].lower(), {})[_key(resource_id)] = None
            return copy.deepcopy(stored)

    def adopt(self, document: Json) -> None:
        """Store a document that has its ``id``, ``name`` and ``type``, without copying it: it belongs to the store now.

        Documents may share parts, for none is ever changed in place: thousands of them take little room so.
        """
        with self.lock:
            key = _key(document["id"])
            self._documents[key] = document
            self._kinds.setdefault(document["type"].lower(), {})[key] = None

    def patch(self, resource_id: str, patch: Json | None) -> Json | None:
        """A JSON merge patch from outside, which creates what is not there; None removes."""
        with self.lock:
            if patch is None:
                self.delete(resource_id)
                return None
            return self.put(resource_id, merge_patch(self.get(resource_id) or {}, patch))

    def delete(self, resource_id: str) -> Json | None:
        with self.lock:
            gone = self._documents.pop(_key(resource_id), None)
            if gone is not None:
                self._kinds[gone["type"].lower()].pop(_key(resource_id))
            return gone

    def listed(self, kind: str, scope: str = "") -> list[Json]:
        """Those of one type at or below a scope, in the order in which they came."""
        return [copy.deepcopy(document) for document in self.view(kind) if within(document["id"], scope)]

    def view(self, kind: str) -> list[Json]:
        """All of one type, not copied: for looking only. A vault under KMS v1 looks once for every Secret."""
        with self.lock:
            keys = self._kinds.get(kind.lower(), ())
            return [self._documents[key] for key in keys]

    def everything(self) -> list[Json]:
        """All documents, not copied: for looking only."""
        with self.lock:
            return list(self._documents.values())

    def page(self, request: Request, values: list[Json]) -> Response:
        """One page of a list; ``nextLink`` leads to the next."""
        start = int(request.query.get("$skiptoken", "0") or 0)
        body: Json = {"value": values[start : start + self.page_size]}
        if start + self.page_size < len(values):
            query = dict(parse_qsl(urlencode(dict(request.query)))) | {"$skiptoken": str(start + self.page_size)}
            body["nextLink"] = f"{self._base_url()}{request.path}?{urlencode(query)}"
        return Response(200, body)


def type_of(resource_id: str) -> str:
    """``Microsoft.KeyVault/vaults/keys`` of an id; a group's and a subscription's have names of their own."""
    _scope, found, rest = resource_id.strip("/").rpartition("providers/")
    if not found:
        return (
            "Microsoft.Resources/resourceGroups" if "/resourcegroups/" in f"/{resource_id.lower()}" else "subscription"
        )
    namespace, *segments = rest.split("/")
    return "/".join([namespace, *segments[::2]])


def within(resource_id: str, scope: str) -> bool:
    """Whether an id is the scope itself or lies below it."""
    inner, outer = _key(resource_id), _key(scope)
    return not outer or inner == outer or inner.startswith(outer + "/")


def _key(resource_id: str) -> str:
    return "/" + resource_id.strip("/").lower() if resource_id.strip("/") else ""
