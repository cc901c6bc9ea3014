"""A dry run of the rewrite, as ``check`` makes it, on a lab's API servers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from azext_kmsmigrate.checks.writable import WRITABLE, Writable
from azext_kmsmigrate.clock import SystemClock
from azext_kmsmigrate.kube.access import Certificate, Kubeconfig, tls_context
from azext_kmsmigrate.kube.api import Api, Channel
from azext_kmsmigrate.kube.rest import RestClient
from azext_kmsmigrate.kube.secrets import KubeSecrets
from azext_kmsmigrate.kube.wire import Route, Wire
from azext_kmsmigrate.migration.facts import ClusterFacts, ClusterName, KmsProfile
from azext_kmsmigrate.migration.version import KubernetesVersion
from azext_kmsmigrate.ports import Question
from azext_kmsmigrate.report.plain import Silent
from azext_kmsmigrate.rewrite.dry_run import DryRun
from azext_kmsmigrate.rewrite.rewriting import Limits, Rewriting
from tests.lab.client import LabClient


def try_all(lab: LabClient, kubernetes: str, *, kms: bool, user: str = "", parallel: int = 16) -> Writable:
    """Every Secret tried through the product's own adapters; ``user``: as this user of Kubernetes."""
    facts = facts_of(lab, kubernetes, kms=kms)
    secrets, limits = secrets_of(lab, user), Limits(parallel=parallel)
    rewriting = Rewriting(secrets, SystemClock(), Silent(), lambda: facts, limits, secrets.create_canary)
    return DryRun(rewriting, lambda text: None).look(WRITABLE, Question(facts))


def secrets_of(lab: LabClient, user: str = "") -> KubeSecrets:
    """The port ``Secrets`` on a lab's front door, with the administrator's certificate."""
    endpoint = lab.endpoint()
    kubeconfig = Kubeconfig(endpoint.server, endpoint.ca_pem, endpoint.client_cert_pem, endpoint.client_key_pem)
    route, tls = Route(endpoint.server), tls_context(kubeconfig)
    signer = _Impersonating(user) if user else Certificate()
    return KubeSecrets(
        Api(lambda: Channel(Wire(route, tls), signer), lambda: Channel(RestClient(route, tls), signer), SystemClock())
    )


class _Impersonating(Certificate):
    """The administrator, who asks to be taken for another user."""

    def __init__(self, user: str) -> None:
        self._user = user

    def header(self) -> dict[str, str]:
        return {"Impersonate-User": self._user}


def facts_of(lab: LabClient, kubernetes: str, *, kms: bool) -> ClusterFacts:
    version = KubernetesVersion.parse(kubernetes)
    profile = KmsProfile(enabled=kms, key_id=lab.key_id())
    return ClusterFacts(ClusterName(lab.name, "lab", "sub"), version, version, "Succeeded", "Running", profile)


def named(seen: Writable) -> dict[str, str]:
    """``namespace/name`` and class of what the dry run names."""
    return {f"{one.namespace}/{one.name}": one.kind.value for one in seen.failed}


@contextmanager
def nothing_written(lab: LabClient) -> Iterator[None]:
    """etcd holds the same bytes, written at the same revisions, afterwards."""
    raw, revisions = lab.etcd_raw(), lab.etcd_revisions()
    yield
    assert lab.etcd_revisions() == revisions
    assert lab.etcd_raw() == raw
