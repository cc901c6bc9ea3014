"""Whatever becomes of the stored journal: a correct run, or a refusal that says what to type; on the real store.

Without the API servers' counters a lost journal may leave nothing that shows what they write: "not proven" is right
then.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import cast

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from azext_kmsmigrate.errors import KmsMigrateError
from azext_kmsmigrate.kube.api import Api
from azext_kmsmigrate.kube.journal_store import KubeJournalStore
from azext_kmsmigrate.loop import Request
from azext_kmsmigrate.migration.step import StepId
from azext_kmsmigrate.results import RunResult, RunState
from azext_kmsmigrate.runner import Runner
from tests.property.test_journal import json_values
from tests.sim.cluster import FAST, NAME, SimCluster, agree
from tests.sim.kube_system import FakeApi

MAP = "/api/v1/namespaces/kube-system/configmaps/aks-kms-migrate"
NAMESPACE = "/api/v1/namespaces/kube-system"
KEY = "journal.json"
_WAYS = ["deleted", "cut", "text", "version", "foreign", "uid", "field", "inside", "future"]


def _typed(sim: SimCluster, api: FakeApi, request: Request) -> RunResult | KmsMigrateError:
    """One command, with the real journal store; anything but a result or an entry of the catalogue is a bug."""
    world = replace(sim.process().world(), journal=KubeJournalStore(cast(Api, api), NAME.resource_id))
    try:
        return Runner(world, FAST).run(request, agree)
    except KmsMigrateError as error:
        return error
    finally:
        sim.after(61.0)


def _spoilt(text: str, data: st.DataObject) -> str | None:
    """What somebody, or something, makes of the stored text; None: it is deleted."""
    document = json.loads(text)
    how = data.draw(st.sampled_from(_WAYS))
    if how == "deleted":
        return None
    if how == "cut":
        return text[: data.draw(st.integers(0, len(text) - 1))]
    if how == "text":
        return data.draw(st.text(max_size=30) | st.integers(1, 5).map(lambda n: "[" * 10_000 * n))
    if how == "version":
        document["schemaVersion"] = data.draw(json_values)
    if how == "foreign":
        document["clusterId"] = "/another"
    if how == "uid":
        document["clusterUid"] = "of-another-cluster"
    if how == "future":
        document["barrier"] = 10**12  # etcd was restored from a snapshot taken before it
    if how == "field":
        document[data.draw(st.sampled_from(sorted(document)))] = data.draw(json_values)
    if how == "inside":
        inside = [value for value in document.values() if isinstance(value, dict)] + document["steps"]
        part = data.draw(st.sampled_from(inside))
        part[data.draw(st.sampled_from(sorted(part)))] = data.draw(json_values)
    return json.dumps(document)


def _store(api: FakeApi, text: str | None) -> None:
    if text is None:
        del api.objects[MAP]
    else:
        api.put(MAP, {"metadata": {"name": "aks-kms-migrate"}, "data": {KEY: text}})


def _assert_right_or_refused(sim: SimCluster, ended: RunResult | KmsMigrateError) -> bool:
    """Whether it came to an end; else it says what to type."""
    assert sim.unreadable_for_good == []
    if isinstance(ended, KmsMigrateError):
        assert ended.fix
        assert "Type" in ended.fix or "kubectl" in ended.fix or "az " in ended.fix or "--" in ended.fix
        return False
    if ended.state is RunState.NOTHING_TO_DO:
        assert ended.cluster.kms == "KmsV2"  # by the state table; it points to verify
        return True
    if ended.state is RunState.COMPLETED:
        assert set(sim.forms) == {"kms-v2"}
        return True
    assert ended.problem is not None
    assert ended.problem.fix
    return False


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(list(StepId)[:5]), st.booleans(), st.data())
def test_a_spoilt_journal_leads_to_a_correct_run_or_to_a_refusal(
    step: StepId, metrics: bool, data: st.DataObject
) -> None:
    sim, api = SimCluster(secrets=3), FakeApi()
    sim.api.metrics = metrics
    api.put(NAMESPACE, {"metadata": {"name": "kube-system", "uid": "of-this-cluster"}})
    _typed(sim, api, Request(stop_after=step))
    kept = api.objects[MAP]["data"][KEY]
    _store(api, _spoilt(kept, data))
    if not _assert_right_or_refused(sim, _typed(sim, api, Request())):
        # As the refusal says: it may go, or what it was is put back.
        _store(api, kept)
        assert _assert_right_or_refused(sim, _typed(sim, api, Request())) or not metrics
