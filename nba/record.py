"""The decision record: what the caller is told, and what the log keeps (`nba/trace.py` says how)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from math import isfinite
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from nba.blobs import pack
from nba.build import build
from nba.chance import Group
from nba.contact.eligibility import Gatekeeper, Situation
from nba.decide import Decided
from nba.explain import contributions, explanation
from nba.live import Live
from nba.model import ContactRow, DecisionRequest, Used
from nba.model import timestamp as timestamp
from nba.playbook.arms import NO_CONTACT
from nba.playbook.compile import Playbook
from nba.policies.policy import Choice
from nba.stores.ports import Clock, DecisionRow
from nba.trace import asked, pool_told, rules_saw, score_columns

Floats = NDArray[np.float64]
_RANDOM = {"random_eligible": "uniform@0", "holdout": "no_contact@0"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Whom a decision is about: the request, the customer's surrogate and group, the state it saw.

    Attributes:
        person: of a linked customer; None where it is linked to none.
        contacts: those that the rules counted.
        ignored: what the request brought that nothing here knows, as the answer names it.
        displaces: decisions whose contacts give way to this one's.
    """

    request: DecisionRequest
    surrogate: str
    group: Group
    now: float
    state_version: int
    contacts: Sequence[ContactRow]
    ignored: Sequence[str] = ()
    displaces: tuple[str, ...] = ()
    person: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Grounds:
    """What the decisions of a batch rest on; `uniforms` (n,) drew the arms."""

    decided: Decided
    situation: Situation
    uniforms: Floats
    live: Live
    gatekeeper: Gatekeeper
    clock: Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class _Columns:
    """What all rows of a batch need, taken out of the arrays once: (n,) each."""

    arm: list[int]
    best: list[int]
    propensity: list[float]
    expected: list[float]
    send_at: list[float]
    explored: list[bool]
    uniform: list[float]
    levels: list[list[float]]
    stage: list[float]
    scores: list[list[float]]
    contactable: list[bool]
    features: list[bytes]
    odds: list[bytes]
    values: list[bytes]

    @classmethod
    def of(cls, grounds: Grounds) -> _Columns:
        decided, features = grounds.decided, grounds.situation.features
        rows, arm = np.arange(len(decided.arm)), decided.arm
        schema = grounds.live.playbook.schema
        return cls(
            arm=arm.tolist(),
            best=decided.choice.best.tolist(),
            propensity=decided.propensity.tolist(),
            expected=decided.choice.scores[rows, arm].tolist(),
            send_at=decided.verdict.send_at[rows, arm].tolist(),
            explored=decided.explored.tolist(),
            uniform=grounds.uniforms.tolist(),
            levels=decided.levels.tolist(),
            stage=features[:, schema.index["stage"]].tolist(),
            scores=features[:, score_columns(grounds.live.playbook)[1]].tolist(),
            features=pack(features),
            odds=pack(decided.choice.odds),
            values=pack(decided.choice.scores),
            contactable=np.any(decided.verdict.eligible[:, 1:], axis=1).tolist(),
        )


def decision_rows(subjects: Sequence[Subject], grounds: Grounds) -> list[DecisionRow]:
    """The records of a batch, their answers inside."""
    columns = _Columns.of(grounds)
    return [_row(subject, grounds, columns, i) for i, subject in enumerate(subjects)]


def _row(subject: Subject, grounds: Grounds, columns: _Columns, row: int) -> DecisionRow:
    live, decided, request = grounds.live, grounds.decided, subject.request
    arm = columns.arm[row]
    answer = _answer(subject, grounds, columns, row)
    return DecisionRow(
        decision_id=request.decision_id,
        surrogate=subject.surrogate,
        decided_at=subject.now,
        arm=live.playbook.arms.names[arm],
        action=answer["action"],
        channel=answer["channel"],
        timing=answer["timing"],
        send_at=None if arm == 0 else columns.send_at[row],
        propensity=columns.propensity[row],
        group=subject.group,
        policy=answer["policy"],
        playbook=live.playbook.version,
        status="active" if request.activate else "held",
        activated_at=subject.now if request.activate else None,
        digest=request.digest,
        body=orjson.dumps(answer, option=orjson.OPT_UTC_Z),
        trace=orjson.dumps(_trace(subject, grounds, columns, row)),
        features=columns.features[row],
        eligible=decided.verdict.codes[row].tobytes(),
        odds=columns.odds[row],
        values=columns.values[row],
    )


def _trace(subject: Subject, grounds: Grounds, columns: _Columns, row: int) -> dict[str, Any]:
    live, situation = grounds.live, grounds.situation
    trace = {
        **({"experiments": live.experiments} if live.experiments else {}),  # first: `experiments_of`
        "uniform": columns.uniform[row],
        "state_version": subject.state_version,
        **({"person": subject.person} if subject.person is not None else {}),
        "policy": live.ladder[grounds.decided.rung][0],
        "scores": live.scores_publication.number if live.scores_publication else None,
        "best": live.playbook.arms.names[columns.best[row]],
        "reasons": _reasons(grounds, row),
        "levels": dict(zip(("action", "channel", "timing"), columns.levels[row], strict=True)),
        "clock": grounds.clock,
        "build": build(),
        **asked(subject.request),
        **rules_saw(
            zone=situation.zones[row],
            consent=situation.consent[row],
            contacts=subject.contacts,
            used=_used(grounds, row),
        ),
    }
    if situation.segments:
        trace["segment"] = situation.segments[row]
    if grounds.gatekeeper.pool is not None:
        trace["pool"] = pool_told(grounds.gatekeeper.pool)
    if grounds.decided.watched:
        trace["watching"] = _watching(grounds, columns, row)
    return trace


