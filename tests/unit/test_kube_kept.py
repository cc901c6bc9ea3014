"""What is kept in kube-system: the journal and the Lease, against other writers and lost answers."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, cast

import pytest

from azext_kmsmigrate import errors
from azext_kmsmigrate.errors import ClusterError, Lost, Refused
from azext_kmsmigrate.kube.api import Api
from azext_kmsmigrate.kube.journal_store import KubeJournalStore
from azext_kmsmigrate.kube.lease import DURATION, KubeLease
from azext_kmsmigrate.migration.events import Moment, Waiting
from azext_kmsmigrate.migration.journal import Journal
from tests.sim.clock import FakeClock
from tests.sim.kube_system import FakeApi

CLUSTER_ID = "/subscriptions/s/resourceGroups/g/managedClusters/blue"
JOURNAL = Journal.from_scratch(cluster_id=CLUSTER_ID, now="2026-01-31T09:00:00Z")
MAP = "/api/v1/namespaces/kube-system/configmaps/aks-kms-migrate"


def store(api: FakeApi, cluster_id: str = CLUSTER_ID) -> KubeJournalStore:
    return KubeJournalStore(cast(Api, api), cluster_id)


def test_where_no_journal_is_there_is_none() -> None:
    assert store(FakeApi()).load() is None


def test_a_journal_is_read_back_by_the_next_process() -> None:
    api = FakeApi()
    mine = store(api)
    mine.load()
    mine.save(JOURNAL)
    mine.save(replace(JOURNAL, barrier=7))
    assert store(api).load() == replace(JOURNAL, barrier=7)


def test_a_cluster_id_is_the_same_in_any_case() -> None:
    api = FakeApi()
    store(api).save(JOURNAL)
    assert store(api, CLUSTER_ID.upper()).load() == JOURNAL


def test_a_save_over_somebody_elses_is_refused() -> None:
    api = FakeApi()
    mine, other = store(api), store(api)
    mine.load()
    other.load()
    mine.save(JOURNAL)
    with pytest.raises(Lost):
        other.save(replace(JOURNAL, barrier=1))
    assert store(api).load() == JOURNAL


def test_a_journal_that_somebody_deleted_in_mid_run_is_written_again_whole() -> None:
    api = FakeApi()
    mine = store(api)
    mine.save(JOURNAL)
    del api.objects[MAP]
    mine.save(replace(JOURNAL, barrier=7))
    mine.save(replace(JOURNAL, barrier=8))
    assert store(api).load() == replace(JOURNAL, barrier=8)


def test_one_that_somebody_deleted_and_somebody_wrote_anew_is_not_written_over() -> None:
    api = FakeApi()
    mine = store(api)
    mine.save(JOURNAL)
    del api.objects[MAP]
    store(api).save(replace(JOURNAL, barrier=1))
    with pytest.raises(Lost):
        mine.save(replace(JOURNAL, barrier=7))


NAMESPACE = "/api/v1/namespaces/kube-system"


def of_cluster(api: FakeApi, uid: str) -> None:
    api.put(NAMESPACE, {"metadata": {"name": "kube-system", "uid": uid}})


def test_a_journal_of_an_earlier_cluster_with_the_same_resource_id_is_refused() -> None:
    api = FakeApi()
    of_cluster(api, "first")
    store(api).save(JOURNAL)
    assert store(api).load() == replace(JOURNAL, cluster_uid="first")
    of_cluster(api, "second")
    with pytest.raises(Refused, match=r"KMSM308.*earlier cluster of the same name") as refused:
        store(api).load()
    assert "delete configmap aks-kms-migrate" in refused.value.fix


class _UidIsAway(FakeApi):
    """Answers everything but the question for the cluster's own uid; ``waited``: how often it was waited for."""

    waited = 0

    def call(self, what: str, method: str, path: str, *, body: Any = None) -> Any:
        if path.endswith("/namespaces/kube-system"):
            self.waited += 1
            raise ClusterError(errors.API_UNREACHABLE, what=what, code="refused")
        return super().call(what, method, path, body=body)

    def attempt(self, what: str, method: str, path: str, *, body: Any = None) -> Any | None:
        return None if path.endswith("/namespaces/kube-system") else super().attempt(what, method, path, body=body)


