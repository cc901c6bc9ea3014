"""V-11 and V-13: whether the control plane finds its way to a private vault."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network

from azext_kmsmigrate.checks.check import Category, Check, Finding, Judgement, NotApplicable, Severity
from azext_kmsmigrate.checks.key import NO_NEW_KEY
from azext_kmsmigrate.checks.key_sight import new_kms
from azext_kmsmigrate.checks.scene import Scene
from azext_kmsmigrate.checks.topic import Topic
from azext_kmsmigrate.migration.facts import NetworkAccess
from azext_kmsmigrate.migration.step import StepId

_AZURE_DNS = "168.63.129.16"
_HTTPS = 443
_EVERYWHERE = ("*", "VirtualNetwork", "0.0.0.0/0")


@dataclass(frozen=True)
class SecurityRule:
    """An outbound rule of a network security group. ``ports``, ``sources``, ``destinations``: as Azure writes them."""

    name: str
    priority: int
    allows: bool
    protocol: str
    ports: tuple[str, ...]
    sources: tuple[str, ...]
    destinations: tuple[str, ...]


@dataclass(frozen=True)
class Subnet:
    """A subnet of the user's own. ``rules``: the outbound ones of its security group; none without a group."""

    resource_id: str
    prefixes: tuple[str, ...]
    group: str = ""
    rules: tuple[SecurityRule, ...] = ()


@dataclass(frozen=True)
class VirtualNetwork:
    """A network around such subnets. ``dns_servers``: none means Azure's own."""

    resource_id: str
    prefixes: tuple[str, ...]
    dns_servers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Networks:
    """Those that the nodes and the API server stand in."""

    subnets: tuple[Subnet, ...] = ()
    networks: tuple[VirtualNetwork, ...] = ()


NETWORKS = Topic[Networks]("the cluster's own network", "Microsoft.Network")


def _applies(scene: Scene) -> NotApplicable | None:
    kms = new_kms(scene)
    if kms is None:
        return NO_NEW_KEY
    if kms.network_access is not NetworkAccess.PRIVATE:
        return NotApplicable("the vault is used over its public endpoint")
    around = scene.cluster.surroundings
    if not around.subnets and not around.api_server_subnet:
        return NotApplicable("AKS made the cluster's network, and keeps the way to the vault open")
    return None


def _security_groups(scene: Scene) -> Judgement:
    return _applies(scene) or _denied(scene)


def _denied(scene: Scene) -> Iterator[Finding]:
    found = scene.of(NETWORKS)
    spaces = tuple(p for n in found.networks for p in n.prefixes)
    for subnet in found.subnets:
        rule = _first_for_https(subnet, spaces)
        if rule is not None and not rule.allows:
            group, name = _group_and_name(subnet.group)
            yield Finding(
                f"network security group '{name}'",
                f"Its rule '{rule.name}' denies port 443 from subnet '{subnet.resource_id.rpartition('/')[2]}' to the "
                "virtual network, where the vault's private endpoint will be.",
                f"Type: az network nsg rule create -g {group} --nsg-name {name} -n allow-key-vault --priority "
                f"{max(100, rule.priority - 1)} --direction Outbound --access Allow --protocol Tcp "
                "--destination-address-prefixes VirtualNetwork --destination-port-ranges 443",
                # Where the endpoint will be is not known: a rule about a part of the network may not touch it.
                Severity.BLOCK if any(place in _EVERYWHERE for place in rule.destinations) else None,
            )


def _first_for_https(subnet: Subnet, spaces: tuple[str, ...]) -> SecurityRule | None:
    """The rule that decides, as Azure does it: the first by priority that fits."""
    for rule in sorted(subnet.rules, key=lambda r: r.priority):
        fits = (
            rule.protocol.lower() in ("*", "tcp")
            and any(_holds(ports, _HTTPS) for ports in rule.ports)
            and any(_touches(source, subnet.prefixes) for source in rule.sources)
            and any(_touches(place, spaces) for place in rule.destinations)
        )
        if fits:
            return rule
    return None


def _holds(ports: str, port: int) -> bool:
    first, _, last = ports.partition("-")
    return ports == "*" or int(first) <= port <= int(last or first)


def _touches(rule: str, prefixes: tuple[str, ...]) -> bool:
    """Whether an address prefix of a rule, or its service tag, has to do with these prefixes."""
    if rule in _EVERYWHERE:
        return True
    wanted = _network(rule)
    return wanted is not None and any(
        wanted.version == other.version and wanted.overlaps(other)
        for other in map(_network, prefixes)
        if other is not None
    )


def _network(text: str) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None  # a service tag such as Internet: no place inside a virtual network


def _names(scene: Scene) -> Judgement:
    return _applies(scene) or _own_dns(scene)


def _own_dns(scene: Scene) -> Iterator[Finding]:
    for network in scene.of(NETWORKS).networks:
        own = [server for server in network.dns_servers if server != _AZURE_DNS]
        if own:
            yield Finding(
                f"virtual network '{network.resource_id.rpartition('/')[2]}'",
                f"It asks DNS servers of its own ({', '.join(own)}): they have to know the vault's private address.",
                f"Let them forward vaultcore.azure.net and vault.azure.net to {_AZURE_DNS}, and link the zone "
                "privatelink.vaultcore.azure.net to their network: az network private-dns link vnet create",
            )


def _group_and_name(resource_id: str) -> tuple[str, str]:
    parts = resource_id.split("/")
    return (parts[4], parts[-1]) if len(parts) > 4 else ("", resource_id)


_NEW = frozenset({StepId.DISABLE_KMS, StepId.ENABLE_KMS})

CHECKS = (
    Check(
        "V-11",
        "No network rule is in the way to a private vault",
        Category.VAULT,
        Severity.WARN,
        "The control plane goes to the vault's private endpoint over port 443; a rule that denies it cuts off the key.",
        "https://learn.microsoft.com/azure/aks/use-kms-etcd-encryption",
        _NEW,
        _security_groups,
        (NETWORKS,),
    ),
    Check(
        "V-13",
        "The network's DNS knows a private vault",
        Category.VAULT,
        Severity.WARN,
        "A name server that answers with the vault's public address sends the control plane to a closed door.",
        "https://learn.microsoft.com/azure/key-vault/general/private-link-service",
        _NEW,
        _names,
        (NETWORKS,),
    ),
)
