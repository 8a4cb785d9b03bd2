"""One decision: what it was, what was refused and by which rule, what else could be, what it rested on."""

from __future__ import annotations

from collections import Counter
from typing import Any

import orjson

from nba.errors import InvalidInput, NotFound
from nba.model import is_id
from nba.what_if import REMOVED
from serving.console.charts import bars
from serving.console.desk import Ask, Desk, Shown
from serving.console.words import Words

_MOST_ROWS = 60
_FIXED = {
    "groups.holdout": "The customer is in the holdout: never acted upon.",
    "request.actions": "The request asked for other actions.",
    "request.channels": "The request asked for other channels.",
    "consent": "No known consent for this channel and purpose.",
    "contact.quiet_hours": "Quiet hours, or the timing has no moment left.",
}
_FIELDS = {
    "valid_from": "Not valid yet.",
    "valid_until": "Not valid any more.",
    "when": "The action's rule does not hold for this customer.",
    "stop_after": "Stopped after a touchpoint of the customer.",
    "cooldown": "The same action went out too lately.",
    "daily": "The action's daily limit is used up.",
}


def show(desk: Desk, ask: Ask) -> Shown:
    if not ask.rest:
        return Shown(goto="/console/customers")
    if not is_id(ask.rest):
        raise InvalidInput.of("id", "is no id of a decision")
    told = orjson.loads(desk.service.decision(ask.rest))
    return Shown(template="decision.html", values=_values(told, ask.words), at=desk.clock())


def reason_said(reason: str, words: Words) -> str:
    """A rule's path in plain words, as the reader's language has them."""
    if reason in _FIXED:
        return words(_FIXED[reason])
    if reason.startswith("contact.stops."):
        return words("The stop “{name}” holds.", name=reason.removeprefix("contact.stops."))
    if reason.startswith("contact.caps["):
        return words("A contact cap is reached.")
    if reason == REMOVED:
        return words("The changed playbook has no such arm.")
    return words(_FIELDS.get(reason.rpartition(".")[2], "A rule of the playbook."))


def _values(told: dict[str, Any], words: Words) -> dict[str, Any]:
    trace = told["trace"]
    refused = trace["refused"]
    by_reason = Counter(refused.values())
    parts = list((trace.get("contributions") or {}).items())[:12]
    contributions = [(name, float(value)) for name, value in parts]
    odds = sorted(trace["alternatives"], key=lambda a: -a["odds"])
    return {
        "told": told,
        "trace": trace,
        "silent": told["channel"] is None,
        "reasons": [(reason, reason_said(reason, words), n) for reason, n in by_reason.most_common()],
        "refused": [(arm, reason, reason_said(reason, words)) for arm, reason in refused.items()][
            :_MOST_ROWS
        ],
        "refused_more": max(len(refused) - _MOST_ROWS, 0),
        "alternatives": odds[:_MOST_ROWS],
        "odds_chart": bars(
            words("Odds of the arms that could be drawn"),
            [(a["arm"], a["odds"]) for a in odds[:12]],
            lambda share: words.percent(share),
        ),
        "contributions": contributions,
        "contributions_chart": bars(
            words("What each feature added to the expected value"),
            contributions,
            lambda value: words.number(value, 3),
        ),
        "features": [(name, value) for name, value in trace["features"].items() if value is not None],
        "unknown": sum(value is None for value in trace["features"].values()),
        "reason_said": reason_said(told["reason"], words) if told.get("reason") else None,
    }


def known(desk: Desk, decision_id: str) -> bool:
    """Whether there is such a decision."""
    try:
        desk.service.decision(decision_id)
    except NotFound:
        return False
    return True
