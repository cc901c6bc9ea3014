"""Which providers, in which order: examples as AKS does it, and the promise for any order of changes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.lab.controlplane.encryption import (
    KMS_V1_UNTIL,
    ChangeRefused,
    Configuration,
    identity_first,
    initial,
    kms_first,
    minor,
    patch,
    stored_prefix,
)
from tests.lab.model import IDENTITY, kms_v1, kms_v2

OLD = "https://lab.vault.azure.net/keys/old/1"
NEW = "https://lab.vault.azure.net/keys/new/1"
VERSIONS = ("1.26.15", "1.27.1", "1.28.5", "1.29.0", "1.34.4")


def test_kms_on_below_1_27_writes_v1_and_reads_plain() -> None:
    assert initial("1.26.15", OLD).providers == (kms_v1(OLD), IDENTITY)


def test_kms_off_writes_plain_and_keeps_the_reader() -> None:
    assert initial("1.26.15", OLD).with_kms(None).providers == (IDENTITY, kms_v1(OLD))


def test_upgrade_to_1_27_keeps_the_v1_reader() -> None:
    config = initial("1.26.15", OLD).with_kms(None).upgraded("1.27.1")
    assert config.providers == (IDENTITY, kms_v1(OLD))


def test_enable_at_1_27_writes_v2_and_still_reads_v1() -> None:
    config = initial("1.26.15", OLD).with_kms(None).upgraded("1.27.1").with_kms(OLD)
    assert config.providers == (kms_v2(OLD), kms_v1(OLD), IDENTITY)


def test_upgrade_to_1_34_drops_v1_because_the_server_refuses_it() -> None:
    config = initial("1.26.15", OLD).with_kms(None).upgraded("1.34.4")
    assert config.providers == (IDENTITY,)


def test_a_second_key_keeps_the_first_as_a_reader_under_another_name() -> None:
    config = initial("1.27.1", OLD).with_kms(NEW)
    assert config.providers == (kms_v2(NEW, "azurekmsproviderv22"), kms_v2(OLD), IDENTITY)


def test_a_key_that_comes_back_gets_its_old_entry() -> None:
    first = initial("1.26.15", OLD)
    assert first.with_kms(None).with_kms(OLD) == first


@pytest.mark.parametrize("target", ["1.27.1", "1.34.4"])
def test_upgrade_with_kms_v1_on_is_refused(target: str) -> None:
    with pytest.raises(ChangeRefused, match="KMS v1 is on"):
        initial("1.26.15", OLD).upgraded(target)


def test_no_way_back_to_an_older_version() -> None:
    with pytest.raises(ChangeRefused, match="cannot go back"):
        initial("1.27.1", None).upgraded("1.26.15")


def test_swapped_orders_keep_all_readers() -> None:
    providers = initial("1.26.15", OLD).providers
    assert identity_first(providers) == (IDENTITY, kms_v1(OLD))
    assert kms_first(identity_first(providers)) == providers


CHANGES = st.lists(
    st.one_of(
        st.sampled_from([("kms", OLD), ("kms", NEW), ("kms", ""), ("kms", OLD + "2")]),
        st.tuples(st.just("upgrade"), st.sampled_from(VERSIONS)),
    ),
    max_size=12,
)


@given(version=st.sampled_from(VERSIONS), first=st.sampled_from([None, OLD, NEW]), changes=CHANGES)
def test_whatever_was_written_stays_readable_while_its_provider_is_supported(
    version: str, first: str | None, changes: list[tuple[str, str]]
) -> None:
    config = initial(version, first)
    written = {config.writer}
    names: dict[str, tuple[str, str]] = {}
    for kind, value in changes:
        before = config
        try:
            config = config.with_kms(value or None) if kind == "kms" else config.upgraded(value)
        except ChangeRefused:
            assert config == before
            continue
        written.add(config.writer)
        assert_sound(config, names)
        supported = {p for p in written if p.api_version != "v1" or minor(config.version) < KMS_V1_UNTIL}
        for provider in supported:
            assert config.reads(stored_prefix(provider) + b"x"), (provider, config)


def assert_sound(config: Configuration, names: dict[str, tuple[str, str]]) -> None:
    kms = [provider for provider in config.providers if provider.kind == "kms"]
    assert config.providers.count(IDENTITY) == 1
    assert len({provider.name for provider in kms}) == len(kms)
    for provider in kms:
        assert names.setdefault(provider.name, (provider.api_version, provider.key_id)) == (
            provider.api_version,
            provider.key_id,
        )
    if minor(config.version) >= KMS_V1_UNTIL:
        assert all(provider.api_version == "v2" for provider in kms)
    if config.kms:
        assert config.writer.api_version == ("v2" if patch(config.version) >= (1, 27) else "v1")
