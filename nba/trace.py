"""What a decision rested on, as bytes in the log and back: enough to make it again from the log alone.

The blobs of a `DecisionRow` are arrays: `features` (F,) in schema order, `odds` and `values` (k,), values
being the scores, packed by `nba/blobs.py`, and `eligible` (k,) little-endian int16 refusal codes, 0 where
eligible. The rest stands in `trace`, as JSON: what the rules looked at beside the features, the uniform,
the versions. Nothing here names a customer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from nba.blobs import unpack
from nba.contact.caps import PURPOSES, Ledger
from nba.contact.eligibility import Situation
from nba.contact.pools import Pool
from nba.model import BroughtAction, ContactRow, DecisionRequest, Used
from nba.playbook.compile import Playbook
from nba.playbook.schema import Daily
from nba.stores.ports import DecisionRow

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
_EXPERIMENTS = b'{"experiments":'
_LEDGER = ("decision_id", "action", "channel", "purpose", "category", "send_at", "status", "expires_at")


def rules_saw(
    *, zone: str, consent: Bools, contacts: Sequence[ContactRow], used: Mapping[tuple[str, str], Used]
) -> dict[str, Any]:
    """What the contact rules looked at beside features and request, for the trace."""
    return {
        "zone": zone,
        "consent": consent.tobytes().hex(),
        "ledger": [[getattr(contact, name) for name in _LEDGER] for contact in contacts],
        "used": [[*key, amount.contacts, amount.spend] for key, amount in used.items()],
    }


def experiments_of(row: DecisionRow) -> Mapping[str, str]:
    """Experiment → variant of a decision, empty for most.

    Quick, since whoever reads a log asks every row: they stand first in the trace, and no name in them has
    a brace.
    """
    if not row.trace.startswith(_EXPERIMENTS):
        return {}
    told: Mapping[str, str] = orjson.loads(row.trace[len(_EXPERIMENTS) : row.trace.index(b"}") + 1])
    return told


def left_of(trace: bytes) -> bytes:
    """What stays of a trace when its customer is erased: which experiments the decision was part of."""
    if not trace.startswith(_EXPERIMENTS):
        return b"{}"
    return trace[: trace.index(b"}") + 1] + b"}"


def pool_told(pool: Pool) -> dict[str, Any]:
    """The part of the daily limits that the rules looked at, for the trace."""
    parts = {"own": pool.own, "whole": pool.whole}
    told = {part: {name: daily.model_dump() for name, daily in of.items()} for part, of in parts.items()}
    return {"name": pool.name, **told}


def pool_in(trace: Mapping[str, Any]) -> Pool | None:
    """The same, read back."""
    told = trace.get("pool")
    if told is None:
        return None
    own, whole = (
        {name: Daily.model_validate(daily) for name, daily in told[part].items()} for part in ("own", "whole")
    )
    return Pool(name=told["name"], own=own, whole=whole)


def asked(request: DecisionRequest) -> dict[str, Any]:
    """What of the request is not in the features."""
    return {
        "actions": request.actions,
        "channels": request.channels,
        "brought": [[action.id, dict(action.features)] for action in request.brought],
        "activate": request.activate,
        "explain": request.explain,
    }


def request_of(row: DecisionRow, customer_id: str) -> DecisionRequest:
    """The request as far as the decision rests on it; its context is in the features."""
    trace = orjson.loads(row.trace)
    return DecisionRequest(
        customer_id=customer_id,
        decision_id=row.decision_id,
        digest=row.digest,
        actions=_names(trace["actions"]),
        channels=_names(trace["channels"]),
        brought=brought_of(trace),
        activate=trace["activate"],
        explain=trace["explain"],
    )


def brought_of(trace: Mapping[str, Any]) -> tuple[BroughtAction, ...]:
    """The actions that the caller brought along."""
    return tuple(
        BroughtAction(id=id, features=tuple(sorted(features.items())))
        for id, features in trace.get("brought", ())
    )


def situation_of(row: DecisionRow, playbook: Playbook) -> Situation:
    """What the rules looked at, read back; `playbook` is the one of the decision, with what was brought."""
    trace = orjson.loads(row.trace)
    arms = playbook.arms
    return Situation(
        now=np.array([row.decided_at]),
        zones=[trace["zone"]],
        features=unpack([row.features], len(playbook.schema)),
        consent=consent_in(trace, playbook)[None, :, :],
        ledger=Ledger.of(playbook, [contacts_of(row)]),
        asked_actions=narrowed([_names(trace["actions"])], arms.actions),
        asked_channels=narrowed([_names(trace["channels"])], arms.channels),
        holdout=np.array([row.group == "holdout"]),
        used={(action, day): Used(contacts=n, spend=spend) for action, day, n, spend in trace["used"]},
        segments=[trace["segment"]] if "segment" in trace else (),
    )


def contacts_of(row: DecisionRow) -> list[ContactRow]:
    """The contacts that the rules counted."""
    return [
        ContactRow(surrogate=row.surrogate, **dict(zip(_LEDGER, values, strict=True)))
        for values in orjson.loads(row.trace)["ledger"]
    ]


def consent_in(trace: Mapping[str, Any], playbook: Playbook) -> Bools:
    """(purposes, channels) True where consent was known and granted."""
    granted = np.frombuffer(bytes.fromhex(trace["consent"]), dtype=np.bool_)
    return granted.reshape(len(PURPOSES), len(playbook.arms.channels))


def narrowed(asked: Sequence[tuple[str, ...] | None], names: tuple[str, ...]) -> Bools:
    """(n, names) which are allowed; None allows all."""
    allowed = np.ones((len(asked), len(names)), dtype=np.bool_)
    for row, only in enumerate(asked):
        if only is not None:
            chosen = set(only)
            allowed[row] = [name in chosen for name in names]
    return allowed


def _names(values: Sequence[str] | None) -> tuple[str, ...] | None:
    return None if values is None else tuple(values)


@lru_cache(maxsize=16)
def score_columns(playbook: Playbook) -> tuple[list[str], list[int]]:
    """Scores as answers name them, and their columns."""
    told = {"score", "stage"}
    scores = [(f.name, i) for i, f in enumerate(playbook.schema.features) if f.group in told]
    scores = [(name, i) for name, i in scores if name != "stage"]
    return [name.removeprefix("propensity_") for name, _ in scores], [i for _, i in scores]
