"""One customer, whole: what is known, what was said, what was done, over all linked customer ids.

Each section of the view is one function of `Seen`; a further one is one line in `SECTIONS`. What a customer
wrote is told as it was written: whoever shows it shows it as text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from nba.chance import group_of
from nba.features.rows import assemble
from nba.features.touchpoints import DAY
from nba.gathering import zone_name
from nba.live import Live
from nba.model import timestamp
from nba.persons import as_one
from nba.session import PackedStates, layout_of
from nba.staging import STANDS
from nba.stores.ports import CustomerRow, DecisionRow, Store, TouchpointRow
from nba.ticket_words import listed

LATEST = 50  # of each kind of row
FEEDBACK = ("nps", "csat", "ces", "review", "comment", "complaint")


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What the sections are made of.

    Attributes:
        asked: the customer id that was asked for.
        whole: the person, summed over `members`.
        features: (F,) at `now`, in schema order.
    """

    store: Store
    live: Live
    asked: str
    members: Sequence[CustomerRow]
    whole: CustomerRow
    now: float
    features: NDArray[np.float64]

    @property
    def names(self) -> Mapping[str, str]:
        """Surrogate → customer id."""
        return {row.surrogate: row.customer_id for row in self.members}

    @property
    def surrogates(self) -> list[str]:
        return [row.surrogate for row in self.members]


def view(
    store: Store, live: Live, packed: PackedStates, customer_id: str, now: float
) -> dict[str, Any] | None:
    """All sections as JSON values; None for an unknown customer.

    Args:
        now: epoch seconds on the live clock; on the request clock the customer's own latest moment is now.
    """
    members = store.known(customer_id)
    if not members:
        return None
    playbook = live.playbook
    whole = as_one(members, packed.unpack(layout_of(playbook), [row.state for row in members]))
    moment = now if store.clock == "live" or not isfinite(whole.last_at) else whole.last_at
    features = assemble(
        playbook,
        states=packed.unpack(layout_of(playbook), [whole.state]),
        now=np.array([moment]),
        zones=[zone_name(playbook, whole)],
        attributes=[{name: value for name, (value, _) in whole.attributes.items()}],
        context=[{}],
        scores=live.scores,
    )[0]
    seen = Seen(
        store=store,
        live=live,
        asked=customer_id,
        members=members,
        whole=whole,
        now=moment,
        features=features,
    )
    return {name: section(seen) for name, section in SECTIONS.items()}


def _attributes(seen: Seen) -> dict[str, Any]:
    listed = {"timezone", *seen.live.playbook.spec.attributes}
    known = sorted(seen.whole.attributes.items())
    return {name: value for name, (value, _) in known if name in listed and value is not None}


def _consents(seen: Seen) -> list[dict[str, Any]]:
    said = []
    for name, (granted, at) in sorted(seen.whole.consents.items()):
        purpose, _, channel = name.partition("|")
        channel_or_all = None if channel == "*" else channel
        said.append({"purpose": purpose, "channel": channel_or_all, "granted": granted, "at": timestamp(at)})
    return said


def _stage(seen: Seen) -> str | None:
    stage = float(seen.features[seen.live.playbook.schema.index["stage"]])
    return seen.live.playbook.spec.stages[int(stage)].name if isfinite(stage) else None


def _stage_since(seen: Seen) -> str | None:
    """When it was entered, where the server has noticed that they stand there."""
    stage, since = seen.whole.attributes.get(STANDS, (None, None))
    return timestamp(since) if since is not None and stage == _stage(seen) else None


def _segment(seen: Seen) -> str | None:
    model = seen.live.segments
    found = -1 if model is None else int(model.assign(seen.features[None, :])[0])
    return None if model is None or found < 0 else model.segments[found].name


def _scores(seen: Seen) -> dict[str, float]:
    columns = enumerate(seen.live.playbook.schema.features)
    scores = ((f.name, float(seen.features[i])) for i, f in columns if f.group == "score")
    return {name.removeprefix("propensity_"): value for name, value in scores if isfinite(value)}


