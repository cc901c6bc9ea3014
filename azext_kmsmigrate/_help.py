"""The words of each command."""

from __future__ import annotations

from knack.help_files import helps

helps["aks kms-migrate"] = """
type: group
short-summary: Migrate an AKS cluster from KMS v1 to KMS v2, and prove that every Secret is stored under it.
long-summary: >-
    For clusters older than Kubernetes 1.27 that encrypt their Secrets with KMS (v1). The documented steps are done in
    the documented order, none before the one it stands on is proven: turn off KMS, rewrite all Secrets, upgrade to
    1.27 or later, turn on KMS, rewrite all Secrets. No Secret value leaves the API server.
"""

helps["aks kms-migrate plan"] = """
type: command
short-summary: Show the steps that are left, in order, how long they take, and what would stop them. Changes nothing.
long-summary: >-
    Times are ranges from the cluster's own numbers: its Secrets, the measured round trip, its node pools. 'exposure' is
    how long Secrets may be stored without KMS. All upgrades are listed; the first is firm, the others are planned anew
    after each. Exit code 10 with --detailed-exit-code: steps are left.
examples:
  - name: See what a migration of the cluster consists of.
    text: az aks kms-migrate plan --resource-group MyResourceGroup --name MyManagedCluster --output table
  - name: See the plan for a certain version and another key.
    text: |
        az aks kms-migrate plan -g MyResourceGroup -n MyManagedCluster --kubernetes-version 1.27.1 \\
            --key-id https://MyVault.vault.azure.net/keys/MyKey/0123456789abcdef0123456789abcdef
  - name: Write the plan to a file, have it read by somebody else, and run exactly that.
    text: |
        az aks kms-migrate plan -g MyResourceGroup -n MyManagedCluster --out plan.json
        az aks kms-migrate start -g MyResourceGroup -n MyManagedCluster --plan plan.json
  - name: Plan an upgrade to a version that AKS supports under long term support only.
    text: |
        az aks kms-migrate plan -g MyResourceGroup -n MyManagedCluster --tier premium \\
            --k8s-support-plan AKSLongTermSupport
"""

helps["aks kms-migrate check"] = """
type: command
short-summary: Check everything that the migration stands on, before anything is changed. Changes nothing.
long-summary: >-
    Looks at the cluster, its Secrets, the key, the vault and the way to the next version, and names each object that
    would stop a later step, with the command that puts it right. 'start' runs the same checks first. Exit code 0 when
    'start' would begin, 11 when it would not. A check that you may not look for is 'unknown', with the permission
    that is missing; by itself it stops nothing. C-04 tries to rewrite every Secret without writing it (a dry run), which
    takes as long as there are Secrets; --skip-check C-04 leaves it out.
examples:
  - name: See what would stop a migration.
    text: az aks kms-migrate check --resource-group MyResourceGroup --name MyManagedCluster --output table
  - name: Check for a certain version and another key.
    text: |
        az aks kms-migrate check -g MyResourceGroup -n MyManagedCluster --kubernetes-version 1.27.1 \\
            --key-id https://MyVault.vault.azure.net/keys/MyKey/0123456789abcdef0123456789abcdef
  - name: Stop a pipeline at whatever is not well; the time without KMS (K-12) is accepted.
    text: az aks kms-migrate check -g MyResourceGroup -n MyManagedCluster --warnings-as-errors --skip-check K-12
  - name: Have every Secret that cannot be rewritten in a file, however many there are.
    text: az aks kms-migrate check -g MyResourceGroup -n MyManagedCluster --report-file findings.json
  - name: Print what blocks and what to type about it.
    text: |
        az aks kms-migrate check -g MyResourceGroup -n MyManagedCluster --output tsv \\
            --query "checks[?outcome=='failed'].findings[].[object, what, fix]"
"""

