"""What the tool and kubectl rely on in an API server: objects, refusals, forms of answer."""

from __future__ import annotations

import base64
import uuid
from typing import Any

import pytest

from tests.contract.api_client import PARTIAL, PARTIAL_LIST, Api, secret, secrets
from tests.contract.conftest import Cluster

LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases"
CONFIG_MAPS = "/api/v1/namespaces/kube-system/configmaps"
REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


@pytest.fixture
def api(cluster: Cluster) -> Api:
    cluster.kms_v1()
    return cluster.api()


@pytest.fixture
def name() -> str:
    return f"t-{uuid.uuid4().hex[:12]}"


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def lease(name: str, version: int = 0, **spec: Any) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name}
    if version:
        metadata["resourceVersion"] = str(version)
    return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec}


def test_a_created_secret_is_completed_and_stored_encrypted(cluster: Cluster, api: Api, name: str) -> None:
    value = "a-value-nobody-should-read"
    answer = api.post(secrets("default"), secret(name, stringData={"key": value}))
    assert answer.status == 201
    body = answer.body
    assert (body["kind"], body["apiVersion"], body["type"]) == ("Secret", "v1", "Opaque")
    assert body["data"] == {"key": b64(value)}
    assert "stringData" not in body
    metadata = body["metadata"]
    assert uuid.UUID(metadata["uid"])
    assert metadata["creationTimestamp"].endswith("Z")
    entry = metadata["managedFields"][0]
    assert (entry["manager"], entry["operation"], entry["fieldsType"]) == ("contract", "Update", "FieldsV1")
    assert entry["fieldsV1"] == {"f:data": {".": {}, "f:key": {}}, "f:type": {}}
    raw = cluster.raw("default", name)
    assert raw.startswith(b"k8s:enc:kms:v1:azurekmsprovider:")
    assert value.encode() not in raw
    assert b64(value).encode() not in raw


def test_generated_names_and_names_that_are_taken(api: Api, name: str) -> None:
    body = {"metadata": {"generateName": f"{name}-"}}
    made = api.post(secrets("default"), body).body["metadata"]["name"]
    assert made.startswith(f"{name}-")
    assert len(made) == len(name) + 6
    answer = api.post(secrets("default"), secret(made))
    assert answer.status_of() == (409, "AlreadyExists", f'secrets "{made}" already exists')
    assert answer.body["details"] == {"name": made, "kind": "secrets"}


def test_what_is_not_there(api: Api, name: str) -> None:
    for answer in (
        api.get(secrets("default", name)),
        api.get(secrets("default", name), accept=PARTIAL),
        api.patch(secrets("default", name), {}),
        api.put(secrets("default", name), secret(name)),
        api.delete(secrets("default", name)),
    ):
        assert answer.status_of() == (404, "NotFound", f'secrets "{name}" not found')
        assert answer.body["details"] == {"name": name, "kind": "secrets"}
    assert api.get(f"{LEASES}/{name}").status_of()[2] == f'leases.coordination.k8s.io "{name}" not found'
    assert api.post(secrets(name), secret(name)).status_of() == (
        404,
        "NotFound",
        f'namespaces "{name}" not found',
    )
    assert api.get(secrets(name)).body["items"] == []
    unknown = api.get("/api/v1/nosuch").status_of()
    assert unknown == (404, "NotFound", "the server could not find the requested resource")
    assert api.get("/nosuch").status == 404


def test_put_conflicts_in_kubernetes_words(api: Api, name: str) -> None:
    path = secrets("default", name)
    made = api.post(secrets("default"), secret(name)).body
    changed = api.put(path, made | {"data": {"a": b64("1")}})
    assert changed.status == 200
    assert changed.version > int(made["metadata"]["resourceVersion"])
    stale = api.put(path, made)
    text = f'Operation cannot be fulfilled on secrets "{name}": {MODIFIED}'
    assert stale.status_of() == (409, "Conflict", text)
    assert stale.body["details"] == {"name": name, "kind": "secrets"}
    assert api.put(path, secret(name, data={"b": b64("2")})).body["data"] == {"b": b64("2")}
    other = api.put(path, secret(name, metadata={"uid": "not-it"}))
    assert other.status_of()[:2] == (409, "Conflict")
    assert "Precondition failed: UID in precondition: not-it, UID in object meta: " in other.body["message"]
    text = f"the name of the object (b) does not match the name on the URL ({name})"
    assert api.put(path, secret("b")).status_of() == (400, "BadRequest", text)


