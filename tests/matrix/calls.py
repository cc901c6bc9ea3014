"""The kinds of request that a migration makes, read from what it sent: pure.

A kind is a method and a path in which names and ids are left out. A row of the matrix is a kind at a moment, and the
moments are told by the PUTs that change the cluster: how many of them were sent before.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable
from dataclasses import dataclass

_ANY = "{}"
_CLUSTER = "/subscriptions/{}/resourceGroups/{}/providers/Microsoft.ContainerService/managedClusters/{}"
_KEPT = ("default", "management", "latest")  # what stands where a name would, and is none
_OWN = re.compile(r"aks-kms-migrate")
_KUBERNETES = ("/api", "/apis", "/metrics", "/readyz", "/version", "/livez", "/healthz", "/openapi")
CHANGE = re.compile(r"PUT /subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.ContainerService/.*")


class Service(str, enum.Enum):
    """Who is asked."""

    ENTRA = "Entra ID"
    ARM = "Azure Resource Manager"
    VAULT = "Key Vault"
    KUBERNETES = "API server"


@dataclass(frozen=True)
class Call:
    """One request of the process, in order; ``target`` is path and query, ``thread`` who sent it."""

    thread: str
    spoilt: bool
    method: str
    target: str

    @classmethod
    def parse(cls, line: str) -> Call:
        """A line of the hook's log."""
        thread, how, method, target = line.split(" ", 3)
        return cls(thread, how == "spoilt", method, target)

    @property
    def changes_cluster(self) -> bool:
        return bool(CHANGE.fullmatch(f"{self.method} {self.target.partition('?')[0]}"))


@dataclass(frozen=True, order=True)
class Kind:
    """``path``: the template, with ``{}`` for each name or id."""

    method: str
    path: str

    @classmethod
    def of(cls, method: str, target: str) -> Kind:
        return cls(method, _template(target.partition("?")[0]))

    @property
    def service(self) -> Service:
        if self.path.startswith("/subscriptions"):
            return Service.ARM
        if self.path.startswith(_KUBERNETES):
            return Service.KUBERNETES
        return Service.VAULT if self.path.startswith(("/keys", "/deletedkeys")) else Service.ENTRA

    @property
    def writes(self) -> bool:
        """Whether it changes something (a review, a credential and a token are only asked for)."""
        if self.method == "POST":
            return self.service is Service.KUBERNETES and not self.path.endswith("reviews")
        return self.method != "GET"

    @property
    def changes_cluster(self) -> bool:
        return self.method == "PUT" and self.path.startswith(_CLUSTER)

    @property
    def polls(self) -> bool:
        return "/operations/" in self.path

    @property
    def of_cluster(self) -> bool:
        """Whether it is about the cluster itself, and not about what lies around it."""
        return self.path == _CLUSTER or self.polls or self.path.endswith(("/default", "Credential", "/agentPools/{}"))

    @property
    def lists(self) -> bool:
        last = self.path.rpartition("/")[2]
        return self.method == "GET" and self.service is Service.KUBERNETES and last.endswith("s") and last != "metrics"

    @property
    def pattern(self) -> str:
        """A regular expression for its targets."""
        return re.escape(self.path).replace(re.escape(_ANY), "[^/?]+") + r"(\?.*)?"

    def __str__(self) -> str:
        shown = re.sub(r"^/subscriptions/\{\}(/resourceGroups/\{\})?/providers/(Microsoft\.)?", "", self.path)
        return f"{self.method} {shown.replace('/subscriptions/{}/', '').replace('Microsoft.', '')}"


def _template(path: str) -> str:
    segments = path.strip("/").split("/")
    if segments[0] == "subscriptions":
        return "/" + "/".join(_resource(segments))
    if segments[0] in ("api", "apis"):
        return "/" + "/".join(_object(segments))
    if segments[0] in ("keys", "deletedkeys"):
        return "/" + "/".join([segments[0], *(_ANY if n % 2 == 0 else one for n, one in enumerate(segments[1:]))])
    return "/" + "/".join(_ANY if re.fullmatch(r"[0-9a-f]{8}-[0-9a-f-]{27}", one) else one for one in segments)


def _resource(segments: list[str]) -> Iterable[str]:
    """Types and names take turns, and begin anew behind ``providers/NAMESPACE``."""
    named = False
    namespace = False
    for segment in segments:
        if segment == "providers":
            named, namespace = False, True
            yield segment
        elif namespace:
            namespace = False
            yield segment
        else:
            yield _ANY if named and segment not in _KEPT else segment
            named = not named


def _object(segments: list[str]) -> Iterable[str]:
    """Names of the tool's own objects stay, and the namespaces that they are in."""
    namespace = ""
    for before, segment in zip(["", *segments], segments, strict=False):
        if before == "namespaces":
            namespace = segment
            yield segment if segment == "kube-system" or _OWN.match(segment) else _ANY
        elif namespace and before not in ("", namespace) and not _OWN.match(segment):
            yield _ANY
        else:
            yield segment


@dataclass(frozen=True, order=True)
class Row:
    """A kind at a moment. ``changes``: how many PUTs that change the cluster were sent before it."""

    scene: str
    changes: int
    kind: Kind

    def __str__(self) -> str:
        return f"{self.scene} {self.changes} {self.kind}"


def rows(scene: str, calls: Iterable[Call], known: Iterable[Row] = ()) -> list[Row]:
    """The rows that one undisturbed run shows, but for the kinds that an earlier scene has."""
    seen: dict[Kind, list[int]] = {}
    changes = 0
    for call in calls:
        moments = seen.setdefault(Kind.of(call.method, call.target), [])
        if changes not in moments:
            moments.append(changes)
        changes += call.changes_cluster
    have = {row.kind for row in known}
    new = [kind for kind in sorted(seen) if kind not in have]
    return [Row(scene, moment, kind) for kind in new for moment in _telling(kind, seen[kind])]


def _telling(kind: Kind, moments: list[int]) -> list[int]:
    """The moments that matter: of each change of the cluster and its poll; of the rest, before and after KMS goes off.

    What is only written is looked at when KMS is off, where more is at stake. Node pools are all alike.
    """
    if kind.changes_cluster:
        return moments[:1] if "agentPools" in kind.path else moments
    if kind.polls:
        return moments[:2]
    first, later = moments[:1], [moment for moment in moments if moment][:1]
    if kind.writes and kind.method != "PATCH":
        return later or first
    return list(dict.fromkeys(first + later)) if _is_central(kind) else first


def _is_central(kind: Kind) -> bool:
    asked_throughout = kind.path in ("/api/v1/secrets", "/metrics", "/readyz") or "/kube-system" in kind.path
    return asked_throughout or kind.of_cluster or kind.writes or kind.service is Service.ENTRA
