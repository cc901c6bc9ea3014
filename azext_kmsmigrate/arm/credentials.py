"""Talks to ARM for the user's own credential of the cluster."""

from __future__ import annotations

from typing import Any

from azext_kmsmigrate import errors
from azext_kmsmigrate.arm.faults import translated
from azext_kmsmigrate.errors import AzureError
from azext_kmsmigrate.migration.facts import ClusterName


def user_kubeconfig(client: Any, name: ClusterName) -> str:
    """The kubeconfig text of ``listClusterUserCredential``. It is not logged and not written to ``~/.kube``.

    :raises AzureError: it may not be read, or there is none
    """
    with translated("reading the cluster credential", name):
        # The answer holds a private key: az's --debug would print it.
        found = client.managed_clusters.list_cluster_user_credentials(
            name.group, name.name, format="exec", logging_enable=False
        )
    if not found.kubeconfigs:
        raise AzureError(errors.NO_CREDENTIAL, **name.words)
    return bytes(found.kubeconfigs[0].value).decode()
