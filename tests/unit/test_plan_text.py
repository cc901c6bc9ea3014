"""The lines of a plan, as people read them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from azext_kmsmigrate.migration.plan import Goal, decide
from azext_kmsmigrate.report.one_line import width
from azext_kmsmigrate.report.plan_text import plan_lines, question, shown
from tests.unit.situations import OFF, cluster, situation


def test_a_plan_is_shown_with_its_reasons_and_what_cannot_be_undone() -> None:
    seen = situation(cluster())
    text = "\n".join(plan_lines(seen.cluster, decide(seen, Goal())))
    assert "1. disable-kms: Turn off KMS" in text
    assert "3. upgrade: Upgrade Kubernetes [1.27.1, control plane and node pools]" in text
    assert "because KMS v1 is on" in text
    assert "Cannot be undone: upgrade." in text
    assert "With the upgrade goes the way back to KMS v1." in text
    assert "1.27.1: control plane and node pools together" in text
    assert "Keep the key" in text
    assert "Secrets are stored without KMS until" in text


def test_a_plan_without_an_upgrade_threatens_with_none() -> None:
    seen = situation(cluster("1.27.1", kms=OFF))
    assert "cannot be undone" not in "\n".join(plan_lines(seen.cluster, decide(seen, Goal()))).lower()


def test_the_question_names_the_cluster_and_what_there_is_no_way_back_from() -> None:
    seen = situation(cluster())
    asked = question(seen.cluster, decide(seen, Goal()))
    assert asked == "Cannot be undone: upgrade. Go on with cluster 'blue' in resource group 'shop'?"
    behind = situation(cluster("1.27.1", kms=OFF))
    assert question(behind.cluster, decide(behind, Goal())).startswith("Go on with cluster 'blue'")


@given(st.lists(st.text(max_size=60)), st.integers(40, 200))
def test_a_plan_that_is_shown_wraps_nowhere_and_speaks_to_nobody(lines: list[str], columns: int) -> None:
    parts = list(shown(iter(lines), columns))
    assert all(width(part) < columns or part.count(" ") == len(part) for part in parts)
    assert all(part.isprintable() for part in parts)
    assert "##" not in "\n".join(parts)
