"""Each thing that may be wrong, alone: said before any change, by the check whose affair it is; or harmless."""

from __future__ import annotations

import pytest

from tests.agreement.agreement import verdict
from tests.agreement.faults import FAULTS


@pytest.mark.parametrize("name", FAULTS)
def test_what_azure_would_refuse_is_said_first_and_what_passes_is_migrated(name: str) -> None:
    fault = FAULTS[name]
    found = verdict([fault], **fault.options)
    assert found.begun == ()
    assert found.passes is not bool(fault.foretold), found
    assert set(found.said) & set(fault.foretold) or found.passes, found
    assert found.succeeds is bool(fault.cautious or (found.passes and not fault.limit)), found
