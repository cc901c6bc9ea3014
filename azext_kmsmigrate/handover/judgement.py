"""The verdict of a report, in a word and in sentences, and what is otherwise now than it was recorded. Pure.

| journal | proof of the last step | now | verdict |
|---|---|---|---|
| none | | | NotRecorded |
| unfinished | | | Unfinished |
| complete | none, or it lacks something | | Unproven |
| complete | holds | KMS state or key is another | Changed |
| complete | holds | as it was | Proven |

A verdict is about the day of the proof; a report looks at no Secret.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from azext_kmsmigrate.handover.document import DifferenceDocument, Verdict
from azext_kmsmigrate.handover.instant import moment
from azext_kmsmigrate.handover.spoken import spoken
from azext_kmsmigrate.migration.chronicle import Observation
from azext_kmsmigrate.migration.facts import ClusterFacts, KmsState
from azext_kmsmigrate.migration.journal import Direction, Journal
from azext_kmsmigrate.migration.plan import Plan
from azext_kmsmigrate.migration.proof import ProofRecord
from azext_kmsmigrate.migration.step import StepId, StepStatus


@dataclass(frozen=True)
class Judgement:
    """See the module's docstring."""

    verdict: Verdict
    headline: str
    told: tuple[str, ...]
    differences: tuple[DifferenceDocument, ...]
    next_command: str | None

    @classmethod
    def of(cls, cluster: ClusterFacts, journal: Journal | None, plan: Plan) -> Judgement:
        """``plan``: what a run would do now."""
        if journal is None:
            return _not_recorded(cluster, plan)
        differences = tuple(_differences(cluster, journal))
        if journal.unfinished:
            return _unfinished(cluster, journal, plan, differences)
        return _ended(cluster, journal, plan, differences)


def _not_recorded(cluster: ClusterFacts, plan: Plan) -> Judgement:
    return Judgement(
        Verdict.NOT_RECORDED,
        "No migration is recorded on this cluster",
        (
            f"Azure says: {_now(cluster)}, Kubernetes {cluster.version}.",
            "The cluster holds no journal of this tool: none has been run here, or the ConfigMap "
            "kube-system/aks-kms-migrate was deleted. How the Secrets are stored is not known from this; "
            "'az aks kms-migrate verify' proves it at any time.",
        ),
        (),
        _command("start" if plan.pending else "verify", cluster),
    )


def _unfinished(
    cluster: ClusterFacts, journal: Journal, plan: Plan, differences: tuple[DifferenceDocument, ...]
) -> Judgement:
    back = journal.direction is Direction.BACK
    told = []
    if journal.exposed_from and not journal.exposed_to:
        told.append(f"Secrets may be stored without KMS encryption since {moment(journal.exposed_from)}; none is lost.")
    if plan.steps:
        left = ", ".join(step.id.value for step in plan.steps)
        told.append(f"Left to do: {left}.")
    if plan.blocked:
        told.append(f"It cannot go on yet. {plan.blocked.entry.code}: {plan.blocked.what}")
    if journal.last_problem:
        told.append(f"The last problem: {journal.last_problem.rstrip('.')}.")
    told.append(_standing_proof(journal))
    return Judgement(
        Verdict.UNFINISHED,
        f"Not finished: the way back to KMS v1 {_since(journal)}" if back else f"Not finished: {_since(journal)}",
        tuple(told),
        differences,
        None if plan.blocked else _command("revert" if back else "start", cluster),
    )


def _since(journal: Journal) -> str:
    done = [record.id.value for record in journal.steps if record.status is StepStatus.DONE]
    return f"begun {moment(journal.started_at)}" + (f", done up to {done[-1]}" if done else "")


def _standing_proof(journal: Journal) -> str:
    """What the newest proof that holds says; it is of its own date."""
    for step in (StepId.ENCRYPT_SECRETS, StepId.DECRYPT_SECRETS):
        proof = journal.chronicle.proof_of(step)
        if proof is not None and proof.holds:
            return f"Last proven: every Secret stored as {proof.stored_as}, {moment(proof.finished_at)}."
    return "No proof is recorded yet."


