"""Secrets as this tool sees them: names, versions and answers, never data."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class StoredAs(str, enum.Enum):
    """The form in which an API server writes Secrets to etcd."""

    PLAIN = "plain"
    KMS_V1 = "kms-v1"
    KMS_V2 = "kms-v2"


class FailureClass(str, enum.Enum):
    """Why a request about a Secret failed, reduced from the server's answer; stable, shown to users."""

    ADMISSION_DENIED = "admissionDenied"
    WEBHOOK_DOWN = "webhookDown"
    FORBIDDEN = "forbidden"
    UNAUTHORIZED = "unauthorized"
    INVALID = "invalid"
    UNDECRYPTABLE = "undecryptable"
    KEY_UNAVAILABLE = "keyUnavailable"  # Key Vault, or the way to it, refused just now: the key may be well
    TOO_LARGE = "tooLarge"
    THROTTLED = "throttled"
    TIMED_OUT = "timedOut"
    TRANSIENT = "transient"
    EXPIRED = "expired"  # a list's continue token: 410
    DRY_RUN_UNSUPPORTED = "dryRunUnsupported"  # a webhook is not asked in a dry run: what it would say is unknown
    OTHER_FORM = "otherForm"  # a proof found it stored in another form than the API servers write
    UNEXPECTED = "unexpected"

    @property
    def retriable(self) -> bool:
        """Whether the same request may succeed a little later."""
        return self in (
            FailureClass.THROTTLED,
            FailureClass.TIMED_OUT,
            FailureClass.TRANSIENT,
            FailureClass.WEBHOOK_DOWN,
            FailureClass.KEY_UNAVAILABLE,
            FailureClass.UNAUTHORIZED,
        )

    @property
    def pushes_back(self) -> bool:
        """Whether it says that the API server has more to do than it can; a webhook that is down does not."""
        return self.retriable and self not in (FailureClass.WEBHOOK_DOWN, FailureClass.UNAUTHORIZED)


@dataclass(frozen=True)
class SecretRef:
    """One Secret, from a list of metadata.

    ``signature`` is a hash of its managedFields: it changes when a client changes the Secret and stays when the
    API server only stores it in another form. ``immutable``: managedFields tell that somebody has set that field.
    ``canary``: another command of this tool made it, to look at what the API servers write; it has to lie in the right
    form as any other, but it may move at any time.
    """

    namespace: str
    name: str
    uid: str
    resource_version: int
    signature: int
    immutable: bool = False
    canary: bool = False

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True)
class Page:
    """One page of a list. ``token`` is empty on the last; ``remaining`` is None when the server does not say."""

    items: tuple[SecretRef, ...]
    resource_version: int
    token: str = ""
    remaining: int | None = None


@dataclass(frozen=True)
class Patched:
    """The answer to an empty patch that the server accepted."""

    uid: str
    resource_version: int
    signature: int


@dataclass(frozen=True)
class Gone:
    """404: the Secret was deleted; nothing of it is left to prove."""


@dataclass(frozen=True)
class Failure:
    """An answer that was no success. ``detail`` is a name that a user can act on: a webhook, a policy, a field.

    ``token`` is the fresh continue token of an expired list; ``secret`` the ``namespace/name`` the server named.
    """

    kind: FailureClass
    detail: str = ""
    retry_after: float | None = None
    token: str = ""
    secret: str = ""

    def __str__(self) -> str:
        return f"{self.kind.value} ({self.detail})" if self.detail else self.kind.value


Answer = Patched | Gone | Failure


@dataclass(frozen=True)
class Counters:
    """One API server's own transformation counters, and when its process started (epoch seconds).

    Maps of transformer prefix to count: ``apiserver_storage_transformation_operations_total``, successes only. An
    API server writing plain text counts under the empty prefix, one reading it under ``identity``.
    """

    process_start: float
    to_storage: dict[str, float]
    from_storage: dict[str, float]


REMEDIES = {
    FailureClass.ADMISSION_DENIED: "exempt this update from the webhook or policy, then type the command again",
    FailureClass.WEBHOOK_DOWN: "bring the webhook back, or remove its configuration, then type the command again",
    FailureClass.FORBIDDEN: "get permission to patch Secrets in this namespace",
    FailureClass.UNAUTHORIZED: "sign in again: az login",
    FailureClass.INVALID: "mend the field named: today's validation refuses what was once accepted",
    FailureClass.UNDECRYPTABLE: "bring back the key version it was encrypted with, or create it anew",
    FailureClass.KEY_UNAVAILABLE: "see that the key is enabled and its vault in reach, then type the command again",
    FailureClass.TOO_LARGE: "make it smaller: it is at the limit of what etcd takes",
    FailureClass.DRY_RUN_UNSUPPORTED: "see that its owner lets an unchanged Secret pass; a dry run cannot ask it",
    FailureClass.OTHER_FORM: "rewrite all Secrets: az aks kms-migrate rewrite-secrets",
}
"""What to do about a Secret that failed for good; the rest passes by itself: type the command again."""


@dataclass(frozen=True)
class FailedSecret:
    """A Secret that could not be rewritten, as reports name it."""

    namespace: str
    name: str
    kind: FailureClass
    detail: str

    @property
    def remedy(self) -> str:
        return REMEDIES.get(self.kind, "type the command again")
