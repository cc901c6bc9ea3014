"""How AKS reaches a private vault: a private endpoint in the node resource group, approved by the cluster's identity.

What is missing shows only as an operation that ends Failed with ``InternalOperationError``
(MicrosoftDocs/azure-docs#105101, Azure/telescope#1121).
"""

from __future__ import annotations

import uuid
from urllib.parse import urlsplit

from tests.lab.azure.cluster import Json, Kms
from tests.lab.azure.failures import internal_error
from tests.lab.azure.grants import Grants
from tests.lab.azure.locking import Locks
from tests.lab.azure.metadata import LOCATION, group_id
from tests.lab.azure.network import ENDPOINT_ADDRESS, ENDPOINTS, Network
from tests.lab.azure.policies import Policies
from tests.lab.azure.refusal import ServiceError
from tests.lab.azure.resources import Resources
from tests.lab.azure.subnets import outbound_allowed

_NEEDED = (
    "Microsoft.KeyVault/vaults/read",
    "Microsoft.KeyVault/vaults/privateEndpointConnectionsApproval/action",
)


class PrivateLinks:
    """Connects a cluster to its vault."""

    def __init__(
        self, resources: Resources, grants: Grants, locks: Locks, network: Network, policies: Policies
    ) -> None:
        self._resources = resources
        self._grants = grants
        self._locks = locks
        self._network = network
        self._policies = policies

    def connect(self, document: Json) -> None:
        """Create the endpoint and approve its connection; raises :class:`OperationFailed`.

        An endpoint that is there is left alone, whatever became of its connection.
        """
        kms = Kms.of(document)
        vault = self._resources.get(kms.vault_resource_id)
        if vault is None or _host(vault["properties"]["vaultUri"]) != _host(kms.key_id):
            raise internal_error()
        endpoint_id = _endpoint_id(document, vault["name"])
        if not self._reaches(document):
            raise internal_error()
        if self._resources.get(endpoint_id) is not None:
            return
        principal = principal_of(document)
        if not all(self._grants.allowed(principal, action, vault["id"]) for action in _NEEDED):
            raise internal_error()
        self._create(endpoint_id, vault, document)

    def create(self, document: Json) -> None:
        """The endpoint of a cluster that had it before the lab began."""
        vault = self._resources.get(Kms.of(document).vault_resource_id)
        assert vault is not None
        self._create(_endpoint_id(document, vault["name"]), vault, document)

    def _create(self, endpoint_id: str, vault: Json, document: Json) -> None:
        connection_id = f"{vault['id']}/privateEndpointConnections/{endpoint_id.rpartition('/')[2]}"
        state = {"status": "Approved", "description": "", "actionsRequired": "None"}
        pool = document["properties"]["agentPoolProfiles"][0]
        endpoint = {
            "location": LOCATION,
            "properties": {
                "provisioningState": "Succeeded",
                "subnet": {"id": pool.get("vnetSubnetID")},
                "customDnsConfigs": [
                    {"fqdn": _host(vault["properties"]["vaultUri"]), "ipAddresses": [ENDPOINT_ADDRESS]}
                ],
                "privateLinkServiceConnections": [
                    {
                        "name": endpoint_id.rpartition("/")[2],
                        "properties": {
                            "privateLinkServiceId": vault["id"],
                            "groupIds": ["vault"],
                            "privateLinkServiceConnectionState": state,
                        },
                    }
                ],
            },
        }
        try:
            self._policies.check(endpoint_id, endpoint)
            for scope in (endpoint_id, connection_id, str(pool.get("vnetSubnetID") or endpoint_id)):
                self._locks.check(scope, "PUT")
        except ServiceError as error:
            raise internal_error() from error
        self._resources.put(endpoint_id, endpoint)
        connection = {
            "id": connection_id,
            "name": connection_id.rpartition("/")[2],
            "type": "Microsoft.KeyVault/vaults/privateEndpointConnections",
            "properties": {
                "provisioningState": "Succeeded",
                "privateEndpoint": {"id": endpoint_id},
                "privateLinkServiceConnectionState": state,
            },
        }
        connections = [*(vault["properties"].get("privateEndpointConnections") or []), connection]
        self._resources.patch(vault["id"], {"properties": {"privateEndpointConnections": connections}})

    def _reaches(self, document: Json) -> bool:
        """Whether the network security groups let the API servers out to the endpoint."""
        access = document["properties"].get("apiServerAccessProfile") or {}
        subnets = {pool.get("vnetSubnetID") for pool in document["properties"]["agentPoolProfiles"]}
        groups = [self._network.security_group(one) for one in {access.get("subnetId"), *subnets} if one]
        return all(outbound_allowed(group, ENDPOINT_ADDRESS, 443) for group in groups if group)


def principal_of(document: Json) -> str:
    """The object id of the cluster's user-assigned identity; empty without one."""
    identities = (document.get("identity") or {}).get("userAssignedIdentities") or {}
    return next((str(one.get("principalId") or "") for one in identities.values()), "")


def _endpoint_id(document: Json, vault: str) -> str:
    name = f"kms-{uuid.uuid5(uuid.NAMESPACE_URL, document['id'] + vault.lower()).hex[:8]}"
    return f"{group_id(document['properties']['nodeResourceGroup'])}/providers/{ENDPOINTS}/{name}"


def _host(url: str) -> str:
    return urlsplit(url).netloc.lower()
