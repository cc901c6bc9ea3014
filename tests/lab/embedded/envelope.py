"""Encryption at rest as kube-apiserver does it: prefix, provider order, staleness, and the counters of both.

Source: k8s.io/apiserver pkg/storage/value/transformer.go and encrypt/identity, 1.26, 1.27 and 1.34.
"""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from collections.abc import Sequence
from typing import Protocol

FROM_STORAGE, TO_STORAGE = "from_storage", "to_storage"


class TransformError(Exception):
    """Why a stored value cannot be read or written; ``code`` is the gRPC code that the counters show."""

    def __init__(self, message: str, code: str = "Unknown") -> None:
        super().__init__(message)
        self.code = code


class KeyIdUses:
    """apiserver_envelope_encryption_key_id_hash_total: uses by (type, provider, key id hash)."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._uses: Counter[tuple[str, str, str]] = Counter()

    def count(self, transformation: str, provider: str, key_id: str) -> None:
        with self._lock:
            self._uses[transformation, provider, hash_of(key_id)] += 1

    def snapshot(self) -> dict[tuple[str, str, str], int]:
        with self._lock:
            return dict(self._uses)


class Transformer(Protocol):
    """One provider: bytes without prefix in, plain bytes and staleness out."""

    prefix: bytes

    def read(self, data: bytes, context: bytes) -> tuple[bytes, bool]: ...

    def write(self, plain: bytes, context: bytes) -> bytes: ...

    def probe(self) -> str:
        """What is wrong with the provider's key service, or an empty string."""


class Identity:
    prefix = b""

    def read(self, data: bytes, context: bytes) -> tuple[bytes, bool]:
        if data.startswith(b"k8s:enc:"):
            raise TransformError("identity transformer tried to read encrypted data")
        return data, False

    def write(self, plain: bytes, context: bytes) -> bytes:
        return plain

    def probe(self) -> str:
        return ""


class Chain:
    """The providers of one EncryptionConfiguration: the first writes, all read, and everything is"
    " counted."""

    def __init__(self, transformers: Sequence[Transformer]) -> None:
        self._transformers = tuple(transformers)
        self._lock = threading.Lock()
        self._operations: Counter[tuple[str, str, str]] = Counter()

    def read(self, data: bytes, context: str) -> tuple[bytes, bool]:
        """Plain bytes and whether they are stale; ``context`` is the key, which is authenticated too."""
        failures: list[TransformError] = []
        for index, transformer in enumerate(self._transformers):
            if not data.startswith(transformer.prefix):
                continue
            label = transformer.prefix.decode() or "identity"
            try:
                plain, stale = transformer.read(data[len(transformer.prefix) :], context.encode())
            except TransformError as error:
                if transformer.prefix:
                    self._count(FROM_STORAGE, label, error.code)
                    failures.append(error)
                continue
            self._count(FROM_STORAGE, label, "OK")
            return plain, stale or index > 0
        if failures:
            raise TransformError("; ".join(str(failure) for failure in failures))
        self._count(FROM_STORAGE, "unknown", "Unknown")
        raise TransformError("no matching prefix found")

    def write(self, plain: bytes, context: str) -> bytes:
        first = self._transformers[0]
        try:
            sealed = first.write(plain, context.encode())
        except TransformError as error:
            self._count(TO_STORAGE, first.prefix.decode(), error.code)
            raise
        self._count(TO_STORAGE, first.prefix.decode(), "OK")
        return first.prefix + sealed

    def operations(self) -> dict[tuple[str, str, str], int]:
        """Counts by (transformation type, transformer prefix, status)."""
        with self._lock:
            return dict(self._operations)

    def _count(self, transformation: str, prefix: str, status: str) -> None:
        with self._lock:
            self._operations[transformation, prefix, status] += 1


def hash_of(key_id: str) -> str:
    return f"sha256:{hashlib.sha256(key_id.encode()).hexdigest()}"
