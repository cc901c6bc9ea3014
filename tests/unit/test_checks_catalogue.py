"""The catalogue of checks: every id is there once, in order, with what a user needs."""

from __future__ import annotations

import pytest

from azext_kmsmigrate.checks.catalogue import CHECKS
from azext_kmsmigrate.checks.check import Category, Check, Severity
from azext_kmsmigrate.migration.step import StepId


def ids(letters: str, *numbers: int) -> list[str]:
    return [f"{letters}-{number:02d}" for number in numbers]


CATALOGUE = (
    *ids("AZ", *range(1, 9), 10, 11),
    *ids("K", *range(1, 13)),
    *ids("V", *range(1, 17)),
    *ids("U", *range(1, 19)),
    *ids("C", *range(1, 8)),
)

# Checks that are not written yet. A file of checks that comes in takes its ids out; in the end it is empty.
MISSING = (*ids("C", 4),)


def test_no_check_of_the_catalogue_is_missing_and_no_id_is_used_twice() -> None:
    assert [check.id for check in CHECKS] == [check for check in CATALOGUE if check not in MISSING]


def test_what_is_said_to_be_missing_is_one_of_the_catalogue() -> None:
    assert set(MISSING) <= set(CATALOGUE)


@pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.id)
def test_a_check_says_what_is_true_when_it_passes_and_why_that_matters(check: Check) -> None:
    assert not check.title.endswith(".")
    assert check.why.endswith(".")
    assert len(check.title) <= 80
    assert check.before <= frozenset(StepId)
    assert check.severity in Severity


def test_topics_of_one_name_are_one_topic() -> None:
    topics = {topic for check in CHECKS for topic in check.reads}
    assert len({topic.name for topic in topics}) == len(topics)
    assert all(topic.seconds > 0 for topic in topics)


@pytest.mark.parametrize("bad", ["K-1", "K-001", "AZ-01x", "V-01", ""])
def test_an_id_that_does_not_fit_its_category_is_a_mistake_of_ours(bad: str) -> None:
    good = next(c for c in CHECKS if c.category is Category.KMS)
    with pytest.raises(ValueError, match="an id is"):
        Check(bad, good.title, good.category, good.severity, good.why, good.link, good.before, good.judge)
