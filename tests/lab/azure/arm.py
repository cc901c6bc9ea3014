"""Resource Manager's routes for AKS: read the model, decide a change by the rules, start an operation."""

from __future__ import annotations

import base64
import copy
from collections.abc import Callable
from typing import Any

from tests.lab.azure import cluster as model
from tests.lab.azure import kubeconfig, rules, upgrades
from tests.lab.azure.cluster import Json, Kms
from tests.lab.azure.faults import Fault, Faults
from tests.lab.azure.gate import Gate
from tests.lab.azure.metadata import LOCATION, RESOURCE_GROUP, SUBSCRIPTION_ID, group_id
from tests.lab.azure.obstacles import Obstacles
from tests.lab.azure.operations import ClusterOperations, Operation
from tests.lab.azure.refusal import AksError, ServiceError, bad_request, not_allowed, resource_not_found
from tests.lab.azure.resources import Resources, within
from tests.lab.azure.server import Request, Response, Router
from tests.lab.azure.versions import Offers
from tests.lab.model import Endpoint

_KIND = "Microsoft.ContainerService/managedClusters"
_PROVIDER = "/subscriptions/{subscription}/providers/Microsoft.ContainerService"
_GROUP = "/subscriptions/{subscription}/resourceGroups/{group}/providers"
_CLUSTERS = f"{_GROUP}/Microsoft.ContainerService/managedClusters"
_CLUSTER = f"{_CLUSTERS}/{{name}}"
_POOL = f"{_CLUSTER}/agentPools/{{pool}}"
# Zero would mean "30 seconds" to the SDK; AKS itself says 10 or more.
_RETRY_AFTER = "0.2"


