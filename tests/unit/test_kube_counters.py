"""An API server's own counters, out of the text of /metrics."""

from __future__ import annotations

from typing import Any, cast

from azext_kmsmigrate.kube.api import Channel
from azext_kmsmigrate.kube.secrets import KubeConnection, read_counters
from azext_kmsmigrate.migration.secret import Counters, Failure, FailureClass

V1, V2 = "k8s:enc:kms:v1:azurekmsprovider:", "k8s:enc:kms:v2:azurekmsproviderv2:"
STARTED = "process_start_time_seconds 1.76988e+09"


def metrics(*lines: str) -> bytes:
    """A text as kube-apiserver writes it; every other family is noise."""
    noise = ["process_cpu_seconds_total 12.5", "# TYPE apiserver_storage_transformation_operations_total counter"]
    return "\n".join([*noise, *lines, ""]).encode()


def line(direction: str, prefix: str, value: str, *, status: str = "OK", resource: str = "") -> str:
    """``resource`` is a label from 1.32 on."""
    labels = f'resource="{resource}",' if resource else ""
    return (
        f'apiserver_storage_transformation_operations_total{{{labels}status="{status}",'
        f'transformation_type="{direction}",transformer_prefix="{prefix}"}} {value}'
    )


def test_the_counters_are_read_by_direction_and_prefix() -> None:
    text = metrics(
        line("from_storage", "identity", "11"),
        line("from_storage", V1, "40"),
        line("from_storage", "unknown", "9", status="Internal"),
        line("to_storage", "", "3"),
        line("to_storage", V1, "1.2e+03"),
        STARTED,
    )
    assert read_counters(text) == Counters(1.76988e09, {"": 3.0, V1: 1200.0}, {"identity": 11.0, V1: 40.0})


def test_with_a_resource_label_other_resources_do_not_count() -> None:
    text = metrics(
        line("to_storage", V2, "5", resource="secrets"),
        line("to_storage", "k8s:enc:aescbc:v1:k:", "7", resource="configmaps"),
        STARTED,
    )
    assert read_counters(text) == Counters(1.76988e09, {V2: 5.0}, {})


def test_a_server_that_has_transformed_nothing_yet_has_counters_all_the_same() -> None:
    assert read_counters(b"process_start_time_seconds 2\n") == Counters(2.0, {}, {})


def test_a_text_without_a_start_time_tells_nothing() -> None:
    assert read_counters(metrics(line("to_storage", V2, "5"))) is None
    assert read_counters(b"") is None
    assert read_counters(b"<html>not found</html>") is None


class ScriptedChannel:
    """Answers each request with the next of its answers."""

    def __init__(self, *answers: bytes | Failure) -> None:
        self.answers = list(answers)

    def send(self, method: str, path: str, **_: Any) -> bytes | Failure:
        assert (method, path) == ("GET", "/metrics")
        return self.answers.pop(0)


def read_through(channel: ScriptedChannel) -> Counters | None:
    return KubeConnection(cast(Channel, channel)).counters()


def test_a_connection_that_was_just_cut_is_no_reason_to_do_without_counters() -> None:
    cut = Failure(FailureClass.TRANSIENT, "ProtocolError")
    assert read_through(ScriptedChannel(cut, cut, metrics(STARTED))) == Counters(1.76988e09, {}, {})


def test_counters_that_may_not_be_read_are_not_asked_for_again() -> None:
    channel = ScriptedChannel(Failure(FailureClass.FORBIDDEN, "HTTP 403"), metrics(STARTED))
    assert read_through(channel) is None
    assert len(channel.answers) == 1


def test_an_api_server_that_never_answers_has_no_counters() -> None:
    assert read_through(ScriptedChannel(*[Failure(FailureClass.TIMED_OUT)] * 3)) is None
