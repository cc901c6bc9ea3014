"""The admission webhooks of a lab on real API servers."""

from __future__ import annotations

import json
import ssl
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.model import Endpoint
from tests.lab.webhook import MUTATING_NAME, NAME, AdmissionWebhooks


@pytest.fixture
def webhook(tmp_path: Path) -> Iterator[AdmissionWebhooks]:
    made = AdmissionWebhooks(tmp_path, Endpoint("https://127.0.0.1:1", ""))
    yield made
    made.stop()


def test_answers_an_admission_review_over_https(webhook: AdmissionWebhooks) -> None:
    request = {"uid": "7", "namespace": "payments", "name": "opaque-00001"}
    review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}
    context = ssl.create_default_context(cadata=webhook.ca_pem.decode())
    url = f"{webhook.url}/{NAME}?timeout=10s"
    with urllib.request.urlopen(url, json.dumps(review).encode(), context=context) as answer:
        document = json.load(answer)
    assert document == {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "response": {"uid": "7", "allowed": True},
    }


@pytest.mark.parametrize("annotations", [{}, {"a/b": "c"}])
def test_a_mutation_is_another_one_at_every_write(
    webhook: AdmissionWebhooks, annotations: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "_register", lambda name: None)
    webhook.mutate("payments")
    secret = {"metadata": {"annotations": annotations}}
    request = {"uid": "7", "namespace": "payments", "name": "opaque-00001", "object": secret}
    first, second = (webhook.review(MUTATING_NAME, request) for _ in range(2))
    assert first["allowed"]
    assert first["patchType"] == "JSONPatch"
    assert first["patch"] != second["patch"]
    assert "patch" not in webhook.review(MUTATING_NAME, {**request, "namespace": "orders"})
