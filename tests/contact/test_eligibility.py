"""Eligibility: every refusal names its rule, nothing eligible breaks one, and retry_at keeps its word."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nba.contact.caps import PURPOSES, Ledger
from nba.contact.eligibility import Gatekeeper, Situation
from nba.model import ContactRow
from tests.contact.business import (
    AMSTERDAM,
    BARE,
    DAY,
    HEAD,
    HOUR,
    NEW_YORK,
    at,
    contact,
    playbook,
    reasons,
    situation,
)

BOOK = playbook()
GATE = Gatekeeper(BOOK)
SPEC, ARMS = BOOK.spec, BOOK.arms
NOON = at("2026-03-11 12:00")
PLAIN = Gatekeeper(playbook(HEAD + BARE + "contact: {caps: [{max: 3, within: 7d}]}"))


def refused(asked: Situation, prefix: str) -> set[str]:
    """The rules that refuse arms whose name starts with a prefix; empty text where one is eligible."""
    return {rule for arm, rule in reasons(GATE, asked).items() if arm.startswith(prefix)}


def test_with_nothing_against_it_everything_is_eligible_and_no_contact_has_no_moment() -> None:
    verdict = GATE.judge(situation(BOOK, [NOON]))
    assert verdict.eligible.all()
    assert math.isnan(verdict.send_at[0, 0])
    assert (verdict.send_at[0, 1:] >= NOON).all()


def test_a_holdout_customer_is_never_contacted() -> None:
    asked = replace(situation(BOOK, [NOON]), holdout=np.array([True]))
    assert refused(asked, "") == {"", "groups.holdout"}
    verdict = GATE.judge(asked)
    assert verdict.eligible[0].nonzero()[0].tolist() == [0]
    assert GATE.retry_at(asked, 0, verdict) is None


def test_a_request_narrows_actions_and_channels() -> None:
    asked = situation(BOOK, [NOON])
    asked.asked_actions[0] = [name == "news" for name in ARMS.actions]
    asked.asked_channels[0] = [name == "push" for name in ARMS.channels]
    told = reasons(GATE, asked)
    assert {arm for arm, rule in told.items() if not rule} == {
        "no_contact",
        "news/push/now",
        "news/push/evening",
    }
    assert told["offer/push/now"] == "request.actions"
    assert told["news/email/now"] == "request.channels"


def test_consent_is_asked_for_each_purpose_and_channel_where_the_channel_needs_it() -> None:
    asked = situation(BOOK, [NOON])
    asked.consent[:] = False
    asked.consent[0, PURPOSES.index("marketing"), ARMS.channels.index("push")] = True
    told = reasons(GATE, asked)
    eligible = {arm for arm, rule in told.items() if not rule}
    assert {arm.rpartition("/")[0] for arm in eligible} == {
        "",
        "offer/push",
        "news/push",
        "news/web",
        "receipt/web",
    }
    assert {rule for rule in told.values() if rule} == {"consent"}


def test_quiet_hours_refuse_now_and_leave_the_parts_of_the_day() -> None:
    told = reasons(GATE, situation(BOOK, [at("2026-03-11 23:00")]))
    assert told["offer/email/now"] == told["receipt/email/now"] == "contact.quiet_hours"
    assert told["offer/email/morning"] == told["offer/email/evening"] == ""


def test_a_stop_refuses_its_purposes_while_it_holds_or_is_not_known() -> None:
    assert refused(situation(BOOK, [NOON], open_tickets=1), "offer") == {"contact.stops.open-ticket"}
    assert refused(situation(BOOK, [NOON], open_tickets=1), "ask") == {""}
    assert refused(situation(BOOK, [NOON], age=12), "ask") == {"contact.stops.minors"}
    assert refused(situation(BOOK, [NOON], age=math.nan), "offer") == {"contact.stops.minors"}
    assert refused(situation(BOOK, [NOON], age=math.nan), "receipt") == {""}


def test_an_actions_own_rule_refuses_where_it_is_not_sure() -> None:
    assert refused(situation(BOOK, [NOON], age=17), "news") == {"actions.news.when"}
    assert refused(situation(BOOK, [NOON], age=math.nan), "news") == {"actions.news.when"}
    assert refused(situation(BOOK, [NOON], age=19), "news") == {""}


def test_validity_is_asked_of_the_moment_of_sending() -> None:
    """The sale runs from 10 March 00:00 to 20 March 18:30."""

    def sale(now: str) -> dict[str, str]:
        told = reasons(GATE, situation(BOOK, [at(now)]))
        return {arm.removeprefix("sale/email/"): rule for arm, rule in told.items() if arm.startswith("sale")}

    early, late = "actions.sale.valid_from", "actions.sale.valid_until"
    assert sale("2026-03-09 12:00") == {"now": early, "morning": "", "evening": early}
    assert sale("2026-03-20 12:00") == {"now": "", "morning": late, "evening": ""}
    assert sale("2026-03-20 18:29:59") == {"now": "", "morning": late, "evening": ""}
    assert sale("2026-03-20 18:30") == {"now": late, "morning": late, "evening": late}


def test_a_cooldown_keeps_one_actions_contacts_apart_in_both_directions() -> None:
    for gap, expected in ((3 * DAY, ""), (3 * DAY - 1, "actions.news.cooldown")):
        before = situation(BOOK, [NOON], [[contact(NOON - gap, "news")]])
        planned = situation(BOOK, [NOON], [[contact(NOON + gap, "news")]])
        assert reasons(GATE, before)["news/email/now"] == expected
        assert reasons(GATE, planned)["news/email/now"] == expected
        assert reasons(GATE, before)["offer/email/now"] == ""


def test_caps_hold_back_their_own_purposes_and_channel() -> None:
    three = [contact(NOON - i * HOUR) for i in (1, 2, 3)]
    told = reasons(GATE, situation(BOOK, [NOON], [three]))
    assert told["offer/email/now"] == told["news/web/now"] == "contact.caps[0]"
    assert told["receipt/email/now"] == told["ask/push/now"] == ""
    pushed = reasons(GATE, situation(BOOK, [NOON], [[contact(NOON - HOUR, "ask", "push", "service")]]))
    assert pushed["offer/push/now"] == pushed["ask/push/evening"] == "contact.caps[1]"
    assert pushed["offer/email/now"] == ""


def test_the_first_rule_that_refuses_gives_the_reason() -> None:
    """From what was asked, over consent, the action, quiet hours and stops, down to the caps."""
    night = at("2026-03-11 23:00")
    rows = [contact(night - i * HOUR, "news") for i in (1, 2, 3)]
    asked = situation(BOOK, [night], [rows], age=12, open_tickets=1)
    asked.consent[:] = False
    asked.asked_channels[:] = False
    order = []
    for mend in ("holdout", "channels", "consent", "age", "hour", "contacts", "ticket", "nothing"):
        order.append(reasons(GATE, asked)["news/email/now"])
        if mend == "holdout":
            asked = replace(asked, holdout=np.array([False]))
        elif mend == "channels":
            asked.asked_channels[:] = True
        elif mend == "consent":
            asked.consent[:] = True
        elif mend == "age":
            asked.features[:, BOOK.schema.index["age"]] = 40
        elif mend == "contacts":
            others = [[contact(night - i * HOUR) for i in (1, 2, 3)]]
            asked = replace(asked, ledger=Ledger.of(BOOK, others))
        elif mend == "hour":
            asked = replace(asked, now=np.array([night - 2 * HOUR]))
        elif mend == "ticket":
            asked.features[:, BOOK.schema.index["open_tickets"]] = 0
    assert order == [
        "request.channels",
        "request.channels",
        "consent",
        "actions.news.when",
        "contact.quiet_hours",
        "actions.news.cooldown",
        "contact.stops.open-ticket",
        "contact.caps[0]",
    ]


def test_after_three_contacts_at_once_the_next_can_go_out_when_the_first_is_a_week_old() -> None:
    rows = [contact(NOON + i) for i in (0, 1, 2)]
    asked = situation(PLAIN.playbook, [NOON + HOUR], [rows])
    assert PLAIN.retry_at(asked, 0, PLAIN.judge(asked)) == NOON + 7 * DAY


def test_retry_at_waits_for_the_quiet_hours_too() -> None:
    evening = at("2026-03-11 23:00")
    gate = Gatekeeper(
        playbook(
            HEAD + BARE + "contact: {caps: [{max: 1, within: 1d}], quiet_hours: {from: 22:00, to: 08:00}}"
        )
    )
    asked = situation(gate.playbook, [evening], [[contact(evening - 30 * 60)]])
    assert gate.retry_at(asked, 0, gate.judge(asked)) == at("2026-03-13 08:00")
    asked = situation(gate.playbook, [evening], zones=[AMSTERDAM])
    assert gate.retry_at(asked, 0, gate.judge(asked)) == at("2026-03-12 08:00", AMSTERDAM)


@pytest.mark.parametrize("rule", ["consent", "holdout", "request", "when", "stop", "validity"])
def test_what_time_does_not_lift_has_no_retry_at(rule: str) -> None:
    text = HEAD + BARE.replace(
        "timings: [now]}", "timings: [now], when: age > 18, valid_until: 2026-03-20T00:00:00Z}"
    )
    gate = Gatekeeper(playbook(text + "contact: {stops: [{name: old, when: age > 90}]}"))
    now = at("2026-03-21 12:00") if rule == "validity" else NOON
    asked = situation(gate.playbook, [now], age={"when": 17.0, "stop": 91.0}.get(rule, 40.0))
    asked.consent[:] = rule != "consent"
    asked.holdout[:] = rule == "holdout"
    asked.asked_channels[:] = rule != "request"
    verdict = gate.judge(asked)
    assert not verdict.eligible[0, 1:].any()
    assert gate.retry_at(asked, 0, verdict) is None


# Anything that can be so at some moment of March, the change of the clocks among it.
ZONES = st.sampled_from([AMSTERDAM, NEW_YORK, "UTC", "Asia/Kolkata", "Asia/Kathmandu"])
MOMENTS = st.integers(0, 3_000).map(lambda i: at("2026-03-05 00:00") + i * 900.0) | st.floats(
    at("2026-03-08 00:00"), at("2026-03-30 12:00")
)


@st.composite
def contacts(draw: st.DrawFn) -> list[ContactRow]:
    def one(moment: float, action: str, channel: str) -> ContactRow:
        return contact(moment, action, channel, SPEC.actions[action].purpose)

    channel = st.sampled_from(ARMS.channels)
    return draw(st.lists(st.builds(one, MOMENTS, st.sampled_from(ARMS.actions), channel), max_size=6))


@st.composite
def situations(draw: st.DrawFn, most: int = 1) -> Situation:
    n = draw(st.integers(1, most))
    asked = situation(
        BOOK,
        draw(st.lists(MOMENTS, min_size=n, max_size=n)),
        draw(st.lists(contacts(), min_size=n, max_size=n)),
        zones=draw(st.lists(ZONES, min_size=n, max_size=n)),
    )
    ages, tickets = st.sampled_from([12.0, 17.0, 40.0, math.nan]), st.sampled_from([0.0, 0.0, 1.0])
    for i in range(n):
        asked.features[i, BOOK.schema.index["age"]] = draw(ages)
        asked.features[i, BOOK.schema.index["open_tickets"]] = draw(tickets)
        asked.consent[i] = draw(st.sampled_from([True, True, False]))
        asked.asked_actions[i] = draw(st.lists(st.booleans(), min_size=5, max_size=5))
        asked.holdout[i] = draw(st.sampled_from([False, False, False, True]))
    return asked


def overfull(asked: Situation, row: int, arm: int, send_at: float) -> bool:
    """Whether a cap's window would be overfull with the arm sent then, by looking at every window."""
    ledger = asked.ledger
    for cap in SPEC.contact.caps:
        purposes = [PURPOSES.index(p) for p in cap.purposes]
        purpose = PURPOSES.index(SPEC.actions[ARMS.actions[ARMS.action[arm]]].purpose)
        channel = None if cap.channel is None else ARMS.channels.index(cap.channel)
        if purpose not in purposes or channel not in (None, ARMS.channel[arm]):
            continue
        rows = zip(ledger.at[row], ledger.channel[row], ledger.purpose[row], strict=True)
        times = [when for when, c, p in rows if p in purposes and channel in (None, c)]
        for start in [*times, send_at]:
            holds = [when for when in [*times, send_at] if start <= when < start + cap.within]
            if start <= send_at < start + cap.within and len(holds) > cap.max:
                return True
    return False


