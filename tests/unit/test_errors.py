"""The catalogue: complete, unique, usable; and what becomes of it at az's door."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import azext_kmsmigrate
from azext_kmsmigrate import errors
from azext_kmsmigrate.errors import Entry, Kind, KmsMigrateError, Refused
from azext_kmsmigrate.wiring import az_error

PACKAGE = Path(azext_kmsmigrate.__file__).parent
NAMES = {name: entry for name, entry in vars(errors).items() if isinstance(entry, Entry)}


def filled(entry: Entry) -> KmsMigrateError:
    return KmsMigrateError(entry, **{field: f"<{field}>" for field in entry.fields})


def test_every_entry_is_a_name_of_the_module_and_the_other_way_round() -> None:
    assert sorted(NAMES.values(), key=lambda e: e.code) == list(errors.catalogue())


def test_codes_and_names_are_unique() -> None:
    entries = errors.catalogue()
    assert len({e.code for e in entries}) == len({e.name for e in entries}) == len(entries)


@pytest.mark.parametrize("name", sorted(NAMES))
def test_every_entry_is_used_by_the_package(name: str) -> None:
    """Raised somewhere, that is: naming its code does not count."""
    used = re.compile(rf"\berrors\.{name}\b(?!\.code)")
    assert any(used.search(p.read_text()) for p in PACKAGE.rglob("*.py") if p.name != "errors.py")


@pytest.mark.parametrize("entry", errors.catalogue(), ids=lambda e: e.code)
def test_every_text_formats_with_its_fields_and_says_what_to_type(entry: Entry) -> None:
    error = filled(entry)
    for text in (error.what, error.why, error.fix, str(error)):
        assert text
        assert "{" not in text
        assert "}" not in text
        assert len(text.splitlines()) == 1
    assert str(error) == f"{entry.code}: {error.what} {error.why}"


@pytest.mark.parametrize("entry", errors.catalogue(), ids=lambda e: e.code)
def test_an_entry_without_one_of_its_values_is_a_mistake_of_ours(entry: Entry) -> None:
    for field in entry.fields:
        others = {f: "x" for f in entry.fields if f != field}
        with pytest.raises(TypeError, match=field):
            KmsMigrateError(entry, **others)


@pytest.mark.parametrize(
    ("code", "texts"),
    [
        ("KMS101", ("a", "b", "c")),
        ("KMSM1", ("a", "b", "c")),
        ("KMSMabc", ("a", "b", "c")),
        ("KMSM999", ("a", "", "c")),
    ],
)
def test_a_malformed_entry_is_rejected_when_it_is_made(code: str, texts: tuple[str, str, str]) -> None:
    with pytest.raises(ValueError, match=code):
        Entry(code, "name", Kind.INTERNAL, *texts)


@pytest.mark.parametrize("entry", errors.catalogue(), ids=lambda e: e.code)
def test_every_entry_leaves_as_an_error_of_az_with_its_recommendation(entry: Entry) -> None:
    error = filled(entry)
    made = az_error(error)
    assert type(made).__module__ == "azure.cli.core.azclierror"
    assert str(made) == str(error)
    assert made.recommendations == [error.fix]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("kind", "class_name"),
    [
        (Kind.NOT_FOUND, "ResourceNotFoundError"),
        (Kind.VALIDATION, "ValidationError"),
        (Kind.ARGUMENT, "InvalidArgumentValueError"),
        (Kind.MISSING_ARGUMENT, "RequiredArgumentMissingError"),
        (Kind.AUTHENTICATION, "AuthenticationError"),
        (Kind.FORBIDDEN, "ForbiddenError"),
        (Kind.AZURE, "AzureResponseError"),
        (Kind.CONNECTION, "AzureConnectionError"),
        (Kind.CLUSTER, "ClientRequestError"),
        (Kind.CANCELLED, "ManualInterrupt"),
        (Kind.INTERNAL, "CLIInternalError"),
    ],
)
def test_a_kind_decides_azs_class(kind: Kind, class_name: str) -> None:
    made = az_error(KmsMigrateError(Entry("KMSM999", "n", kind, "a", "b", "c")))
    assert type(made).__name__ == class_name


def test_every_kind_has_a_class() -> None:
    for kind in Kind:
        assert az_error(KmsMigrateError(Entry("KMSM999", "n", kind, "a", "b", "c")))


def test_the_tree_tells_what_may_have_happened() -> None:
    assert issubclass(errors.Conflict, errors.AzureError)
    assert not issubclass(Refused, errors.AzureError)
    assert not issubclass(errors.Lost, errors.ClusterError)


def test_the_readme_lists_every_code_with_its_text_and_no_other() -> None:
    readme = (PACKAGE.parent / "README.md").read_text()
    listed = re.findall(r"^\| `(KMSM\d+)` \| (.*) \|$", readme, re.MULTILINE)
    assert listed == [(e.code, re.sub(r"{(\w+)}", lambda m: m[1].upper(), e.what)) for e in errors.catalogue()]


def test_every_code_is_named_by_a_test_that_meets_it() -> None:
    """Its code, or its name in the catalogue, stands in a test other than this one."""
    tests = "".join(p.read_text() for p in (PACKAGE.parent / "tests").rglob("test_*.py") if p != Path(__file__))
    unmet = [e.code for n, e in NAMES.items() if e.code not in tests and not re.search(rf"\berrors\.{n}\b", tests)]
    assert unmet == []
