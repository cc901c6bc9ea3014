"""``Microsoft.PolicyInsights``: what the policies would say to a resource, before it is put."""

from __future__ import annotations

from tests.lab.azure.gate import Gate
from tests.lab.azure.metadata import SUBSCRIPTION_ID
from tests.lab.azure.policies import ASSIGNMENTS
from tests.lab.azure.refusal import ServiceError
from tests.lab.azure.resources import Json, Resources
from tests.lab.azure.server import Request, Response, Router

_CHECK = "providers/Microsoft.PolicyInsights/checkPolicyRestrictions"


class PolicyInsights:
    """The check at the scope of the subscription or of a group, and the list of assignments."""

    def __init__(self, resources: Resources, gate: Gate) -> None:
        self._resources = resources
        self._gate = gate

    def add_routes(self, router: Router) -> None:
        subscription = "/subscriptions/{subscription}"
        self._gate.add(router, "POST", f"{subscription}/{_CHECK}", self._check)
        self._gate.add(router, "POST", f"{subscription}/resourceGroups/{{group}}/{_CHECK}", self._check)
        self._gate.add(router, "GET", f"/{{scope*}}/providers/{ASSIGNMENTS}", self._assignments)

    def _check(self, request: Request, group: str = "") -> Response:
        details: Json = request.json().get("resourceDetails") or {}
        content: Json = details.get("resourceContent") or {}
        if not content:
            raise ServiceError(400, "InvalidRequestContent", "The 'resourceDetails.resourceContent' is required.")
        scope = f"/subscriptions/{SUBSCRIPTION_ID}" + (f"/resourceGroups/{group}" if group else "")
        resource_id = f"{details.get('scope') or scope}/providers/{content.get('type')}/{content.get('name', '')}"
        evaluations = [
            {
                "policyInfo": {
                    "policyDefinitionId": definition["id"],
                    "policyAssignmentId": assignment["id"],
                },
                "evaluationResult": "NonCompliant",
                "effectDetails": {"policyEffect": "Deny"},
            }
            for assignment, definition in self._gate.policies.denials(resource_id, content)
        ]
        return Response(200, {"fieldRestrictions": [], "contentEvaluationResult": {"policyEvaluations": evaluations}})

    def _assignments(self, request: Request, scope: str) -> Response:
        return self._resources.page(request, self._resources.listed(ASSIGNMENTS))
