"""A plan file says what it said: written and read again, on any cluster, for any goal."""

from __future__ import annotations

import json
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from azext_kmsmigrate.migration.plan import Goal, Plan, Situation, decide
from azext_kmsmigrate.migration.plan_file import PlanFile, PlanFileUnreadableError, facts_of, from_document, to_document
from tests.property.test_journal import json_values
from tests.property.test_plan import goals, situations

documents = st.dictionaries(st.text(max_size=5), st.integers() | st.booleans() | st.text(max_size=5), max_size=3)


def _file(seen: Situation, goal: Goal, shown: dict[str, object]) -> PlanFile:
    return PlanFile(goal, facts_of(seen, decide(seen, goal)), shown)


def _spoken(plan: Plan) -> tuple[Plan, str]:
    """A refusal is an exception, which is equal to itself only."""
    return replace(plan, blocked=None), str(plan.blocked)


@given(situations, goals, documents)
def test_a_plan_file_is_read_back_as_it_was_written(seen: Situation, goal: Goal, shown: dict[str, object]) -> None:
    file = _file(seen, goal, shown)
    again = from_document(json.loads(json.dumps(to_document(file))))
    assert again == file
    assert again.digest == file.digest


@given(situations, goals)
def test_a_plan_from_the_file_is_the_plan_that_was_made(seen: Situation, goal: Goal) -> None:
    file = from_document(json.loads(json.dumps(to_document(_file(seen, goal, {})))))
    assert _spoken(decide(seen, file.goal)) == _spoken(decide(seen, goal))
    assert file.changes(facts_of(seen, decide(seen, file.goal))) == ()


@given(situations, situations, goals)
def test_facts_that_lead_to_other_steps_are_never_taken_for_the_same(
    then: Situation, now: Situation, goal: Goal
) -> None:
    file = _file(then, goal, {})
    changes = file.changes(facts_of(now, decide(now, goal)))
    if [s.id for s in decide(then, goal).steps] != [s.id for s in decide(now, goal).steps]:
        assert changes


@given(situations, goals, st.sampled_from(["goal", "facts", "plan", "digest", "kind", "schemaVersion"]), json_values)
def test_a_changed_file_is_never_run(seen: Situation, goal: Goal, field: str, value: object) -> None:
    document = json.loads(json.dumps(to_document(_file(seen, goal, {"a": 1}))))
    changed = {**document, field: value}
    try:
        from_document(changed)
    except PlanFileUnreadableError:
        return
    assert json.dumps(changed, sort_keys=True) == json.dumps(document, sort_keys=True)


@given(json_values)
def test_any_other_document_is_unreadable_and_nothing_else(document: object) -> None:
    try:
        from_document(document)
    except PlanFileUnreadableError:
        return
    raise AssertionError("a random document was taken for a plan")


@given(situations, goals)
def test_a_plan_is_a_pure_function_of_what_is_seen(seen: Situation, goal: Goal) -> None:
    assert _spoken(decide(seen, goal)) == _spoken(decide(replace(seen), replace(goal)))
