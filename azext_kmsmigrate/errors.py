"""Every failure that a user can meet: the tree, then the catalogue.

    KmsMigrateError      carries one catalogue entry and the values of its texts
      Refused            the observed state does not allow it; this call changed nothing
      AzureError         Azure said no, or an operation of Azure ended badly
        Conflict         somebody else changed the cluster, or is changing it (409, 412): look again
      ClusterError       the Kubernetes API server said no, or cannot be reached
      Lost               this runner no longer holds the Lease: it must not write again

An entry says what happened, why it matters and what to type. Texts never hold a server's raw answer: answers may
quote Secret data, so adapters reduce them to codes and names before an error is made.

This module imports neither az nor anything of ours; ``wiring`` turns a kind into az's error class.
"""

from __future__ import annotations

import enum
import shlex
import string
from collections.abc import Mapping
from dataclasses import dataclass


class Kind(enum.Enum):
    """What an entry is to az: decides the azclierror class, and with it az's exit code."""

    NOT_FOUND = "not-found"
    VALIDATION = "validation"
    ARGUMENT = "argument"
    MISSING_ARGUMENT = "missing-argument"
    AUTHENTICATION = "authentication"
    FORBIDDEN = "forbidden"
    AZURE = "azure"
    CONNECTION = "connection"
    CLUSTER = "cluster"
    CANCELLED = "cancelled"
    INTERNAL = "internal"


@dataclass(frozen=True)
class Entry:
    """One failure. ``what``, ``why`` and ``fix`` are format strings over the same named values."""

    code: str
    name: str
    kind: Kind
    what: str
    why: str
    fix: str

    def __post_init__(self) -> None:
        if not (self.code.startswith("KMSM") and self.code[4:].isdigit() and len(self.code) == 7):
            raise ValueError(f"{self.code}: a code is KMSM and three digits")
        if not all((self.name, self.what, self.why, self.fix)):
            raise ValueError(f"{self.code}: every text is needed")

    @property
    def fields(self) -> frozenset[str]:
        """The names of the values its texts need."""
        texts = (self.what, self.why, self.fix)
        return frozenset(f for text in texts for _, f, _, _ in string.Formatter().parse(text) if f)


class KmsMigrateError(Exception):
    """A catalogue entry with its values. ``str()`` is one line: code, what, why."""

    def __init__(self, entry: Entry, **values: object) -> None:
        if {"group", "name"} <= values.keys():
            values = cluster_words(str(values["group"]), str(values["name"])) | values
        missing = entry.fields - values.keys()
        if missing:
            raise TypeError(f"{entry.code} needs {', '.join(sorted(missing))}")
        self.entry = entry
        self.values = values
        super().__init__(f"{entry.code}: {self.what} {self.why}")

    @property
    def what(self) -> str:
        return self.entry.what.format(**self.values)

    @property
    def why(self) -> str:
        return self.entry.why.format(**self.values)

    @property
    def fix(self) -> str:
        return self.entry.fix.format(**self.values | _typed(self.values))


def cluster_words(group: str, name: str, subscription: str = "") -> dict[str, str]:
    """A cluster as texts name it, and as options ready to paste: quoted for a shell.

    ``subscription``: where the command to type has to name it, else empty.
    """
    within = f"-g {shlex.quote(group)}"
    chosen = f" --subscription {shlex.quote(subscription)}" if subscription else ""
    return {
        "name": name,
        "group": group,
        "options": f"{within} -n {shlex.quote(name)}{chosen}",
        "pool_options": f"{within} --cluster-name {shlex.quote(name)}{chosen}",
        "group_options": f"{within}{chosen}",
    }


def _typed(values: Mapping[str, object]) -> dict[str, str]:
    """A file's name as it is typed."""
    return {"path": shlex.quote(str(values["path"]))} if "path" in values else {}


class Refused(KmsMigrateError):
    """The observed state does not allow it; this call changed nothing."""


class AzureError(KmsMigrateError):
    """Azure said no, or an operation of Azure ended badly."""


class Conflict(AzureError):
    """Somebody else changed the cluster or is changing it: observe again before deciding."""


class ClusterError(KmsMigrateError):
    """The Kubernetes API server said no, or cannot be reached."""


class Lost(KmsMigrateError):
    """This runner no longer holds the Lease."""