class AksResources:
    """The AKS resource provider of one cluster; others, kept among the resources, can be looked at and no more.

    ``base_url`` is a call: the port is known late.
    """

    def __init__(
        self,
        operations: ClusterOperations,
        resources: Resources,
        offers: Offers,
        faults: Faults,
        gate: Gate,
        obstacles: Obstacles,
        key_usable: Callable[[str], bool],
        base_url: Callable[[], str],
    ) -> None:
        self._operations = operations
        self._resources = resources
        self._offers = offers
        self._faults = faults
        self._gate = gate
        self._obstacles = obstacles
        self._key_usable = key_usable
        self._base_url = base_url

    def offer(self, offers: Offers) -> None:
        """From now on these are offered, and no others."""
        with self._operations.lock:
            self._offers = offers

    def add_routes(self, router: Router) -> None:
        routes: list[tuple[str, str, Callable[..., Response]]] = [
            ("PUT", _CLUSTER, self._put),
            ("PATCH", _CLUSTER, self._patch_tags),
            ("POST", f"{_CLUSTER}/start", self._start),
            ("GET", f"{_CLUSTER}/upgradeProfiles/default", self._upgrade_profile),
            ("POST", f"{_CLUSTER}/listClusterUserCredential", self._user_credential),
            ("POST", f"{_CLUSTER}/listClusterAdminCredential", self._admin_credential),
            ("GET", f"{_CLUSTER}/agentPools", self._list_pools),
            ("GET", _POOL, self._get_pool),
            ("PUT", _POOL, self._put_pool),
            ("GET", f"{_POOL}/upgradeProfiles/default", self._pool_upgrade_profile),
            ("GET", f"{_CLUSTER}/operations/latest", self._latest_operation),
            ("GET", f"{_PROVIDER}/locations/{{location}}/kubernetesVersions", self._location_versions),
            ("GET", f"{_PROVIDER}/locations/{{location}}/operations/{{operation}}", self._operation),
        ]
        for template, handler in ((f"{_PROVIDER}/managedClusters", self._list), (_CLUSTERS, self._list)):
            self._gate.add(router, "GET", template, handler, everywhere=True)
        self._gate.add(router, "GET", _CLUSTER, self._get, everywhere=True)
        for method, template, handler in routes:
            self._gate.add(router, method, template, self._admitted(handler))

    def _admitted(self, handler: Callable[..., Response]) -> Callable[..., Response]:
        """What a request must pass before its handler, after the gate: there is this cluster, and this pool."""

        def admitted(request: Request, group: str = "", **names: str) -> Response:
            with self._operations.lock:
                name = names.pop("name", "")
                if name and (name.lower(), group.lower()) != (self._cluster["name"].lower(), RESOURCE_GROUP):
                    if request.method == "PUT" and not names:
                        raise bad_request("This Azure has one cluster and does not create others.")
                    raise resource_not_found(_KIND, name, group)
                pool = names.get("pool")
                if pool is not None and pool not in [p["name"] for p in model.pools(self._cluster)]:
                    if request.method == "PUT":
                        raise bad_request("This Azure does not create agent pools.")
                    kind = f"Microsoft.ContainerService/managedClusters/{name}/agentPools"
                    raise resource_not_found(kind, pool, group)
                return handler(request, **names)

        return admitted

    @property
    def _cluster(self) -> Json:
        return self._operations.document

    def _list(self, request: Request, group: str = "") -> Response:
        """Those of the subscription, or of the group in it."""
        subscription = request.path.split("/")[2]
        scope = group_id(group, subscription) if group else f"/subscriptions/{subscription}"
        with self._operations.lock:
            own = copy.deepcopy(self._cluster)
        found = [one for one in (own, *self._resources.view(_KIND)) if within(one["id"], scope)]
        return self._resources.page(request, found)

    def _get(self, request: Request, group: str, name: str) -> Response:
        wanted = f"{group_id(group, request.path.split('/')[2])}/providers/{_KIND}/{name}"
        with self._operations.lock:
            own = copy.deepcopy(self._cluster)
        found = own if within(own["id"], wanted) else self._resources.get(wanted)
        if found is None:
            raise resource_not_found(_KIND, name, group)
        return Response(200, found)

    def _put(self, request: Request) -> Response:
        body = request.json()
        rules.check_no_operation(self._cluster, self._operations.running)
        _check_etag(request, self._cluster)
        accepted = rules.decide_cluster_put(self._cluster, body, self._surroundings(request, body))
        operation = self._begin(accepted)
        return Response(200, copy.deepcopy(self._cluster), self._polling(request, operation))

    def _begin(self, accepted: rules.Accepted, pool: str = "") -> Operation:
        fault = self._faults.take(accepted.change, answer=True)
        if fault is not None:
            raise _answered(fault)
        return self._operations.begin(accepted, pool)

    def _surroundings(self, request: Request, body: Json) -> rules.Surroundings:
        security = (body.get("properties") or {}).get("securityProfile") or {}
        key = (security.get("azureKeyVaultKms") or {}).get("keyId") or Kms.of(self._cluster).key_id
        obstacles = self._obstacles
        return rules.Surroundings(
            self._offers,
            key_usable=self._key_usable(key),
            api_version=request.query["api-version"],
            node_group_locks=obstacles.locks_of_node_group(self._cluster),
            missing_identity=obstacles.missing_identity(self._cluster),
            budgets=obstacles.budgets,
            api_use=tuple(obstacles.api_use),
        )

    def _patch_tags(self, request: Request) -> Response:
        body = request.json()
        if set(body) - {"tags"}:
            raise bad_request("PATCH of a managed cluster changes its tags only.")
        rules.check_no_operation(self._cluster, self._operations.running)
        _check_etag(request, self._cluster)
        self._operations.patch({"tags": None})
        return Response(200, copy.deepcopy(self._operations.patch({"tags": body.get("tags") or {}})))

    def _start(self, request: Request) -> Response:
        rules.check_no_operation(self._cluster, self._operations.running)
        if self._cluster["properties"]["powerState"]["code"] == "Running":
            raise not_allowed(
                "managed cluster is in Provisioning State"
                f"({self._cluster['properties']['provisioningState']}) and Power State(Running), "
                "starting cannot be performed"
            )
        self._operations.patch({"properties": {"powerState": {"code": "Running"}}})
        accepted = rules.Accepted(self._cluster, rules.Change.RECONCILE)
        operation = self._operations.begin(accepted)
        url = self._polling(request, operation)["Azure-AsyncOperation"]
        # On a 202 the SDK reads Retry-After as a whole number; milliseconds have a header of their own.
        headers = {"Azure-AsyncOperation": url, "Location": url, "x-ms-retry-after-ms": "200"}
        return Response(202, None, headers)

    def _upgrade_profile(self, request: Request) -> Response:
        return Response(200, upgrades.cluster_profile(self._cluster, self._offers))

    def _user_credential(self, request: Request) -> Response:
        name = self._cluster["name"]
        endpoint, user = self._endpoint(), f"clusterUser_lab_{name}"
        if not self._cluster["properties"].get("aadProfile"):
            return _credential("clusterUser", kubeconfig.with_certificate(endpoint, name, user))
        form = request.query.get("format", "").lower() or "exec"
        if form not in ("exec", "azure"):
            raise bad_request(f"Format {form} is not supported. Supported formats: azure, exec.")
        render = kubeconfig.with_kubelogin if form == "exec" else kubeconfig.with_azure_provider
        return _credential("clusterUser", render(endpoint, name, user))

    def _admin_credential(self, request: Request) -> Response:
        if self._cluster["properties"].get("disableLocalAccounts"):
            raise bad_request(
                "Getting static credential is not allowed because this cluster is set to disable local accounts."
            )
        name = self._cluster["name"]
        text = kubeconfig.with_certificate(self._endpoint(), name, f"clusterAdmin_lab_{name}")
        return _credential("clusterAdmin", text)

    def _endpoint(self) -> Endpoint:
        properties = self._cluster["properties"]
        if self._operations.plane is None or properties["powerState"]["code"] != "Running":
            # Ours: a cluster that does not run has no API server to hand out credentials for.
            raise not_allowed("Getting credentials is not allowed because the cluster is not running.")
        return self._operations.plane.endpoint()

    def _list_pools(self, request: Request) -> Response:
        names = [pool["name"] for pool in model.pools(self._cluster)]
        return Response(200, {"value": [model.pool_resource(self._cluster, name) for name in names]})

    def _get_pool(self, request: Request, pool: str) -> Response:
        return Response(200, model.pool_resource(self._cluster, pool))

    def _put_pool(self, request: Request, pool: str) -> Response:
        body = request.json()
        rules.check_no_operation(self._cluster, self._operations.running)
        _check_etag(request, model.pool_resource(self._cluster, pool))
        accepted = rules.decide_pool_put(self._cluster, pool, body, self._surroundings(request, {}))
        operation = self._begin(accepted, pool)
        return Response(200, model.pool_resource(self._cluster, pool), self._polling(request, operation))

    def _pool_upgrade_profile(self, request: Request, pool: str) -> Response:
        return Response(200, upgrades.pool_profile(self._cluster, pool, self._offers))

    def _location_versions(self, request: Request, location: str) -> Response:
        if location.lower() != LOCATION:
            message = f"The provided location '{location}' is not available for resource type."
            raise ServiceError(400, "LocationNotAvailableForResourceType", message)
        return Response(200, upgrades.location_versions(self._offers))

    def _operation(self, request: Request, location: str, operation: str) -> Response:
        found = self._operations.find(operation)
        if found is None:
            raise ServiceError(404, "NotFound", f"The entity was not found: operation {operation}.")
        headers = {} if found.ended else {"Retry-After": _RETRY_AFTER}
        return Response(200, found.as_status(), headers)

    def _latest_operation(self, request: Request) -> Response:
        """In preview api-versions only."""
        if not request.query["api-version"].lower().endswith("-preview"):
            kind = "managedClusters/operations"
            message = (
                f"The resource type '{kind}' could not be found in the namespace 'Microsoft.ContainerService' for api "
                f"version '{request.query['api-version']}'."
            )
            raise ServiceError(404, "InvalidResourceType", message)
        latest = self._operations.latest()
        if latest is None:
            raise ServiceError(404, "NotFound", "The operation could not be found.")
        return Response(200, {"id": f"{self._cluster['id']}/operations/{latest.id}", **latest.as_status()})

    def _polling(self, request: Request, operation: Operation) -> dict[str, str]:
        version = request.query["api-version"]
        path = f"/subscriptions/{SUBSCRIPTION_ID}/providers/Microsoft.ContainerService/locations/{LOCATION}"
        url = f"{self._base_url()}{path}/operations/{operation.id}?api-version={version}"
        return {"Azure-AsyncOperation": url, "Retry-After": _RETRY_AFTER}


def _check_etag(request: Request, resource: Json) -> None:
    rules.check_etag(resource, request.headers.get("If-Match"), request.headers.get("If-None-Match"))


def _answered(fault: Fault) -> AksError:
    """The refusal that a fault puts in place of an accepted PUT's answer."""
    if fault is Fault.HTTP_429:
        message = (
            "The PutManagedClusterHandler.PUT request limit has been exceeded, please retry again in "
            "1 seconds. For more information, please see aka.ms/aks/throttling"
        )
        return AksError(429, "Throttled", message, {"Retry-After": "1"})
    if fault is Fault.HTTP_500:
        return AksError(500, "InternalOperationError", "Internal server error")
    return rules.operation_in_progress("Updating")


def _credential(name: str, text: str) -> Response:
    value: dict[str, Any] = {"name": name, "value": base64.b64encode(text.encode()).decode()}
    return Response(200, {"kubeconfigs": [value]})
