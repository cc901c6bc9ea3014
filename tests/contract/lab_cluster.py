"""The local Azure's cluster as a run of the command sees it: looked at, judged, and disturbed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from azure.mgmt.containerservice import ContainerServiceClient

from azext_kmsmigrate.arm.cluster import ArmCluster
from azext_kmsmigrate.arm.key_inspector import KeyInspector
from azext_kmsmigrate.arm.resource_manager import ResourceManager, Resources
from azext_kmsmigrate.arm.surroundings_inspector import SurroundingsInspector
from azext_kmsmigrate.arm.vault_data import VaultData
from azext_kmsmigrate.checks import grant, identity, key, lock, management, network, policy, rights, vault
from azext_kmsmigrate.checks.check import Check
from azext_kmsmigrate.checks.scene import Scene
from azext_kmsmigrate.checks.suite import CheckResult, judged
from azext_kmsmigrate.clock import SystemClock
from azext_kmsmigrate.migration.facts import ClusterName, NetworkAccess
from azext_kmsmigrate.migration.plan import Goal, Situation, decide
from azext_kmsmigrate.ports import Question
from azext_kmsmigrate.survey import Survey
from tests.lab.azure.identity import TENANT_ID, VAULT_AUDIENCE
from tests.lab.azure.local import LocalAzure
from tests.lab.azure.metadata import SUBSCRIPTION_ID
from tests.lab.azure.roles import BUILT_IN
from tests.unit.lab.azure.conftest import Lab

FILES = (grant, identity, key, lock, management, network, policy, rights, vault)
CHECKS: dict[str, Check] = {check.id: check for file in FILES for check in file.CHECKS}
AUTHORIZATION = "providers/Microsoft.Authorization"
SUBSCRIPTION = f"/subscriptions/{SUBSCRIPTION_ID}"
GROUP = f"{SUBSCRIPTION}/resourceGroups/lab"
NETWORK = f"{GROUP}/providers/Microsoft.Network"
ROLES = {role.name: role.id for role in BUILT_IN}
DAY = 86_400


class _SignIn:
    """The operator's token for Resource Manager, as az's authentication policy would add it."""

    def __init__(self, lab: Lab) -> None:
        self._token = lab.token()

    def on_request(self, request: Any) -> None:
        request.http_request.headers["Authorization"] = f"Bearer {self._token}"


@dataclass
class Cluster:
    """The lab's cluster as a run sees it. The new key is ``kms-new`` of the same vault."""

    lab: Lab
    access: NetworkAccess = NetworkAccess.PUBLIC

    @property
    def azure(self) -> LocalAzure:
        return self.lab.azure

    @property
    def vault_id(self) -> str:
        return self.azure.vault.resource_id

    @property
    def principal(self) -> str:
        return self.azure.cluster_identity.object_id

    def client(self) -> ResourceManager:
        from azure.core.pipeline.policies import CustomHookPolicy

        sign_in = CustomHookPolicy(raw_request_hook=_SignIn(self.lab).on_request)
        return ResourceManager(
            None,
            SUBSCRIPTION_ID,
            self.azure.url,
            authentication_policy=sign_in,
            connection_verify=self.lab.ca_bundle,
        )

    def resources(self) -> Resources:
        return self.client().of(self.name())

    def name(self) -> ClusterName:
        return ClusterName("demo", "lab", SUBSCRIPTION_ID, self.azure.cluster()["id"])

    def scene(self, goal: Goal | None = None, checks: Iterable[Check] = tuple(CHECKS.values())) -> Scene:
        client = self.lab.sdk()
        assert isinstance(client, ContainerServiceClient)
        arm = ArmCluster(client, self.name(), SystemClock())
        cluster = arm.observe()
        situation = Situation(cluster, arm.offers())
        private = self.access is NetworkAccess.PRIVATE
        goal = goal or Goal("", self.azure.key_id("kms-new"), self.access, self.vault_id if private else "")
        plan = decide(situation, goal)
        data = VaultData(lambda: self.lab.token(VAULT_AUDIENCE), connection_verify=self.lab.ca_bundle)
        resources = self.resources()
        survey = Survey((KeyInspector(resources, data, "vault.azure.net"), SurroundingsInspector(resources)))
        topics = [topic for check in checks for topic in check.reads]
        seen = survey.look(topics, Question(cluster, cluster.kms, plan.target_kms), lambda text: None)
        return Scene(situation, goal, plan, datetime.now(timezone.utc), seen)

    def judged(self, goal: Goal | None = None) -> dict[str, CheckResult]:
        return {result.check.id: result for result in judged(CHECKS.values(), self.scene(goal))}

    def judge(self, id_: str, goal: Goal | None = None) -> CheckResult:
        """One check, with a look at what it alone reads."""
        return judged([CHECKS[id_]], self.scene(goal, [CHECKS[id_]]))[0]

    # ways to disturb it

    def tag(self, name: str, value: str) -> None:
        self.azure.patch_cluster({"tags": {name: value}})

    def vault(self, **properties: Any) -> None:
        self.azure.vault.change(**properties)

    def lock(self, scope: str, level: str) -> None:
        self.azure.patch_resource(f"{scope}/{AUTHORIZATION}/locks/keep", {"properties": {"level": level}})

    def nodes(self) -> str:
        return f"{SUBSCRIPTION}/resourceGroups/{self.azure.cluster()['properties']['nodeResourceGroup']}"

    def only(self, role: str, *, new: bool = False) -> None:
        """The identity has this role on the vault, and no other."""
        self.azure.grants.revoke_within(self.principal, SUBSCRIPTION)
        make = self.azure.grants.assign if new else self.azure.grants.assign_long_ago
        make(self.principal, ROLES[role], self.vault_id)

    def policy_vault(self, *permissions: str) -> None:
        policies = [{"tenantId": TENANT_ID, "objectId": self.principal, "permissions": {"keys": list(permissions)}}]
        self.vault(enableRbacAuthorization=False, accessPolicies=policies if permissions else [])

    def deny_policy(self, scope: str, rule: dict[str, Any]) -> None:
        definition = f"{SUBSCRIPTION}/{AUTHORIZATION}/policyDefinitions/no"
        document = {"policyRule": {"if": rule, "then": {"effect": "deny"}}}
        self.azure.patch_resource(definition, {"properties": document})
        assignment = f"{scope}/{AUTHORIZATION}/policyAssignments/no-kms"
        self.azure.patch_resource(assignment, {"properties": {"policyDefinitionId": definition}})

    def nsg_rule(self, **properties: Any) -> None:
        rule = {
            "name": "closed",
            "properties": {
                "priority": 200,
                "direction": "Outbound",
                "access": "Deny",
                "protocol": "Tcp",
                "sourceAddressPrefix": "*",
                "sourcePortRange": "*",
                "destinationAddressPrefix": "VirtualNetwork",
                "destinationPortRange": "443",
                **properties,
            },
        }
        (group,) = self.azure.resources.listed("Microsoft.Network/networkSecurityGroups")
        self.azure.patch_resource(group["id"], {"properties": {"securityRules": [rule]}})


class HurriedClock(SystemClock):
    """Time in which the waiting takes none. ``meanwhile`` is called at each second that is waited."""

    def __init__(self, meanwhile: Callable[[float], None]) -> None:
        self._waited, self._meanwhile = 0.0, meanwhile

    def monotonic(self) -> float:
        return self._waited

    def sleep(self, seconds: float) -> None:
        self._waited += seconds
        self._meanwhile(self._waited)
