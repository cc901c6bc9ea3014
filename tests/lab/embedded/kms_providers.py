"""KMS v1 and v2 as providers of encryption at rest: data keys, their cache, staleness, health.

Source: k8s.io/apiserver pkg/storage/value/encrypt/envelope, 1.26, 1.27 and 1.34.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tests.lab.embedded.envelope import FROM_STORAGE, TO_STORAGE, KeyIdUses, TransformError, hash_of
from tests.lab.embedded.key_service import V1_ALGORITHM, V2_ALGORITHM, KeyService, KeyServiceError
from tests.lab.model import Provider

V1_CACHE_SIZE = 1000
# kmsv2PluginWriteDEKSourceMaxTTL and the interval of the Status calls.
V2_WRITE_SECONDS = 180.0
V2_STATUS_SECONDS = 60.0
HEALTHY_SECONDS = 20.0
UNHEALTHY_SECONDS = 3.0


class _Probe:
    """The health of one plugin, asked again after 20 s when good and after 3 s when bad."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._said = ""
        self._until = 0.0

    def ask(self, service: KeyService, algorithm: str, section: str) -> str:
        with self._lock:
            if time.monotonic() < self._until:
                return self._said
            try:
                service.decrypt(algorithm, service.encrypt(algorithm, b"ping"))
                self._said = ""
            except KeyServiceError as error:
                self._said = f"failed to perform {section} section of the healthz check, error: {error}"
            self._until = time.monotonic() + (UNHEALTHY_SECONDS if self._said else HEALTHY_SECONDS)
            return self._said


class KmsV1:
    """A new data key and one call to the key service for each write; unwrapped keys in an LRU of 1000."""

    def __init__(self, provider: Provider, service: KeyService) -> None:
        self.prefix = f"k8s:enc:kms:v1:{provider.name}:".encode()
        self._service = service
        self._lock = threading.Lock()
        self._keys: OrderedDict[bytes, AESGCM] = OrderedDict()
        self._probe = _Probe()

    def read(self, data: bytes, context: bytes) -> tuple[bytes, bool]:
        size = int.from_bytes(data[:2], "big")
        wrapped, sealed = data[2 : 2 + size], data[2 + size :]
        if len(data) < 2 or len(wrapped) < size:
            raise TransformError(
                "invalid data encountered by envelope transformer: failed to read uint16 length prefixed data"
            )
        cipher = self._cached(wrapped)
        if cipher is None:
            try:
                cipher = AESGCM(self._service.decrypt(V1_ALGORITHM, wrapped))
            except KeyServiceError as error:
                raise TransformError(str(error)) from error
            self._remember(wrapped, cipher)
        return _open(cipher, sealed, context), False

    def write(self, plain: bytes, context: bytes) -> bytes:
        key = os.urandom(32)
        try:
            wrapped = self._service.encrypt(V1_ALGORITHM, key)
        except KeyServiceError as error:
            raise TransformError(str(error)) from error
        cipher = AESGCM(key)
        self._remember(wrapped, cipher)
        return len(wrapped).to_bytes(2, "big") + wrapped + _seal(cipher, plain, context)

    def probe(self) -> str:
        return self._probe.ask(self._service, V1_ALGORITHM, "encrypt")

    def _cached(self, wrapped: bytes) -> AESGCM | None:
        with self._lock:
            if wrapped in self._keys:
                self._keys.move_to_end(wrapped)
            return self._keys.get(wrapped)

    def _remember(self, wrapped: bytes, cipher: AESGCM) -> None:
        with self._lock:
            self._keys[wrapped] = cipher
            if len(self._keys) > V1_CACHE_SIZE:
                self._keys.popitem(last=False)