def test_a_uid_that_does_not_come_is_waited_for_once() -> None:
    api = _UidIsAway()
    mine = store(api)
    mine.load()
    for barrier in range(5):
        mine.save(replace(JOURNAL, barrier=barrier))
    assert mine.load() == replace(JOURNAL, barrier=4)
    assert api.waited == 1


def test_a_journal_without_a_uid_is_read_and_gets_one() -> None:
    api = FakeApi()
    store(api).save(JOURNAL)
    of_cluster(api, "first")
    mine = store(api)
    assert mine.load() == JOURNAL
    mine.save(JOURNAL)
    assert store(api).load() == replace(JOURNAL, cluster_uid="first")


@pytest.mark.parametrize("first", [True, False])
def test_a_save_whose_answer_was_lost_is_known_for_our_own(first: bool) -> None:
    api = FakeApi()
    mine = store(api)
    if not first:
        mine.save(JOURNAL)
    api.lose_answers = 1
    mine.save(replace(JOURNAL, barrier=7))
    mine.save(replace(JOURNAL, barrier=8))
    assert store(api).load() == replace(JOURNAL, barrier=8)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (None, "not a JSON object"),
        ({}, "not a JSON object"),
        ({"journal.json": "{"}, "not JSON"),
        ({"journal.json": "[]"}, "not a JSON object"),
        ({"journal.json": '{"schemaVersion": 9}'}, "schemaVersion is 9"),
        ({"journal.json": json.dumps({"schemaVersion": 1, "clusterId": "/b", "startedAt": ""})}, "belongs to /b"),
    ],
)
def test_a_config_map_that_is_no_journal_of_ours_is_refused_with_the_reason(data: Any, reason: str) -> None:
    api = FakeApi()
    api.put(MAP, {"metadata": {"name": "aks-kms-migrate"}, "data": data})
    with pytest.raises(Refused, match=reason):
        store(api).load()


# the Lease

LEASE = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/aks-kms-migrate"


def lease(api: FakeApi, clock: FakeClock, me: str = "me", **options: Any) -> KubeLease:
    return KubeLease(cast(Api, api), clock, me, "blue", **options)


def holder(api: FakeApi) -> str:
    return str(api.objects[LEASE]["spec"]["holderIdentity"])


def test_a_lease_is_held_for_the_length_of_a_with_and_given_back() -> None:
    api, clock = FakeApi(), FakeClock()
    mine = lease(api, clock)
    with mine.held():
        assert holder(api) == "me"
        assert str(lease(api, clock, "other").holder()).startswith("me, since ")
    assert lease(api, clock, "other").holder() is None
    with lease(api, clock, "other").held():
        assert holder(api) == "other"


@pytest.mark.parametrize("skew", [-600.0, -61.0, 0.0, 61.0, 600.0])
def test_a_lease_whose_holder_is_alive_is_refused_whatever_the_clocks_say(skew: float) -> None:
    api, clock = FakeApi(), FakeClock()
    other = lease(api, FakeClock(skew), "other")
    with other.held():
        told: list[Moment] = []

        def tell(moment: Moment) -> None:
            told.append(moment)
            if len(told) == 10:
                other.renew(now=True)

        began = clock.monotonic()
        with pytest.raises(Refused, match="other, since") as refused, lease(api, clock, tell=tell).held():
            raise AssertionError("it was held twice")
        assert "--take-over" in refused.value.fix
        assert holder(api) == "other"
        assert clock.monotonic() - began < DURATION
        assert {m.what for m in told if isinstance(m, Waiting)} == {"looking whether another run is alive"}


@pytest.mark.parametrize("skew", [-600.0, 0.0, 600.0])
def test_a_lease_that_nobody_renewed_is_taken_over_and_its_old_holder_stops(skew: float) -> None:
    api, clock = FakeApi(), FakeClock()
    old = lease(api, FakeClock(skew), "old")
    with old.held():
        began = clock.monotonic()
        with lease(api, clock, "new").held():
            assert DURATION <= clock.monotonic() - began < DURATION + 5
            with pytest.raises(Lost, match="new does"):
                old.renew(now=True)


def test_one_that_nobody_renewed_since_yesterday_is_not_waited_for() -> None:
    api, clock = FakeApi(), FakeClock()
    lease(api, clock, "old").held().__enter__()
    clock.sleep(86_400.0)
    began = clock.monotonic()
    with lease(api, clock, "new").held():
        assert clock.monotonic() == began


