"""The decision record: what the caller is told, and what the log keeps so that it can be explained.

The blobs of a `DecisionRow` are little-endian arrays: `features` (F,) float64 in schema order, `eligible`
(k,) int16 refusal codes (0 is eligible), `odds` and `values` (k,) float64, values being the scores.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from nba.chance import Group
from nba.contact.eligibility import Gatekeeper
from nba.decide import Decided
from nba.live import Live
from nba.model import DecisionRequest
from nba.playbook.compile import Playbook
from nba.policies.policy import Policy
from nba.stores.ports import DecisionRow

Floats = NDArray[np.float64]
MOST_IGNORED = 50


def timestamp(moment: float | None) -> str | None:
    """Epoch seconds → `2026-11-21T18:00:00Z`, with microseconds where there are any."""
    if moment is None or np.isnan(moment):
        return None
    return datetime.fromtimestamp(moment, UTC).isoformat().replace("+00:00", "Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Whom a decision is about: the request, the customer's surrogate and group, the state it saw."""

    request: DecisionRequest
    surrogate: str
    group: Group
    now: float
    state_version: int
    uniform: float
    retry_at: float | None


def decision_row(
    subject: Subject, decided: Decided, row: int, features: Floats, live: Live, gatekeeper: Gatekeeper
) -> DecisionRow:
    """The record of row `row` of a batch, its answer inside."""
    arms, arm = live.playbook.arms, int(decided.arm[row])
    send_at = None if arm == 0 else float(decided.verdict.send_at[row, arm])
    answer = _answer(subject, decided, row, features, live, gatekeeper)
    request = subject.request
    trace = {
        "uniform": subject.uniform,
        "state_version": subject.state_version,
        "scores": live.scores_publication.number if live.scores_publication else None,
        "best": arms.name(int(decided.choice.best[row])) if decided.choice.best[row] >= 0 else None,
        "actions": request.actions,
        "channels": request.channels,
    }
    return DecisionRow(
        decision_id=request.decision_id,
        surrogate=subject.surrogate,
        decided_at=subject.now,
        arm=arms.name(arm),
        action=answer["action"],
        channel=answer["channel"],
        timing=answer["timing"],
        send_at=send_at,
        propensity=float(decided.propensity[row]),
        group=subject.group,
        policy=answer["policy"],
        playbook=live.playbook.version,
        status="active" if request.activate else "held",
        activated_at=subject.now if request.activate else None,
        digest=request.digest,
        body=orjson.dumps(answer),
        trace=orjson.dumps(trace),
        features=features[row].tobytes(),
        eligible=decided.verdict.codes[row].tobytes(),
        odds=decided.choice.odds[row].tobytes(),
        values=decided.choice.scores[row].tobytes(),
    )


def _answer(
    subject: Subject, decided: Decided, row: int, features: Floats, live: Live, gatekeeper: Gatekeeper
) -> dict[str, Any]:
    playbook, arm, request = live.playbook, int(decided.arm[row]), subject.request
    arms, schema = playbook.arms, playbook.schema
    contact = arm != 0
    action = arms.actions[arms.action[arm]] if contact else "no_contact"
    stage, score = features[row, schema.index["stage"]], float(decided.choice.scores[row, arm])
    answer: dict[str, Any] = {
        "decision_id": request.decision_id,
        "customer_id": request.customer_id,
        "decided_at": timestamp(subject.now),
        "action": action,
        "channel": arms.channels[arms.channel[arm]] if contact else None,
        "timing": arms.timings[arms.timing[arm]] if contact else None,
        "send_at": timestamp(decided.verdict.send_at[row, arm]) if contact else None,
        "purpose": playbook.spec.actions[action].purpose if contact else None,
        "propensity": float(decided.propensity[row]),
        "expected_value": score if hasattr(live.policy, "model") else None,
        "explored": bool(decided.explored[row]),
        "group": subject.group,
        "policy": _policy_name(subject.group, live),
        "playbook": playbook.version,
        "stage": playbook.spec.stages[int(stage)].name if np.isfinite(stage) else None,
        "scores": _scores(features[row], playbook),
        "experiment": None,
    }
    codes = decided.verdict.codes[row]
    if len(codes) > 1 and codes[1:].all():
        answer["reason"] = gatekeeper.reasons[int(np.bincount(codes[1:]).argmax())]
        answer["retry_at"] = timestamp(subject.retry_at)
    ignored = sorted(key for key in request.context if key not in playbook.spec.context)
    if ignored:
        answer["ignored"] = [key[:64] for key in ignored[:MOST_IGNORED]]
    if request.explain:
        answer |= _explained(decided, row, features, live, gatekeeper)
    return answer


