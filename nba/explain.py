"""A decision as a person can follow it: the funnel from candidates to the draw, and what each part was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from nba.blobs import unpack, unpack_one
from nba.contact.caps import PURPOSES
from nba.model import ContactRow, timestamp
from nba.playbook.compile import Playbook
from nba.playbook.declaration import Feature
from nba.policies.levers import Levers
from nba.policies.policy import Policy
from nba.stores.ports import DecisionRow
from nba.trace import consent_in

Floats = NDArray[np.float64]
_FIRST_RULES = ("valid_from", "valid_until", "when", "cooldown")


def explanation(
    playbook: Playbook,
    reasons: Sequence[str] | Mapping[int, str],
    codes: NDArray[np.int16],
    odds: Floats,
    scores: Floats,
) -> dict[str, Any]:
    """What was refused and why, and what the eligible arms were worth.

    Of these `score` is the expected reward net of costs, `lever` the playbook's, `value` what both make.
    """
    arms = playbook.arms
    levers = Levers.of(arms.lever)
    values = scores if levers is None else levers.values(scores)
    return {
        "refused": {arms.names[a]: reasons[int(codes[a])] for a in np.flatnonzero(codes)},
        "alternatives": [
            {
                "arm": arms.names[a],
                "odds": float(odds[a]),
                "score": _finite(scores[a]),
                "lever": float(arms.lever[a]),
                "value": _finite(values[a]),
                "cost": float(arms.cost[a]),
            }
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


def full_trace(
    row: DecisionRow,
    playbook: Playbook,
    *,
    policy: Policy | None,
    contact: ContactRow | None,
) -> Mapping[str, Any]:
    """The answer's fields plus `trace`: the funnel from candidates to the draw, and what it rested on.

    Args:
        playbook: the decision's, with the actions that were brought along.
        contact: what became of it in the ledger; None for silence.
        policy: the one that decided, for the contributions; None leaves them out, and so does one that
            predicts nothing.
    """
    logged = orjson.loads(row.trace)
    codes = np.frombuffer(row.eligible, dtype=np.int16)
    odds, scores = unpack([row.odds, row.values], len(codes))
    features = unpack_one(row.features, len(playbook.schema))
    trace = {
        **logged,
        "consent": _consent(logged, playbook) if "consent" in logged else None,
        "ledger": [_contact(contact) for contact in logged.get("ledger", ())],
        "funnel": {
            "candidates": len(codes),
            "refused": int(np.count_nonzero(codes)),
            "scored": int(np.count_nonzero(codes == 0)),
            "drawn": row.arm,
        },
        **explanation(playbook, reasons_of(logged, playbook), codes, odds, scores),
        "features": {f.name: _said(f, v) for f, v in zip(playbook.schema.features, features, strict=True)},
        "feature_schema": playbook.schema.fingerprint,
        "status": row.status,
        "contact": None if contact is None else contact.status,
        "activated_at": timestamp(row.activated_at),
    }
    if policy is not None and hasattr(policy, "model"):
        trace["contributions"] = contributions(policy, playbook, features, playbook.arms.index[row.arm])
    return {**orjson.loads(row.body), "trace": trace}


def reasons_of(logged: Mapping[str, Any], playbook: Playbook) -> Mapping[int, str]:
    """The rules by the codes that a decision has; the first version logged no names and numbered them so."""
    if "reasons" in logged:
        return {int(code): reason for code, reason in logged["reasons"]}
    spec = playbook.spec
    first = (
        *("", "groups.holdout", "request.actions", "request.channels", "consent", "contact.quiet_hours"),
        *(f"contact.stops.{stop.name}" for stop in spec.contact.stops),
        *(f"contact.caps[{i}]" for i in range(len(spec.contact.caps))),
        *(f"actions.{name}.{rule}" for name in spec.actions for rule in _FIRST_RULES),
    )
    return dict(enumerate(first))


def _consent(logged: Mapping[str, Any], playbook: Playbook) -> dict[str, list[str]]:
    """Purpose → the channels on which it was granted."""
    granted, channels = consent_in(logged, playbook), playbook.arms.channels
    return {
        purpose: [channels[c] for c in np.flatnonzero(granted[i])]
        for i, purpose in enumerate(PURPOSES)
        if granted[i].any()
    }


def _contact(logged: list[Any]) -> dict[str, Any]:
    decision_id, action, channel, purpose, category, send_at, status, _ = logged
    return {
        "decision_id": decision_id,
        "action": action,
        "channel": channel,
        "purpose": purpose,
        "category": category,
        "send_at": timestamp(send_at),
        "status": status,
    }


def _said(feature: Feature, value: float) -> float | str | bool | None:
    """A feature's value as a person says it; None where it is not known."""
    if np.isnan(value):
        return None
    if feature.kind == "category":
        return feature.categories[int(value)]
    return bool(value) if feature.kind == "boolean" else float(value)


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
