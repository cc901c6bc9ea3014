"""The built-in roles that the lab knows, with Azure's ids and actions (learn.microsoft.com, built-in roles)."""

from __future__ import annotations

from tests.lab.azure.access import Permission, Role

_KEYS = "Microsoft.KeyVault/vaults/keys"
_CLUSTERS = "Microsoft.ContainerService/managedClusters"
_USUAL = (
    "Microsoft.Authorization/*/read",
    "Microsoft.Insights/alertRules/*",
    "Microsoft.Resources/deployments/*",
    "Microsoft.Resources/subscriptions/resourceGroups/read",
    "Microsoft.Support/*",
)
_VAULTS_READ = (
    "Microsoft.KeyVault/checkNameAvailability/read",
    "Microsoft.KeyVault/deletedVaults/read",
    "Microsoft.KeyVault/locations/*/read",
    "Microsoft.KeyVault/vaults/*/read",
    "Microsoft.KeyVault/operations/read",
)
_AKS_RBAC = (
    "Microsoft.Authorization/*/read",
    "Microsoft.Resources/subscriptions/operationresults/read",
    "Microsoft.Resources/subscriptions/read",
    "Microsoft.Resources/subscriptions/resourceGroups/read",
)
# Azure lists these kinds one by one.
_NAMESPACED = (
    "apps/daemonsets",
    "apps/deployments",
    "apps/replicasets",
    "apps/statefulsets",
    "autoscaling/horizontalpodautoscalers",
    "batch/cronjobs",
    "batch/jobs",
    "configmaps",
    "endpoints",
    "extensions/daemonsets",
    "extensions/deployments",
    "extensions/ingresses",
    "extensions/networkpolicies",
    "extensions/replicasets",
    "networking.k8s.io/ingresses",
    "networking.k8s.io/networkpolicies",
    "persistentvolumeclaims",
    "pods",
    "policy/poddisruptionbudgets",
    "replicationcontrollers",
    "serviceaccounts",
    "services",
)
_READ_ONLY = (
    "apps/controllerrevisions",
    "events",
    "events.k8s.io/events",
    "limitranges",
    "metrics.k8s.io/pods",
    "namespaces",
    "resourcequotas",
)
_READ_KINDS = tuple(f"{_CLUSTERS}/{kind}/read" for kind in (*_READ_ONLY, *_NAMESPACED))
_WRITE_KINDS = (
    *(f"{_CLUSTERS}/{kind}/read" for kind in _READ_ONLY),
    *(f"{_CLUSTERS}/{kind}/*" for kind in (*_NAMESPACED, "secrets")),
    f"{_CLUSTERS}/serviceaccounts/impersonate/action",
    f"{_CLUSTERS}/coordination.k8s.io/leases/*",
    f"{_CLUSTERS}/discovery.k8s.io/endpointslices/read",
)
_NO_GRANTS = (
    "Microsoft.Authorization/*/Delete",
    "Microsoft.Authorization/*/Write",
    "Microsoft.Authorization/elevateAccess/Action",
    "Microsoft.Blueprint/blueprintAssignments/write",
    "Microsoft.Blueprint/blueprintAssignments/delete",
    "Microsoft.Compute/galleries/share/action",
    "Microsoft.Purview/consents/write",
    "Microsoft.Purview/consents/delete",
    "Microsoft.Resources/deploymentStacks/manageDenySetting/action",
    "Microsoft.Subscription/cancel/action",
    "Microsoft.Subscription/enable/action",
)

OWNER = Role(
    "8e3af657-a8ff-443c-a75c-2fe8c4bcb635",
    "Owner",
    "Grants full access to manage all resources, including the ability to assign roles in Azure RBAC.",
    Permission(actions=("*",)),
)
READER = Role(
    "acdd72a7-3385-48ef-bd42-f606fba81ae7",
    "Reader",
    "View all resources, but does not allow you to make any changes.",
    Permission(actions=("*/read",)),
)
CRYPTO_USER = Role(
    "12338af0-0e69-4776-bea7-57ae8d297424",
    "Key Vault Crypto User",
    "Perform cryptographic operations using keys.",
    Permission(
        data_actions=(
            f"{_KEYS}/read",
            f"{_KEYS}/update/action",
            f"{_KEYS}/backup/action",
            f"{_KEYS}/encrypt/action",
            f"{_KEYS}/decrypt/action",
            f"{_KEYS}/wrap/action",
            f"{_KEYS}/unwrap/action",
            f"{_KEYS}/sign/action",
            f"{_KEYS}/verify/action",
        )
    ),
)
KEY_VAULT_CONTRIBUTOR = Role(
    "f25e0fa2-a7c8-4377-a976-54943a77a395",
    "Key Vault Contributor",
    "Lets you manage key vaults, but not access to them.",
    Permission(
        actions=(*_USUAL, "Microsoft.KeyVault/*"),
        not_actions=(
            "Microsoft.KeyVault/locations/deletedVaults/purge/action",
            "Microsoft.KeyVault/hsmPools/*",
            "Microsoft.KeyVault/managedHsms/*",
        ),
    ),
)
KEY_VAULT_READER = Role(
    "21090545-7ca7-4776-b22c-e363652d74d2",
    "Key Vault Reader",
    "Read metadata of key vaults and its certificates, keys, and secrets.",
    Permission(
        actions=(*_USUAL, *_VAULTS_READ),
        data_actions=("Microsoft.KeyVault/vaults/*/read", "Microsoft.KeyVault/vaults/secrets/readMetadata/action"),
    ),
)