class KmsV2:
    """One wrapped source of data keys a server start; from 1.29 a seed, before that the data key itself."""

    def __init__(
        self,
        provider: Provider,
        service: KeyService,
        uses: KeyIdUses,
        *,
        seeds: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.prefix = f"k8s:enc:kms:v2:{provider.name}:".encode()
        self._name = provider.name
        self._clock = clock
        self._service = service
        self._uses = uses
        self._understands_seeds = seeds
        # As Azure/kubernetes-kms names it, by the key's address: a new version makes data stale.
        self.key_id = hashlib.sha256(provider.key_id.rstrip("/").encode()).hexdigest()
        self._kind = "seed" if seeds else "key"
        self._lock = threading.Lock()
        self._sources: dict[str, bytes] = {}
        self._wrapped = ""
        self._good_at = 0.0
        self._asked_at = 0.0
        self._probe = _Probe()
        self._status()

    def read(self, data: bytes, context: bytes) -> tuple[bytes, bool]:
        header, _, sealed = data.partition(b"\n")
        try:
            stored = json.loads(header)
            key_id, kind, wrapped = stored["keyID"], stored["kind"], stored["source"]
        except (ValueError, KeyError, TypeError):
            raise TransformError("proto: cannot parse invalid wire-format data") from None
        if not self._wrapped:
            raise TransformError("got unexpected nil transformer")
        source = self._sources.get(wrapped) or self._unwrap(key_id, wrapped)
        self._uses.count(FROM_STORAGE, self._name, key_id)
        seeded = kind == "seed" and self._understands_seeds
        plain = _open(*self._cipher(source, seeded, sealed), context)
        return plain, key_id != self.key_id or kind != self._kind

    def write(self, plain: bytes, context: bytes) -> bytes:
        if self._clock() - self._asked_at > V2_STATUS_SECONDS:
            self._status()
        if not self._wrapped:
            raise TransformError("got unexpected nil transformer")
        if self._clock() - self._good_at > V2_WRITE_SECONDS:
            word = "encryptedDEKSource" if self._understands_seeds else "EDEK"
            raise TransformError(f'{word} with keyID hash "{hash_of(self.key_id)}" expired')
        source = self._sources[self._wrapped]
        self._uses.count(TO_STORAGE, self._name, self.key_id)
        header = json.dumps({"keyID": self.key_id, "kind": self._kind, "source": self._wrapped}).encode()
        if self._kind == "key":
            return header + b"\n" + _seal(AESGCM(source), plain, context)
        info = os.urandom(32)
        return header + b"\n" + info + _seal(AESGCM(_derived(source, info)), plain, context)

    def probe(self) -> str:
        said = self._probe.ask(self._service, V2_ALGORITHM, "status")
        if not said and not self._wrapped:
            self._status()
        return said

    def _status(self) -> None:
        """Ask the key service as the minute's Status call does; make the key source when there is none."""
        with self._lock:
            self._asked_at = self._clock()
            try:
                if not self._wrapped:
                    source = os.urandom(32)
                    wrapped = self._service.encrypt(V2_ALGORITHM, source).hex()
                    self._sources[wrapped] = source
                    self._wrapped = wrapped
                else:
                    self._service.decrypt(V2_ALGORITHM, self._service.encrypt(V2_ALGORITHM, b"healthcheck"))
                self._good_at = self._clock()
            except KeyServiceError:
                return

    def _unwrap(self, key_id: str, wrapped: str) -> bytes:
        if key_id != self.key_id:
            refusal = KeyServiceError(
                f"key id {key_id} does not match expected key id {self.key_id} used for encryption"
            )
            raise TransformError(f"failed to decrypt DEK, error: {refusal}")
        try:
            source = self._service.decrypt(V2_ALGORITHM, bytes.fromhex(wrapped))
        except KeyServiceError as error:
            raise TransformError(f"failed to decrypt DEK, error: {error}") from error
        self._sources[wrapped] = source
        return source

    @staticmethod
    def _cipher(source: bytes, seeded: bool, sealed: bytes) -> tuple[AESGCM, bytes]:
        if not seeded:
            return AESGCM(source), sealed
        return AESGCM(_derived(source, sealed[:32])), sealed[32:]


def _derived(seed: bytes, info: bytes) -> bytes:
    return HKDF(hashes.SHA256(), 32, None, info).derive(seed)


def _seal(cipher: AESGCM, plain: bytes, context: bytes) -> bytes:
    nonce = os.urandom(12)
    return nonce + cipher.encrypt(nonce, plain, context)


def _open(cipher: AESGCM, sealed: bytes, context: bytes) -> bytes:
    try:
        return cipher.decrypt(sealed[:12], sealed[12:], context)
    except (InvalidTag, ValueError):
        raise TransformError("cipher: message authentication failed") from None