@settings(max_examples=200)
@given(situations(most=4))
def test_no_eligible_arm_breaks_a_rule_and_each_refused_arm_breaks_the_one_it_names(
    asked: Situation,
) -> None:
    verdict = GATE.judge(asked)
    assert verdict.eligible[:, 0].all()
    for row, arm in np.ndindex(*verdict.codes.shape):
        if arm == 0:
            continue
        reason, send_at = GATE.reasons[verdict.codes[row, arm]], float(verdict.send_at[row, arm])
        action = ARMS.actions[ARMS.action[arm]]
        spec, name = SPEC.actions[action], f"actions.{action}"
        age, tickets = (asked.features[row, BOOK.schema.index[f]] for f in ("age", "open_tickets"))
        local = (
            datetime.fromtimestamp(math.floor(send_at), ZoneInfo(asked.zones[row]))
            if send_at == send_at
            else None
        )
        consented = asked.consent[row, PURPOSES.index(spec.purpose), ARMS.channel[arm]]
        gaps = np.abs(asked.ledger.at[row][asked.ledger.action[row] == ARMS.action[arm]] - send_at)
        broken = {
            "groups.holdout": bool(asked.holdout[row]),
            "request.actions": not asked.asked_actions[row, ARMS.action[arm]],
            "consent": not consented and SPEC.channels[ARMS.channels[ARMS.channel[arm]]].consent,
            f"{name}.valid_from": spec.valid_from is not None and send_at < spec.valid_from.timestamp(),
            f"{name}.valid_until": spec.valid_until is not None and send_at >= spec.valid_until.timestamp(),
            f"{name}.when": action == "news" and not age > 18,
            f"{name}.cooldown": spec.cooldown is not None and bool((gaps < spec.cooldown).any()),
            "contact.quiet_hours": local is None or local.hour >= 22 or local.hour < 8,
            "contact.stops.open-ticket": spec.purpose == "marketing" and tickets > 0,
            "contact.stops.minors": spec.purpose != "transactional" and not age >= 16,
        }
        if reason == "":
            assert not any(broken.values())
            assert send_at >= asked.now[row]
            assert not overfull(asked, row, arm, send_at)
        elif reason.startswith("contact.caps"):
            assert not any(broken.values())
            assert overfull(asked, row, arm, send_at)
        else:
            assert broken[reason]