_ENTRIES: dict[str, Entry] = {}


def _entry(code: str, name: str, kind: Kind, what: str, why: str, fix: str) -> Entry:
    if code in _ENTRIES or any(e.name == name for e in _ENTRIES.values()):
        raise ValueError(f"{code} {name}: used twice")
    _ENTRIES[code] = Entry(code, name, kind, what, why, fix)
    return _ENTRIES[code]


def catalogue() -> tuple[Entry, ...]:
    """All entries, in the order of their codes."""
    return tuple(_ENTRIES[code] for code in sorted(_ENTRIES))


# 1xx: the state of the cluster

CLUSTER_NOT_FOUND = _entry(
    "KMSM101",
    "cluster-not-found",
    Kind.NOT_FOUND,
    "There is no AKS cluster '{name}' in resource group '{group}' of subscription '{subscription}'.",
    "Nothing was changed.",
    "Look for it with: az aks list -o table. Another subscription: add --subscription.",
)
KEY_UNKNOWN = _entry(
    "KMSM102",
    "key-unknown",
    Kind.MISSING_ARGUMENT,
    "KMS is off on cluster '{name}', and neither the cluster nor a journal of an earlier run names a key.",
    "The last step turns KMS on with a key: which one has to be known before anything is changed.",
    "Name the key: az aks kms-migrate start {options} --key-id "
    "https://VAULT.vault.azure.net/keys/KEY/VERSION --key-vault-access Public",
)
CLUSTER_STOPPED = _entry(
    "KMSM103",
    "cluster-stopped",
    Kind.VALIDATION,
    "Cluster '{name}' is {power}, not running.",
    "A stopped cluster has no API server, so no Secret can be rewritten.",
    "Start it: az aks start {options}. Then type this command again.",
)
CLUSTER_BUSY = _entry(
    "KMSM104",
    "cluster-busy",
    Kind.VALIDATION,
    "Cluster '{name}' is in the middle of another operation ('{operation}').",
    "Azure does one operation at a time on a cluster, and a change of somebody else's may change the plan.",
    "Wait until it ends: az aks wait {options} --updated. Then type this command again.",
)
CLUSTER_FAILED = _entry(
    "KMSM105",
    "cluster-failed",
    Kind.VALIDATION,
    "The last operation on cluster '{name}' failed: its provisioning state is '{operation}'.",
    "That operation was not one of this migration, so what it left behind is not known.",
    "Bring the cluster to 'Succeeded' first, by repairing it and reconciling: az aks update {options}",
)
NO_UPGRADE_PATH = _entry(
    "KMSM107",
    "no-upgrade-path",
    Kind.VALIDATION,
    "Azure offers cluster '{name}' (Kubernetes {version}) no upgrade that leads to {target}; it offers: {offered}.",
    "KMS v2 needs Kubernetes 1.27 or later. With no way there, turning KMS off would leave Secrets unencrypted.",
    "See what is offered: az aks get-upgrades {options} -o table. With nothing offered, move the "
    "workload to a new cluster or ask Azure support.",
)
TARGET_TOO_OLD = _entry(
    "KMSM108",
    "target-too-old",
    Kind.ARGUMENT,
    "--kubernetes-version {target} is older than {bound}.",
    "The migration ends on Kubernetes 1.27 or later, and a version never goes down.",
    "Leave the option out, or give a version that is offered: az aks get-upgrades {options} -o table",
)
DRIFT = _entry(
    "KMSM109",
    "drift",
    Kind.VALIDATION,
    "Cluster '{name}' was changed by somebody else during this run: {change}.",
    "The next step was planned for another state; going on could undo the other change or lose Secrets.",
    "Pause who did it (az monitor activity-log list {group_options} shows them). Then go on from how it is now: "
    "{next}. Or, below Kubernetes 1.27, back to KMS v1 with the original key: az aks kms-migrate revert {options}",
)
STEP_NOT_NEXT = _entry(
    "KMSM112",
    "step-not-next",
    Kind.VALIDATION,
    "'{step}' is not possible now on cluster '{name}': {reason}.",
    "The documented steps have an order, and no step stands on an unproven one.",
    "Type: {next}",
)
KMS_PLATFORM = _entry(
    "KMSM113",
    "kms-platform-managed",
    Kind.VALIDATION,
    "Cluster '{name}' uses the newer KMS data encryption (platform- or customer-managed keys).",
    "AKS re-encrypts its Secrets itself and it cannot be turned off; there is no KMS v1 or v2 to prove or change.",
    "Nothing is left to do. Look at it with: az aks show {options} --query securityProfile",
)
CLUSTER_DELETING = _entry(
    "KMSM114",
    "cluster-deleting",
    Kind.VALIDATION,
    "Cluster '{name}' is being deleted.",
    "There is nothing left to migrate.",
    "Check the name and the subscription: az aks list -o table",
)
CHECKS_FAILED = _entry(
    "KMSM115",
    "checks-failed",
    Kind.VALIDATION,
    "{count} of the checks before '{step}' failed on cluster '{name}'; first: {first}.",
    "{state}",
    "{fix} See all findings: az aks kms-migrate check {options} -o table. Then type: {next}",
)
LONG_TERM_ONLY = _entry(
    "KMSM121",
    "long-term-support-only",
    Kind.VALIDATION,
    "The only upgrade of cluster '{name}' (Kubernetes {version}) that leads to {target} is to {offered}, which AKS "
    "supports under long term support only.",
    "Long term support needs the Premium tier, which costs money, and cannot be left again once the community's "
    "support for the version has ended: it is never asked for unless you say so.",
    "If that is wanted: az aks kms-migrate {command} {options} --tier premium --k8s-support-plan AKSLongTermSupport",
)
PREMIUM_NEEDED = _entry(
    "KMSM122",
    "premium-tier-needed",
    Kind.MISSING_ARGUMENT,
    "Long term support was asked for, and cluster '{name}' is in tier '{tier}'.",
    "AKS Long Term Support is only available for Premium tier clusters, and that tier costs money.",
    "Add: --tier premium. What it costs: https://azure.microsoft.com/pricing/details/kubernetes-service/",
)
PLAN_OUTDATED = _entry(
    "KMSM123",
    "plan-outdated",
    Kind.VALIDATION,
    "The plan in '{path}' was made from other facts about cluster '{name}'; changed since: {changes}.",
    "What was read and agreed to is not what would be done now.",
    "Make and read a new one: az aks kms-migrate plan {options} --out {path}",
)

