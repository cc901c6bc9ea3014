"""Commands to type: whatever a shell makes of them is what was meant, and they say again what the user had said."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace
from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azext_kmsmigrate import errors
from azext_kmsmigrate.errors import Entry, KmsMigrateError
from azext_kmsmigrate.loop import Request, command_of
from azext_kmsmigrate.migration.advice import code_after
from azext_kmsmigrate.migration.code import tools_named
from azext_kmsmigrate.migration.facts import ClusterName, NetworkAccess, SupportPlan, Surroundings
from azext_kmsmigrate.migration.plan import Goal
from azext_kmsmigrate.migration.plan_file import PlanFile
from azext_kmsmigrate.migration.step import StepId
from azext_kmsmigrate.results import RunState
from tests.sim.cluster import SimCluster
from tests.unit.situations import cluster

# https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules
GROUPS = st.text(st.characters(categories=("L", "N"), include_characters="-_.()"), min_size=1, max_size=90)
CLUSTERS = st.from_regex(r"[a-zA-Z0-9]([a-zA-Z0-9_-]{0,61}[a-zA-Z0-9])?", fullmatch=True)
SUBSCRIPTIONS = st.uuids().map(str)
ENTRIES = [entry for entry in errors.catalogue() if entry.fields & {"options", "pool_options", "group_options"}]


@given(group=GROUPS, name=CLUSTERS, subscription=SUBSCRIPTIONS, named=st.booleans())
def test_a_shell_reads_the_options_of_a_cluster_as_they_were_meant(
    group: str, name: str, subscription: str, named: bool
) -> None:
    seen = ClusterName(name, group, subscription, with_subscription=named)
    chosen = ["--subscription", subscription] if named else []
    assert shlex.split(seen.option_text) == ["-g", group, "-n", name, *chosen]
    assert shlex.split(seen.pool_option_text) == ["-g", group, "--cluster-name", name, *chosen]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda e: e.code)
def test_every_remedy_names_the_cluster_so_that_a_shell_can_read_it(entry: Entry) -> None:
    seen = ClusterName("blue", "shop (eu)", "sub 1", with_subscription=True)
    fix = KmsMigrateError(entry, **{**dict.fromkeys(entry.fields, "x"), **seen.words}).fix
    assert fix.count("-g 'shop (eu)'") == fix.count("--subscription 'sub 1'") >= 1


def test_no_entry_names_a_cluster_otherwise() -> None:
    assert [entry.code for entry in errors.catalogue() if re.search(r"-g \{group\}|-n \{name\}", entry.fix)] == []


def test_who_gives_a_name_and_a_group_only_gets_the_options_too() -> None:
    error = KmsMigrateError(errors.CLUSTER_STOPPED, name="blue", group="a(b)", power="Stopped")
    assert "az aks start -g 'a(b)' -n blue." in error.fix


@given(path=st.text(st.characters(exclude_categories=["C"]), min_size=1))
def test_a_path_is_told_as_it_is_and_typed_as_a_shell_needs_it(path: str) -> None:
    error = KmsMigrateError(errors.PLAN_OUTDATED, path=path, name="blue", group="shop", changes="x")
    assert f"'{path}'" in error.what
    assert shlex.split(error.fix.partition("type it: ")[2] or error.fix.partition("new one: ")[2])[-1] == path


FULL = Goal(
    "1.29",
    "https://v.vault.azure.net/keys/k/1",
    NetworkAccess.PRIVATE,
    "/subscriptions/s/resourceGroups/a(b)/providers/Microsoft.KeyVault/vaults/v",
    SupportPlan.LONG_TERM,
    "premium",
    datetime(2026, 1, 31, 18, tzinfo=timezone.utc),
)


def _options(request: Request) -> list[str]:
    words = shlex.split(command_of(request, cluster()))
    assert words[:3] == ["az", "aks", "kms-migrate"]
    return words[3:]


def test_the_same_command_again_says_everything_that_decides_what_it_does() -> None:
    request = Request(FULL, stop_after=StepId.UPGRADE, skipped=frozenset({"K-10", "C-04"}), assign_roles=True)
    assert _options(request) == [
        "start",
        *("-g", "shop", "-n", "blue"),
        *("--kubernetes-version", "1.29"),
        *("--key-id", FULL.key_id),
        *("--key-vault-access", "Private"),
        *("--key-vault", FULL.vault_id),
        *("--tier", "premium"),
        *("--k8s-support-plan", "AKSLongTermSupport"),
        *("--force-upgrade-until", "2026-01-31T18:00:00Z"),
        *("--stop-after", "upgrade"),
        *("--skip-check", "C-04", "K-10"),
        "--assign-role",
    ]


@pytest.mark.parametrize(
    ("request_", "verb"),
    [
        (Request(), "start"),
        (Request(back=True), "revert"),
        (Request(only=StepId.ENABLE_KMS), "enable-kms"),
        (Request(only=StepId.UPGRADE), "upgrade"),
    ],
)
def test_what_was_not_said_is_not_said_again(request_: Request, verb: str) -> None:
    assert _options(request_) == [verb, "-g", "shop", "-n", "blue"]


def test_a_plan_file_stands_for_its_goal() -> None:
    request = Request(Goal("1.29"), plan=PlanFile(Goal("1.29"), {}, {}), path="my plan.json")
    assert _options(request) == ["start", "-g", "shop", "-n", "blue", "--plan", "my plan.json"]


@pytest.mark.parametrize(
    ("tags", "names"),
    [
        ({"managedBy": "terraform"}, ["Terraform"]),
        ({"azd-env-name": "prod"}, ["the Azure Developer CLI"]),
        ({"deployed": "by ArgoCD and fluxcd"}, ["Argo CD", "Flux"]),
        ({"team": "terraforming Mars"}, []),
    ],
)
def test_a_tag_tells_which_tool_describes_the_cluster(tags: dict[str, str], names: list[str]) -> None:
    assert [tool.name for tools in tools_named(tags).values() for tool in tools] == names


def test_at_the_end_the_code_is_named_with_the_fields_to_change() -> None:
    sim = SimCluster(supported=True)
    run = sim.start()
    assert run.state is RunState.COMPLETED
    (told,) = [line for line in sim.said if line.startswith("Before Terraform")]
    assert sim.azure.show().kms.key_id in told
    assert run.cluster.kubernetes_version in told


def test_a_tool_that_a_tag_names_is_told_where_it_keeps_what_was_changed() -> None:
    seen = replace(cluster(), surroundings=Surroundings(tags={"managed": "terraform"}))
    assert "key_management_service, kubernetes_version" in code_after(seen)
    assert "key_management_service" not in code_after(cluster())
