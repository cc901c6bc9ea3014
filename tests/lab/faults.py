"""The faults that a lab can be given: ``python -m tests.lab fault NAME KIND [ARG]``.

Each is one function with its usage; the text below is what ``--help`` prints.
"""

from __future__ import annotations

import base64
import binascii
import enum
import json
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from tests.lab.azure.faults import Fault as OperationFault
from tests.lab.azure.resource_graph import GraphFault
from tests.lab.azure.roles import BUILT_IN
from tests.lab.azure.rules import Change
from tests.lab.azure.upgrade_rules import ApiUse
from tests.lab.azure.vault_keys import RSA_OPERATIONS
from tests.lab.connections import ConnectionProxy
from tests.lab.controlplane.encryption import identity_first, kms_first
from tests.lab.laboratory import Laboratory
from tests.lab.model import SECRETS_PREFIX


class BadFault(ValueError):
    """A fault that does not exist, or whose argument makes no sense; says how it is used."""


@dataclass(frozen=True)
class Fault:
    """How it is typed, what it does, and the doing: (lab, words of ARG)."""

    usage: str
    does: str
    inflict: Callable[[Laboratory, list[str]], None]
    words: int = 0
    """Into how many ARG is split at most, when the last may hold spaces (JSON, a role's name); 0: all."""


def inflict(lab: Laboratory, kind: str, arg: str) -> None:
    """Give the lab a fault. Raises BadFault."""
    fault = FAULTS.get(kind)
    if fault is None:
        raise BadFault(f"no such fault: {kind}. There are: {', '.join(sorted(FAULTS))}")
    try:
        fault.inflict(lab, arg.split(maxsplit=fault.words - 1) if fault.words else arg.split())
    except BadFault as error:
        raise BadFault(f"{error}. Usage: {kind} {fault.usage}".rstrip()) from None


def describe() -> str:
    """All faults, for ``--help``."""
    return "\n".join(f"  {kind} {fault.usage}\n      {fault.does}" for kind, fault in FAULTS.items())


def _replica(lab: Laboratory, words: list[str]) -> None:
    action, index = _words(words, 2)
    if action == "stop":
        lab.host.stop_replica(_index(lab, index))
    elif action in ("start", "restart"):
        lab.plane.run_replica(_index(lab, index))
    elif action == "kill":
        lab.host.kill_replica(_index(lab, index))
    else:
        raise BadFault(f"cannot {action} a replica")


def _replica_config(lab: Laboratory, words: list[str]) -> None:
    index, order = _words(words, 2)
    orders = {"identity-first": identity_first, "kms-first": kms_first}
    if order not in orders:
        raise BadFault(f"no such order: {order}")
    lab.plane.run_replica(_index(lab, index), orders[order](lab.plane.configuration.providers))


def _roll_seconds(lab: Laboratory, words: list[str]) -> None:
    lab.plane.roll.set(_number(*_words(words, 1)))


def _operation(lab: Laboratory, words: list[str]) -> None:
    operation, how = _words(words, 2)
    try:
        lab.azure.fail_next(operation, how)
    except ValueError as error:
        raise BadFault(str(error)) from None


def _key(lab: Laboratory, words: list[str]) -> None:
    state, *name = words or [""]
    states: dict[str, dict[str, Any]] = {
        "disabled": {"enabled": False},
        "enabled": {"enabled": True},
        "expired": {"expires": time.time() - 60},
        "unexpired": {"expires": 0},
        "deleted": {"deleted": True},
        "recovered": {"deleted": False},
        "not-yet-valid": {"not_before": time.time() + 3600},
        "valid": {"not_before": 0},
        "ungranted": {"granted": False},
        "granted": {"granted": True},
        "no-encrypt": {"key_ops": [one for one in RSA_OPERATIONS if one != "encrypt"]},
        "all-operations": {"key_ops": RSA_OPERATIONS},
        "rotates": {"rotates": True},
        "stays": {"rotates": False},
        "ec": {"kty": "EC"},
        "rsa": {"kty": "RSA"},
    }
    if (state not in states and state != "rotated") or len(name) > 1:
        raise BadFault(f"a key cannot be {' '.join(words) or 'nothing'}")
    try:
        vault, key = lab.azure.key(*name or ["kms"])
        if state == "rotated":
            vault.add_key(key)
        else:
            vault.set_key(key, **states[state])
    except KeyError:
        raise BadFault(f"the vault has no key {name[0]}") from None


