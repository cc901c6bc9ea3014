"""Composes a report: which chapters, in which order, and their words. Pure; the same for every form."""

from __future__ import annotations

from collections.abc import Iterator

from azext_kmsmigrate.handover.blocks import (
    Block,
    Chapter,
    Code,
    Heading,
    Items,
    Lines,
    Paragraph,
    Piece,
    Rates,
    Stamp,
    Table,
    Timeline,
)
from azext_kmsmigrate.handover.document import ProofDocument, Report, ReportedStepDocument, RunDocument
from azext_kmsmigrate.handover.instant import moment, seconds_between
from azext_kmsmigrate.handover.spoken import spoken
from azext_kmsmigrate.migration.facts import KmsState
from azext_kmsmigrate.report.words import duration
from azext_kmsmigrate.results import CountsDocument, EvidenceDocument, PassDocument


def chapters(report: Report) -> Iterator[Chapter]:
    """What follows the verdict."""
    yield Chapter("Left to do by hand", tuple(_left(report)))
    yield Chapter("Keys to keep", tuple(_keys(report)))
    yield Chapter("Recorded then, observed now", tuple(_then_and_now(report)))
    if report.migration is None:
        yield Chapter("About this report", tuple(_about(report)))
        return
    yield Chapter("Timeline", tuple(_timeline(report)))
    yield Chapter("Steps", (_steps(report),))
    yield Chapter("Evidence", tuple(_evidence(report)))
    yield Chapter("Checks before the run", tuple(_checks(report)))
    yield Chapter("Runs", tuple(_runs(report)))
    yield Chapter("About this report", tuple(_about(report)))


def _left(report: Report) -> Iterator[Block]:
    items: list[Lines] = [(one.what, Code(one.command)) if one.command else (one.what,) for one in report.manual]
    if items:
        yield Items(tuple(items))
    else:
        yield Paragraph("Nothing.")


def _keys(report: Report) -> Iterator[Block]:
    if not report.keys:
        yield Paragraph("No key is known.")
        return
    yield Paragraph(
        "These key versions must not be deleted, disabled or left to expire. No command of this tool does it."
    )
    rows = tuple(((Code(key.key_id),), tuple(key.uses), (f"{key.keep_until}.",)) for key in report.keys)
    yield Table("Key Vault keys to keep", ("Key version", "Used as", "Keep until"), rows)


def _then_and_now(report: Report) -> Iterator[Block]:
    now, last = report.now, report.timeline[-1] if report.timeline else None
    rows: list[tuple[Lines, ...]] = [
        _compared("KMS", spoken(last.kms) if last else "", spoken(now.kms)),
        _compared("Key", (last and last.kms != KmsState.OFF.value and last.key_id) or "", now.key_id or "", code=True),
        _compared("Kubernetes", last.kubernetes_version if last else "", now.kubernetes_version),
        (("Vault access",), ("not recorded",), (now.key_vault_network_access or "none",)),
        (("Provisioning state",), ("not recorded",), (now.provisioning_state,)),
        (
            ("Node pools",),
            ("not recorded",),
            (", ".join(f"{pool} {version}" for pool, version in now.node_pools.items()) or "none",),
        ),
        (("At work",), ("not recorded",), (now.runner or "nobody",)),
    ]
    recorded = f"Recorded {moment(last.start)}" if last else "Recorded"
    columns = ("Fact", recorded, f"Observed {moment(now.observed_at)}")
    yield Table("The cluster as recorded and as observed", columns, tuple(rows))
    for unseen in report.unseen:
        yield Paragraph(f"Could not be looked at: {unseen}")


def _compared(fact: str, then: str, now: str, *, code: bool = False) -> tuple[Lines, ...]:
    def piece(text: str) -> Piece:
        return Code(text) if code and text else text or "none"

    mark = () if not then or then == now else ("≠ another than recorded",)
    return (fact,), (piece(then) if then else "not recorded",), (piece(now), *mark)


def _timeline(report: Report) -> Iterator[Block]:
    yield Timeline(report, _exposure(report))
    rows = tuple(((Stamp(event.at),), (event.what,)) for event in report.events)
    yield Table("What happened when", ("Time (UTC)", "What"), rows)


