"""Places where progress is shown to a test: a stream, and a clock that the test owns."""

from __future__ import annotations

import io

from azext_kmsmigrate.migration.events import StepBegun
from azext_kmsmigrate.report.output import Output
from tests.sim.clock import FakeClock

BEGUN = StepBegun("decrypt-secrets", "Rewrite all Secrets without KMS, and prove it", "KMS is off", 2, 5)


class Stage:
    """``columns``: how wide the terminal is."""

    def __init__(self, columns: int = 80) -> None:
        self.stream, self.clock = io.StringIO(), FakeClock()
        self.columns = columns

    @property
    def output(self) -> Output:
        stage = self

        class Wide(Output):
            @property
            def columns(self) -> int:
                return stage.columns

        return Wide(self.stream)

    @property
    def lines(self) -> list[str]:
        return self.stream.getvalue().splitlines()