def test_an_unchanged_put_writes_nothing(api: Api, name: str) -> None:
    made = api.post(secrets("default"), secret(name, data={"a": b64("1")}))
    again = api.put(secrets("default", name), made.body)
    assert (again.status, again.body) == (200, made.body)


def test_an_empty_patch_changes_nothing_at_all(cluster: Cluster, api: Api, name: str) -> None:
    metadata = {"labels": {"a": "b"}, "annotations": {"c": "d"}}
    api.post(secrets("default"), secret(name, metadata=metadata, data={"a": b64("1")}))
    before = api.patch(secrets("default", name), {"data": {"b": b64("2")}}, fieldManager="another").body
    assert {entry["manager"] for entry in before["metadata"]["managedFields"]} == {"another", "contract"}
    raw = cluster.raw("default", name)
    assert api.patch(secrets("default", name), {}, fieldManager="third").body == before
    assert cluster.raw("default", name) == raw


def test_patches_that_name_another_version_uid_or_object(api: Api, name: str) -> None:
    path = secrets("default", name)
    api.post(secrets("default"), secret(name))
    text = f'Operation cannot be fulfilled on secrets "{name}": {MODIFIED}'
    stale = api.patch(path, {"metadata": {"resourceVersion": "1"}})
    assert stale.status_of() == (409, "Conflict", text)
    text = f'Secret "{name}" is invalid: metadata.uid: Invalid value: "no": field is immutable'
    assert api.patch(path, {"metadata": {"uid": "no"}}).status_of() == (422, "Invalid", text)
    assert api.patch(path, {"metadata": {"name": "b"}}).status_of()[:2] == (400, "BadRequest")
    assert api.patch(path, {"metadata": {"namespace": "b"}}).status_of()[:2] == (400, "BadRequest")


def test_json_patch_and_strategic_merge(api: Api, name: str) -> None:
    path, media = secrets("default", name), "application/json-patch+json"
    api.post(secrets("default"), secret(name, data={"a": b64("1")}))
    labelled = api.patch(path, [{"op": "add", "path": "/metadata/labels", "value": {"x": "y"}}], media=media)
    assert labelled.body["metadata"]["labels"] == {"x": "y"}
    refused = api.patch(path, [{"op": "test", "path": "/metadata/labels/x", "value": "z"}], media=media)
    assert refused.status_of()[:2] == (422, "Invalid")
    merged = api.patch(path, {"data": {"b": b64("2")}}, media="application/strategic-merge-patch+json")
    assert merged.body["data"] == {"a": b64("1"), "b": b64("2")}
    assert api.patch(path, {}, media="application/json").status_of()[:2] == (415, "UnsupportedMediaType")


def test_a_patch_that_breaks_the_object_is_answered_with_the_whole_object(api: Api, name: str) -> None:
    api.post(secrets("default"), secret(name, data={"kept": b64("secret-value")}))
    answer = api.patch(secrets("default", name), {"data": {"a": "???"}})
    code, reason, message = answer.status_of()
    assert (code, reason) == (422, "Invalid")
    assert message.startswith(' "" is invalid: patch: Invalid value: "{')
    assert message.endswith("illegal base64 data at input byte 0")
    assert b64("secret-value") in message


def test_dry_runs_answer_and_write_nothing(cluster: Cluster, api: Api, name: str) -> None:
    path = secrets("default", name)
    assert api.post(secrets("default"), secret(name), dryRun="All").status == 201
    assert api.get(path).status == 404
    made = api.post(secrets("default"), secret(name))
    raw = cluster.raw("default", name)
    tried = api.patch(path, {"data": {"a": b64("1")}}, dryRun="All")
    assert (tried.status, tried.version, tried.body["data"]) == (200, made.version, {"a": b64("1")})
    assert api.delete(path, dryRun="All").body["status"] == "Success"
    assert cluster.raw("default", name) == raw
    refused = api.patch(path, {}, dryRun="Some")
    assert refused.status_of()[:2] == (422, "Invalid")
    assert refused.body["details"]["causes"][0]["reason"] == "FieldValueNotSupported"


