"""One of every result, filled to the brim."""

from __future__ import annotations

from azext_kmsmigrate import errors
from azext_kmsmigrate.check_document import CheckDocument, ChecksDocument, FindingDocument, SkippedCheckDocument
from azext_kmsmigrate.errors import Refused
from azext_kmsmigrate.handover.document import (
    AskedDocument,
    CourseDocument,
    DifferenceDocument,
    EventDocument,
    KeyDocument,
    MigrationDocument,
    NamedCheckDocument,
    NowDocument,
    ProofDocument,
    Report,
    ReportedStepDocument,
    RunDocument,
    SampleDocument,
    SegmentDocument,
    SkippedDocument,
    Verdict,
)
from azext_kmsmigrate.handover.document import ChecksDocument as HandoverChecks
from azext_kmsmigrate.migration.step import TITLES, StepId
from azext_kmsmigrate.results import (
    CheckReport,
    ClusterDocument,
    CountsDocument,
    EstimateDocument,
    EvidenceDocument,
    ExposureDocument,
    FailedDocument,
    GoalDocument,
    HopDocument,
    JournalDocument,
    ManualDocument,
    PassDocument,
    PlanDocument,
    PlannedStepDocument,
    ProblemDocument,
    RunResult,
    RunState,
    SpanDocument,
    Status,
    StepDocument,
    Verification,
)
from tests.unit.situations import KEY

LONG = "a-name-as-long-as-kubernetes-allows-" + "x" * 200
CLUSTER = ClusterDocument("/id", "c" * 63, "g" * 90, "1.26.15", "KmsDataEncryption", "Succeeded")
COUNTS = CountsDocument(1_234_567, 1_234_567, 0, 0, 1_234_567)
PROBLEM = ProblemDocument.of(Refused(errors.KEY_UNKNOWN, name="n" * 63, group="g" * 90))
STEPS = [StepDocument(s.value, "Failed", "2026-01-31T09:00:00Z", 123456.7, KEY, COUNTS) for s in StepId]
FAILED = [FailedDocument(LONG, LONG, "admissionDenied", f"webhook {LONG}", "exempt it")]
PASS = PassDocument(COUNTS, 12.3, 2, "0f" * 32, {"kms-v2": 7}, {"kms-v2": 3}, 1)
EVIDENCE = EvidenceDocument(
    "kms-v2",
    "behavioural",
    2,
    1,
    ["a sign"],
    10,
    [PASS, PASS],
    [PASS],
    12,
    "1.27.1",
    [LONG],
    "a",
    "b",
    ["lacks this", "and that"],
)
EXPOSURE = ExposureDocument("2026-01-31T09:00:00Z", None)
FINDINGS = [FindingDocument(LONG, LONG, LONG, "block"), FindingDocument(LONG, "It is.", "Type: x", "info")]
CHECKS = [
    CheckDocument("AZ-04", "AZ", LONG, "block", "failed", FINDINGS, 2, LONG, "", "", "https://x"),
    CheckDocument("K-10", "K", LONG, "block", "unknown", [], 0, LONG, LONG, LONG, "https://x"),
    CheckDocument("V-16", "V", LONG, "block", "not-applicable", [], 0, LONG, LONG, "", "https://x"),
]
SKIPPED = [SkippedCheckDocument("C-03", LONG, "2026-01-31T09:00:00Z")]
PLAN = PlanDocument(
    CLUSTER,
    GoalDocument("1.27.1", KEY, "Public", ""),
    "KmsV1",
    "Secrets are under KMS v1.",
    True,
    [
        PlannedStepDocument(s.value, TITLES[s], "Pending", LONG, True, KEY, SpanDocument(90_000, 900_000))
        for s in StepId
    ],
    PROBLEM,
    [HopDocument("1.27.1", "ControlPlane", LONG, True, False, "AKSLongTermSupport")],
    EstimateDocument(90_000, 900_000, [LONG]),
    SpanDocument(90_000, 900_000),
    [LONG],
    [ManualDocument(LONG, "az")],
    f"az aks kms-migrate start -g {'g' * 90}",
    ChecksDocument(1, 2, 3, 4, ["K-12"]),
)
RUN = RunResult(
    CLUSTER,
    RunState.NOTHING_TO_DO,
    LONG,
    STEPS,
    EVIDENCE,
    FAILED,
    EXPOSURE,
    PROBLEM,
    [KEY],
    f"az aks {LONG}",
    CHECKS,
    SKIPPED,
)
STATUS = Status(
    CLUSTER,
    "summary",
    [s.value for s in StepId],
    PROBLEM,
    JournalDocument("t", None, STEPS, EXPOSURE, LONG, KEY, SKIPPED),
    "somebody",
    f"az aks kms-migrate start -g {'g' * 90} -n {'c' * 63}",
    ["upgrade"],
)
VERIFICATION = Verification(CLUSTER, False, "kms-v2", EVIDENCE, FAILED, 1, "az")
CHECK = CheckReport(CLUSTER, False, CHECKS, 1, 2, 3, 4, 5, PROBLEM, f"az aks {LONG}")
REPORT = Report(
    cluster=CLUSTER,
    verdict=Verdict.CHANGED,
    headline=LONG,
    told=[LONG],
    differences=[DifferenceDocument("Key", LONG, "2026-01-31T09:00:00Z", LONG, True)],
    now=NowDocument("2026-01-31T09:00:00Z", "KmsV2", KEY, "Private", LONG, "1.27.1", "Failed", {"p": "1.27.1"}, LONG),
    migration=MigrationDocument("t", None, "KmsV2", "1.27.1", "AKSLongTermSupport", "0f", LONG),
    exposure=EXPOSURE,
    exposure_seconds=123456.0,
    timeline=[SegmentDocument("Off", "1.26.15", KEY, "2026-01-31T09:00:00Z", None)],
    events=[EventDocument("2026-01-31T09:00:00Z", LONG)],
    steps=[ReportedStepDocument("upgrade", LONG, "Done", "t", None, None, LONG, COUNTS)],
    proofs=[
        ProofDocument(
            "encrypt-secrets", LONG, False, EVIDENCE, [CourseDocument("proof", 2.0, 7, 3.5, [SampleDocument(0.0, 0)])]
        )
    ],
    checks=HandoverChecks(
        [AskedDocument("t", 1, [NamedCheckDocument("K-12", LONG)], [], [])], [SkippedDocument("U-06", LONG, LONG, "t")]
    ),
    keys=[KeyDocument(KEY, [LONG], LONG)],
    manual=[ManualDocument(LONG, "az")],
    runs=[RunDocument("az aks kms-migrate start", LONG, LONG, LONG, "t", None, None, "KMSM401")],
    runs_left_out=3,
    unseen=[LONG],
    generated_by=LONG,
    next_command=f"az aks {LONG}",
)
ALL = [PLAN, RUN, STATUS, VERIFICATION, CHECK, REPORT]