def _release(lab: Laboratory, words: list[str]) -> None:
    _words(words, 0)
    lab.azure.release_hang()


def _compact(lab: Laboratory, words: list[str]) -> None:
    _words(words, 0)
    lab.host.compact()


def _put_raw(lab: Laboratory, words: list[str]) -> None:
    if words == ["all"]:
        for key, value in lab.seeded.items():
            lab.host.put_raw(key, value)
        return
    name, *given = words or [""]
    key = SECRETS_PREFIX + name
    if name.count("/") != 1 or len(given) > 1:
        raise BadFault("which Secret, and what?")
    if not given and key not in lab.seeded:
        raise BadFault(f"{name} is not one of the Secrets that the lab began with")
    try:
        lab.host.put_raw(key, base64.b64decode(given[0], validate=True) if given else lab.seeded[key])
    except binascii.Error as error:
        raise BadFault(f"not base64: {error}") from None


def _vault_delay(lab: Laboratory, words: list[str]) -> None:
    lab.azure.vault.delay_seconds = _number(*_words(words, 1)) / 1000


def _vault_limit(lab: Laboratory, words: list[str]) -> None:
    (limit,) = _words(words, 1)
    lab.azure.vault.limit = None if limit == "ok" else int(_number(limit))


def _token_seconds(lab: Laboratory, words: list[str]) -> None:
    lab.azure.set_token_seconds(int(_number(*_words(words, 1))))


def _federated_tokens(lab: Laboratory, words: list[str]) -> None:
    if words != ["end"]:
        raise BadFault("they can only end")
    lab.azure.end_federated_tokens()


def _cluster_token_seconds(lab: Laboratory, words: list[str]) -> None:
    (seconds,) = _words(words, 1)
    lab.azure.set_cluster_token_seconds(None if seconds == "ok" else int(_number(seconds)))


def _connections(lab: Laboratory, words: list[str]) -> None:
    if lab.proxy is None:
        raise BadFault("this lab has no proxy: start it with --proxy or --rtt-ms")
    _network(lab.proxy, words, lab.options.rtt_ms)


def _azure_connections(lab: Laboratory, words: list[str]) -> None:
    if lab.azure.door is None:
        raise BadFault("this lab has no proxy: start it with --proxy")
    _network(lab.azure.door, words, 0.0)


def _network(proxy: ConnectionProxy, words: list[str], rtt_ms: float) -> None:
    (how,) = _words(words, 1)
    name, _, value = how.partition(":")
    if name == "slow" and value:
        proxy.pass_on(_number(value) / 1000)
    elif how == "reset":
        proxy.reset()
    elif how == "cut":
        proxy.cut()
    elif how == "silent":
        proxy.silence()
    elif how == "ok":
        proxy.pass_on(rtt_ms / 1000)
    else:
        raise BadFault(f"connections cannot be {how}")


def _round_trip(lab: Laboratory, words: list[str]) -> None:
    lab.move_away(_number(*_words(words, 1)))


def _webhook(lab: Laboratory, words: list[str]) -> None:
    action, *rest = words or [""]
    (whom,) = rest if len(rest) == 1 else ("",)
    namespace, _, name = whom.partition("/")
    if action == "allow" and not rest:
        lab.allow()
    elif action == "deny" and namespace and name:
        lab.deny(namespace, name)
    elif action == "delay" and namespace and name:
        lab.webhooks().delay(namespace, name)
    elif action == "mutate" and namespace and not name:
        lab.webhooks().mutate(namespace)
    elif action == "leave-open" and namespace and not name:
        lab.webhooks().leave_open(namespace)
    else:
        raise BadFault("deny or delay which Secret, mutate or leave open which namespace, or allow?")


def _cluster(lab: Laboratory, words: list[str]) -> None:
    lab.azure.patch_cluster(_object(*_words(words, 1)))


def _pool(lab: Laboratory, words: list[str]) -> None:
    name, text = _words(words, 2)
    try:
        lab.azure.patch_pool(name, _object(text))
    except KeyError:
        raise BadFault(f"there is no pool {name}") from None