NO_WAY_BACK = _entry(
    "KMSM131",
    "no-way-back",
    Kind.VALIDATION,
    "There is no way back to KMS v1: cluster '{name}' {reached}.",
    "Kubernetes never goes back to an older version, and from 1.27 on turning KMS on is KMS v2.",
    "The way is forward: az aks kms-migrate start {options}. Where it stands: az aks kms-migrate show {options}",
)
ORIGINAL_KEY_UNKNOWN = _entry(
    "KMSM132",
    "original-key-unknown",
    Kind.MISSING_ARGUMENT,
    "KMS is off on cluster '{name}', and neither the cluster nor a journal of an earlier run names the key it had.",
    "Going back turns KMS v1 on with the original key: Secrets may still lie under it.",
    "Name it: az aks kms-migrate revert {options} --key-id https://VAULT.vault.azure.net/keys/KEY/VERSION",
)
NOT_THE_ORIGINAL_KEY = _entry(
    "KMSM133",
    "not-the-original-key",
    Kind.VALIDATION,
    "The key {key} is not the one that cluster '{name}' had before the migration, which is {original}.",
    "Going back is to the original key: Secrets may still lie under it, and under KMS v1 nothing tells the two apart.",
    "With KMS off: az aks kms-migrate revert {options}. With KMS on under the other key, go forward: "
    "az aks kms-migrate start {options}",
)

# 2xx: Azure

