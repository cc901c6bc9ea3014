"""The admission webhook of a lab on real API servers."""

from __future__ import annotations

import json
import ssl
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.model import Endpoint
from tests.lab.webhook import DenyingWebhook


@pytest.fixture
def webhook(tmp_path: Path) -> Iterator[DenyingWebhook]:
    made = DenyingWebhook(tmp_path, Endpoint("https://127.0.0.1:1", ""))
    yield made
    made.stop()


def test_answers_an_admission_review_over_https(webhook: DenyingWebhook) -> None:
    request = {"uid": "7", "namespace": "payments", "name": "opaque-00001"}
    review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}
    context = ssl.create_default_context(cadata=webhook.ca_pem.decode())
    with urllib.request.urlopen(webhook.url, json.dumps(review).encode(), context=context) as answer:
        document = json.load(answer)
    assert document == {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "response": {"uid": "7", "allowed": True},
    }