def _policy_name(group: Group, live: Live) -> str:
    return {"treatment": live.policy_name, "random_eligible": "uniform@0", "holdout": "no_contact@0"}[group]


def _scores(features: Floats, playbook: Playbook) -> dict[str, float]:
    named = {f.name: features[i] for i, f in enumerate(playbook.schema.features) if f.group == "score"}
    known = {name: float(value) for name, value in named.items() if np.isfinite(value)}
    return {name.removeprefix("propensity_"): value for name, value in known.items()}


def _explained(
    decided: Decided, row: int, features: Floats, live: Live, gatekeeper: Gatekeeper
) -> dict[str, Any]:
    choice, codes = decided.choice, decided.verdict.codes[row]
    return {
        **explanation(live.playbook, gatekeeper, codes, choice.odds[row], choice.scores[row]),
        "contributions": contributions(live.policy, live.playbook, features[row], int(decided.arm[row])),
        "best": live.playbook.arms.name(int(choice.best[row])) if choice.best[row] >= 0 else None,
    }


def explanation(
    playbook: Playbook, gatekeeper: Gatekeeper, codes: NDArray[np.int16], odds: Floats, values: Floats
) -> dict[str, Any]:
    """What was refused and why, and what the eligible arms were worth."""
    names = playbook.arms.names
    return {
        "refused": {names[a]: gatekeeper.reasons[codes[a]] for a in np.flatnonzero(codes)},
        "alternatives": [
            {"arm": names[a], "odds": float(odds[a]), "score": _finite(values[a])}
            for a in np.flatnonzero(codes == 0)
        ],
    }


def contributions(policy: Policy, playbook: Playbook, features: Floats, arm: int) -> dict[str, float]:
    """What each feature adds to the arm's score, largest first; empty for a policy that predicts nothing."""
    model = getattr(policy, "model", None)
    if model is None:
        return {}
    parts = model.contributions(features[None, :], np.array([arm]))[0]
    order = np.argsort(-np.abs(parts), kind="stable")
    return {playbook.schema.names[i]: float(parts[i]) for i in order if parts[i] != 0.0}


def full_trace(row: DecisionRow, playbook: Playbook, gatekeeper: Gatekeeper) -> Mapping[str, Any]:
    """The answer's fields plus `trace`: the funnel from candidates to the draw, and what it rested on."""
    codes = np.frombuffer(row.eligible, dtype=np.int16)
    odds, values = (np.frombuffer(blob, dtype=np.float64) for blob in (row.odds, row.values))
    features = np.frombuffer(row.features, dtype=np.float64)
    funnel = {
        "candidates": len(codes),
        "refused": int(np.count_nonzero(codes)),
        "scored": int(np.count_nonzero(codes == 0)),
        "drawn": row.arm,
    }
    trace = {
        **orjson.loads(row.trace),
        "funnel": funnel,
        **explanation(playbook, gatekeeper, codes, odds, values),
        "features": {n: float(v) for n, v in zip(playbook.schema.names, features, strict=True) if v == v},
        "feature_schema": playbook.schema.fingerprint,
        "status": row.status,
        "activated_at": timestamp(row.activated_at),
    }
    return {**orjson.loads(row.body), "trace": trace}


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