def test_immutable_secrets_refuse_changes_but_not_the_empty_patch(api: Api, name: str) -> None:
    path = secrets("default", name)
    made = api.post(secrets("default"), secret(name, immutable=True, data={"a": b64("1")}))
    refused = api.patch(path, {"data": {"a": b64("2")}})
    text = "Forbidden: field is immutable when `immutable` is set"
    assert refused.status_of() == (422, "Invalid", f'Secret "{name}" is invalid: data: {text}')
    cause = {"reason": "FieldValueForbidden", "message": text, "field": "data"}
    assert refused.body["details"] == {"name": name, "kind": "Secret", "causes": [cause]}
    both = api.patch(path, {"immutable": None, "data": None}).status_of()[2]
    assert both == f'Secret "{name}" is invalid: [immutable: {text}, data: {text}]'
    assert api.patch(path, {}).body == made.body


@pytest.mark.parametrize(
    ("fields", "reason", "field"),
    [
        ({"data": {"a b": ""}}, "FieldValueInvalid", "data[a b]"),
        ({"type": "kubernetes.io/tls", "data": {"tls.crt": ""}}, "FieldValueRequired", "data[tls.key]"),
        ({"type": "kubernetes.io/dockerconfigjson"}, "FieldValueRequired", "data[.dockerconfigjson]"),
        ({"type": "kubernetes.io/ssh-auth"}, "FieldValueRequired", "data[ssh-privatekey]"),
        ({"type": "kubernetes.io/basic-auth"}, "FieldValueRequired", "data[username]"),
        (
            {"type": "kubernetes.io/service-account-token"},
            "FieldValueRequired",
            "metadata.annotations[kubernetes.io/service-account.name]",
        ),
        ({"stringData": {"a": "x" * (1 << 20) + "x"}}, "FieldValueTooLong", "data"),
        ({"metadata": {"labels": {"a": "b c"}}}, "FieldValueInvalid", "metadata.labels"),
        (
            {"metadata": {"annotations": {"a": "x" * (256 << 10)}}},
            "FieldValueTooLong",
            "metadata.annotations",
        ),
        ({"metadata": {"name": "Bad_Name"}}, "FieldValueInvalid", "metadata.name"),
    ],
    ids=lambda value: None,
)
def test_invalid_secrets(api: Api, name: str, fields: dict[str, Any], reason: str, field: str) -> None:
    answer = api.post(secrets("default"), secret(name, **fields))
    assert answer.status_of()[:2] == (422, "Invalid")
    assert answer.body["details"]["kind"] == "Secret"
    cause = answer.body["details"]["causes"][0]
    assert (cause["reason"], cause["field"]) == (reason, field)


def test_bodies_that_are_no_secrets(api: Api, name: str) -> None:
    def refused(body: Any, **query: str) -> str:
        code, reason, message = api.post(secrets("default"), body, **query).status_of()
        assert (code, reason) == (400, "BadRequest")
        return message.removeprefix('Secret in version "v1" cannot be handled as a Secret: ')

    assert refused(secret(name, data={"a": "abc!"})) == "illegal base64 data at input byte 3"
    number = "json: cannot unmarshal number into Go struct field Secret.data of type []uint8"
    assert refused(secret(name, data={"a": 1})) == number
    strict = refused(secret(name, dat={}), fieldValidation="Strict")
    assert strict == 'strict decoding error: unknown field "dat"'
    refused("{")
    changed = {"type": "other"}
    api.post(secrets("default"), secret(name))
    answer = api.patch(secrets("default", name), changed)
    text = f'Secret "{name}" is invalid: type: Invalid value: "other": field is immutable'
    assert answer.status_of() == (422, "Invalid", text)


