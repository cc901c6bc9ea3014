"""Azure Policy: assignments of deny rules, what they refuse, and what they say beforehand.

Stored as Azure stores them, ``policyAssignments`` and ``policyDefinitions``; of the rule language the lab
knows ``field`` with ``equals``, ``notEquals``, ``exists``, ``in``, ``notIn`` and ``like``, and ``allOf``,
``anyOf`` and ``not``.
"""

from __future__ import annotations

import fnmatch
import json
from typing import Any

from tests.lab.azure.refusal import ServiceError
from tests.lab.azure.resources import Json, Resources, type_of, within

ASSIGNMENTS = "Microsoft.Authorization/policyAssignments"


class Policies:
    """The deny policies of the subscription."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources

    def denials(self, resource_id: str, content: Json) -> list[tuple[Json, Json]]:
        """The assignments whose rule denies this content, each with its definition."""
        found = []
        for assignment in self._resources.listed(ASSIGNMENTS):
            scope = str(assignment["id"]).rpartition(f"/providers/{ASSIGNMENTS}/")[0]
            excluded = assignment["properties"].get("notScopes") or []
            if not within(resource_id, scope) or any(within(resource_id, one) for one in excluded):
                continue
            definition = self._resources.get(assignment["properties"]["policyDefinitionId"])
            if definition is None or assignment["properties"].get("enforcementMode") == "DoNotEnforce":
                continue
            rule = definition["properties"]["policyRule"]
            view = {"type": type_of(resource_id), "name": resource_id.rpartition("/")[2], **content}
            if str(rule["then"]["effect"]).lower() == "deny" and applies(rule["if"], view):
                found.append((assignment, definition))
        return found

    def check(self, resource_id: str, content: Json) -> None:
        """Raise ``RequestDisallowedByPolicy`` when a rule denies a PUT."""
        denied = self.denials(resource_id, content)
        if not denied:
            return
        identifiers = [
            {
                "policyAssignment": {"name": _title(assignment), "id": assignment["id"]},
                "policyDefinition": {"name": _title(definition), "id": definition["id"], "version": "1.0.0"},
            }
            for assignment, definition in denied
        ]
        name = resource_id.rpartition("/")[2]
        raise PolicyError(
            403,
            "RequestDisallowedByPolicy",
            f"Resource '{name}' was disallowed by policy. Policy identifiers: '{json.dumps(identifiers)}'.",
            target=name,
            identifiers=identifiers,
        )


class PolicyError(ServiceError):
    """A refusal that also names the policies in ``additionalInfo``."""

    def __init__(self, status: int, code: str, message: str, *, target: str, identifiers: list[Json]) -> None:
        super().__init__(status, code, message)
        self._target = target
        self._identifiers = identifiers

    def body(self) -> dict[str, Any]:
        infos = [
            {
                "type": "PolicyViolation",
                "info": {
                    "policyAssignmentId": one["policyAssignment"]["id"],
                    "policyAssignmentName": one["policyAssignment"]["id"].rpartition("/")[2],
                    "policyAssignmentDisplayName": one["policyAssignment"]["name"],
                    "policyDefinitionId": one["policyDefinition"]["id"],
                    "policyDefinitionDisplayName": one["policyDefinition"]["name"],
                    "policyDefinitionEffect": "deny",
                },
            }
            for one in self._identifiers
        ]
        error = {"code": self.code, "target": self._target, "message": self.message, "additionalInfo": infos}
        return {"error": error}


def applies(condition: Json, content: Json) -> bool:
    """Whether a rule's ``if`` holds for a resource's content."""
    if "allOf" in condition:
        return all(applies(one, content) for one in condition["allOf"])
    if "anyOf" in condition:
        return any(applies(one, content) for one in condition["anyOf"])
    if "not" in condition:
        return not applies(condition["not"], content)
    value = _field(str(condition["field"]), content)
    text = str(value).lower()
    if "exists" in condition:
        return (value is not None) == (str(condition["exists"]).lower() == "true")
    if "equals" in condition:
        return text == str(condition["equals"]).lower()
    if "notEquals" in condition:
        return text != str(condition["notEquals"]).lower()
    if "in" in condition:
        return text in [str(one).lower() for one in condition["in"]]
    if "notIn" in condition:
        return text not in [str(one).lower() for one in condition["notIn"]]
    return fnmatch.fnmatchcase(text, str(condition["like"]).lower())


def _field(name: str, content: Json) -> Any:
    """``type``, ``location``, ``tags.x``, or an alias: ``Microsoft.X/y/a.b`` is ``properties.a.b``."""
    if "/" in name:
        path = ["properties", *name.rpartition("/")[2].split(".")]
    else:
        path = name.replace("['", ".").replace("']", "").split(".")
    value: Any = content
    for part in path:
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _title(document: Json) -> str:
    return str(document["properties"].get("displayName") or document["name"])
