"""Results as table rows (``-o table``). az hands them in as it prints them in JSON: camelCase keys."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from azext_kmsmigrate.migration.span import Span
from azext_kmsmigrate.report.one_line import cut, harmless

Row = OrderedDict[str, object]
_BESIDE = 48  # columns that a detail has beside three or four others; a table is a hundred wide at most


def plan_rows(plan: dict[str, Any]) -> list[Row]:
    """One row a step, then what they come to; a single row when there is none or nothing may begin."""

    def row(step: str, status: str, detail: str, time: dict[str, Any] | None = None, undo: str = "") -> Row:
        return Row(Step=step, Status=status, Time=_time(time), Undo=undo, Detail=_cut(detail, 44))

    rows = [
        row(s["id"], s["status"], s["detail"] or s["title"], s["estimate"], "yes" if s["reversible"] else "no")
        for s in plan["steps"]
    ]
    if plan["estimate"]:
        rows.append(row("-", "Together", "all steps", plan["estimate"]))
    if plan["exposure"]:
        rows.append(row("-", "Exposure", "Secrets may be stored without KMS", plan["exposure"]))
    if plan["blocked"]:
        rows.append(row("-", "Blocked", f"{plan['blocked']['code']} {plan['blocked']['what']}"))
    return rows or [row("-", "NothingToDo", plan["summary"])]


def check_rows(report: dict[str, Any]) -> list[Row]:
    """One row a finding of what blocks, warns or informs, then what is not known or left out, then what is well."""
    rows: list[Row] = []
    if report["blocked"]:
        blocked = report["blocked"]
        rows.append(_check_row(blocked["code"], "block", "blocked", blocked["what"]))
    for check in report["checks"]:
        whats = [f"{f['object']}: {f['what']}" for f in check["findings"]] or [check["note"] or check["title"]]
        rows += [_check_row(check["id"], check["severity"], check["outcome"], what) for what in whats]
    return rows


def _check_row(check: str, severity: str, outcome: str, what: str) -> Row:
    return Row(Id=check, Severity=severity, Outcome=outcome, What=_cut(what))


def run_rows(run: dict[str, Any]) -> list[Row]:
    """One row a step that was done, then the outcome, then every Secret that failed."""
    rows = [
        Row(
            Step=s["id"],
            Status=s["status"],
            Seconds=s["durationSeconds"],
            Detail=_cut(_secrets(s) or s["detail"], _BESIDE),
        )
        for s in run["steps"]
    ]
    rows.append(Row(Step="-", Status=run["state"], Seconds="", Detail=_cut(run["summary"], _BESIDE)))
    rows += [
        Row(Step="", Status=f["kind"], Seconds="", Detail=_cut(f"{f['namespace']}/{f['name']}: {f['detail']}", _BESIDE))
        for f in run["failed"]
    ]
    return rows


def status_rows(status: dict[str, Any]) -> list[Row]:
    """One row a fact: a command does not fit beside others."""
    cluster, journal = status["cluster"], status["journal"]
    facts = {
        "Cluster": cluster["name"],
        "Kubernetes": cluster["kubernetesVersion"],
        "KMS": cluster["kms"],
        "Azure": status["operation"] or "no operation under way",
        "Step": status["step"] or "-",
        "Secrets": _progress(status["secrets"]),
        "Exposed": _exposure(journal and journal["exposure"]),
        "Steps left": ", ".join(status["remaining"]) or "none",
        "Blocked by": f"{status['blocked']['code']} {status['blocked']['what']}" if status["blocked"] else "-",
        "Last problem": (journal and journal["lastProblem"]) or "-",
        "Running": status["runner"] or "-",
        "Not seen": "; ".join(status["unseen"]) or "-",
        "Next": status["nextCommand"] or "-",
    }
    return [Row(Item=item, Value=_cut(value, 80)) for item, value in facts.items()]


def report_rows(report: dict[str, Any]) -> list[Row]:
    """The verdict and what belongs to it, one row a fact; then what is otherwise now than recorded."""
    now, exposure = report["now"], report["exposure"]
    facts = [
        ("Cluster", report["cluster"]["name"]),
        ("Verdict", report["verdict"]),
        ("", report["headline"]),
        *(("Changed", f"{d['what']}: {d['recorded']} then, {d['observed']} now") for d in report["differences"]),
        ("KMS now", now["kms"]),
        ("Key now", now["keyId"] or "-"),
        ("Kubernetes", now["kubernetesVersion"]),
        ("Exposed", _exposure(exposure)),
        *(("Proof", _proof(p)) for p in report["proofs"]),
        ("Left out", ", ".join(check["id"] for check in report["checks"]["skipped"]) or "-"),
        ("Keys to keep", str(len(report["keys"]))),
        ("By hand", str(len(report["manual"]))),
        *(("Not seen", unseen) for unseen in report["unseen"]),
        ("Next", report["nextCommand"] or "-"),
    ]
    return [Row(Item=item, Value=_cut(value, 80)) for item, value in facts]


def verification_rows(found: dict[str, Any]) -> list[Row]:
    """The verdict, then each Secret that is not proven."""
    evidence = found["evidence"]
    total = evidence["passes"][-1]["secrets"]["total"] if evidence["passes"] else 0
    rows = [
        Row(
            Verified=found["verified"],
            StoredAs=found["storedAs"],
            Secrets=total,
            Grade=evidence["grade"],
            Detail=_cut("; ".join(evidence["missing"]) or "-", _BESIDE),
        )
    ]
    rows += [
        Row(
            Verified=False,
            StoredAs="?",
            Secrets=1,
            Grade=f["kind"],
            Detail=_cut(f"{f['namespace']}/{f['name']}", _BESIDE),
        )
        for f in found["unverified"]
    ]
    return rows


def list_rows(clusters: list[dict[str, Any]]) -> list[Row]:
    """One row a cluster; the subscription's first characters where there are several."""
    several = len({c["subscriptionId"] for c in clusters}) > 1

    def row(cluster: dict[str, Any]) -> Row:
        place = {"Subscription": _cut(cluster["subscriptionId"], 9)} if several else {}
        return Row(
            Name=_cut(cluster["name"] or "?", 20 if several else 26),
            ResourceGroup=_cut(cluster["resourceGroup"] or "?", 16 if several else 26),
            **place,
            Version=cluster["kubernetesVersion"] or "?",
            Kms=_cut(cluster["kms"] or "?", 8),
            Needs=cluster["needs"],
            BlockedBy=_cut(", ".join(dict.fromkeys(b["id"] for b in cluster["blockedBy"])) or "-", 12),
        )

    return [row(cluster) for cluster in clusters]


