"""Answers of the local Azure that say nothing about the request: the same run comes to its end, with no PUT twice."""

from __future__ import annotations

import pytest

from tests.e2e.judgement import assert_all_under_kms_v2, assert_completed
from tests.labs import UpLab

pytestmark = pytest.mark.az


@pytest.mark.parametrize("answer", ["http-429", "http-500", "http-409"])
def test_a_change_that_azure_does_not_take_at_once_is_asked_for_again_by_the_same_run(up: UpLab, answer: str) -> None:
    az = up("embedded", secrets=20)
    for operation in ("disable-kms", "enable-kms"):
        az.lab.fault("operation", f"{operation} {answer}")
    assert_completed(az.start())
    assert_all_under_kms_v2(az.lab, 20)


def test_show_tells_the_step_the_secrets_and_the_exposure(up: UpLab) -> None:
    az = up("embedded", secrets=20)
    assert az.start("--stop-after", "decrypt-secrets").code == 0
    seen = az.migrate("show").document
    assert (seen["step"], seen["unseen"], seen["operation"]) == ("decrypt-secrets", [], None)
    assert seen["secrets"] == {"step": "decrypt-secrets", "total": 20, "done": 20, "left": 0}
    assert seen["journal"]["exposure"]["start"]