helps["aks kms-migrate start"] = """
type: command
short-summary: Migrate the cluster to KMS v2, or go on where an earlier run stopped.
long-summary: >-
    Shows the plan, asks once, and runs it to the end. What is left is decided from what Azure and the cluster say
    now, so the same command continues whatever stopped it. A finished migration is left alone: exit code 0, nothing
    written. Exit code 11: a check failed before a step, which is then not begun (named under 'checks'), or Secrets
    failed or are not proven (named under 'failed'). Exit code 20: stopped at a safe point.
examples:
  - name: Migrate a cluster with the key it has now.
    text: az aks kms-migrate start --resource-group MyResourceGroup --name MyManagedCluster
  - name: Migrate in a pipeline, without a question, to a certain version.
    text: az aks kms-migrate start -g MyResourceGroup -n MyManagedCluster --kubernetes-version 1.27.1 --yes
  - name: Upgrade although PodDisruptionBudgets or clients of deprecated APIs are in the way, if it begins by then.
    text: az aks kms-migrate start -g MyResourceGroup -n MyManagedCluster --force-upgrade-until 2026-01-31T18:00:00Z
  - name: Stop when all Secrets are proven to be stored without KMS, before the upgrade.
    text: az aks kms-migrate start -g MyResourceGroup -n MyManagedCluster --stop-after decrypt-secrets
  - name: Migrate although a check fails, at your own risk; who chose that is kept in the journal.
    text: az aks kms-migrate start -g MyResourceGroup -n MyManagedCluster --skip-check K-10
  - name: Migrate to another key, and give the cluster's identity the role that it lacks there.
    text: |
        az aks kms-migrate start -g MyResourceGroup -n MyManagedCluster --assign-role \\
            --key-id https://MyVault.vault.azure.net/keys/MyKey/0123456789abcdef0123456789abcdef
  - name: Turn on KMS v2 with a key in a private vault.
    text: |
        az aks kms-migrate start -g MyResourceGroup -n MyManagedCluster --key-vault-access Private \\
            --key-id https://MyVault.vault.azure.net/keys/MyKey/0123456789abcdef0123456789abcdef \\
            --key-vault /subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/MyGroup/providers/Microsoft.KeyVault/vaults/MyVault
"""

helps["aks kms-migrate show"] = """
type: command
short-summary: Show where the migration stands, what blocks it, and the next command. Changes nothing.
examples:
  - name: See where the migration stands.
    text: az aks kms-migrate show --resource-group MyResourceGroup --name MyManagedCluster
  - name: Print the next command only.
    text: az aks kms-migrate show -g MyResourceGroup -n MyManagedCluster --query nextCommand --output tsv
"""

helps["aks kms-migrate verify"] = """
type: command
short-summary: Prove in what form the Secrets are stored now.
long-summary: >-
    Looks at every Secret through the API server and stops at the first that is stored in another form than the
    cluster's KMS state calls for. Exit code 0 when it is proven for all of them, 11 when it is not. Works on any
    cluster with KMS v1, KMS v2 or none. Writes nothing but a Secret of its own, which it deletes.
examples:
  - name: Prove that every Secret is stored under KMS v2.
    text: az aks kms-migrate verify --resource-group MyResourceGroup --name MyManagedCluster
  - name: Prove it for two namespaces, and keep the whole result.
    text: az aks kms-migrate verify -g MyResourceGroup -n MyManagedCluster --namespace payments orders --report-file proof.json
  - name: Print the verdict only.
    text: az aks kms-migrate verify -g MyResourceGroup -n MyManagedCluster --query verified --output tsv
"""

helps["aks kms-migrate report"] = """
type: command
short-summary: "Make the report of a migration, to hand over: the verdict, its evidence, and what is left to do."
long-summary: >-
    Made from the journal that the runs keep with the cluster and from what Azure says now, so it can be made later, by
    somebody else, on another machine. What was recorded and what is observed are told apart; where they disagree, that
    comes first. Looks at no Secret: 'verify' proves anew. The HTML page needs nothing but itself. Exit code 0 when the
    report was made, whatever it says; 'verdict' is Proven, Changed, Unproven, Unfinished or NotRecorded.
examples:
  - name: Make a page to hand over.
    text: az aks kms-migrate report --resource-group MyResourceGroup --name MyManagedCluster --out report.html
  - name: Make a Markdown file for a wiki or a pull request.
    text: az aks kms-migrate report -g MyResourceGroup -n MyManagedCluster --out report.md
  - name: See the verdict, the exposure and the proofs.
    text: az aks kms-migrate report -g MyResourceGroup -n MyManagedCluster --output table
  - name: Print the ids of the keys that must be kept.
    text: az aks kms-migrate report -g MyResourceGroup -n MyManagedCluster --query "keys[].keyId" --output tsv
"""

