"""How many addresses a subnet has left, and which NSG rule decides about a connection: pure arithmetic."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from tests.lab.azure.resources import Json

# Azure keeps the first four addresses of a subnet and its last.
_RESERVED = 5
_ANYWHERE = ("*", "0.0.0.0/0", "internet", "any")


def free_addresses(subnet: Json) -> int:
    """Addresses that nobody uses yet."""
    properties = subnet["properties"]
    prefixes = properties.get("addressPrefixes") or [properties["addressPrefix"]]
    size = sum(ipaddress.ip_network(prefix).num_addresses for prefix in prefixes)
    return size - _RESERVED - len(properties.get("ipConfigurations") or [])


def addresses_of(pool: Json, network_profile: Json) -> int:
    """Addresses that a node of the pool takes: with plain Azure CNI its pods' as well."""
    overlay = network_profile.get("networkPluginMode") == "overlay" or network_profile.get("networkPlugin") == "kubenet"
    return 1 if overlay or pool.get("podSubnetID") else 1 + int(pool.get("maxPods") or 30)


def outbound_allowed(group: Json, address: str, port: int) -> bool:
    """Whether a network security group lets TCP out to an address and port: the lowest priority that fits decides."""
    rules = [rule["properties"] for rule in group["properties"].get("securityRules") or []]
    for rule in sorted(rules, key=lambda one: int(one["priority"])):
        if (
            rule["direction"] == "Outbound"
            and rule["protocol"].lower() in ("tcp", "*")
            and any(_port_fits(text, port) for text in _several(rule, "destinationPortRange"))
            and any(_address_fits(text, address) for text in _several(rule, "destinationAddressPrefix"))
        ):
            return bool(rule["access"] == "Allow")
    # AllowVnetOutBound and AllowInternetOutBound come before DenyAllOutBound.
    return True


def _several(rule: Json, name: str) -> Iterator[str]:
    """``destinationPortRange`` or ``destinationPortRanges``."""
    plural = f"{name}es" if name.endswith("x") else f"{name}s"
    yield from [rule[name]] if rule.get(name) else []
    yield from rule.get(plural) or []


def _port_fits(text: str, port: int) -> bool:
    if text == "*":
        return True
    low, _, high = text.partition("-")
    return int(low) <= port <= int(high or low)


def _address_fits(text: str, address: str) -> bool:
    inside = ipaddress.ip_address(address).is_private
    if text.lower() == "virtualnetwork":
        return inside
    if text.lower() in _ANYWHERE:
        return text.lower() != "internet" or not inside
    try:
        return ipaddress.ip_address(address) in ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