def test_deletion(api: Api, name: str) -> None:
    path = secrets("default", name)
    finalizers = {"finalizers": ["example.com/hold"]}
    made = api.post(secrets("default"), secret(name, metadata=finalizers)).body
    other = api.ask("DELETE", path, {"preconditions": {"uid": "no"}})
    assert other.status_of()[:2] == (409, "Conflict")
    held = api.delete(path).body
    assert held["metadata"]["deletionTimestamp"]
    assert held["metadata"]["deletionGracePeriodSeconds"] == 0
    unchanged = api.patch(path, {})
    assert unchanged.body == held
    assert api.patch(path, {"metadata": {"finalizers": None}}).status == 200
    assert api.get(path).status == 404
    again = api.post(secrets("default"), secret(name)).body
    assert again["metadata"]["uid"] != made["metadata"]["uid"]
    done = api.delete(path).body
    details = {"name": name, "kind": "secrets", "uid": again["metadata"]["uid"]}
    assert (done["kind"], done["status"], done["details"]) == ("Status", "Success", details)


def test_partial_answers_carry_no_data(api: Api, name: str) -> None:
    path = secrets("default", name)
    api.post(secrets("default"), secret(name, data={"a": b64("1")}))
    for answer in (api.get(path, accept=PARTIAL), api.patch(path, {}, accept=PARTIAL)):
        assert answer.status == 200
        assert answer.body.keys() == {"kind", "apiVersion", "metadata"}
        assert (answer.body["kind"], answer.body["apiVersion"]) == ("PartialObjectMetadata", "meta.k8s.io/v1")
    listed = api.get(secrets("default"), accept=PARTIAL_LIST, fieldSelector=f"metadata.name={name}").body
    assert (listed["kind"], listed["apiVersion"]) == ("PartialObjectMetadataList", "meta.k8s.io/v1")
    assert [item.keys() for item in listed["items"]] == [{"kind", "apiVersion", "metadata"}]
    fallback = api.get(path, accept=f"{PARTIAL},application/json").body
    assert fallback["kind"] == "PartialObjectMetadata"
    assert api.get(path, accept=PARTIAL_LIST).status_of()[:2] == (406, "NotAcceptable")
    assert api.get(path, accept="text/html").status_of()[:2] == (406, "NotAcceptable")


def test_config_maps(api: Api, name: str) -> None:
    path = f"{CONFIG_MAPS}/{name}"
    made = api.post(CONFIG_MAPS, {"metadata": {"name": name}, "data": {"a": "1", "b": "2"}})
    assert (made.status, made.body["kind"]) == (201, "ConfigMap")
    changed = api.patch(path, {"data": {"a": None, "c": "3"}})
    assert changed.body["data"] == {"b": "2", "c": "3"}
    assert api.patch(path, {}).version == changed.version
    stale = api.patch(path, {"metadata": {"resourceVersion": str(made.version)}, "data": {"a": "9"}})
    text = f'Operation cannot be fulfilled on configmaps "{name}": {MODIFIED}'
    assert stale.status_of() == (409, "Conflict", text)
    assert api.patch(path, {"data": {"a": 1}}).status_of()[:2] == (422, "Invalid")
    assert api.delete(path).status == 200


def test_leases_are_taken_optimistically(api: Api, name: str) -> None:
    path = f"{LEASES}/{name}"
    spec: dict[str, Any] = {"holderIdentity": "me", "leaseDurationSeconds": 30}
    spec["renewTime"] = "2026-01-01T00:00:00.000000Z"
    made = api.post(LEASES, lease(name, **spec))
    assert (made.status, made.body["spec"]) == (201, spec)
    taken = api.post(LEASES, lease(name, **spec))
    text = f'leases.coordination.k8s.io "{name}" already exists'
    assert taken.status_of() == (409, "AlreadyExists", text)
    renewed = api.put(path, lease(name, made.version, **spec | {"renewTime": "2026-01-01T00:00:01.5Z"}))
    assert renewed.status_of()[:2] == (400, "BadRequest")
    assert "parsing time" in renewed.body["message"]
    renewed = api.put(path, lease(name, made.version, **spec | {"renewTime": "2026-01-01T00:00:01.500000Z"}))
    assert renewed.version > made.version
    lost = api.put(path, lease(name, made.version, **spec | {"holderIdentity": "you"}))
    text = f'Operation cannot be fulfilled on leases.coordination.k8s.io "{name}": {MODIFIED}'
    assert lost.status_of() == (409, "Conflict", text)
    assert lost.body["details"] == {"name": name, "group": "coordination.k8s.io", "kind": "leases"}
    blind = api.put(path, lease(name, **spec))
    assert blind.status_of()[:2] == (422, "Invalid")
    assert "metadata.resourceVersion" in blind.body["message"]