def _resource(lab: Laboratory, words: list[str]) -> None:
    resource_id, text = _words(words, 2)
    lab.azure.patch_resource(resource_id, None if text == "null" else _object(text))


def _role(lab: Laboratory, words: list[str]) -> None:
    action, who, where, *role = words if len(words) > 2 else ["", "", ""]
    azure = lab.azure
    principals = {"cluster": azure.cluster_identity.object_id, "operator": azure.operator.object_id}
    places = {
        **{name: vault.resource_id for name, vault in azure.vaults.items()},
        "vault": azure.vault.resource_id,
        "group": azure.cluster()["id"].partition("/providers/")[0],
        "cluster": azure.cluster()["id"],
        "subscription": azure.cluster()["id"].partition("/resourceGroups/")[0],
    }
    scope = where if where.startswith("/") else places.get(where)
    if who not in principals or scope is None:
        raise BadFault("whose role, and where?")
    known = {one.name.lower(): one.id for one in BUILT_IN}
    role_id = known.get(" ".join(role).lower(), "")
    if action == "remove" and bool(role) == bool(role_id):
        azure.grants.revoke_within(principals[who], scope, role_id=role_id)
        return
    if action not in ("assign", "assign-now") or not role_id:
        raise BadFault("which of Azure's roles?")
    make = azure.grants.assign if action == "assign-now" else azure.grants.assign_long_ago
    make(principals[who], role_id, scope)


def _role_delay(lab: Laboratory, words: list[str]) -> None:
    lab.azure.grants.delay_seconds = _number(*_words(words, 1))


def _api_use(lab: Laboratory, words: list[str]) -> None:
    if words == ["none"]:
        lab.azure.obstacles.api_use.clear()
        return
    api, removed_in = _words(words, 2)
    if not re.fullmatch(r"\d+\.\d+", removed_in):
        raise BadFault(f"not a Kubernetes minor version: {removed_in}")
    lab.azure.obstacles.api_use.append(ApiUse(api, removed_in, time.time()))


def _event(lab: Laboratory, words: list[str]) -> None:
    who, operation, *where = words if len(words) in (2, 3) else _words(words, 2)
    scope = where[0] if where else lab.azure.cluster()["id"]
    lab.azure.activity.add(who, who, operation, scope, outcome="Succeeded")


def _offers(lab: Laboratory, words: list[str]) -> None:
    (text,) = _words(words, 1)
    try:
        lab.azure.offer(text.split(","))
    except ValueError as error:
        raise BadFault(str(error)) from None


def _fleet(lab: Laboratory, words: list[str]) -> None:
    subscriptions, clusters = map(_number, _words(words, 2))
    lab.azure.create_fleet(max(1, int(subscriptions)), int(clusters))


def _resource_graph(lab: Laboratory, words: list[str]) -> None:
    (fault,) = _words(words, 1)
    try:
        lab.azure.graph_fault(fault)
    except ValueError as error:
        raise BadFault(str(error)) from None


def _page_size(lab: Laboratory, words: list[str]) -> None:
    lab.azure.resources.page_size = max(1, int(_number(*_words(words, 1))))


def _object(text: str) -> dict[str, Any]:
    try:
        patch = json.loads(text)
    except ValueError as error:
        raise BadFault(f"not JSON: {error}") from None
    if not isinstance(patch, dict):
        raise BadFault("not a JSON object")
    return patch


def _words(words: list[str], count: int) -> list[str]:
    if len(words) != count:
        raise BadFault(f"takes {count} words after it, not {len(words)}")
    return words


def _index(lab: Laboratory, text: str) -> int:
    if not text.isdigit() or int(text) >= lab.host.replica_count:
        raise BadFault(f"there is no replica {text}: they are 0 to {lab.host.replica_count - 1}")
    return int(text)


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise BadFault(f"not a number: {text}") from None
    if not 0 <= number < 86_400_000:
        raise BadFault(f"out of range: {text}")
    return number


def _any_of(words: Iterable[enum.Enum]) -> str:
    return "|".join(str(word.value) for word in words)


