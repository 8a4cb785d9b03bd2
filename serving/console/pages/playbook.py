"""The playbook as it serves, and what a changed one would do to the newest decisions."""

from __future__ import annotations

import hashlib
import math
from typing import Any

import yaml

from nba.errors import FieldError, InvalidInput, InvalidPlaybook
from nba.playbook.compile import Playbook, parse
from nba.what_if import Effect, differing_rules, what_if
from serving.console.desk import Ask, Desk, Shown
from serving.console.pages.decisions import reason_said
from serving.console.reading import newest_decisions
from serving.console.words import Words

MOST = 10_000
_FRESH = 300.0
_MOST_CHANGES = 200
_MOST_LETTERS = 300_000


def show(desk: Desk, ask: Ask) -> Shown:
    present = desk.live.playbook
    values: dict[str, Any] = {
        "spec": present.spec,
        "version": present.version,
        "text": present.text,
        "errors": [],
        "effect": None,
        "most": MOST,
    }
    if ask.form is None:
        return Shown(template="playbook.html", values=values)
    text = ask.form.get("text", "").replace("\r\n", "\n")
    values["text"] = text
    try:
        changed = _parsed(text)
    except InvalidPlaybook as error:
        return Shown(template="playbook.html", values={**values, "errors": error.errors}, status=422)
    changes = differing_rules(present, changed)
    values["changes"] = list(changes.items())[:_MOST_CHANGES]
    values["changes_more"] = max(len(changes) - _MOST_CHANGES, 0)
    if not changes:
        return Shown(template="playbook.html", values={**values, "effect": "same"})
    key = ("what if", present.version, hashlib.sha256(text.encode()).hexdigest())
    kept = desk.kept(key, _FRESH, lambda: effect(desk, present, changed))
    told = _told(kept.value, ask.words)
    return Shown(template="playbook.html", values={**values, "effect": told}, at=kept.at)


def effect(desk: Desk, present: Playbook, changed: Playbook) -> Effect:
    """Of the change on the newest decisions. Raises NotFound: their playbook is not kept."""
    now = desk.now()
    rows = [] if math.isnan(now) else newest_decisions(desk.store, until=now, most=MOST)
    return what_if(rows, desk.playbook_of, present, changed)


def _parsed(text: str) -> Playbook:
    """Raises InvalidPlaybook, also for what is no playbook at all."""
    if len(text) > _MOST_LETTERS:
        raise InvalidPlaybook.of("playbook", f"has more than {_MOST_LETTERS:,} letters")
    try:
        return parse(text)
    except InvalidPlaybook:
        raise
    except (InvalidInput, RecursionError, yaml.YAMLError) as error:
        detail = error.detail if isinstance(error, InvalidInput) else "can't be read as YAML"
        raise InvalidPlaybook([FieldError(field="playbook", detail=detail)]) from None


def _told(found: Effect, words: Words) -> dict[str, Any]:
    return {
        "found": found,
        "actions": sorted(found.actions.items(), key=lambda one: -abs(one[1].after - one[1].before)),
        "reasons": [(r, reason_said(r, words), n) for r, n in found.reasons.most_common()],
        "share": found.refused / found.contacts if found.contacts else None,
        "unknown": sorted(found.unknown),
    }