def test_a_namespace_that_goes_away_takes_nothing_new(api: Api, name: str) -> None:
    made = api.post("/api/v1/namespaces", {"metadata": {"name": name}}).body
    assert (made["status"], made["spec"]) == ({"phase": "Active"}, {"finalizers": ["kubernetes"]})
    assert made["metadata"]["labels"] == {"kubernetes.io/metadata.name": name}
    api.post(secrets(name), secret("old"))
    assert api.delete(f"/api/v1/namespaces/{name}").body["status"]["phase"] == "Terminating"
    answer = api.post(secrets(name), secret("new"))
    while answer.status == 201:  # until the other replica's watch has seen it
        api.delete(secrets(name, "new"))
        answer = api.post(secrets(name), secret("new"))
    why = f"unable to create new content in namespace {name} because it is being terminated"
    assert answer.status_of() == (403, "Forbidden", f'secrets "new" is forbidden: {why}')
    assert answer.body["details"]["causes"][0]["reason"] == "NamespaceTerminating"
    assert api.patch(secrets(name, "old"), {"data": {"a": b64("1")}}).status == 200


def test_nodes_tell_their_kubelet_in_the_status(api: Api, name: str) -> None:
    info = {"nodeInfo": {"kubeletVersion": "v1.26.15"}}
    path = f"/api/v1/nodes/{name}"
    assert api.post("/api/v1/nodes", {"metadata": {"name": name}, "status": info}).status == 201
    newer = {"status": {"nodeInfo": {"kubeletVersion": "v1.27.1"}}}
    assert api.patch(path, newer).body["status"]["nodeInfo"]["kubeletVersion"] == "v1.26.15"
    assert api.patch(f"{path}/status", newer).body["status"]["nodeInfo"]["kubeletVersion"] == "v1.27.1"
    listed = {item["metadata"]["name"]: item for item in api.get("/api/v1/nodes").body["items"]}
    assert listed[name]["status"]["nodeInfo"]["kubeletVersion"] == "v1.27.1"
    assert api.delete(path).status == 200


def test_an_administrator_may_and_a_bad_token_may_not(cluster: Cluster, api: Api) -> None:
    attributes = {"verb": "patch", "resource": "secrets"}
    answer = api.post(REVIEWS, {"spec": {"resourceAttributes": attributes}})
    assert (answer.status, answer.body["status"]["allowed"]) == (201, True)
    stranger = Api(cluster.host.endpoint(), certificate=False)
    for path in ("/version", secrets("default")):
        refused = stranger.get(path, headers={"Authorization": "Bearer abc"})
        assert refused.status_of() == (401, "Unauthorized", "Unauthorized")


def test_version_health_and_discovery(api: Api) -> None:
    version = api.get("/version").body
    assert (version["major"], version["minor"], version["gitVersion"]) == ("1", "26", "v1.26.15")
    assert api.get("/readyz").text == api.get("/livez").text == "ok"
    verbose = api.get("/readyz", verbose="").text
    assert verbose.startswith("[+]ping ok\n")
    assert verbose.endswith("readyz check passed\n")
    assert "[+]informer-sync ok\n" in verbose
    resources = {entry["name"]: entry for entry in api.get("/api/v1").body["resources"]}
    assert resources["secrets"]["kind"] == "Secret"
    assert {"get", "list", "patch", "update", "create", "delete"} <= set(resources["secrets"]["verbs"])
    groups = {group["name"] for group in api.get("/apis").body["groups"]}
    assert {"coordination.k8s.io", "authorization.k8s.io"} <= groups
    assert api.patch("/api/v1/namespaces/default/secrets", {}).status_of()[:2] == (405, "MethodNotAllowed")