FAULTS: dict[str, Fault] = {
    "replica": Fault("stop|start|restart|kill INDEX", "end, (re)start or SIGKILL one API server", _replica),
    "replica-config": Fault(
        "INDEX identity-first|kms-first", "restart one with another provider order", _replica_config
    ),
    "roll-seconds": Fault("S", "the pause between two replicas of a roll", _roll_seconds),
    "operation": Fault(
        f"{_any_of(Change)} {_any_of(OperationFault)}",
        "how Azure's next operation of that kind goes wrong",
        _operation,
    ),
    "release": Fault("", "let the operations that hang go on", _release),
    "key": Fault(
        "disabled|enabled|expired|unexpired|not-yet-valid|valid|deleted|recovered|ungranted|granted|no-encrypt|"
        "all-operations|ec|rsa|rotates|stays|rotated [[VAULT/]KEY]",
        "the vault's key, as a colleague would change it",
        _key,
    ),
    "cluster": Fault("JSON", "a JSON merge patch of the managed cluster, unknown to the plane", _cluster, words=1),
    "pool": Fault("NAME JSON", "a JSON merge patch of one node pool, unknown to the plane", _pool, words=2),
    "resource": Fault(
        "ID JSON|null",
        "a JSON merge patch of any other resource, or its end; ID as PROVIDER/TYPE/NAME within the group, or whole",
        _resource,
        words=2,
    ),
    "role": Fault(
        "assign|assign-now cluster|operator vault|lab-kv2|cluster|group|subscription|SCOPE ROLE | remove WHO WHERE "
        "[ROLE]",
        "a role by its name, in effect already or (-now) after the delay; or all roles at and below a scope taken away",
        _role,
    ),
    "role-delay": Fault("S", "how long after it was made a role assignment takes effect", _role_delay),
    "api-use": Fault("API REMOVED_IN | none", "AKS has just seen a deprecated Kubernetes API in use", _api_use),
    "event": Fault(
        "WHO OPERATION [ID]",
        "the activity log has a line more: somebody did, say, Microsoft.ContainerService/managedClusters/write",
        _event,
    ),
    "offers": Fault("V,V", "the versions that Azure offers from now on, as with up --offers", _offers),
    "page-size": Fault("N", "how many entries a list of Resource Manager shows at once", _page_size),
    "fleet": Fault(
        "SUBSCRIPTIONS CLUSTERS",
        "many clusters without API servers, in subscriptions of their own under the management group 'fleet'",
        _fleet,
    ),
    "resource-graph": Fault(
        f"{_any_of(GraphFault)}|QUERIES",
        "what Resource Graph answers, or how many queries it takes in 5 s",
        _resource_graph,
    ),
    "compact": Fault("", "compact etcd: older continue tokens become 410", _compact),
    "put-raw": Fault(
        "NAMESPACE/NAME [BASE64] | all",
        "put a stored value into etcd: these bytes, else what was there at the start",
        _put_raw,
    ),
    "vault-delay": Fault("MS", "every call to the vault takes so much longer", _vault_delay),
    "vault-limit": Fault(
        "N | ok", "the vault takes N encryptions and decryptions in ten seconds, and answers 429 to more", _vault_limit
    ),
    "token-seconds": Fault("S", "how long the tokens hold that are issued from now on", _token_seconds),
    "federated-tokens": Fault(
        "end",
        "those that a pipeline was given so far hold no longer, as when their minutes are over",
        _federated_tokens,
    ),
    "cluster-token-seconds": Fault(
        "S | ok", "tokens for the API servers end after S seconds, whatever they say", _cluster_token_seconds
    ),
    "connections": Fault(
        "slow:MS|reset|cut|silent|ok",
        "(with --proxy) round trip time, TCP resets, or nothing goes through to the API servers",
        _connections,
    ),
    "azure-connections": Fault(
        "slow:MS|reset|cut|silent|ok",
        "(with --proxy) the same between az and Azure's sign-in and Resource Manager",
        _azure_connections,
    ),
    "round-trip": Fault("MS", "toxiproxy before the API servers, for new connections (needs Go); 0: none", _round_trip),
    "webhook": Fault(
        "deny NAMESPACE/NAME | delay NAMESPACE/NAME | mutate NAMESPACE | leave-open NAMESPACE | allow",
        "an admission webhook refuses updates, answers too late, changes what is written, or takes no part in dry runs"
        " (all but the first: real)",
        _webhook,
    ),
}