AZURE_REFUSED = _entry(
    "KMSM201",
    "azure-refused",
    Kind.AZURE,
    "Azure refused {what}: {code}: {detail}.",
    "The cluster stays as it was before this request.",
    "Mend what Azure names, then type: {next}",
)
OPERATION_FAILED = _entry(
    "KMSM202",
    "operation-failed",
    Kind.AZURE,
    "Azure's operation for {what} ended '{status}': {code}: {detail}.",
    "{state}",
    "Mend what Azure names, then type: {next}",
)
CHANGED_MEANWHILE = _entry(
    "KMSM203",
    "changed-meanwhile",
    Kind.AZURE,
    "The cluster changed between reading it and {what} ({code}).",
    "Somebody else writes to the cluster; a plan is made only from what is there.",
    "Type the same command again; it looks at the cluster anew.",
)
AZURE_FORBIDDEN = _entry(
    "KMSM204",
    "azure-forbidden",
    Kind.FORBIDDEN,
    "You are not allowed to do this in Azure: {what} ({code}).",
    "The migration needs read and write on the cluster and listClusterUserCredential/action.",
    "Ask for the role 'Azure Kubernetes Service Contributor Role' on the cluster, then type the command again.",
)
AZURE_UNREACHABLE = _entry(
    "KMSM205",
    "azure-unreachable",
    Kind.CONNECTION,
    "Azure could not be reached for {what} ({code}).",
    "Nothing is known about whether the request arrived; the next run looks before it acts.",
    "Check the network, then type the same command again.",
)
AZURE_UNAVAILABLE = _entry(
    "KMSM208",
    "azure-unavailable",
    Kind.AZURE,
    "Azure had an error of its own at {what} ({code}).",
    "Nothing is known about whether the request took effect; the next run looks before it acts.",
    "After a while, type the same command again. Outages: https://azure.status.microsoft",
)
AZURE_THROTTLED = _entry(
    "KMSM210",
    "azure-throttled",
    Kind.AZURE,
    "Azure took no more requests of this kind for now, at {what} ({code}).",
    "A cluster takes about one change a minute, from everybody together; an operation that was begun before goes on.",
    "After some minutes, type the same command again; pause pipelines that write to the cluster.",
)
SIGN_IN_FAILED = _entry(
    "KMSM206",
    "sign-in-failed",
    Kind.AUTHENTICATION,
    "The sign-in of az gave no token for {what} ({code}).",
    "The cluster and Azure are asked with the CLI's own sign-in only. What was done is kept, and what Azure has begun "
    "goes on there.",
    "Sign in again: az login (where a pipeline does it with a federated token: with a new one, for it holds minutes "
    "and az cannot renew it). Then type the same command again.",
)
NOT_WHAT_WAS_ASKED = _entry(
    "KMSM207",
    "not-what-was-asked",
    Kind.AZURE,
    "Azure reported success for {what}, but the cluster shows {found}.",
    "The next step stands on this one, so it is not started.",
    "Look at it with: az aks show {options}. Then type: {next}",
)
OFFER_GONE = _entry(
    "KMSM221",
    "offer-gone",
    Kind.AZURE,
    "Azure no longer offers the upgrade to {version}.",
    "Versions come and go; the way is planned anew from what is offered now.",
    "See what is offered: az aks get-upgrades {options} -o table. Then type the same command again.",
)

# 23x: what Azure says no to an upgrade for; ``how`` tells whether it refused the request or ended the operation

