from __future__ import annotations

import pytest

from tests.lab.azure.versions import Offers, Version

V1_26, V1_27 = Version(1, 26, 15), Version(1, 27, 1)


def _offered(entries: tuple[str, ...], current: Version) -> list[str]:
    return [str(offer.version) for offer in Offers.parse(entries).upgrades_from(current)]


@pytest.mark.parametrize(
    ("entries", "current", "expected"),
    [
        (("1.34.4", "1.27.1"), V1_26, ["1.27.1", "1.34.4"]),
        (("1.27.1", "1.34.4"), V1_27, ["1.34.4"]),
        (("1.27.1", "1.27.1>1.34.4"), V1_26, ["1.27.1"]),
        (("1.27.1", "1.27.1>1.34.4"), V1_27, ["1.34.4"]),
        (("1.25.1", "1.26.15"), V1_26, []),
        ((), V1_26, []),
    ],
)
def test_only_newer_versions_that_are_meant_for_this_one_are_offered(
    entries: tuple[str, ...], current: Version, expected: list[str]
) -> None:
    assert _offered(entries, current) == expected


def test_a_preview_is_offered_and_marked() -> None:
    (offer,) = Offers.parse(["1.26.15>1.27.1?preview"]).upgrades_from(V1_26)
    assert (str(offer.version), offer.preview) == ("1.27.1", True)


@pytest.mark.parametrize("entry", ["1.27", "x", "1.26>1.27.1", "1.27.1?beta"])
def test_an_unreadable_offer_is_an_error(entry: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Offers.parse([entry])


def test_a_minor_stands_for_the_latest_offered_patch_or_the_current_one() -> None:
    offers = Offers.parse(["1.27.1", "1.27.10", "1.27.9"])
    assert str(offers.resolve("1.27", V1_26)) == "1.27.10"
    assert offers.resolve("1.26", V1_26) == V1_26
    with pytest.raises(ValueError, match="no patch of"):
        offers.resolve("1.30", V1_26)


def test_supported_minors_are_those_offered_and_those_named() -> None:
    offers = Offers.parse(["1.27.1"], also_supported=[Version(1, 30, 2)])
    assert offers.is_supported(Version(1, 30, 9))
    assert offers.is_supported(Version(1, 27, 16))
    assert not offers.is_supported(V1_26)
