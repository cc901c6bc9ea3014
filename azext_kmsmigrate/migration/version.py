"""Kubernetes versions as values that compare."""

from __future__ import annotations

import re
from typing import NamedTuple

_FORM = re.compile(r"^v?(\d+)\.(\d+)(?:\.(\d+))?$")


class KubernetesVersion(NamedTuple):
    """``MAJOR.MINOR.PATCH``; orders as Kubernetes does."""

    major: int
    minor: int
    patch: int

    @classmethod
    def parse(cls, text: str) -> KubernetesVersion:
        """Read ``1.27.1`` or ``v1.27.1``; a missing patch is 0.

        :raises ValueError: the text is not a version
        """
        match = _FORM.match(text.strip())
        if not match:
            raise ValueError(f"'{text}' is not a Kubernetes version")
        return cls(int(match[1]), int(match[2]), int(match[3] or 0))

    @property
    def line(self) -> tuple[int, int]:
        """Major and minor: what AKS calls a minor version."""
        return (self.major, self.minor)

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"


# "Beginning in AKS version 1.27, turning on the KMS feature configures KMS v2."
# https://learn.microsoft.com/azure/aks/use-kms-v2
KMS_V2_FROM = KubernetesVersion(1, 27, 0)
