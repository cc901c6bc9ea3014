"""Decides what one answer to an empty patch means, and whether to ask again.

An empty merge patch makes the API server read the Secret from etcd and write it back only when its stored form is
stale, that is not the form it writes now (kubernetes/apiserver, ``pkg/storage/etcd3/store.go``, GuaranteedUpdate).
So a resourceVersion that moved means rewritten, and one that stayed means read from etcd and found current.
"""

from __future__ import annotations

import enum
import random

from azext_kmsmigrate.migration.secret import Answer, Failure, FailureClass, Gone, SecretRef

MAX_ATTEMPTS = 6
ATTEMPTS = {
    FailureClass.WEBHOOK_DOWN: 2,  # the webhook of many Secrets: patience with each would be hours with all
    FailureClass.UNAUTHORIZED: 5,  # 4 s at least: an API server that has just begun knows no signing keys yet
    FailureClass.KEY_UNAVAILABLE: 9,  # 36 s at least: a vault that is away for half a minute fails no Secret
}
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 20.0


class Verdict(str, enum.Enum):
    """What became of one Secret. ``CHANGED``: somebody else wrote it between the list and the patch.

    ``WRITABLE``: a dry run found nothing in the way of writing it.
    """

    REWRITTEN = "rewritten"
    CURRENT = "current"
    CHANGED = "changed"
    WRITABLE = "writable"
    GONE = "gone"
    FAILED = "failed"


def verdict(listed: SecretRef, answer: Answer) -> Verdict:
    """What an answer means for the Secret as it was listed.

    A client's own change shows in managedFields; the API server's rewriting does not (it leaves them as they are
    when nothing else changes). A Secret that was deleted and made again has another uid.
    """
    if isinstance(answer, Gone):
        return Verdict.GONE
    if isinstance(answer, Failure):
        return Verdict.FAILED
    if answer.resource_version == listed.resource_version:
        return Verdict.CURRENT
    if answer.uid != listed.uid or answer.signature != listed.signature:
        return Verdict.CHANGED
    return Verdict.REWRITTEN


def tried(answer: Answer) -> Verdict:
    """What an answer to a dry run means. Its resourceVersion means nothing: it is the old one, stale or not."""
    if isinstance(answer, Gone):
        return Verdict.GONE
    return Verdict.FAILED if isinstance(answer, Failure) else Verdict.WRITABLE


def pause_before_retry(answer: Answer, attempt: int, chance: random.Random) -> float | None:
    """Seconds to wait before attempt ``attempt + 1``, or None when the answer is final.

    Doubles with jitter up to a cap; a server's Retry-After is obeyed when it is longer. An empty patch may always
    be repeated: it carries no data.
    """
    if not isinstance(answer, Failure) or not answer.kind.retriable:
        return None
    if attempt >= ATTEMPTS.get(answer.kind, MAX_ATTEMPTS):
        return None
    pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** (attempt - 1)) * (0.5 + chance.random() / 2)
    return float(max(pause, answer.retry_after or 0.0))