DEPRECATED_API_IN_USE = _entry(
    "KMSM230",
    "deprecated-api-in-use",
    Kind.AZURE,
    "{how}: clients used an API in the last 12 hours that the new version does not serve: {objects} ({code}).",
    "{state}",
    "Move the client to the newer API (https://kubernetes.io/docs/reference/using-api/deprecation-guide) and wait 12 "
    "hours. Then type: {next}. To pass over it: {next} --force-upgrade-until TIME, such as 2026-01-31T18:00:00Z",
)
BUDGET_IN_THE_WAY = _entry(
    "KMSM231",
    "disruption-budget-in-the-way",
    Kind.AZURE,
    "{how}: these PodDisruptionBudgets never let a pod go: {objects} ({code}).",
    "{state}",
    "Let one pod go (kubectl -n NAMESPACE edit pdb NAME), or run one pod more. Then type: {next}. To pass over them: "
    "{next} --force-upgrade-until TIME, such as 2026-01-31T18:00:00Z",
)
DRAIN_FAILED = _entry(
    "KMSM232",
    "drain-failed",
    Kind.AZURE,
    "{how}: a node could not be drained in time: {objects} ({code}).",
    "{state}",
    "See what holds its pods (kubectl get pdb -A) and let them go. Then type: {next}. The upgrade goes on with the "
    "nodes that are left.",
)
QUOTA_EXCEEDED = _entry(
    "KMSM233",
    "quota-exceeded",
    Kind.AZURE,
    "{how}: the subscription's quota does not hold the nodes that it adds ({code}): {detail}.",
    "{state}",
    "Ask for more (az vm list-usage -l LOCATION -o table shows the quotas), or let no node be added: az aks nodepool "
    "update {pool_options} -n POOL --max-surge 0 --max-unavailable 1. Then type: {next}",
)
SUBNET_FULL = _entry(
    "KMSM234",
    "subnet-full",
    Kind.AZURE,
    "{how}: a subnet has no addresses for the nodes that it adds ({code}): {detail}.",
    "{state}",
    "Free addresses, or let no node be added: az aks nodepool update {pool_options} -n POOL "
    "--max-surge 0 --max-unavailable 1. Then type: {next}",
)
NO_CAPACITY = _entry(
    "KMSM235",
    "no-capacity",
    Kind.AZURE,
    "{how}: Azure has no machines or addresses left of the kind that the nodes need ({code}): {detail}.",
    "{state}",
    "Such shortages may pass: after a while, type: {next}",
)
VERSION_NOT_ALLOWED = _entry(
    "KMSM236",
    "version-not-allowed",
    Kind.AZURE,
    "{how}: the version is not offered ({code}): {detail}.",
    "{state}",
    "See what is offered: az aks get-upgrades {options} -o table. Then type: {next}",
)
POOLS_AT_ODDS = _entry(
    "KMSM237",
    "pools-at-odds",
    Kind.AZURE,
    "{how}: the versions of the node pools do not fit ({code}): {detail}.",
    "{state}",
    "Pause automatic upgrades and pipelines (az aks update {options} --auto-upgrade-channel none). Then type: {next}",
)
LOCKED = _entry(
    "KMSM238",
    "locked",
    Kind.AZURE,
    "{how}: a lock forbids it ({code}): {detail}.",
    "{state}",
    "Find it: az lock list -o table (also of the node resource group: az aks show {options} --query "
    "nodeResourceGroup). Have it removed. Then type: {next}",
)
POLICY_DENIED = _entry(
    "KMSM239",
    "policy-denied",
    Kind.AZURE,
    "{how}: an Azure Policy forbids it ({code}): {detail}.",
    "{state}",
    "Ask whoever assigned it for an exemption of the cluster. Then type: {next}",
)
PRINCIPAL_EXPIRED = _entry(
    "KMSM240",
    "service-principal-expired",
    Kind.AZURE,
    "{how}: the cluster's service principal cannot sign in ({code}): {detail}.",
    "{state}",
    "Renew its secret: az aks update-credentials {options} --reset-service-principal --service-principal "
    "ID --client-secret SECRET. Then type: {next}",
)
NODES_CUT_OFF = _entry(
    "KMSM241",
    "nodes-cut-off",
    Kind.AZURE,
    "{how}: new nodes do not reach what they have to load, or the API server ({code}): {detail}.",
    "{state}",
    "Open what https://learn.microsoft.com/azure/aks/outbound-rules-control-egress names. Then type: {next}",
)
SUBSCRIPTION_DISABLED = _entry(
    "KMSM242",
    "subscription-disabled",
    Kind.AZURE,
    "{how}: the subscription takes no changes ({code}): {detail}.",
    "{state}",
    "Ask the owner of the subscription (az account show). Then type: {next}",
)
FORCE_EXPIRED = _entry(
    "KMSM243",
    "force-expired",
    Kind.VALIDATION,
    "--force-upgrade-until {until} had passed when the upgrade was about to begin.",
    "AKS passes over deprecated APIs and PodDisruptionBudgets only for upgrades that begin before that time. {state}",
    "Give a later time: {next} --force-upgrade-until TIME",
)
ROLE_NOT_ASSIGNED = _entry(
    "KMSM209",
    "role-not-assigned",
    Kind.FORBIDDEN,
    "The role '{role}' on {scope} was not assigned: {why}.",
    "Without it the cluster's identity cannot use the new key; nothing else was changed.",
    "Ask an owner of the vault to type: {command}",
)

# 26x: lists of clusters

