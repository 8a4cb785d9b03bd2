"""Where customers stood before and stand now: a change of stage is noticed, kept, and is an event itself.

The stage that was noticed last stands in the customer's row, `STANDS` → [stage, noticed at], under a name
that no attribute can have. A change is written in the transaction that notices it, as a touchpoint
`stage_changed` with `from`, `to` and `since`, when the former stage was entered. It is looked for once a
command: if the event itself moves the customer on, the next command finds that. The first stage of a
customer is kept and is no change.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from nba.features.rows import assemble
from nba.features.touchpoints import Touchpoints
from nba.gathering import zone_name
from nba.live import Live
from nba.persons import whole
from nba.playbook.compile import Playbook
from nba.playbook.rules import rule_names
from nba.session import Session
from nba.stores.ports import CustomerRow, TouchpointRow

Floats = NDArray[np.float64]
CHANGED = "stage_changed"
STANDS = ":stage"


def note_stages(
    session: Session,
    people: Sequence[CustomerRow],
    owns: Sequence[CustomerRow],
    stages: Sequence[float],
    at: Sequence[float],
) -> None:
    """Remember where people stand; the caller has the rows of `owns` changed and written in any case.

    Args:
        people: who stands there, linked customers as one; `owns`: the customer id, locked, that led to each.
            What it remembers counts for all that are linked to it, since the latest word does.
        stages: index of each one's stage, NaN for none, which is no change.
        at: when it was looked at, epoch seconds.
    """
    names = [stage.name for stage in session.live.playbook.spec.stages]
    changed: list[tuple[CustomerRow, TouchpointRow]] = []
    for person, own, stage, moment in zip(people, owns, stages, at, strict=True):
        if stage != stage:
            continue
        now, before = names[int(stage)], person.attributes.get(STANDS)
        if before is None:
            own.attributes[STANDS] = [now, moment]
        elif before[0] != now and moment >= before[1]:
            own.attributes[STANDS] = [now, moment]
            changed.append((own, _event(own, before[0], now, moment, before[1])))
    if changed:
        new = session.transaction.append_touchpoints([row for _, row in changed])
        _fold(session, [one for one, is_new in zip(changed, new, strict=True) if is_new])


def look_at_stages(session: Session, customers: Sequence[CustomerRow]) -> None:
    """Notice where these, who are locked, stand after what has just been heard of them.

    Not where the playbook's stages ask for the context of a request, which an event has not.
    """
    playbook = session.live.playbook
    if not _told_by_events(playbook):
        return
    owns = list({c.person or c.surrogate: c for c in customers}.values())
    people = [whole(session, own) for own in owns]
    at = np.array([session.now if session.clock == "live" else person.last_at for person in people])
    features = assemble(
        playbook,
        states=session.states(people),
        now=at,
        zones=[zone_name(playbook, person) for person in people],
        attributes=[{name: value for name, (value, _) in person.attributes.items()} for person in people],
        context=[{}] * len(people),
        scores=session.live.scores if _ask_for_scores(playbook) else None,
    )
    stages = features[:, playbook.schema.index["stage"]]
    note_stages(session, people, owns, stages.tolist(), at.tolist())


def stages_in(live: Live, features: Floats) -> list[float]:
    """The column of the stages."""
    stages: list[float] = features[:, live.playbook.schema.index["stage"]].tolist()
    return stages


def _event(customer: CustomerRow, before: str, now: str, at: float, since: float) -> TouchpointRow:
    """The id says which change it is, so that noticing it again is not another one."""
    what = f"{customer.surrogate} {since!r} {before} {now}"
    return TouchpointRow(
        source="event",
        id=f"stage.{hashlib.sha256(what.encode()).hexdigest()[:32]}",
        surrogate=customer.surrogate,
        type=CHANGED,
        channel=None,
        occurred_at=at,
        value=0.0,
        properties=json.dumps({"from": before, "since": since, "to": now}, sort_keys=True),
    )


def _fold(session: Session, changed: Sequence[tuple[CustomerRow, TouchpointRow]]) -> None:
    """Into the feature state, where the playbook counts such changes."""
    if not changed or CHANGED not in session.live.playbook.schema.types:
        return
    touchpoints = Touchpoints.of(
        session.live.playbook.schema,
        row=list(range(len(changed))),
        type=[CHANGED] * len(changed),
        channel=[None] * len(changed),
        action=[None] * len(changed),
        at=[row.occurred_at for _, row in changed],
        value=[0.0] * len(changed),
    )
    session.fold([customer for customer, _ in changed], touchpoints)


@lru_cache(maxsize=16)
def _told_by_events(playbook: Playbook) -> bool:
    """Whether an event can tell where a customer stands: there are two stages, and none asks for context."""
    return len(playbook.spec.stages) > 1 and "context" not in _groups(playbook)


@lru_cache(maxsize=16)
def _ask_for_scores(playbook: Playbook) -> bool:
    return "score" in _groups(playbook)


def _groups(playbook: Playbook) -> set[str]:
    """The groups of features that the stages' rules ask for."""
    names: Iterable[str] = {name for rule in playbook.stage_rules for name in rule_names(rule.text)}
    features = {feature.name: feature.group for feature in playbook.schema.features}
    return {features[name] for name in names if name in features}