def _exposure(report: Report) -> str:
    exposure, seconds = report.exposure, report.exposure_seconds
    if not exposure.start:
        return "KMS was not turned off in what is recorded: no time without KMS encryption is known."
    lasted = f" ({duration(seconds)})" if seconds is not None else ""
    if not exposure.end:
        return (
            f"Exposure is open: Secrets may be stored without KMS encryption since {moment(exposure.start)}{lasted}, "
            f"until now."
        )
    return (
        f"Exposure: Secrets could be stored without KMS encryption from {moment(exposure.start)} to "
        f"{moment(exposure.end)}{lasted}. What copied etcd in that time may hold them so."
    )


def _steps(report: Report) -> Block:
    if not report.steps:
        return Paragraph("No step is recorded yet.")
    rows = tuple(((step.title, Code(step.id)), (step.status,), _when(step), _what(step)) for step in report.steps)
    return Table("The steps, as their newest run left them", ("Step", "Status", "When (UTC)", "What"), rows)


def _when(step: ReportedStepDocument) -> Lines:
    took = step.duration_seconds
    return (Stamp(step.started_at), *([duration(took)] if took is not None else []))


def _what(step: ReportedStepDocument) -> Lines:
    detail: Piece = Code(step.detail) if step.detail.startswith("https://") else step.detail
    return tuple(part for part in (detail, counted(step.secrets) if step.secrets else "") if part) or ("",)


def counted(counts: CountsDocument) -> str:
    """What became of the Secrets; the parts add up to the total."""
    return (
        f"{counts.total:,} Secrets: {counts.rewritten:,} rewritten, {counts.current:,} current, {counts.gone:,} gone, "
        f"{counts.failed:,} failed"
    )


def _evidence(report: Report) -> Iterator[Block]:
    if not report.proofs:
        yield Paragraph("The journal holds no evidence.")
    for proof in report.proofs:
        yield Heading(f"{proof.title}: {'proven' if proof.holds else 'not proven'}")
        yield _facts(proof)
        yield _passes(proof)
        courses = tuple(course for course in proof.courses if course.seconds > 0 and len(course.samples) > 1)
        if courses:
            paces = " ".join(
                _pace(course.purpose, course.secrets, course.seconds, course.per_second) for course in courses
            )
            yield Rates(courses, paces)


def _pace(purpose: str, secrets: int, seconds: float, rate: float) -> str:
    return f"{purpose.capitalize()}: {secrets:,} Secrets in {seconds:,.1f} s, {rate:,.0f} a second on average."


def _facts(proof: ProofDocument) -> Table:
    evidence = proof.evidence
    told_apart = str(evidence.api_servers) if evidence.api_servers else "not possible: their counters cannot be read"
    facts: dict[str, Lines] = {
        "Verdict": ("Every Secret was found stored in this form." if proof.holds else "Not proven.",),
        **({"Lacks": tuple(evidence.missing)} if evidence.missing else {}),
        "Stored as": (Code(evidence.stored_as),),
        "Made": (
            f"{moment(evidence.started_at)} to {moment(evidence.finished_at)}",
            f"Kubernetes {evidence.kubernetes_version}",
        ),
        "Sign of the provider": _grade(evidence),
        "API servers told apart": (told_apart,),
        "Barrier": (f"resourceVersion {evidence.barrier}: what lay at or below it was rewritten",),
        "Holds up to": (f"resourceVersion {evidence.resource_version}",),
    }
    rows = tuple(((fact,), lines) for fact, lines in facts.items())
    return Table(f"Proof of {proof.step}", ("Fact", "Value"), rows)


def _grade(evidence: EvidenceDocument) -> Lines:
    grades = {
        "direct": "direct: the API servers' own counters around a write",
        "behavioural": "behavioural: the canary Secret from before the change moved, then lay still",
    }
    return (grades.get(evidence.grade, evidence.grade), *evidence.signs)