@given(situations(most=5))
def test_a_customers_eligibility_does_not_depend_on_who_else_is_asked_about(asked: Situation) -> None:
    together = GATE.judge(asked)
    for row in range(len(asked.now)):
        alone = GATE.judge(asked.repeated(row, [float(asked.now[row])]))
        np.testing.assert_array_equal(alone.codes[0], together.codes[row])
        np.testing.assert_array_equal(alone.send_at[0], together.send_at[row])


LIFTING = Gatekeeper(
    playbook(
        HEAD
        + """
timings: {now: {}}
actions:
  offer: {channels: [email, push], timings: [now], cooldown: 2d}
  sale:
    channels: [email]
    timings: [now]
    valid_from: 2026-03-25T10:30:00Z
    valid_until: 2026-03-28T12:00:00Z
contact:
  caps: [{max: 2, within: 3d}, {max: 1, within: 5h, channel: push}]
  quiet_hours: {from: 21:30, to: 07:15}
"""
    )
)
OFFERS = st.builds(contact, MOMENTS, st.sampled_from(["offer", "sale"]), st.sampled_from(["email", "push"]))


@settings(max_examples=200)
@given(MOMENTS, st.lists(OFFERS, max_size=6), ZONES, st.booleans())
def test_retry_at_is_the_first_moment_at_which_anything_can_be_sent(
    now: float, rows: list[ContactRow], zone: str, sale_only: bool
) -> None:
    """At retry_at an arm is eligible; at no minute before it, and not a moment before it, is any."""
    asked = situation(LIFTING.playbook, [now], [rows], zones=[zone])
    asked.asked_actions[0, 0] = not sale_only
    verdict = LIFTING.judge(asked)
    retry_at = LIFTING.retry_at(asked, 0, verdict)
    if verdict.eligible[0, 1:].any():
        assert retry_at is None
        return
    horizon = retry_at if retry_at is not None else now + 40 * DAY
    grid = np.arange(now, horizon, 900.0)
    before = grid if retry_at is None else np.append(grid, np.nextafter(retry_at, 0))
    assert not LIFTING.judge(asked.repeated(0, before.tolist())).eligible[:, 1:].any()
    if retry_at is not None:
        assert LIFTING.judge(asked.repeated(0, [retry_at])).eligible[0, 1:].any()


@given(MOMENTS, contacts(), ZONES)
def test_at_retry_at_something_is_eligible_also_where_parts_of_the_day_are_planned(
    now: float, rows: list[ContactRow], zone: str
) -> None:
    asked = situation(BOOK, [now], [rows], zones=[zone])
    asked.asked_actions[0] = [name in ("offer", "news") for name in ARMS.actions]
    retry_at = GATE.retry_at(asked, 0, GATE.judge(asked))
    if retry_at is not None:
        assert retry_at > now
        assert GATE.judge(asked.repeated(0, [retry_at])).eligible[0, 1:].any()


def test_no_customers_get_no_verdicts() -> None:
    verdict = GATE.judge(situation(BOOK, []))
    assert verdict.codes.shape == verdict.send_at.shape == (0, len(ARMS))