BUILT_IN: tuple[Role, ...] = (
    OWNER,
    Role(
        "b24988ac-6180-42a0-ab88-20f7382dd24c",
        "Contributor",
        "Grants full access to manage all resources, but does not allow you to assign roles in Azure RBAC.",
        Permission(actions=("*",), not_actions=_NO_GRANTS),
    ),
    READER,
    Role(
        "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9",
        "User Access Administrator",
        "Lets you manage user access to Azure resources.",
        Permission(actions=("*/read", "Microsoft.Authorization/*", "Microsoft.Support/*")),
    ),
    CRYPTO_USER,
    Role(
        "14b46e9e-c2b7-41b4-b07b-48a6ebf60603",
        "Key Vault Crypto Officer",
        "Perform any action on the keys of a key vault, except manage permissions.",
        Permission(
            actions=(*_USUAL, *_VAULTS_READ),
            data_actions=(f"{_KEYS}/*", "Microsoft.KeyVault/vaults/keyrotationpolicies/*"),
        ),
    ),
    Role(
        "e147488a-f6f5-4113-8e2d-b22465e65bf6",
        "Key Vault Crypto Service Encryption User",
        "Read metadata of keys and perform wrap/unwrap operations.",
        Permission(
            actions=(
                "Microsoft.EventGrid/eventSubscriptions/write",
                "Microsoft.EventGrid/eventSubscriptions/read",
                "Microsoft.EventGrid/eventSubscriptions/delete",
            ),
            data_actions=(f"{_KEYS}/read", f"{_KEYS}/wrap/action", f"{_KEYS}/unwrap/action"),
        ),
    ),
    Role(
        "00482a5a-887f-4fb3-b363-3b7fe8e74483",
        "Key Vault Administrator",
        "Perform all data plane operations on a key vault and all objects in it.",
        Permission(actions=(*_USUAL, *_VAULTS_READ), data_actions=("Microsoft.KeyVault/vaults/*",)),
    ),
    KEY_VAULT_CONTRIBUTOR,
    KEY_VAULT_READER,
    Role(
        "4d97b98b-1d4f-4787-a291-c67834d212e7",
        "Network Contributor",
        "Lets you manage networks, but not access to them.",
        Permission(actions=(*_USUAL, "Microsoft.Network/*")),
    ),
    Role(
        "f1a07417-d97a-45cb-824c-7a7467783830",
        "Managed Identity Operator",
        "Read and Assign User Assigned Identity",
        Permission(
            actions=(
                *_USUAL,
                "Microsoft.ManagedIdentity/userAssignedIdentities/*/read",
                "Microsoft.ManagedIdentity/userAssignedIdentities/*/assign/action",
            )
        ),
    ),
    Role(
        "ed7f3fbd-7b88-4dd4-9017-9adb7ce333f8",
        "Azure Kubernetes Service Contributor Role",
        "Grants access to read and write Azure Kubernetes Service clusters",
        Permission(
            actions=(
                "Microsoft.ContainerService/locations/*",
                f"{_CLUSTERS}/*",
                "Microsoft.ContainerService/managedclustersnapshots/*",
                "Microsoft.ContainerService/snapshots/*",
                "Microsoft.Insights/alertRules/*",
                "Microsoft.Resources/deployments/*",
            )
        ),
    ),
    Role(
        "0ab0b1a8-8aac-4efd-b8c2-3ee1fb270be8",
        "Azure Kubernetes Service Cluster Admin Role",
        "List cluster admin credential action.",
        Permission(
            actions=(
                f"{_CLUSTERS}/listClusterAdminCredential/action",
                f"{_CLUSTERS}/accessProfiles/listCredential/action",
                f"{_CLUSTERS}/read",
                f"{_CLUSTERS}/runcommand/action",
            )
        ),
    ),
    Role(
        "4abbcc35-e782-43d8-92c5-2d3f1bd2253f",
        "Azure Kubernetes Service Cluster User Role",
        "List cluster user credential action.",
        Permission(actions=(f"{_CLUSTERS}/listClusterUserCredential/action", f"{_CLUSTERS}/read")),
    ),
    Role(
        "b1ff04bb-8a4e-4dc4-8eb5-8693973ce19b",
        "Azure Kubernetes Service RBAC Cluster Admin",
        "Lets you manage all resources in the cluster.",
        Permission(
            actions=(*_AKS_RBAC, f"{_CLUSTERS}/listClusterUserCredential/action"),
            data_actions=(f"{_CLUSTERS}/*",),
        ),
    ),
    Role(
        "3498e952-d568-435e-9b2c-8d77e338d7f7",
        "Azure Kubernetes Service RBAC Admin",
        "Lets you manage all resources under cluster/namespace, except resource quotas and namespaces.",
        Permission(
            actions=(*_AKS_RBAC, f"{_CLUSTERS}/listClusterUserCredential/action"),
            data_actions=(f"{_CLUSTERS}/*",),
            not_data_actions=(
                f"{_CLUSTERS}/resourcequotas/write",
                f"{_CLUSTERS}/resourcequotas/delete",
                f"{_CLUSTERS}/namespaces/write",
                f"{_CLUSTERS}/namespaces/delete",
            ),
        ),
    ),
    Role(
        "a7ffa36f-339b-4b5c-8bdf-e2c188b2c0eb",
        "Azure Kubernetes Service RBAC Writer",
        "Allows read/write access to most objects in a namespace, Secrets included.",
        Permission(actions=_AKS_RBAC, data_actions=_WRITE_KINDS),
    ),
    Role(
        "7f6c6a51-bcf8-42ba-9220-52d62157d7db",
        "Azure Kubernetes Service RBAC Reader",
        "Allows read-only access to see most objects in a namespace. Does not allow viewing Secrets.",
        Permission(actions=_AKS_RBAC, data_actions=_READ_KINDS),
    ),
)
