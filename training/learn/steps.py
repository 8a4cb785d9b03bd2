"""What the loop does about a policy on trial: takes it back, lets it decide for more, or leaves it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import orjson

from nba.artefacts import Artefacts
from nba.playbook.compile import Playbook
from nba.promotion import promote, rollback
from nba.standing import FALLBACK
from nba.stores.ports import Lease, Publication, Store
from training.learn.freshen import boundary
from training.learn.trial import Trial, findings
from training.learn.worth import Worth, look

WHO = "nba learn"
_PATIENCE = 14 * 86_400.0  # beyond the window, in which a ramp that decides for nobody is given up


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Something that the loop did, in words and as fields of a log line."""

    event: str
    said: str
    fields: dict[str, Any]


def guard(store: Store, playbook: Playbook, trial: Trial, *, as_of: float, lease: Lease) -> Step | None:
    """Take the trial back where a guardrail broke."""
    broken = [f for f in findings(store, playbook, trial, as_of=as_of) if f.broken]
    if not broken:
        return None
    why = "; ".join(f"guardrail {f.reason}" for f in broken)
    return _back(store, trial, why, {"guardrails": [asdict(f) for f in broken]}, as_of=as_of, lease=lease)


def value(
    store: Store, artefacts: Artefacts, playbook: Playbook, trial: Trial, *, as_of: float, lease: Lease
) -> Step | None:
    """Take the trial back where mature rewards show it to be worse than what it replaces."""
    found = look(store, artefacts, playbook, trial, as_of=as_of, lease=lease)
    if found is None or not found.worse:
        return None
    return _back(store, trial, found.reason, _evidence(found), as_of=as_of, lease=lease)


def ramp(store: Store, playbook: Playbook, trial: Trial, *, as_of: float, lease: Lease) -> Step | None:
    """Let the ramp decide for more customers, at last for all, once enough of this step's are mature."""
    settings = playbook.spec.promotion.ramp
    if not trial.ramping:
        return None
    matured = _matured(store, playbook, trial, as_of)
    if matured == 0 and as_of - trial.stepped > playbook.spec.objectives.window + _PATIENCE:
        return _back(store, trial, "nobody has entered its ramp", {}, as_of=as_of, lease=lease)
    needed = 0 if settings is None else settings.customers  # a playbook without steps ends a ramp at once
    if matured < needed:
        return None
    rest = [step for step in settings.steps if step > trial.policy.share] if settings is not None else []
    share = rest[0] if rest else 1.0
    why = f"{matured} customers of {trial.policy.name} are mature at a share of {trial.policy.share:g}"
    made = promote(
        store,
        trial.policy,
        at=as_of,
        who=WHO,
        why=why,
        share=share,
        evidence=trial.policy.evidence,
        seen=trial.seen,
        lease=lease,
    )
    said = f"{made.name} decides for {share:.0%} of treatment customers: {why}"
    return Step(event="ramped", said=said, fields={"policy": made.name, "share": share})


def _matured(store: Store, playbook: Playbook, trial: Trial, as_of: float) -> int:
    """Customers whom the trial decided for since its latest step, with a mature reward."""
    return len(
        {
            row.surrogate
            for rows in store.draws(trial.stepped, boundary(playbook, as_of))
            for row in rows
            if row.policy in trial.names and row.status == "active" and row.group == "treatment"
        }
    )


def _back(
    store: Store, trial: Trial, why: str, evidence: dict[str, Any], *, as_of: float, lease: Lease
) -> Step:
    """A ramp is withdrawn; a champion gives way to the one before its trial, past all its refreshes."""
    made = rollback(
        store,
        at=as_of,
        who=WHO,
        why=why,
        to=None if trial.ramping else FALLBACK if trial.beside is None else trial.beside.name,
        seen=trial.seen,
        evidence=orjson.dumps(evidence, option=orjson.OPT_SERIALIZE_NUMPY).decode(),
        lease=lease,
    )
    return Step(
        event="rolled_back",
        said=f"{trial.policy.name} was rolled back: {why}",
        fields={"policy": trial.policy.name, "serves": _serves(made, trial), "why": why},
    )


def _serves(made: Publication, trial: Trial) -> str:
    if made.kind == "policy":
        return made.name
    return "fallback" if trial.beside is None else trial.beside.name


def _evidence(found: Worth) -> dict[str, Any]:
    return {"look": found.look, "difference": asdict(found.gain)}