helps["aks kms-migrate revert"] = """
type: command
short-summary: Go back to KMS v1 with the original key, while the cluster is still older than 1.27.
long-summary: >-
    Turns KMS on with the key that the cluster had before, and rewrites and proves all Secrets under it. Typed again it
    continues, or does nothing. From Kubernetes 1.27 on there is no KMS v1 to go back to: it says so, and what to type
    instead. 'start' after a revert begins a new migration.
examples:
  - name: Go back after KMS was turned off.
    text: az aks kms-migrate revert --resource-group MyResourceGroup --name MyManagedCluster
  - name: Go back without a question, where nothing names the key any more.
    text: |
        az aks kms-migrate revert -g MyResourceGroup -n MyManagedCluster --yes \\
            --key-id https://MyVault.vault.azure.net/keys/MyKey/0123456789abcdef0123456789abcdef
"""

helps["aks kms-migrate disable-kms"] = """
type: command
short-summary: Turn off KMS v1, as the first documented step by itself.
examples:
  - name: Turn off KMS after a question.
    text: az aks kms-migrate disable-kms --resource-group MyResourceGroup --name MyManagedCluster
  - name: Turn off KMS without a question.
    text: az aks kms-migrate disable-kms -g MyResourceGroup -n MyManagedCluster --yes
"""

helps["aks kms-migrate upgrade"] = """
type: command
short-summary: Upgrade to Kubernetes 1.27 or later, as a documented step by itself.
long-summary: The Secrets are proven to be stored without KMS first, and rewritten where they are not.
examples:
  - name: Upgrade to the lowest version from 1.27 on that is offered.
    text: az aks kms-migrate upgrade --resource-group MyResourceGroup --name MyManagedCluster
  - name: Upgrade to a certain version without a question.
    text: az aks kms-migrate upgrade -g MyResourceGroup -n MyManagedCluster --kubernetes-version 1.27.1 --yes
"""

helps["aks kms-migrate enable-kms"] = """
type: command
short-summary: Turn on KMS v2, as a documented step by itself.
examples:
  - name: Turn on KMS with the key the cluster had before.
    text: az aks kms-migrate enable-kms --resource-group MyResourceGroup --name MyManagedCluster
  - name: Turn on KMS with another key in a public vault.
    text: |
        az aks kms-migrate enable-kms -g MyResourceGroup -n MyManagedCluster --key-vault-access Public \\
            --key-id https://MyVault.vault.azure.net/keys/MyKey/0123456789abcdef0123456789abcdef --yes
"""

helps["aks kms-migrate rewrite-secrets"] = """
type: command
short-summary: Rewrite all Secrets in the form the cluster stores them in now, and prove it.
long-summary: >-
    The documented 'kubectl get secrets | kubectl replace', without reading a Secret, without touching annotations,
    and with a proof. Azure is not changed.
examples:
  - name: Rewrite and prove all Secrets.
    text: az aks kms-migrate rewrite-secrets --resource-group MyResourceGroup --name MyManagedCluster
  - name: Rewrite a large cluster namespace by namespace.
    text: az aks kms-migrate rewrite-secrets -g MyResourceGroup -n MyManagedCluster --namespace payments orders
  - name: Rewrite with fewer requests at once, without a question.
    text: az aks kms-migrate rewrite-secrets -g MyResourceGroup -n MyManagedCluster --max-parallel 8 --yes
"""

helps["aks kms-migrate list"] = """
type: command
short-summary: List clusters with their version, their KMS, what each needs and what blocks it. Changes nothing.
long-summary: >-
    'needs' is 'migration' (KMS v1 is on), 'completion' (KMS is off and a key is still named: a migration was begun, or
    somebody turned KMS off), 'nothing', or 'unknown' (it could not be read). Only Azure is asked, not the clusters:
    'show' tells where a migration stands, 'check' whatever else would stop it, and 'verify' proves how Secrets are
    stored. Azure Resource Graph is used, which may be some seconds to minutes behind, and where it does not answer
    Azure Resource Manager, subscription by subscription. You see the clusters that you may read. A subscription that
    could not be read has a row of its own ('unknown'); the others are listed, and the exit code is 11.
examples:
  - name: List the clusters of the current subscription.
    text: az aks kms-migrate list --output table
  - name: List the clusters of two subscriptions that need something, with the next command for each.
    text: |
        az aks kms-migrate list --subscriptions MySubscription 00000000-0000-0000-0000-000000000000 \\
            --query "[?needs!='nothing'].[needs, nextCommand]" --output tsv
  - name: List the clusters of a management group as input for a pipeline's matrix.
    text: |
        az aks kms-migrate list --management-groups MyManagementGroup \\
            --query "[?needs=='migration' && !blockedBy].{name:name, resourceGroup:resourceGroup, subscription:subscriptionId}"
"""