SUBSCRIPTION_UNREAD = _entry(
    "KMSM260",
    "subscription-unread",
    Kind.AZURE,
    "The clusters of subscription '{subscription}' could not be listed ({code}).",
    "Clusters in it may need the migration; nothing is known of them.",
    "Ask for the role Reader there, or see which subscriptions your sign-in has: az account list -o table",
)
MANAGEMENT_GROUP_UNREAD = _entry(
    "KMSM261",
    "management-group-unread",
    Kind.AZURE,
    "The subscriptions of management group '{name}' could not be listed ({code}).",
    "Clusters in them may need the migration; nothing is known of them.",
    "Give its ID, not its display name (az account management-group list -o table), and ask for the role Reader on it.",
)
CLUSTER_UNREAD = _entry(
    "KMSM262",
    "cluster-unread",
    Kind.AZURE,
    "What Azure lists of cluster '{name}' makes no sense to this tool ({failure}).",
    "Whether it needs the migration is not known.",
    "Look at it: az aks show --ids {id}",
)
GRAPH_UNUSED = _entry(
    "KMSM263",
    "resource-graph-unused",
    Kind.AZURE,
    "Azure Resource Graph did not list the clusters ({code}).",
    "They are listed subscription by subscription instead, which takes longer.",
    "Nothing to type: the result is the same.",
)

# 3xx: the Kubernetes API server

API_UNREACHABLE = _entry(
    "KMSM301",
    "api-server-unreachable",
    Kind.CONNECTION,
    "The API server of the cluster cannot be reached for {what} ({code}).",
    "Secrets are rewritten through it. A private cluster is reached only from its network, and authorized IP "
    "ranges may exclude you.",
    "Run this from a machine that reaches the API server (try: kubectl get --raw /readyz), then type the same "
    "command again.",
)
API_FORBIDDEN = _entry(
    "KMSM302",
    "api-server-forbidden",
    Kind.FORBIDDEN,
    "The API server does not let you {what} ({code}).",
    "The migration lists and patches every Secret, and keeps a ConfigMap and a Lease in kube-system.",
    "Ask for 'Azure Kubernetes Service RBAC Cluster Admin' on the cluster (or the ClusterRole cluster-admin), "
    "then type the command again.",
)
API_FAILED = _entry(
    "KMSM303",
    "api-server-failed",
    Kind.CLUSTER,
    "The API server could not {what} ({code}).",
    "It answered with an error that does not go away by itself within the time given to it.",
    "Look at the cluster's health (kubectl get --raw '/readyz?verbose'), then type the same command again.",
)
NO_CREDENTIAL = _entry(
    "KMSM304",
    "no-cluster-credential",
    Kind.AUTHENTICATION,
    "Azure's kubeconfig for cluster '{name}' holds neither a client certificate nor an Entra ID sign-in.",
    "Without either nobody can sign in to its API server.",
    "Turn Entra ID on for the cluster (az aks update {options} --enable-aad), or local accounts.",
)
NOT_SETTLED = _entry(
    "KMSM305",
    "not-settled",
    Kind.CLUSTER,
    "The API servers do not all write Secrets in the new form after {seconds} s: {signs}.",
    "A Secret rewritten now could be written back in the old form, or be unreadable for a server.",
    "Type the same command again in some minutes; it continues here.",
)
LEASE_HELD = _entry(
    "KMSM306",
    "lease-held",
    Kind.VALIDATION,
    "Another run is at work on cluster '{name}': {holder}, since {since}.",
    "Two runs at once could undo each other's steps.",
    "Wait for it: az aks kms-migrate show tells how far it is. To end it from here, type the same command with "
    "--take-over: the other run stops before its next step.",
)
LEASE_LOST = _entry(
    "KMSM307",
    "lease-lost",
    Kind.CLUSTER,
    "This run no longer holds the Lease kube-system/aks-kms-migrate: {holder} does.",
    "It stopped before its next write, so that two runs do not work against each other.",
    "See what the other run does: az aks kms-migrate show",
)
JOURNAL_FOREIGN = _entry(
    "KMSM308",
    "journal-foreign",
    Kind.VALIDATION,
    "The ConfigMap kube-system/aks-kms-migrate is not a journal of this cluster: {reason}.",
    "A journal of another cluster or of an unknown form could name the wrong key.",
    "Look at it (kubectl -n kube-system get configmap aks-kms-migrate -o yaml); if it may go: "
    "kubectl -n kube-system delete configmap aks-kms-migrate",
)
NODES_BEHIND = _entry(
    "KMSM309",
    "nodes-behind",
    Kind.CLUSTER,
    "Azure reports the upgrade to {version} as done, but these nodes still run another kubelet: {nodes}.",
    "A node left behind falls out of the supported skew and misses what the upgrade was for.",
    "It was asked for once more in vain. Type: az aks nodepool upgrade {pool_options} -n {pool} "
    "-k {version}; if they stay behind, ask Azure support.",
)
SIGN_IN_REFUSED = _entry(
    "KMSM310",
    "sign-in-refused",
    Kind.AUTHENTICATION,
    "The API server of the cluster does not accept your sign-in, to {what} ({code}).",
    "A new token was asked for and refused too: the sign-in was revoked, or this machine's clock is wrong. It stopped "
    "before its next write; what was done is kept.",
    "Check the clock (date -u) and sign in again: az login. Then type the same command again.",
)