def _secrets(step: dict[str, Any]) -> str:
    counts = step["secrets"]
    return (
        f"{counts['total']:,} Secrets, {counts['rewritten']:,} rewritten, {counts['failed']:,} failed" if counts else ""
    )


def _progress(secrets: dict[str, Any] | None) -> str:
    return f"{secrets['done']:,} of {secrets['total']:,} done, {secrets['left']:,} left" if secrets else "-"


def _proof(proof: dict[str, Any]) -> str:
    evidence = proof["evidence"]
    total = evidence["passes"][-1]["secrets"]["total"] if evidence["passes"] else 0
    found = f"stored as {evidence['storedAs']}" if proof["holds"] else "not proven"
    return f"{proof['step']}: {total:,} Secrets {found}, {evidence['finishedAt']}"


def _exposure(exposure: dict[str, Any] | None) -> str:
    if not exposure or not exposure["start"]:
        return "-"
    return f"since {exposure['start']}" + (f", until {exposure['end']}" if exposure["end"] else "")


def _time(span: dict[str, Any] | None) -> str:
    if span is None:
        return ""
    return "?" if span["highSeconds"] is None else str(Span(span["lowSeconds"], span["highSeconds"]))


def _cut(text: str, columns: int = 60) -> str:
    return cut(harmless(text), columns)
