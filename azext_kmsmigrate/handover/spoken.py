"""How people call a KMS state."""

from __future__ import annotations

from azext_kmsmigrate.migration.facts import KmsState

_SPOKEN = {
    KmsState.OFF.value: "KMS off",
    KmsState.V1.value: "KMS v1",
    KmsState.V2.value: "KMS v2",
    KmsState.PLATFORM.value: "KMS data encryption",
}


def spoken(kms: str) -> str:
    """What is no known state stays as it is."""
    return _SPOKEN.get(kms, kms)
