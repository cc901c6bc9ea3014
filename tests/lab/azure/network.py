"""``Microsoft.Network``: virtual networks with their subnets, network security groups, private endpoints."""

from __future__ import annotations

from collections.abc import Callable

from tests.lab.azure import cluster as model
from tests.lab.azure.gate import Gate
from tests.lab.azure.metadata import LOCATION, NODES_SUBNET, group_id, node_group
from tests.lab.azure.refusal import ServiceError, resource_not_found
from tests.lab.azure.resources import Json, Resources
from tests.lab.azure.server import Request, Response, Router
from tests.lab.azure.shelf import Shelf
from tests.lab.azure.subnets import addresses_of

VNETS = "Microsoft.Network/virtualNetworks"
NSGS = "Microsoft.Network/networkSecurityGroups"
ENDPOINTS = "Microsoft.Network/privateEndpoints"
NODES_NSG = f"{group_id()}/providers/{NSGS}/nodes-nsg"
ENDPOINT_ADDRESS = "10.224.200.4"
_SUBNETS = f"/subscriptions/{{subscription}}/resourceGroups/{{group}}/providers/{VNETS}/{{vnet}}/subnets"


class Network:
    """The lab's network. ``cluster`` says which nodes sit in which subnet."""

    def __init__(self, resources: Resources, gate: Gate, cluster: Callable[[], Json]) -> None:
        self._resources = resources
        self._gate = gate
        self._cluster = cluster
        self._vnets = Shelf(resources, gate, VNETS, self._with_addresses)

    def add_routes(self, router: Router) -> None:
        self._vnets.add_routes(router)
        for kind in (NSGS, ENDPOINTS):
            Shelf(self._resources, self._gate, kind).add_routes(router)
        self._gate.add(router, "GET", _SUBNETS, self._list)
        self._gate.add(router, "GET", f"{_SUBNETS}/{{subnet}}", self._get)
        self._gate.add(router, "PUT", f"{_SUBNETS}/{{subnet}}", self._put)

    def subnet(self, subnet_id: str) -> Json | None:
        """A subnet with the addresses in use, by its id."""
        vnet = self._resources.get(subnet_id.rpartition("/subnets/")[0])
        for subnet in self._with_addresses(vnet)["properties"]["subnets"] if vnet else []:
            if subnet["id"].lower() == subnet_id.lower():
                return dict(subnet)
        return None

    def security_group(self, subnet_id: str) -> Json | None:
        """The network security group of a subnet."""
        subnet = self.subnet(subnet_id) or {"properties": {}}
        group = subnet["properties"].get("networkSecurityGroup")
        return self._resources.get(group["id"]) if group else None

    def _list(self, request: Request, group: str, vnet: str) -> Response:
        return self._resources.page(request, self._vnets.find(group, vnet)["properties"]["subnets"])

    def _get(self, request: Request, group: str, vnet: str, subnet: str) -> Response:
        for one in self._vnets.find(group, vnet)["properties"]["subnets"]:
            if one["name"].lower() == subnet.lower():
                return Response(200, one)
        raise resource_not_found(f"{VNETS}/{vnet}/subnets", subnet, group)

    def _put(self, request: Request, group: str, vnet: str, subnet: str) -> Response:
        wanted = request.json().get("properties") or {}
        if not (wanted.get("addressPrefix") or wanted.get("addressPrefixes")):
            raise ServiceError(400, "InvalidRequestFormat", "Cannot parse the request: addressPrefix is required.")
        stored = self._resources.get(self._vnets.id(group, vnet))
        if stored is None:
            raise resource_not_found(VNETS, vnet, group)
        others = [one for one in stored["properties"]["subnets"] if one["name"].lower() != subnet.lower()]
        stored["properties"]["subnets"] = [*others, subnet_document(stored["id"], subnet, **wanted)]
        self._resources.put(stored["id"], stored)
        return self._get(request, group, vnet, subnet)

    def _with_addresses(self, vnet: Json) -> Json:
        cluster = self._cluster()
        scale_sets = group_id(node_group(cluster["name"])) + "/providers/Microsoft.Compute/virtualMachineScaleSets"
        profile = cluster["properties"].get("networkProfile") or {}
        for subnet in vnet["properties"].get("subnets") or []:
            used = subnet["properties"].setdefault("ipConfigurations", [])
            for pool in model.pools(cluster):
                if (pool.get("vnetSubnetID") or "").lower() != subnet["id"].lower():
                    continue
                for node in range(int(pool.get("count") or 0)):
                    card = f"{scale_sets}/aks-{pool['name']}-vmss/virtualMachines/{node}/networkInterfaces/nic"
                    count = addresses_of(pool, profile)
                    used += [{"id": f"{card}/ipConfigurations/ipconfig{number + 1}"} for number in range(count)]
        return vnet


def subnet_document(vnet_id: str, name: str, **properties: object) -> Json:
    return {
        "id": f"{vnet_id}/subnets/{name}",
        "name": name,
        "type": f"{VNETS}/subnets",
        "properties": {"provisioningState": "Succeeded", "delegations": [], "serviceEndpoints": [], **properties},
    }


def seed_network(resources: Resources) -> None:
    """A network as people bring to AKS: one subnet for nodes with a security group, one for the API server."""
    vnet_id = NODES_SUBNET.rpartition("/subnets/")[0]
    delegation = {
        "name": "aks-delegation",
        "properties": {"serviceName": "Microsoft.ContainerService/managedClusters"},
    }
    nodes = subnet_document(vnet_id, "nodes", addressPrefix="10.224.0.0/16", networkSecurityGroup={"id": NODES_NSG})
    api_server = subnet_document(vnet_id, "apiserver", addressPrefix="10.225.0.0/28", delegations=[delegation])
    properties = {
        "addressSpace": {"addressPrefixes": ["10.224.0.0/12"]},
        "dhcpOptions": {"dnsServers": []},
        "subnets": [nodes, api_server],
        "provisioningState": "Succeeded",
    }
    resources.put(vnet_id, {"location": LOCATION, "tags": {}, "properties": properties})
    rules = {"securityRules": [], "subnets": [{"id": NODES_SUBNET}], "provisioningState": "Succeeded"}
    resources.put(NODES_NSG, {"location": LOCATION, "tags": {}, "properties": rules})
