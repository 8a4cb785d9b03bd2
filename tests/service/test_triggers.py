"""Triggers: each occasion makes one decision, logged and pushed; conditions by their edge, absences once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest

from nba.looking import watched
from nba.model import Look, Looked
from nba.stores.memory import MemoryStore
from nba.stores.open import open_store
from nba.stores.ports import OutboxRow
from tests.service.business import DAY, HOUR, NOON, OPEN, SECRET, Business, consents, event, surrogates


def business(triggers: str, clock: Any = "request", text: str = OPEN) -> Business:
    store = MemoryStore(clock, secret=SECRET, surrogates=surrogates().__next__)
    return Business.of(f"{text}\ntriggers:\n{triggers}", store)


def pushed(business: Business) -> list[Mapping[str, Any]]:
    rows: list[OutboxRow] = [r for r in business.store.outbox(0) if r.type == "decision.triggered"]
    return [{**orjson.loads(row.body), "id": row.id, "decision_id": row.decision_id} for row in rows]


def look(business: Business, at: float, since: float = -1e12) -> int:
    """Look at all who are due, as `nba trigger` does; every condition is watched from `since` on."""
    keys = watched(business.live.current.playbook).conditions
    moment = None if business.store.clock == "live" else at
    due = business.store.due(at, 100)
    looks = [Look(customer_id=name, at=moment, since=dict.fromkeys(keys, since)) for name in due]
    results = business.service.handle(looks, at)
    return sum(result.fired for result in results if isinstance(result, Looked))


# Events


def test_an_event_makes_a_decision_that_is_logged_and_pushed_in_its_transaction() -> None:
    ours = business("  thanks: {on: {event: purchase, at_least: 50}, actions: [news]}")
    ours.report(consents("c"))
    ours.report(event("c", "purchase", NOON, value=49.0), event("c", "purchase", NOON, value=50.0))
    decisions = [row for part in ours.store.decisions(0, NOON + 1) for row in part]
    assert len(decisions) == 1
    assert decisions[0].action in ("news", "no_contact")
    assert 0 < decisions[0].propensity < 1
    found = pushed(ours)
    assert [m["decision_id"] for m in found] == [d.decision_id for d in decisions if d.channel]
    answer = orjson.loads(decisions[0].body)
    for message in found:
        assert message["trigger"] == "thanks"
        assert message["decision"] == {k: v for k, v in answer.items() if k != "customer_id"}


def test_an_event_that_is_told_again_makes_no_other_decision() -> None:
    ours = business("  thanks: {on: {event: purchase}, silence: true}")
    for _ in range(3):
        ours.report(event("c", "purchase", NOON, id="same"))
    assert len(pushed(ours)) == 1


def test_silence_is_logged_and_pushed_where_that_is_wanted() -> None:
    for wanted, messages in (("true", 1), ("false", 0)):
        ours = business(f"  thanks: {{on: {{event: purchase}}, silence: {wanted}}}")
        ours.report(event("c", "purchase", NOON))  # no consent is known
        assert [len(part) for part in ours.store.decisions(0, NOON + 1)] == [1]
        assert len(pushed(ours)) == messages


def test_a_condition_is_asked_with_the_event_in_it() -> None:
    ours = business("  second: {on: {event: purchase}, when: purchase_total > 1, silence: true}")
    ours.report(event("c", "purchase", NOON))
    assert pushed(ours) == []
    ours.report(event("c", "purchase", NOON + HOUR))
    assert len(pushed(ours)) == 1


def test_a_cooldown_keeps_a_trigger_quiet() -> None:
    ours = business("  thanks: {on: {event: purchase}, cooldown: 2d, silence: true}")
    for day in range(5):
        ours.report(event("c", "purchase", NOON + day * DAY))
    assert len(pushed(ours)) == 3


def test_an_event_of_long_ago_makes_no_decision() -> None:
    ours = business("  thanks: {on: {event: purchase, within: 1h}, silence: true}", clock="live")
    ours.report(event("c", "purchase", NOON - 2 * HOUR), event("d", "purchase", NOON - HOUR / 2))
    assert [len(part) for part in ours.store.decisions(0, NOON + 1)] == [1]


def test_two_triggers_of_one_event_each_make_their_decision_one_after_the_other() -> None:
    text = OPEN.replace("max: 2, within", "max: 1, within")
    two = "  a: {on: {event: purchase}, silence: true}\n  b: {on: {event: purchase}, silence: true}"
    for i in range(20):
        ours = business(two, text=text)
        ours.report(consents("c"))
        ours.report(event("c", "purchase", NOON, id=f"e{i}"))
        found = pushed(ours)
        assert [m["trigger"] for m in found] == ["a", "b"]
        assert sum(m["decision"]["channel"] is not None for m in found) <= 1  # the cap holds between them


def test_an_open_ticket_stops_what_its_own_event_would_have_triggered() -> None:
    text = OPEN.replace(
        "touchpoints: [visit, purchase]", "touchpoints: [visit, purchase, ticket_opened, ticket_closed]"
    ).replace("contact:\n", "contact:\n  stops: [{name: open-ticket, when: open_tickets > 0}]\n")
    text += "\ntickets: {rules: [{name: complaint, on: {event: complaint}}]}"
    ours = business("  sorry: {on: {event: complaint}, silence: true}", text=text)
    ours.report(consents("c"))
    ours.report(event("c", "complaint", NOON))
    [message] = pushed(ours)
    assert message["decision"]["reason"] == "contact.stops.open-ticket"


# Conditions


def test_a_condition_goes_off_by_its_edge_and_once() -> None:
    ours = business('  often: {when: "visit_total > 1", silence: true}')
    fired = []
    for hour in range(4):
        ours.report(event("c", "visit", NOON + hour * HOUR))
        fired.append(look(ours, NOON + hour * HOUR))
    assert fired == [0, 1, 0, 0]
    assert len(pushed(ours)) == 1


def test_a_condition_is_ready_again_when_until_has_held() -> None:
    rule = '  back: {when: "days_since_visit < 1", until: "days_since_visit > 3", every: 1d, silence: true}'
    ours = business(rule)
    fired = {}
    ours.report(event("c", "visit", NOON))
    for day in range(12):
        if day in (2, 9):
            ours.report(event("c", "visit", NOON + day * DAY))
        fired[day] = look(ours, NOON + day * DAY)
    assert [day for day, times in fired.items() if times] == [0, 9]  # at 2 it was not ready yet


def test_a_condition_that_was_changed_and_changed_back_goes_off_again() -> None:
    """Its decisions are told apart by how often it has gone off, which a change of the rule does not undo."""
    rule, other = (f"  away: {{when: 'days_since_visit > {days}', silence: true}}" for days in (3, 5))
    ours = business(rule)
    ours.report(event("c", "visit", NOON))
    assert look(ours, NOON) + look(ours, NOON + 4 * DAY) == 1
    changed = Business.of(f"{OPEN}\ntriggers:\n{other}", ours.store)
    assert look(changed, NOON + 5 * DAY) == 0
    changed.report(event("c", "visit", NOON + 5 * DAY))
    look(changed, NOON + 5 * DAY)
    again = Business.of(f"{OPEN}\ntriggers:\n{rule}", ours.store)
    assert look(again, NOON + 6 * DAY) == 0
    assert look(again, NOON + 9 * DAY) == 1
    assert len(pushed(again)) == 2


def test_what_was_true_before_it_was_watched_is_no_edge() -> None:
    ours = business('  often: {when: "visit_total > 0", silence: true}')
    ours.report(event("old", "visit", NOON), event("new", "visit", NOON + 2 * HOUR))
    assert look(ours, NOON + 2 * HOUR, since=NOON + HOUR) == 1
    assert [row.surrogate for row in ours.store.outbox(0)] == [ours.store.surrogate_of("new")]


def test_a_condition_that_time_makes_true_is_found_without_an_event() -> None:
    ours = business('  gone: {when: "days_since_visit > 5", every: 1d, silence: true}')
    ours.report(event("c", "visit", NOON))
    assert [look(ours, NOON + day * DAY) for day in range(8)] == [0, 0, 0, 0, 0, 0, 1, 0]


def test_a_look_that_is_repeated_changes_nothing() -> None:
    """As two sweepers do that picked the same customers."""
    ours = business('  often: {when: "visit_total > 0", silence: true}')
    ours.report(event("c", "visit", NOON))
    asked = Look(customer_id="c", at=NOON, since=dict.fromkeys(_keys(ours), 0.0))
    results = ours.service.handle([asked, asked], NOON)
    assert [result.fired for result in results if isinstance(result, Looked)] == [1, 0]
    assert len(pushed(ours)) == 1


def _keys(business: Business) -> list[str]:
    return list(watched(business.live.current.playbook).conditions)


# Absences


def test_an_absence_goes_off_when_its_time_is_over_and_again_after_the_next_visit() -> None:
    ours = business("  quiet: {absence: {of: visit, for: 14d}, silence: true}")
    ours.report(event("c", "visit", NOON))
    fired = [look(ours, NOON + day * DAY) for day in range(20)]
    assert fired.index(1) == 14
    assert sum(fired) == 1
    ours.report(event("c", "visit", NOON + 20 * DAY))
    assert sum(look(ours, NOON + day * DAY) for day in range(20, 60)) == 1
    assert len(pushed(ours)) == 2


def test_who_came_back_in_time_is_not_missed() -> None:
    ours = business("  quiet: {absence: {of: visit, for: 14d}, silence: true}")
    for day in range(0, 60, 10):
        ours.report(event("c", "visit", NOON + day * DAY))
        assert look(ours, NOON + day * DAY) == 0


def test_who_left_long_before_anybody_watched_is_noted_and_nothing_goes_off() -> None:
    ours = business("  quiet: {absence: {of: visit, for: 14d}, silence: true}")
    ours.report(event("c", "visit", NOON))
    assert look(ours, NOON + 14 * DAY + 8 * DAY) == 0
    assert look(ours, NOON + 90 * DAY) == 0


def test_nobody_is_looked_at_before_it_can_matter() -> None:
    ours = business("  quiet: {absence: {of: visit, for: 14d}, silence: true}")
    ours.report(event("c", "visit", NOON))
    assert ours.store.due(NOON + 13.9 * DAY, 10) == []
    assert ours.store.due(NOON + 14 * DAY, 10) == ["c"]


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_a_playbook_without_triggers_remembers_nothing_of_looks(kind: str, tmp_path: Path) -> None:
    store = open_store("memory:" if kind == "memory" else f"sqlite:///{tmp_path}/nba.db")
    ours = Business.of(OPEN, store)
    ours.report(event("c", "visit", NOON))
    assert store.due(1e12, 10) == []
    store.close()
