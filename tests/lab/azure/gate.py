"""What every request to Resource Manager passes before a resource provider sees it.

In Azure's order: token, api-version, subscription, authorization, resource group, locks, policies. What came
through and changed something goes into the activity log.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from tests.lab.azure.activity import Activity
from tests.lab.azure.grants import Grants
from tests.lab.azure.identity import Identity
from tests.lab.azure.locking import LOCKS, Locks
from tests.lab.azure.metadata import SUBSCRIPTION_ID, check_subscription, group_id
from tests.lab.azure.policies import Policies
from tests.lab.azure.refusal import ServiceError
from tests.lab.azure.resources import Resources, type_of
from tests.lab.azure.server import Request, Response, Router

Handler = Callable[..., Response]

_API_VERSION = re.compile(r"\d{4}-\d{2}-\d{2}(-[a-z]+)?", re.IGNORECASE)
_WRITES = ("PUT", "PATCH", "DELETE")
# POSTs that only ask: no lock is in their way, and a reader may send them.
_ASKING = re.compile(r"/(check[^/]*)$", re.IGNORECASE)


class Gate:
    """One for all services of Resource Manager."""

    def __init__(self, identity: Identity, resources: Resources, grants: Grants, locks: Locks) -> None:
        self._identity = identity
        self._resources = resources
        self._grants = grants
        self._locks = locks
        self.policies = Policies(resources)
        self.activity = Activity()

    def add(self, router: Router, method: str, template: str, handler: Handler, *, everywhere: bool = False) -> None:
        """A route whose handler gets the template's names, without ``subscription``.

        Other subscriptions than the lab's own have nothing of it, unless it is there ``everywhere``.
        """
        router.add(method, template, self._guarded(handler, everywhere))

    def _guarded(self, handler: Handler, everywhere: bool) -> Handler:
        def admitted(request: Request, **names: str) -> Response:
            claims = self._identity.arm_caller(request)
            check_api_version(request)
            scope, action = target_of(request.method, request.path)
            _, _, rest = request.path.lower().partition("/subscriptions/")
            subscription, _, rest = rest.partition("/")
            if subscription:
                check_subscription(self._resources, subscription)
            self._authorize(claims["appid"], claims["oid"], action, scope)
            if subscription not in ("", SUBSCRIPTION_ID) and not everywhere:
                raise _unregistered(action)
            group = rest.partition("resourcegroups/")[2].partition("/")[0]
            if group and self._resources.get(group_id(group, subscription)) is None:
                raise ServiceError(404, "ResourceGroupNotFound", f"Resource group '{group}' could not be found.")
            self._check_locks(request, scope)
            if request.method == "PUT":
                self.policies.check(scope, request.json())
            names.pop("subscription", None)
            changes = request.method in _WRITES or (request.method == "POST" and not _ASKING.search(request.path))
            try:
                response = handler(request, **names)
            except ServiceError as refusal:
                if changes:
                    self.activity.note(claims, request.method, action, scope, refusal.status)
                raise
            if changes:
                self.activity.note(claims, request.method, action, scope, response.status)
            return response

        return admitted

    def caller(self, request: Request) -> str:
        """The caller's object id."""
        return str(self._identity.arm_caller(request)["oid"])

    def _authorize(self, app: str, principal: str, action: str, scope: str) -> None:
        if not self._grants.allowed(principal, action, scope):
            raise ServiceError(
                403,
                "AuthorizationFailed",
                f"The client '{app}' with object id '{principal}' does not have authorization to perform action "
                f"'{action}' over scope '{scope}' or the scope is invalid. If access was recently granted, please "
                "refresh your credentials.",
            )

    def _check_locks(self, request: Request, scope: str) -> None:
        # Locks themselves can always be put and taken away.
        if type_of(scope).lower() == LOCKS.lower() or request.method == "GET" or _ASKING.search(request.path):
            return
        self._locks.check(scope, request.method)


def target_of(method: str, path: str) -> tuple[str, str]:
    """The scope of a request and the action that it needs: ``Microsoft.KeyVault/vaults/write``.

    The path of a list ends with a type, that of a resource with a name, that of a POST with an action's name.
    """
    scope = "/" + path.strip("/")
    verbs = {"GET": "read", "PUT": "write", "PATCH": "write", "DELETE": "delete"}
    before, found, rest = scope.rpartition("/providers/")
    if not found:
        places = {2: "subscriptions", 4: "subscriptions/resourceGroups"}
        segments = scope.strip("/").split("/")
        kind = places.get(len(segments) - len(segments) % 2, "subscriptions")
        if len(segments) % 2:
            kind, scope = f"subscriptions/{segments[-1]}", scope.rpartition("/")[0]
        return scope, f"Microsoft.Resources/{kind}/{verbs.get(method, 'action')}"
    namespace, *segments = rest.split("/")
    if method == "POST":
        kind = "/".join([namespace, *segments[:-1:2], segments[-1]] if len(segments) > 1 else [namespace, *segments])
        return scope.rpartition("/")[0], f"{kind}/{'read' if _ASKING.search(path) else 'action'}"
    kind = "/".join([namespace, *segments[::2]])
    if len(segments) % 2:
        scope = before + (f"/providers/{'/'.join([namespace, *segments[:-1]])}" if len(segments) > 1 else "")
    return scope or f"/subscriptions/{SUBSCRIPTION_ID}", f"{kind}/{verbs[method]}"


def check_api_version(request: Request) -> str:
    """The api-version that was asked for. Raises Resource Manager's own refusals."""
    version = request.query.get("api-version")
    if not version:
        message = "The api-version query parameter (?api-version=) is required for all requests."
        raise ServiceError(400, "MissingApiVersionParameter", message)
    if not _API_VERSION.fullmatch(version):
        raise ServiceError(400, "InvalidApiVersionParameter", f"The api-version '{version}' is invalid.")
    return version


def _unregistered(action: str) -> ServiceError:
    message = (
        f"The subscription is not registered to use namespace '{action.partition('/')[0]}'. See "
        "https://aka.ms/rps-not-found for how to register subscriptions."
    )
    return ServiceError(409, "MissingSubscriptionRegistration", message)
