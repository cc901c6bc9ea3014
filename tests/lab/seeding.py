"""Fills a cluster with Secrets as real clusters have them, and takes their fingerprints.

60 % of the Secrets hold 0.9 KB, 30 % 3 KB and 10 % 20 KB; a third carries kubectl's last-applied annotation,
which repeats the data. Some are immutable, some labelled; types are Opaque, TLS, image pull and Helm release.
Everything follows from the seed. Every value holds ``MARKER``; ``MARKER_SIGHTINGS`` are the texts to search
for in a place where no value may be: the marker itself, and what base64 makes of it at each of its three
alignments.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import random
from collections.abc import Iterator, Mapping

from tests.lab.administrator import Administrator, Document, administrator, in_parallel
from tests.lab.model import Endpoint

MARKER = "kmslab-secret-value-"
NAMESPACES = (
    "default",
    "payments",
    "orders",
    "identity",
    "catalog",
    "shipping",
    "billing",
    "search",
    "monitoring",
    "ingress",
)
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"

_BATCH = 5_000  # manifests held at once
_SIZES = (900,) * 6 + (3_000,) * 3 + (20_000,)
_FINGERPRINTED = ("uid", "labels", "annotations", "managedFields", "creationTimestamp")


def sightings(text: str) -> Iterator[str]:
    """A text as it is, and what base64 makes of it at each of its three alignments."""
    yield text
    for lead in range(3):
        encoded = base64.b64encode(b"x" * lead + text.encode()).decode()
        # Characters that share a byte with a neighbour are left out at both ends.
        yield encoded[(0, 2, 3)[lead] : len(encoded) - 4]


MARKER_SIGHTINGS = tuple(sightings(MARKER))


def secrets(count: int, seed: int = 1, begin: int = 0) -> Iterator[Document]:
    """The Secret manifests, numbered from ``begin`` up to ``count``."""
    for number in range(begin, count):
        yield secret(number, random.Random(f"{seed}/{number}"))


def secret(number: int, chance: random.Random) -> Document:
    """One Secret manifest; everything about it comes from its number and the source of chance."""
    kind, data = _content(number, chance, chance.choice(_SIZES))
    metadata: Document = {
        "name": f"{kind.rsplit('/', 1)[-1].replace('.', '-').lower()}-{number:05d}",
        "namespace": chance.choice(NAMESPACES),
    }
    if chance.random() < 0.4:
        metadata["labels"] = {"app.kubernetes.io/name": f"app-{number % 17}", "tier": chance.choice("abc")}
    manifest: Document = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": metadata,
        "type": kind,
        "data": data,
    }
    if chance.random() < 0.1:
        manifest["immutable"] = True
    if number % 3 == 0:
        applied = json.dumps(manifest, separators=(",", ":"), sort_keys=True)
        metadata["annotations"] = {LAST_APPLIED: applied + "\n"}
    return manifest


def seed(endpoint: Endpoint, count: int, seed: int = 1, begin: int = 0) -> None:
    """Create the namespaces and the Secrets, with several connections; those before ``begin`` are there already."""
    if not count:
        return
    with administrator(endpoint) as api:
        for name in NAMESPACES:
            api.create_if_absent("/api/v1/namespaces", {"metadata": {"name": name}})
    manifests = secrets(count, seed, begin)
    while batch := list(itertools.islice(manifests, _BATCH)):
        in_parallel(endpoint, batch, _create)


def fingerprints(endpoint: Endpoint) -> dict[str, dict[str, str]]:
    """``<namespace>/<name>`` -> a digest of each field that a rewrite must leave alone.

    Reads every Secret in full. The resourceVersion is left out: a rewrite moves it.
    """
    with administrator(endpoint) as api:
        return {
            f"{item['metadata']['namespace']}/{item['metadata']['name']}": fingerprint(item)
            for item in api.items("/api/v1/secrets")
        }


def fingerprint(item: Mapping[str, object]) -> dict[str, str]:
    """One Secret's digests, by field."""
    metadata = item["metadata"]
    assert isinstance(metadata, dict)
    fields = {name: metadata.get(name) for name in _FINGERPRINTED}
    fields |= {name: item.get(name) for name in ("data", "type", "immutable")}
    return {name: _digest(value) for name, value in fields.items()}


def _create(api: Administrator, manifest: Document) -> None:
    manager = "kubectl-client-side-apply" if "annotations" in manifest["metadata"] else "kubectl-create"
    namespace = manifest["metadata"]["namespace"]
    api.create(f"/api/v1/namespaces/{namespace}/secrets?fieldManager={manager}", manifest)


def _content(number: int, chance: random.Random, size: int) -> tuple[str, dict[str, str]]:
    draw = number % 10
    if draw in (1, 5):
        return "kubernetes.io/tls", {
            "tls.crt": _value(number, chance, size * 2 // 3),
            "tls.key": _value(number, chance, size // 3),
        }
    if draw == 2:
        login = {"username": "robot", "password": _text(number, chance, size)}
        config = json.dumps({"auths": {"registry.example": login}})
        return "kubernetes.io/dockerconfigjson", {".dockerconfigjson": _encoded(config)}
    if draw == 3:
        return "helm.sh/release.v1", {"release": _value(number, chance, size)}
    return "Opaque", {"username": _value(number, chance, 40), "password": _value(number, chance, size)}


def _value(number: int, chance: random.Random, size: int) -> str:
    return _encoded(_text(number, chance, size))


def _text(number: int, chance: random.Random, size: int) -> str:
    head = f"{MARKER}{number:05d}-"
    filler = base64.b64encode(chance.randbytes(max(size - len(head), 0) * 3 // 4)).decode()
    return head + filler


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _digest(value: object) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
