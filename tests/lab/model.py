"""The words that every room of the lab shares: plain values, no I/O."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

SECRETS_PREFIX = "/registry/secrets/"


class StoredForm(str, enum.Enum):
    """In what form a Secret lies in etcd, read from the first bytes of its raw value."""

    KMS_V1 = "kms-v1"
    KMS_V2 = "kms-v2"
    PLAIN = "plain"

    @classmethod
    def of(cls, raw: bytes) -> StoredForm:
        if raw.startswith(b"k8s:enc:kms:v1:"):
            return cls.KMS_V1
        if raw.startswith(b"k8s:enc:kms:v2:"):
            return cls.KMS_V2
        return cls.PLAIN


@dataclass(frozen=True)
class Provider:
    """One entry of an EncryptionConfiguration's providers, for the resource ``secrets``.

    ``kind`` is ``identity`` or ``kms``; the rest is empty for identity. ``name`` becomes part of the stored
    prefix (``k8s:enc:kms:v1:<name>:``). ``key_id`` is ``https://<vault>/keys/<key>/<version>``.
    """

    kind: str
    api_version: str = ""
    name: str = ""
    key_id: str = ""


IDENTITY = Provider("identity")


def kms_v1(key_id: str, name: str = "azurekmsprovider") -> Provider:
    return Provider("kms", "v1", name, key_id)


def kms_v2(key_id: str, name: str = "azurekmsproviderv2") -> Provider:
    return Provider("kms", "v2", name, key_id)


@dataclass(frozen=True)
class Endpoint:
    """Where an API server listens and how a cluster administrator gets in: PEM texts."""

    server: str
    ca_pem: str
    client_cert_pem: str = ""
    client_key_pem: str = ""


@dataclass(frozen=True)
class EntraTrust:
    """What an API server needs to check Entra ID tokens: kube-apiserver's ``--oidc-*`` flags."""

    issuer: str
    client_id: str
    ca_pem: str
    admin_object_id: str


@dataclass(frozen=True)
class VaultAccess:
    """How a KMS plugin reaches Key Vault: a token endpoint and the cluster identity's own credentials.

    The plugin posts ``grant_type=client_credentials`` with ``scope=https://vault.azure.net/.default`` to
    ``token_url`` and uses the token at ``<key id>/encrypt`` and ``<key id>/decrypt``, as
    Azure/kubernetes-kms does with the cluster's user-assigned identity.
    """

    token_url: str
    client_id: str
    client_secret: str
    ca_pem: str


@dataclass(frozen=True)
class LabOptions:
    """What ``python -m tests.lab up`` was asked for."""

    name: str
    apiserver: str = "embedded"
    kubernetes: str = "1.26.15"
    offers: tuple[str, ...] = ("1.27.1", "1.34.4")
    replicas: int = 2
    secrets: int = 0
    access: str = "local"
    key_vault: str = "public"
    kms: bool = True
    supported: bool = False
    rtt_ms: float = 0.0
    roll_seconds: float = 0.0
    pools: int = 2
    vaults: int = 1
    """With a second one, ``lab-kv2``, open to every network, the cluster may be moved from one to the other."""
    extra: dict[str, str] = field(default_factory=dict)
    """``proxy``: one before the API servers. ``apiserver-flags``: more flags for real ones, after the lab's own."""
