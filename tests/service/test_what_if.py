"""What a changed playbook would have allowed and refused, against a reference that judges one by one."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings

from nba.contact.eligibility import Gatekeeper
from nba.playbook.compile import Playbook, parse
from nba.stores.ports import DecisionRow
from nba.trace import situation_of
from nba.what_if import REMOVED, differing_rules, what_if
from tests.service.business import DAY, HOUR, NOON, OPEN, Business, consents, event, outcome, playbooks

CUSTOMERS = ("ada", "bob", "cem", "dee")


def lived(playbook: Playbook) -> list[DecisionRow]:
    """Decisions of four customers over three days, some of whom consent, visit and buy."""
    business = Business.of(playbook)
    for i, customer in enumerate(CUSTOMERS):
        if i % 2 == 0:
            business.report(consents(customer), consents(customer, purpose="service"))
        business.report(*(event(customer, "visit") for _ in range(i)))
    for turn in range(6):
        at = NOON + turn * 12 * HOUR
        for customer in CUSTOMERS:
            business.decide(customer, at)
        business.report(outcome("purchase", at + HOUR, customer_id="ada", value=9.0))
    return [row for rows in business.store.decisions(0.0, NOON + 90 * DAY) for row in rows]


def told(rows: list[DecisionRow], present: Playbook, changed: Playbook | str) -> tuple[object, ...]:
    other = parse(changed) if isinstance(changed, str) else changed
    effect = what_if(rows, lambda _: present, present, other)
    return effect.contacts, effect.refused, effect.freed, effect.silenced, dict(effect.reasons)


def eligible(row: DecisionRow, playbook: Playbook) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    """(k,) refusal codes of one decision, nothing used up."""
    return Gatekeeper(playbook).judge(replace(situation_of(row, playbook), used={})).codes[0]


@settings(max_examples=12, deadline=None)
@given(present=playbooks(), changed=playbooks())
def test_it_is_what_judging_each_decision_by_itself_gives(present: Playbook, changed: Playbook) -> None:
    assume(present.schema.fingerprint == changed.schema.fingerprint)
    rows = lived(present)
    contacts, refused, freed, silenced = 0, 0, 0, 0
    reasons: Counter[str] = Counter()
    for row in rows:
        before, after = eligible(row, present), eligible(row, changed)
        could, can = not before[1:].all(), not after[1:].all()
        freed += not could and can
        silenced += could and not can
        if row.arm == "no_contact" or before[present.arms.index[row.arm]]:
            continue
        contacts += 1
        arm = changed.arms.index.get(row.arm)
        if arm is None or after[arm]:
            refused += 1
            reasons[REMOVED if arm is None else Gatekeeper(changed).reasons[after[arm]]] += 1
    assert told(rows, present, changed) == (contacts, refused, freed, silenced, dict(reasons))


@settings(max_examples=8, deadline=None)
@given(playbook=playbooks())
def test_the_same_playbook_changes_nothing(playbook: Playbook) -> None:
    _, refused, freed, silenced, reasons = told(lived(playbook), playbook, playbook)
    assert (refused, freed, silenced, reasons) == (0, 0, 0, {})


def test_a_stop_on_everybody_refuses_every_contact() -> None:
    playbook = parse(OPEN)
    rows = lived(playbook)
    stopped = OPEN.replace("  caps: ", '  stops: [{name: all, when: "visit_total >= 0"}]\n  caps: ')
    contacts, refused, freed, silenced, reasons = told(rows, playbook, stopped)
    assert contacts == refused == sum(row.channel is not None for row in rows) > 0
    assert (freed, reasons) == (0, {"contact.stops.all": refused})
    assert silenced > 0


def test_a_wider_cap_frees_and_says_how_far_the_log_looks_back() -> None:
    playbook = parse(OPEN)
    rows = lived(playbook)
    wider = what_if(rows, lambda _: playbook, playbook, parse(OPEN.replace("max: 2", "max: 9")))
    assert wider.freed > 0
    assert (wider.refused, wider.silenced, wider.reach) == (0, 0, None)
    longer = what_if(rows, lambda _: playbook, playbook, parse(OPEN.replace("within: 7d", "within: 60d")))
    assert longer.reach == 7 * DAY


def test_an_action_that_is_gone_refuses_what_it_sent() -> None:
    playbook = parse(OPEN)
    rows = lived(playbook)
    less = OPEN.replace("  news: {channels: [email], timings: [now], category: news}\n", "")
    effect = what_if(rows, lambda _: playbook, playbook, parse(less))
    sent = sum(row.action == "news" for row in rows)
    assert effect.refused == effect.reasons[REMOVED] == sent > 0
    assert effect.actions["news"].after == 0 < effect.actions["news"].before


def test_a_feature_that_the_log_lacks_is_not_known_and_named() -> None:
    playbook = parse(OPEN)
    rows = lived(playbook)
    asking = OPEN.replace("offer: {", 'offer: {when: "visit_count_3d > 0", ')
    effect = what_if(rows, lambda _: playbook, playbook, parse(asking))
    assert effect.unknown == {"visit_count_3d"}
    assert effect.actions["offer"].after == 0


def test_categories_are_told_by_name_and_stages_by_the_changed_rules() -> None:
    playbook = parse(OPEN)
    rows = lived(playbook)
    turned = OPEN.replace("device: [ios, web]", "device: [web, ios]").replace("name: buyer", "name: owner")
    asking = turned.replace("offer: {", "offer: {when: \"stage == 'owner'\", ")
    effect = what_if(rows, lambda _: playbook, playbook, parse(asking))
    assert effect.unknown == set()
    assert 0 < effect.actions["offer"].after < effect.actions["offer"].before


@pytest.mark.parametrize("blank", [{"body": b""}, {"trace": b"{}"}])
def test_what_was_erased_or_kept_less_is_left_out_and_counted(blank: dict[str, bytes]) -> None:
    playbook = parse(OPEN)
    rows = lived(playbook)
    effect = what_if([replace(rows[0], **blank), *rows[1:]], lambda _: playbook, playbook, playbook)
    assert (effect.unread, effect.decisions) == (1, len(rows) - 1)


def test_what_differs_is_told_by_its_path() -> None:
    changed = parse(OPEN.replace("max: 2", "max: 1"))
    assert differing_rules(parse(OPEN), changed) == {"contact.caps[0].max": ("2", "1")}
