"""Decides a control plane's encryption providers: which ones, in which order, after each change.

The first provider writes, all of them read. What AKS does, and what kube-apiserver allows:

==============================  ==================================================================
change                          providers afterwards
==============================  ==================================================================
KMS on below 1.27               v1 of the key, older readers, identity
KMS on at 1.27 or later         v2 of the key, older readers (v1 only below 1.29), identity
KMS off                         identity, then every reader there was: data is still under them
upgrade to 1.29 or later        v1 entries leave: the API server refuses to start with them
==============================  ==================================================================

A provider's name is part of what it stores (``k8s:enc:kms:v1:<name>:``), so a name is given once, to one key
and one API version, and a key that comes back gets its old entry back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from tests.lab.model import IDENTITY, Provider, kms_v1, kms_v2

KMS_V2_FROM = (1, 27)
KMS_V1_UNTIL = (1, 29)


class ChangeRefused(ValueError):
    """A change that AKS blocks before it touches the control plane."""


def minor(version: str) -> tuple[int, int]:
    """``1.26.15`` -> ``(1, 26)``."""
    major, second, *_ = version.split(".")
    return int(major), int(second)


def patch(version: str) -> tuple[int, ...]:
    """``1.26.15`` -> ``(1, 26, 15)``, which orders as versions do."""
    return tuple(int(part) for part in version.split("."))


@dataclass(frozen=True)
class Configuration:
    """What every API server replica should run: a full version, and the providers in their order."""

    version: str
    providers: tuple[Provider, ...] = (IDENTITY,)

    @property
    def writer(self) -> Provider:
        return self.providers[0]

    @property
    def kms(self) -> bool:
        """Whether Secrets are written through a KMS provider."""
        return self.writer.kind == "kms"

    def reads(self, raw: bytes) -> bool:
        """Whether a provider takes a stored value for its own: by prefix, as kube-apiserver does."""
        prefixes = [prefix for prefix in map(stored_prefix, self.providers) if prefix]
        if raw.startswith(b"k8s:enc:"):
            return any(raw.startswith(prefix) for prefix in prefixes)
        return IDENTITY in self.providers

    def with_kms(self, key_id: str | None) -> Configuration:
        """KMS on with this key, or off (None)."""
        readers = [provider for provider in self.providers if provider.kind == "kms"]
        if key_id is None:
            return replace(self, providers=(IDENTITY, *readers))
        api = "v2" if minor(self.version) >= KMS_V2_FROM else "v1"
        writer = next((r for r in readers if (r.api_version, r.key_id) == (api, key_id)), None)
        if writer is None:
            writer = _named(api, key_id, readers)
        return replace(self, providers=(writer, *(r for r in readers if r != writer), IDENTITY))

    def upgraded(self, version: str) -> Configuration:
        """The same data under a newer version. Refuses to go back, and to go past 1.26 writing KMS v1."""
        if patch(version) < patch(self.version):
            raise ChangeRefused(f"Kubernetes {self.version} cannot go back to {version}")
        crosses = minor(self.version) < KMS_V2_FROM <= minor(version)
        if self.kms and crosses:
            raise ChangeRefused(f"an upgrade to {version} is blocked while KMS v1 is on")
        kept = self.providers
        if minor(version) >= KMS_V1_UNTIL:
            kept = tuple(provider for provider in kept if provider.api_version != "v1")
        return Configuration(version, kept)


def initial(version: str, key_id: str | None) -> Configuration:
    """A new cluster's configuration."""
    return Configuration(version).with_kms(key_id)


def identity_first(providers: tuple[Provider, ...]) -> tuple[Provider, ...]:
    """The same readers with identity writing: a replica that has turned KMS off before the others."""
    return (IDENTITY, *(provider for provider in providers if provider != IDENTITY))


def kms_first(providers: tuple[Provider, ...]) -> tuple[Provider, ...]:
    """The same readers with KMS writing: a replica that has not yet heard that KMS is off."""
    return (*(provider for provider in providers if provider != IDENTITY), IDENTITY)


def stored_prefix(provider: Provider) -> bytes:
    """The bytes that a value stored by this provider begins with; empty for identity."""
    if provider.kind == "identity":
        return b""
    return f"k8s:enc:kms:{provider.api_version}:{provider.name}:".encode()


def _named(api: str, key_id: str, taken: list[Provider]) -> Provider:
    make = kms_v1 if api == "v1" else kms_v2
    first = make(key_id)
    names = {provider.name for provider in taken}
    if first.name not in names:
        return first
    number = 2
    while f"{first.name}{number}" in names:
        number += 1
    return make(key_id, f"{first.name}{number}")