# 4xx: Secrets

SECRETS_FAILED = _entry(
    "KMSM401",
    "secrets-failed",
    Kind.CLUSTER,
    "{count} of {total} Secrets could not be rewritten; first: {first}.",
    "{state}",
    "Mend the causes listed under 'failed', then type: {next}",
)
NOT_PROVEN = _entry(
    "KMSM402",
    "not-proven",
    Kind.CLUSTER,
    "It is not proven that every Secret is stored as {form}: {missing}.",
    "{state}",
    "Type: {next}",
)
SAME_FAILURE = _entry(
    "KMSM403",
    "same-failure",
    Kind.CLUSTER,
    "The pass over the Secrets was stopped: {count} in a row failed with '{failure}'.",
    "That many alike is the key, the vault or the permission, not the Secrets. {state}",
    "Mend the cause, then type: {next}",
)

# 5xx: what was typed

NO_TERMINAL = _entry(
    "KMSM501",
    "no-terminal",
    Kind.ARGUMENT,
    "'{command}' asks before it changes anything, and there is no terminal to ask on.",
    "Nothing was changed.",
    "Add --yes after you have read the plan: az aks kms-migrate plan {options}",
)
DECLINED = _entry(
    "KMSM502",
    "declined",
    Kind.CANCELLED,
    "You did not confirm.",
    "Nothing was changed.",
    "Type the command again when you are ready.",
)
BAD_KEY_ID = _entry(
    "KMSM503",
    "bad-key-id",
    Kind.ARGUMENT,
    "--key-id '{key}' is not the id of a key version.",
    "AKS takes https://VAULT/keys/KEY/VERSION, with the version.",
    "Print it: az keyvault key show --vault-name VAULT -n KEY --query key.kid -o tsv",
)
BAD_VAULT_ID = _entry(
    "KMSM504",
    "bad-vault-id",
    Kind.ARGUMENT,
    "--key-vault '{vault}' is not the resource ID of a key vault.",
    "A private vault is named by /subscriptions/…/providers/Microsoft.KeyVault/vaults/NAME.",
    "Print it: az keyvault show -n VAULT --query id -o tsv",
)
VAULT_NEEDED = _entry(
    "KMSM505",
    "vault-needed",
    Kind.MISSING_ARGUMENT,
    "A private key vault needs its resource ID.",
    "AKS connects to a private vault by a private endpoint, which it makes from that ID.",
    'Add: --key-vault "$(az keyvault show -n VAULT --query id -o tsv)"',
)
VAULT_NOT_ALLOWED = _entry(
    "KMSM506",
    "vault-not-allowed",
    Kind.ARGUMENT,
    "--key-vault goes with --key-vault-access Private only.",
    "AKS refuses a vault ID for a public vault.",
    "Leave --key-vault out, or add --key-vault-access Private.",
)
BAD_VERSION = _entry(
    "KMSM507",
    "bad-version",
    Kind.ARGUMENT,
    "--kubernetes-version '{version}' is not a version.",
    "A version is MAJOR.MINOR or MAJOR.MINOR.PATCH, for example 1.27 or 1.27.1.",
    "See what is offered: az aks get-upgrades {options} -o table",
)
BAD_FORCE_UNTIL = _entry(
    "KMSM530",
    "bad-force-until",
    Kind.ARGUMENT,
    "--force-upgrade-until '{until}' is not a time that can be taken: {reason}.",
    "AKS passes over deprecated APIs and PodDisruptionBudgets for upgrades that begin before that time.",
    "Give a time in UTC in the next 7 days, such as {example}",
)