def _activity(seen: Seen) -> list[dict[str, Any]]:
    """How often each type came, and when last, over all that is known: files, API and contacts."""
    schema = seen.live.playbook.schema
    counted = [(t, *_counted(seen, schema.index, t)) for t in schema.types]
    return [{"type": t, "count": count, "last_at": last} for t, count, last in counted if count]


def _counted(seen: Seen, index: Mapping[str, int], type: str) -> tuple[int, str | None]:
    days = float(seen.features[index[f"days_since_{type}"]])
    last = timestamp(round(seen.now - days * DAY, 3)) if isfinite(days) else None
    return round(float(seen.features[index[f"{type}_total"]])), last


def _touchpoints(seen: Seen) -> list[dict[str, Any]]:
    return [_touchpoint(seen, row) for row in seen.store.touchpoints_of(seen.surrogates, LATEST)]


def _touchpoint(seen: Seen, row: TouchpointRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "source": row.source,
        "customer_id": seen.names.get(row.surrogate),
        "type": row.type,
        "channel": row.channel,
        "at": timestamp(row.occurred_at),
        "value": row.value,
        "decision_id": row.decision_id,
    }


def _feedback(seen: Seen) -> list[dict[str, Any]]:
    """Survey answers, and what was written; `text` is null where nothing was."""
    rows = seen.store.touchpoints_of(seen.surrogates, LATEST, FEEDBACK)
    texts = [orjson.loads(row.properties).get("text") if row.properties else None for row in rows]
    return [{**_touchpoint(seen, row), "text": text} for row, text in zip(rows, texts, strict=True)]


def _ledger(seen: Seen) -> list[dict[str, Any]]:
    return [
        {
            "decision_id": row.decision_id,
            "customer_id": seen.names.get(row.surrogate),
            "action": row.action,
            "channel": row.channel,
            "purpose": row.purpose,
            "send_at": timestamp(row.send_at),
            "status": row.status,
            "expires_at": timestamp(row.expires_at),
        }
        for row in seen.store.contacts_of(seen.surrogates, LATEST)
    ]


def _decisions(seen: Seen) -> list[dict[str, Any]]:
    return [_decision(seen, row) for row in seen.store.decisions_of(seen.surrogates, LATEST)]


def _decision(seen: Seen, row: DecisionRow) -> dict[str, Any]:
    return {
        "decision_id": row.decision_id,
        "customer_id": seen.names.get(row.surrogate),
        "decided_at": timestamp(row.decided_at),
        "action": row.action,
        "channel": row.channel,
        "timing": row.timing,
        "send_at": timestamp(row.send_at),
        "propensity": row.propensity,
        "group": row.group,
        "policy": row.policy,
        "status": row.status,
    }


def _identities(seen: Seen) -> list[dict[str, Any]]:
    """Kinds only: the store has no identity in clear."""
    return [
        {
            "kind": claim.kind,
            "customer_id": seen.names.get(claim.surrogate),
            "since": timestamp(claim.at),
            "status": claim.status,
        }
        for claim in seen.store.claims_of(seen.surrogates)
    ]


def _tickets(seen: Seen) -> list[dict[str, Any]]:
    found = seen.store.tickets_of(seen.surrogates, LATEST)
    return [listed(row, seen.names.get(row.surrogate)) for row in found]


def _last_at(seen: Seen) -> str | None:
    return timestamp(seen.whole.last_at) if isfinite(seen.whole.last_at) else None


SECTIONS: dict[str, Callable[[Seen], Any]] = {
    "customer_id": lambda seen: seen.asked,
    "customer_ids": lambda seen: [row.customer_id for row in seen.members],
    "named_by": lambda seen: seen.whole.customer_id,
    "group": lambda seen: group_of(seen.store.secret, seen.whole.customer_id, seen.live.playbook.spec.groups),
    "last_at": _last_at,
    "attributes": _attributes,
    "consents": _consents,
    "stage": _stage,
    "stage_since": _stage_since,
    "segment": _segment,
    "scores": _scores,
    "identities": _identities,
    "activity": _activity,
    "touchpoints": _touchpoints,
    "feedback": _feedback,
    "ledger": _ledger,
    "decisions": _decisions,
    "tickets": _tickets,
}