def test_taking_over_waits_for_nobody_and_the_old_holder_stops_before_it_writes() -> None:
    api, clock = FakeApi(), FakeClock()
    old = lease(api, clock, "old")
    with old.held():
        began = clock.monotonic()
        with lease(api, clock, "new", take_over=True).held():
            assert clock.monotonic() == began
            old.renew()  # too soon after its last to ask
            with pytest.raises(Lost, match="new does"):
                old.renew(now=True)


def test_who_has_lost_the_lease_is_told_so_at_every_renewal_and_does_not_give_back_the_others() -> None:
    api, clock = FakeApi(), FakeClock()
    old, new = lease(api, clock, "old"), lease(api, clock, "new")
    with old.held():
        clock.sleep(DURATION + 1.0)
        kept = new.held()
        kept.__enter__()
        for _ in range(2):
            with pytest.raises(Lost):
                old.renew()
    assert holder(api) == "new"


def test_a_holder_that_renews_keeps_it() -> None:
    api, clock = FakeApi(), FakeClock()
    mine = lease(api, clock)
    with mine.held():
        for _ in range(20):
            clock.sleep(DURATION / 2)
            mine.renew()
            with pytest.raises(Refused), lease(api, clock, "other", tell=lambda _: mine.renew()).held():
                raise AssertionError("it was held twice")


def test_renewing_is_cheap_to_call_often() -> None:
    api, clock = FakeApi(), FakeClock()
    mine = lease(api, clock)
    with mine.held():
        before = len(api.calls)
        for _ in range(100):
            clock.sleep(0.1)
            mine.renew()
        assert len(api.calls) == before


def test_of_two_that_take_a_free_lease_at_once_one_gets_it() -> None:
    api, clock = FakeApi(), FakeClock()
    other = lease(api, clock, "other").held()

    def first_other() -> None:
        api.before_write = lambda: None
        other.__enter__()

    api.before_write = first_other
    with pytest.raises(Refused, match="other"), lease(api, clock).held():
        raise AssertionError("it was held twice")
    assert holder(api) == "other"


def test_a_take_and_a_renewal_whose_answers_were_lost_are_known_for_our_own() -> None:
    api, clock = FakeApi(), FakeClock()
    mine = lease(api, clock)
    api.lose_answers = 1
    with mine.held():
        clock.sleep(30.0)
        api.lose_answers = 1
        mine.renew()
        clock.sleep(30.0)
        mine.renew()
        assert holder(api) == "me"


def test_a_reader_who_never_held_it_renews_nothing() -> None:
    api = FakeApi()
    lease(api, FakeClock()).renew()
    assert api.calls == []


@pytest.mark.parametrize("spec", [{}, {"holderIdentity": None}, {"holderIdentity": "x", "renewTime": None}])
def test_a_lease_without_holder_or_time_is_free(spec: dict[str, Any]) -> None:
    api = FakeApi()
    api.put(LEASE, {"metadata": {"name": "aks-kms-migrate"}, "spec": spec})
    assert lease(api, FakeClock()).holder() is None
    with lease(api, FakeClock()).held():
        assert holder(api) == "me"


def test_a_lease_that_cannot_be_renewed_just_now_is_renewed_soon_and_stops_nothing() -> None:
    api, clock = FakeApi(), FakeClock()
    mine = lease(api, clock, "me")
    with mine.held():
        before = api.calls.count(f"PUT {LEASE}")
        api.away = True
        for _ in range(300):
            clock.sleep(1.0)
            mine.renew()
        assert api.calls.count(f"PUT {LEASE}") == before
        api.away = False
        for _ in range(6):
            clock.sleep(1.0)
            mine.renew()
        assert api.calls.count(f"PUT {LEASE}") == before + 1


def test_a_lease_that_another_took_meanwhile_is_lost_as_soon_as_somebody_answers() -> None:
    api, clock = FakeApi(), FakeClock()
    mine, other = lease(api, clock, "me"), lease(api, clock, "other")
    with mine.held():
        api.away = True
        clock.sleep(20.0)
        mine.renew()
        kept = other.held()
        kept.__enter__()
        api.away = False
        clock.sleep(5.0)
        with pytest.raises(Lost, match="other"):
            mine.renew()