REPORT_FILE = _entry(
    "KMSM508",
    "report-file",
    Kind.ARGUMENT,
    "The report could not be written to '{path}' ({code}).",
    "What was found is lost with it; nothing in the cluster depends on it.",
    "Give another file, in a directory that exists and is yours.",
)
REPORT_NEEDS_FILE = _entry(
    "KMSM526",
    "report-needs-file",
    Kind.MISSING_ARGUMENT,
    "--format {form} needs a file to write to.",
    "What az prints is JSON, or a table made of it; {form} is neither.",
    "Add --out FILE; or --out - to have it on stdout, instead of az's result.",
)
REPORT_FORM_UNKNOWN = _entry(
    "KMSM527",
    "report-form-unknown",
    Kind.ARGUMENT,
    "The name of --out '{path}' does not say in which form the report is wanted.",
    "It is written as Markdown, as an HTML page or as JSON.",
    "Add --format markdown, --format html or --format json, or name the file .md, .html or .json.",
)
UNKNOWN_CHECK = _entry(
    "KMSM509",
    "unknown-check",
    Kind.ARGUMENT,
    "--skip-check: there is no check '{check}'.",
    "A check that is not found is not left out; the ids are those in the output of 'check'.",
    "Did you mean: {near}? See them all: az aks kms-migrate check {options} -o table",
)
PLAN_FILE = _entry(
    "KMSM521",
    "plan-file",
    Kind.ARGUMENT,
    "The plan file '{path}' could not be {what} ({code}).",
    "Nothing was changed.",
    "Give a file that exists, in a directory that is yours.",
)
PLAN_FILE_FOREIGN = _entry(
    "KMSM522",
    "plan-file-foreign",
    Kind.ARGUMENT,
    "'{path}' is not a plan that this version can run: {reason}.",
    "A plan is run exactly as it was read, or not at all.",
    "Make a new one: az aks kms-migrate plan {options} --out {path}",
)
PLAN_AND_GOAL = _entry(
    "KMSM523",
    "plan-and-goal",
    Kind.ARGUMENT,
    "--plan and {option} cannot be given together.",
    "The plan in the file says already where to end and with which key.",
    "Leave {option} out, or make another plan with it: az aks kms-migrate plan {options} {option} ... --out FILE",
)
TIER_WITHOUT_PLAN = _entry(
    "KMSM524",
    "tier-without-plan",
    Kind.ARGUMENT,
    "--tier premium goes with --k8s-support-plan AKSLongTermSupport only.",
    "The tier alone is nothing this migration needs, and it costs money.",
    "Leave it out, or add: --k8s-support-plan AKSLongTermSupport",
)
BAD_TIMEOUT = _entry(
    "KMSM525",
    "bad-timeout",
    Kind.ARGUMENT,
    "--timeout {minutes} is no time to work in.",
    "A command that has to stop before it begins does nothing.",
    "Give the minutes that it may take, for example --timeout 50.",
)

UNKNOWN_SUBSCRIPTION = _entry(
    "KMSM540",
    "unknown-subscription",
    Kind.ARGUMENT,
    "--subscriptions: your sign-in knows no subscription '{subscription}'.",
    "A subscription is given by its ID, or by a name that az account list shows.",
    "See them: az account list -o table. One that is new: az account list --refresh",
)
TWO_SCOPES = _entry(
    "KMSM541",
    "two-scopes",
    Kind.ARGUMENT,
    "--subscriptions and --management-groups cannot be given together.",
    "The clusters are listed of the one or of the other.",
    "Leave one of them out.",
)

# 9xx: ourselves

INTERRUPTED = _entry(
    "KMSM901",
    "interrupted",
    Kind.CANCELLED,
    "Stopped during '{step}' ({cause}).",
    "What was done is kept. An operation that Azure had begun goes on there. {state}",
    "Continue with: {next}",
)
UNEXPECTED = _entry(
    "KMSM902",
    "unexpected",
    Kind.INTERNAL,
    "The tool met a state that it does not know ({where}: {failure}).",
    "It stopped rather than guess. What was done is kept.",
    "Type the same command again; if it stays, report it with the code and the output of --debug.",
)