def _reasons(grounds: Grounds, row: int) -> list[tuple[int, str]]:
    """The refusal codes of this decision by name, since a later version may number the rules otherwise."""
    reasons = grounds.gatekeeper.reasons
    codes = sorted(set(grounds.decided.verdict.codes[row].tolist()) - {0})
    return [(code, reasons[code]) for code in codes]


def _used(grounds: Grounds, row: int) -> Mapping[tuple[str, str], Used]:
    """What was used up of the limits that this decision could have used."""
    situation = grounds.situation
    if not situation.used:
        return {}
    keys = grounds.gatekeeper.limit_keys(situation.now[row : row + 1], situation.zones[row : row + 1])
    return {key: situation.used[key] for key in keys if key in situation.used}


def _watching(grounds: Grounds, columns: _Columns, row: int) -> dict[str, Any]:
    """Policy that looked on → the arm it thinks best, and the odds it gives to the arm drawn."""
    names, arm = grounds.live.playbook.arms.names, columns.arm[row]
    told = zip(grounds.live.watching, grounds.decided.watched, strict=True)
    return {
        name: {"best": names[choice.best[row]], "odds": float(choice.odds[row, arm])}
        for (name, _), choice in told
        if isinstance(choice, Choice)
    }


def _answer(subject: Subject, grounds: Grounds, columns: _Columns, row: int) -> dict[str, Any]:
    live, playbook, request = grounds.live, grounds.live.playbook, subject.request
    arm, stage = columns.arm[row], columns.stage[row]
    name, policy = live.ladder[grounds.decided.rung]
    names = score_columns(playbook)[0]
    answer: dict[str, Any] = {
        "decision_id": request.decision_id,
        "customer_id": request.customer_id,
        "decided_at": datetime.fromtimestamp(subject.now, UTC),
        **_contact(playbook, arm, columns.send_at[row]),
        "propensity": columns.propensity[row],
        "expected_value": columns.expected[row] if hasattr(policy, "model") else None,
        "explored": columns.explored[row],
        "group": subject.group,
        "policy": _RANDOM.get(subject.group, name),
        "playbook": playbook.version,
        "stage": playbook.spec.stages[int(stage)].name if stage == stage else None,
        "scores": {n: s for n, s in zip(names, columns.scores[row], strict=True) if isfinite(s)},
        "experiment": dict(live.experiments) or None,
    }
    if grounds.situation.segments:
        answer["segment"] = grounds.situation.segments[row]["name"]
    if not columns.contactable[row]:
        answer |= _nothing_else(grounds, row)
    fallback = _fallback(subject, grounds)
    if fallback is not None:
        answer["fallback"] = fallback
    if subject.displaces:
        answer["displaced"] = subject.displaces
    if subject.ignored:
        answer["ignored"] = subject.ignored
    if request.explain:
        answer |= _explained(grounds, columns, row)
    return answer


def _nothing_else(grounds: Grounds, row: int) -> dict[str, Any]:
    """Where nothing but silence was eligible: the rule that refused most arms, and when it may lift.

    What the request itself left out is the reason only where that is all of it.
    """
    gatekeeper, decided = grounds.gatekeeper, grounds.decided
    reasons = [gatekeeper.reasons[code] for code in decided.verdict.codes[row, 1:].tolist()]
    others = [reason for reason in reasons if not reason.startswith("request.")]
    retry_at = gatekeeper.retry_at(grounds.situation, row, decided.verdict)
    return {"reason": Counter(others or reasons).most_common(1)[0][0], "retry_at": timestamp(retry_at)}


def _fallback(subject: Subject, grounds: Grounds) -> str | None:
    """Why something else than the champion decided; None where it did, or was not meant to."""
    if subject.group != "treatment":
        return None
    if grounds.decided.rung > 0:
        return "failed"
    meant = grounds.live.chosen or grounds.live.playbook.spec.mode == "autopilot"
    return grounds.live.fallback if meant else None


def _contact(playbook: Playbook, arm: int, send_at: float) -> Mapping[str, Any]:
    """What is done, where, when and what for; nulls for no contact."""
    known = _told(playbook)[arm]
    return known if arm == 0 else {**known, "send_at": datetime.fromtimestamp(send_at, UTC)}


@lru_cache(maxsize=16)
def _told(playbook: Playbook) -> list[dict[str, Any]]:
    """Each arm as answers tell it, `send_at` left open."""
    arms, actions = playbook.arms, playbook.spec.actions
    nothing: dict[str, Any] = dict.fromkeys(("action", "channel", "timing", "send_at", "purpose"))
    told = [{**nothing, "action": NO_CONTACT}]
    for a, c, t in zip(
        arms.action[1:].tolist(), arms.channel[1:].tolist(), arms.timing[1:].tolist(), strict=True
    ):
        action = arms.actions[a]
        told.append(
            {
                "action": action,
                "channel": arms.channels[c],
                "timing": arms.timings[t],
                "send_at": None,
                "purpose": actions[action].purpose,
            }
        )
    return told


def _explained(grounds: Grounds, columns: _Columns, row: int) -> dict[str, Any]:
    live, choice = grounds.live, grounds.decided.choice
    codes, features = grounds.decided.verdict.codes[row], grounds.situation.features[row]
    _, policy = live.ladder[grounds.decided.rung]
    return {
        **explanation(live.playbook, grounds.gatekeeper.reasons, codes, choice.odds[row], choice.scores[row]),
        "contributions": contributions(policy, live.playbook, features, columns.arm[row]),
        "best": live.playbook.arms.names[columns.best[row]],
    }