def _ended(
    cluster: ClusterFacts, journal: Journal, plan: Plan, differences: tuple[DifferenceDocument, ...]
) -> Judgement:
    name = spoken(_goal(journal).value)
    proof = journal.chronicle.proof_of(StepId.ENCRYPT_SECRETS)
    following = _command("start" if plan.pending else "verify", cluster)
    if proof is None or not proof.holds or proof.stored_as != _form(journal):
        lacks = "; ".join(proof.missing) if proof else "an older version of this tool kept none"
        return Judgement(
            Verdict.UNPROVEN,
            f"Ended {moment(journal.completed_at)}, but no proof of it is kept here",
            (
                f"The journal says that {name} was on and every Secret proven. The evidence itself is not in it: "
                f"{lacks or 'what is there is of another form'}.",
                "'az aks kms-migrate verify' proves anew how every Secret is stored.",
            ),
            differences,
            following,
        )
    held = _held(proof, name)
    if any(difference.grave for difference in differences):
        return Judgement(
            Verdict.CHANGED,
            f"Changed since it was proven: {_now(cluster)} now",
            (held, "What is seen now is otherwise, so that this proof says nothing about today."),
            differences,
            following,
        )
    return Judgement(
        Verdict.PROVEN,
        f"Proven on {moment(proof.finished_at)[:10]}: every Secret stored under {name}",
        (held, "Azure says today what it said then. No Secret was looked at for this report."),
        differences,
        following,
    )


def _held(proof: ProofRecord, name: str) -> str:
    total = proof.passes[-1].counts.total if proof.passes else 0
    sign = {"direct": "the API servers' own counters", "behavioural": "a canary Secret from before the change"}
    return (
        f"A pass over all {total:,} Secrets, ended {moment(proof.finished_at)}, found every one stored under {name}. "
        f"Sign of what the API servers write: {sign.get(proof.grade, proof.grade)} (grade {proof.grade})."
    )


def _differences(cluster: ClusterFacts, journal: Journal) -> Iterator[DifferenceDocument]:
    """What was recorded last against what is seen now; the version may have gone on without any harm."""
    then = _recorded(journal)
    if then is not None:
        if then.kms != cluster.kms_state.value:
            yield DifferenceDocument("KMS state", then.kms, then.at, cluster.kms_state.value, grave=True)
        if cluster.kms.enabled and then.key_id != cluster.kms.key_id:
            yield DifferenceDocument("Key", then.key_id or "none", then.at, cluster.kms.key_id, grave=True)
        if then.kubernetes_version and then.kubernetes_version != str(cluster.version):
            yield DifferenceDocument(
                "Kubernetes version", then.kubernetes_version, then.at, str(cluster.version), grave=False
            )
    if cluster.state != "Succeeded":
        yield DifferenceDocument("Provisioning state", "Succeeded", journal.completed_at, cluster.state, grave=False)


def _recorded(journal: Journal) -> Observation | None:
    """The cluster as it was last recorded: seen, or, in a journal without observations, brought about."""
    if journal.chronicle.observations:
        return journal.chronicle.observations[-1]
    if journal.unfinished:
        return None
    proof = journal.chronicle.proof_of(StepId.ENCRYPT_SECRETS)
    kms = journal.target_kms or journal.original_kms
    return Observation(
        journal.completed_at, _goal(journal).value, proof.kubernetes_version if proof else "", kms.key_id if kms else ""
    )


def _goal(journal: Journal) -> KmsState:
    return KmsState.V1 if journal.direction is Direction.BACK else KmsState.V2


def _form(journal: Journal) -> str:
    return "kms-v1" if journal.direction is Direction.BACK else "kms-v2"


def _now(cluster: ClusterFacts) -> str:
    return spoken(cluster.kms_state.value)


def _command(verb: str, cluster: ClusterFacts) -> str:
    return f"az aks kms-migrate {verb} {cluster.name.option_text}"
