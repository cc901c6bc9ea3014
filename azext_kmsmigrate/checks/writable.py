"""C-04: whether every Secret could be rewritten, found out by a dry run of the rewrite.

What an empty merge PATCH with ``dryRun=All`` does, measured on kube-apiserver 1.26.15 and 1.27.1:

* etcd keeps the same bytes at the same revision, stale or not; the answer has the old resourceVersion either way.
* One value is read from etcd and decrypted: what no key decrypts answers 500, as in the rewrite. Under KMS v1, which
  keeps 1,000 keys in memory, 2,000 Secrets cost 2,500 to 2,900 calls to Key Vault, 1,700 of them for the list's pages.
* Rights (403), validation (422) and admission are asked as in earnest. An immutable Secret passes.
* Webhooks with side effects ``None`` or ``NoneOnDryRun`` are called. One with ``Unknown`` or ``Some`` (which nobody can
  create since 1.22, but keep) is not: the answer is 400 "does not support dry run", whatever its failurePolicy, and
  although it may let the rewrite pass. That is ``dryRunUnsupported``, which proves nothing.

What it does not meet: what only writing meets. That is an encryption that fails, a value at etcd's limit of size, and
whatever is put in the way afterwards.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from azext_kmsmigrate.checks.check import Category, Check, Finding, Severity
from azext_kmsmigrate.checks.scene import Scene
from azext_kmsmigrate.checks.topic import KUBERNETES, Topic
from azext_kmsmigrate.migration.facts import ClusterFacts
from azext_kmsmigrate.migration.secret import FailedSecret, FailureClass
from azext_kmsmigrate.migration.step import StepId


@dataclass(frozen=True)
class Writable:
    """What a dry run of the rewrite found.

    ``tried``: Secrets that were dealt with, those in ``failed`` included; a name ``*`` there stands for a part of the
    list that could not be read. ``stopped``: the failure that met so many in a row that the rest was not tried.
    """

    tried: int
    failed: tuple[FailedSecret, ...] = ()
    stopped: str = ""


WRITABLE: Topic[Writable] = Topic("the dry run of the rewrite", KUBERNETES, again=False, patient=True)
"""A ``Writable``. Patient: it takes as long as there are Secrets, and shows how far it is."""

_WEBHOOKS = (
    "kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations "
    "-o custom-columns=KIND:.kind,NAME:.metadata.name,WEBHOOKS:.webhooks[*].name"
)


def _blocking(scene: Scene) -> Iterator[Finding]:
    found = scene.of(WRITABLE)
    if found.stopped:
        yield Finding(
            "all Secrets",
            f"The dry run was stopped after {found.tried:,} Secrets: too many in a row failed with {found.stopped}. "
            "That many alike is the key, the vault or the permission, not the Secrets.",
            "Put right what is said of the Secrets below, then type the command again.",
        )
    # Each cause once, then each once more, and so on: whoever shows the first few shows every cause.
    for failed in _one_of_each_in_turn(found.failed):
        yield Finding(_subject(failed), _what(failed), _fix(failed, scene.cluster), _WEIGHT.get(failed.kind))


_WEIGHT = {FailureClass.DRY_RUN_UNSUPPORTED: Severity.WARN}
"""What a dry run cannot tell stops nobody: in earnest the webhook may well let the Secret pass."""


def _one_of_each_in_turn(failed: tuple[FailedSecret, ...]) -> Iterator[FailedSecret]:
    causes: dict[tuple[bool, FailureClass, str], list[FailedSecret]] = {}
    for one in sorted(failed, key=lambda f: (f.namespace, f.name)):
        causes.setdefault((one.kind in _WEIGHT, one.kind, one.detail), []).append(one)
    in_order = [causes[cause] for cause in sorted(causes, key=lambda c: (c[0], c[1].value, c[2]))]
    for turn in itertools.zip_longest(*in_order):
        yield from (one for one in turn if one is not None)


def _subject(failed: FailedSecret) -> str:
    if failed.name != "*":
        return f"Secret {failed.namespace}/{failed.name}"
    return "the list of all Secrets" if failed.namespace == "*" else f"the list of Secrets in {failed.namespace}"


def _what(failed: FailedSecret) -> str:
    said = f"{failed.kind.value}: {failed.detail}" if failed.detail else failed.kind.value
    if failed.kind in _WEIGHT:
        return f"It could not be tried, so that it is unknown whether it can be rewritten ({said})."
    if failed.name == "*":
        return f"It cannot be read to its end ({said})."
    return f"It cannot be rewritten, not even unchanged ({said})."


def _fix(failed: FailedSecret, cluster: ClusterFacts) -> str:
    told = _FIXES.get(failed.kind)
    return told(failed, cluster) if told else f"Type the command again; if it stays: {failed.remedy}."


def _of_a_webhook(failed: FailedSecret, _: ClusterFacts) -> str:
    return f"{_sentence(failed.remedy)} Which configuration the webhook belongs to: {_WEBHOOKS}"


def _of_the_right(_: FailedSecret, cluster: ClusterFacts) -> str:
    return (
        "Get the permission to list and patch Secrets in every namespace. On a cluster with Azure RBAC, type: "
        'az role assignment create --role "Azure Kubernetes Service RBAC Cluster Admin" '
        f"--assignee YOU --scope {cluster.name.resource_id}"
    )


def _of_the_object(failed: FailedSecret, _: ClusterFacts) -> str:
    return f"{_sentence(failed.remedy)} Type: kubectl edit secret {failed.name} --namespace {failed.namespace}"


def _of_the_key(failed: FailedSecret, cluster: ClusterFacts) -> str:
    key = cluster.kms.key_id
    return _sentence(failed.remedy) + (f" Its state: az keyvault key show --id {key}" if key else "")


def _sentence(remedy: str) -> str:
    return f"{remedy[:1].upper()}{remedy[1:]}."


_FIXES: dict[FailureClass, Callable[[FailedSecret, ClusterFacts], str]] = {
    FailureClass.ADMISSION_DENIED: _of_a_webhook,
    FailureClass.WEBHOOK_DOWN: _of_a_webhook,
    FailureClass.DRY_RUN_UNSUPPORTED: _of_a_webhook,
    FailureClass.FORBIDDEN: _of_the_right,
    FailureClass.INVALID: _of_the_object,
    FailureClass.UNDECRYPTABLE: _of_the_key,
    FailureClass.KEY_UNAVAILABLE: _of_the_key,
}

CHECKS = (
    Check(
        "C-04",
        "Every Secret can be rewritten",
        Category.CLUSTER,
        Severity.BLOCK,
        "A Secret that cannot be rewritten stays under KMS v1, and the upgrade has to wait for it with KMS off.",
        "https://kubernetes.io/docs/reference/using-api/api-concepts/#dry-run",
        frozenset({StepId.DISABLE_KMS}),
        _blocking,
        (WRITABLE,),
    ),
)
