"""The decision record: what the caller is told, and what the log keeps so that it can be explained.

The blobs of a `DecisionRow` are little-endian arrays: `features` (F,) float64 in schema order, `eligible`
(k,) int16 refusal codes (0 is eligible), `odds` and `values` (k,) float64, values being the scores.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from math import isfinite
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from nba.chance import Group
from nba.contact.eligibility import Gatekeeper, Situation
from nba.decide import Decided
from nba.live import Live
from nba.model import DecisionRequest
from nba.playbook.arms import NO_CONTACT
from nba.playbook.compile import Playbook
from nba.playbook.declaration import Feature
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


@dataclass(frozen=True, kw_only=True)
class Grounds:
    """What the decisions of a batch rest on; `uniforms` (n,) drew the arms."""

    decided: Decided
    situation: Situation
    uniforms: Floats
    live: Live
    gatekeeper: Gatekeeper

    @cached_property
    def eligible_contacts(self) -> Sequence[bool]:
        """For each decision, whether anything but silence was eligible."""
        contacts = self.decided.verdict.eligible[:, 1:]
        open_: list[bool] = np.any(contacts, axis=1).tolist()
        return open_


def decision_row(subject: Subject, grounds: Grounds, row: int) -> DecisionRow:
    """The record of row `row` of a batch, its answer inside."""
    live, decided, request = grounds.live, grounds.decided, subject.request
    arms, arm = live.playbook.arms, int(decided.arm[row])
    answer = _answer(subject, grounds, row)
    trace = {
        "uniform": float(grounds.uniforms[row]),
        "state_version": subject.state_version,
        "scores": live.scores_publication.number if live.scores_publication else None,
        "best": _best(grounds, row),
        "actions": request.actions,
        "channels": request.channels,
    }
    return DecisionRow(
        decision_id=request.decision_id,
        surrogate=subject.surrogate,
        decided_at=subject.now,
        arm=arms.names[arm],
        action=answer["action"],
        channel=answer["channel"],
        timing=answer["timing"],
        send_at=None if arm == 0 else float(decided.verdict.send_at[row, arm]),
        propensity=answer["propensity"],
        group=subject.group,
        policy=answer["policy"],
        playbook=live.playbook.version,
        status="active" if request.activate else "held",
        activated_at=subject.now if request.activate else None,
        digest=request.digest,
        body=orjson.dumps(answer),
        trace=orjson.dumps(trace),
        features=grounds.situation.features[row].tobytes(),
        eligible=decided.verdict.codes[row].tobytes(),
        odds=decided.choice.odds[row].tobytes(),
        values=decided.choice.scores[row].tobytes(),
    )


def _answer(subject: Subject, grounds: Grounds, row: int) -> dict[str, Any]:
    live, decided, playbook = grounds.live, grounds.decided, grounds.live.playbook
    arm = int(decided.arm[row])
    answer: dict[str, Any] = {
        "decision_id": subject.request.decision_id,
        "customer_id": subject.request.customer_id,
        "decided_at": timestamp(subject.now),
        **_contact(playbook, arm, float(decided.verdict.send_at[row, arm])),
        "propensity": float(decided.propensity[row]),
        "expected_value": float(decided.choice.scores[row, arm]) if hasattr(live.policy, "model") else None,
        "explored": bool(decided.explored[row]),
        "group": subject.group,
        "policy": _policy_name(subject.group, live),
        "playbook": playbook.version,
        **_standing(playbook, grounds.situation.features[row]),
        "experiment": None,
    }
    if not grounds.eligible_contacts[row]:
        codes = decided.verdict.codes[row, 1:]
        answer["reason"] = grounds.gatekeeper.reasons[int(np.bincount(codes).argmax())]
        retry_at = grounds.gatekeeper.retry_at(grounds.situation, row, decided.verdict)
        answer["retry_at"] = timestamp(retry_at)
    ignored = sorted(key for key in subject.request.context if key not in playbook.spec.context)
    if ignored:
        answer["ignored"] = [key[:64] for key in ignored[:MOST_IGNORED]]
    if subject.request.explain:
        answer |= _explained(grounds, row)
    return answer


def _contact(playbook: Playbook, arm: int, send_at: float) -> dict[str, Any]:
    """What is done, where, when and what for; nulls for no contact."""
    arms = playbook.arms
    if arm == 0:
        nothing = dict.fromkeys(("channel", "timing", "send_at", "purpose"))
        return {"action": NO_CONTACT, **nothing}
    action = arms.actions[arms.action[arm]]
    return {
        "action": action,
        "channel": arms.channels[arms.channel[arm]],
        "timing": arms.timings[arms.timing[arm]],
        "send_at": timestamp(send_at),
        "purpose": playbook.spec.actions[action].purpose,
    }


def _policy_name(group: Group, live: Live) -> str:
    return {"treatment": live.policy_name, "random_eligible": "uniform@0", "holdout": "no_contact@0"}[group]


def _standing(playbook: Playbook, features: Floats) -> dict[str, Any]:
    """The customer's stage and scores, as far as they are known."""
    stage = features[playbook.schema.index["stage"]]
    known = ((name, float(features[column])) for name, column in _score_columns(playbook))
    return {
        "stage": playbook.spec.stages[int(stage)].name if np.isfinite(stage) else None,
        "scores": {name: score for name, score in known if isfinite(score)},
    }


@lru_cache(maxsize=16)
def _score_columns(playbook: Playbook) -> list[tuple[str, int]]:
    """Scores as answers name them, with their columns."""
    features = enumerate(playbook.schema.features)
    return [(f.name.removeprefix("propensity_"), i) for i, f in features if f.group == "score"]


def _best(grounds: Grounds, row: int) -> str | None:
    best = int(grounds.decided.choice.best[row])
    return grounds.live.playbook.arms.names[best] if best >= 0 else None


def _explained(grounds: Grounds, row: int) -> dict[str, Any]:
    live, choice = grounds.live, grounds.decided.choice
    codes, features = grounds.decided.verdict.codes[row], grounds.situation.features[row]
    arm = int(grounds.decided.arm[row])
    return {
        **explanation(live.playbook, grounds.gatekeeper, codes, choice.odds[row], choice.scores[row]),
        "contributions": contributions(live.policy, live.playbook, features, arm),
        "best": _best(grounds, row),
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
        "features": {f.name: _said(f, v) for f, v in zip(playbook.schema.features, features, strict=True)},
        "feature_schema": playbook.schema.fingerprint,
        "status": row.status,
        "activated_at": timestamp(row.activated_at),
    }
    return {**orjson.loads(row.body), "trace": trace}


def _said(feature: Feature, value: float) -> float | str | bool | None:
    """A feature's value as a person says it; None where it is not known."""
    if np.isnan(value):
        return None
    if feature.kind == "category":
        return feature.categories[int(value)]
    return bool(value) if feature.kind == "boolean" else float(value)


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