def _passes(proof: ProofDocument) -> Table:
    last = len(proof.evidence.passes) - 1
    named = [("Proof" if number == last else "Rewriting", one) for number, one in enumerate(proof.evidence.passes)]
    named += [(f"Closing look {number}", one) for number, one in enumerate(proof.evidence.closing_looks, 1)]
    rows = tuple(((name,), _outcome(one), _servers(one), (Code(one.digest),)) for name, one in named)
    return Table(f"Passes of {proof.step}", ("Pass", "Outcome", "API servers say", "Digest (SHA-256)"), rows)


def _outcome(one: PassDocument) -> Lines:
    meanwhile = [f"{one.changed_meanwhile:,} changed by others meanwhile"] if one.changed_meanwhile else []
    return (counted(one.secrets), f"{one.seconds:,.1f} s", *meanwhile)


def _servers(one: PassDocument) -> Lines:
    lines = [
        f"{verb} {', '.join(f'{count:,} {form}' for form, count in values.items())}"
        for verb, values in (("read", one.reads), ("wrote", one.writes))
        if values
    ]
    restarted = [f"{one.api_servers_restarted} began anew"] if one.api_servers_restarted else []
    return (*lines, *restarted) or ("not asked",)


def _checks(report: Report) -> Iterator[Block]:
    asked, skipped = report.checks.asked, report.checks.skipped
    if not asked and not skipped:
        yield Paragraph("The journal does not tell what the checks found.")
        return
    for one in asked:
        yield Paragraph(
            f"{'Asked' if one is asked[0] else 'Asked again, before the newest run,'} {moment(one.at)}: {one.passed} "
            f"passed, {len(one.warned)} warned, {len(one.unknown)} could not look, {len(one.skipped)} were left out."
        )
    rows: list[tuple[Lines, ...]] = [
        (
            (Code(check.id),),
            ("Left out",),
            (check.title, f"by {check.by}, {moment(check.at)}" if check.by else "it would have stopped nothing"),
        )
        for check in skipped
    ]
    for outcome, named in (
        ("Warned", [check for one in asked for check in one.warned]),
        ("Could not look", [check for one in asked for check in one.unknown]),
    ):
        rows += [((Code(check.id),), (outcome,), (check.title,)) for check in dict.fromkeys(named)]
    if rows:
        yield Table("Checks that did not simply pass", ("Check", "Outcome", "What has to be true"), tuple(rows))


def _runs(report: Report) -> Iterator[Block]:
    if report.runs_left_out:
        yield Paragraph(f"{report.runs_left_out} earlier runs are not kept.")
    if not report.runs:
        yield Paragraph("The journal does not tell who ran it.")
        return
    rows = tuple(
        ((str(number),), _typed(run), _lasted(run), _ended(run, report))
        for number, run in enumerate(report.runs, report.runs_left_out + 1)
    )
    yield Table("Runs, and who typed them", ("Run", "Command, and by whom", "When (UTC)", "Ended"), rows)


def _typed(run: RunDocument) -> Lines:
    return (Code(run.command), *(by for by in (run.account, run.by, run.tool) if by))


def _lasted(run: RunDocument) -> Lines:
    took = seconds_between(run.started_at, run.ended_at)
    return (Stamp(run.started_at), *([duration(took)] if took is not None else []))


def _ended(run: RunDocument, report: Report) -> Lines:
    if run.outcome:
        return (run.outcome, *([Code(run.problem)] if run.problem else []))
    under_way = report.now.runner and run is report.runs[-1]
    return ("Under way, it seems",) if under_way else ("Without a word: its process was ended",)


def _about(report: Report) -> Iterator[Block]:
    yield Items(
        (
            (
                "What is observed was asked of Azure when this report was made. Everything else was recorded by runs "
                "in the ConfigMap kube-system/aks-kms-migrate; whoever may write that can change it.",
            ),
            (
                "A proof is a pass over all Secrets in which the API servers, known to write one form, find each so "
                "stored. It is about the time it was made, and about what was written up to its resourceVersion.",
            ),
            ("It says nothing about backups of etcd, nor about etcd's history until that is compacted.",),
            (
                "A digest is over uid and resourceVersion of every Secret in the order of the list. Neither report nor "
                "journal holds data of a Secret, or its name.",
            ),
            (f"Made {moment(report.now.observed_at)} by {report.generated_by}.",),
        )
    )
