"""Encryption at rest without a server: calls to the key service, cache size, expiry, counters."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.lab.embedded.envelope import Chain, Identity, KeyIdUses, TransformError
from tests.lab.embedded.key_service import KeyServiceError, OfflineKey
from tests.lab.embedded.kms_providers import V1_CACHE_SIZE, KmsV1, KmsV2
from tests.lab.model import kms_v1, kms_v2

FIRST, SECOND = "https://v.vault.azure.net/keys/k/1", "https://v.vault.azure.net/keys/k/2"
KEY = "/registry/secrets/a/b"


class CountingKey(OfflineKey):
    """Counts its calls; refuses them while ``broken``."""

    def __init__(self, key_id: str = FIRST) -> None:
        super().__init__(key_id)
        self.calls: Counter[str] = Counter()
        self.broken = False

    def encrypt(self, algorithm: str, plain: bytes) -> bytes:
        self._called("encrypt")
        return super().encrypt(algorithm, plain)

    def decrypt(self, algorithm: str, cipher: bytes) -> bytes:
        self._called("decrypt")
        return super().decrypt(algorithm, cipher)

    def _called(self, operation: str) -> None:
        self.calls[operation] += 1
        if self.broken:
            raise KeyServiceError("KeyDisabled")


def v2(key: OfflineKey, key_id: str = FIRST, *, seeds: bool = True) -> KmsV2:
    return KmsV2(kms_v2(key_id), key, KeyIdUses(), seeds=seeds)


def test_kms_v1_asks_once_a_write_and_once_a_read_that_misses_its_cache() -> None:
    key = CountingKey()
    writer, reader = Chain([KmsV1(kms_v1(FIRST), key)]), Chain([KmsV1(kms_v1(FIRST), key)])
    values = [writer.write(b"plain", KEY) for _ in range(V1_CACHE_SIZE + 1)]
    assert key.calls == {"encrypt": len(values)}
    assert writer.read(values[1], KEY) == (b"plain", False)
    assert key.calls["decrypt"] == 0
    writer.read(values[0], KEY)  # fell out when the 1001st key came in
    assert key.calls["decrypt"] == 1
    for _ in range(2):
        reader.read(values[5], KEY)
    assert key.calls["decrypt"] == 2


def test_kms_v2_asks_once_a_start_and_a_status_a_minute() -> None:
    clock, key = [1000.0], CountingKey()
    chain = Chain([KmsV2(kms_v2(FIRST), key, KeyIdUses(), seeds=True, clock=lambda: clock[0])])
    for _ in range(5):
        chain.read(chain.write(b"plain", KEY), KEY)
    assert key.calls == {"encrypt": 1}
    key.broken = True
    clock[0] += 170
    value = chain.write(b"coasting", KEY)
    clock[0] += 61
    with pytest.raises(TransformError, match=r'encryptedDEKSource with keyID hash "sha256:\w+" expired'):
        chain.write(b"too late", KEY)
    assert chain.read(value, KEY) == (b"coasting", False)
    key.broken = False
    clock[0] += 61
    chain.write(b"again", KEY)


def test_a_kms_v2_server_that_never_reached_its_key_neither_reads_nor_writes() -> None:
    key = CountingKey()
    value = Chain([v2(key)]).write(b"plain", KEY)
    key.broken = True
    chain = Chain([v2(key)])
    for action in (lambda: chain.write(b"", KEY), lambda: chain.read(value, KEY)):
        with pytest.raises(TransformError, match="got unexpected nil transformer"):
            action()


def test_another_key_cannot_unwrap() -> None:
    old = Chain([KmsV1(kms_v1(FIRST), OfflineKey(FIRST))]).write(b"plain", KEY)
    with pytest.raises(TransformError, match="rpc error: code = Unknown desc = failed to decrypt"):
        Chain([KmsV1(kms_v1(SECOND), OfflineKey(SECOND))]).read(old, KEY)
    old = Chain([v2(OfflineKey(FIRST))]).write(b"plain", KEY)
    with pytest.raises(TransformError, match="does not match expected key id"):
        Chain([v2(OfflineKey(SECOND), SECOND)]).read(old, KEY)


def test_a_value_belongs_to_its_key_in_the_store() -> None:
    chain = Chain([v2(OfflineKey(FIRST))])
    with pytest.raises(TransformError, match="message authentication failed"):
        chain.read(chain.write(b"plain", KEY), KEY + "-other")


def test_seeds_and_keys_are_stale_to_each_other_and_seeds_unreadable_before_1_29() -> None:
    key = OfflineKey(FIRST)
    older, newer = Chain([v2(key, seeds=False)]), Chain([v2(key, seeds=True)])
    assert newer.read(older.write(b"plain", KEY), KEY) == (b"plain", True)
    with pytest.raises(TransformError, match="message authentication failed"):
        older.read(newer.write(b"plain", KEY), KEY)


def test_what_cannot_be_read_is_counted_too() -> None:
    chain = Chain([Identity(), v2(OfflineKey(FIRST))])
    assert chain.read(b"{}", KEY) == (b"{}", False)
    for value, message in (
        (b"k8s:enc:kms:v1:gone:x", "no matching prefix found"),
        (b"k8s:enc:kms:v2:azurekmsproviderv2:x", "proto"),
    ):
        with pytest.raises(TransformError, match=message):
            chain.read(value, KEY)
    assert chain.operations() == {
        ("from_storage", "identity", "OK"): 1,
        ("from_storage", "unknown", "Unknown"): 1,
        ("from_storage", "k8s:enc:kms:v2:azurekmsproviderv2:", "Unknown"): 1,
    }
