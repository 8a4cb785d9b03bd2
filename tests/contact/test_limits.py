"""Daily limits: what all customers together may use up of an action on a day of the playbook's time zone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from nba.contact.eligibility import Gatekeeper
from nba.model import Used
from tests.contact.business import AMSTERDAM, HEAD, HOUR, NEW_YORK, at, playbook, reasons, situation

TEXT = (
    HEAD.replace("email: {}", "email: {cost: 0.1}")
    + """
timezone: Europe/Amsterdam
timings: {now: {}, morning: {from: "08:00", to: "10:00"}}
actions:
  news: {channels: [email], timings: [now]}
  gift: {cost: 0.5, channels: [email, push], timings: [now, morning], daily: {contacts: 3}}
  coupon: {channels: [email, push], timings: [now], daily: {spend: 1}}
  paused: {channels: [push], timings: [now], daily: {contacts: 0}}
"""
)
GATE = Gatekeeper(playbook(TEXT))
NOON, TODAY, TOMORROW = at("2026-11-22 12:00", AMSTERDAM), "2026-11-22", "2026-11-23"


def refused(used: Mapping[tuple[str, str], Used], now: float = NOON) -> set[str]:
    asked = replace(situation(GATE.playbook, [now], zones=[AMSTERDAM]), used=used)
    told = reasons(GATE, asked)
    assert {rule for rule in told.values() if rule} <= {f"actions.{arm.split('/')[0]}.daily" for arm in told}
    return {arm for arm, rule in told.items() if rule}


PAUSED = {"paused/push/now"}


def test_a_limit_of_contacts_refuses_once_they_are_used_up() -> None:
    assert refused({}) == PAUSED
    assert refused({("gift", TODAY): Used(contacts=2)}) == PAUSED
    full = refused({("gift", TODAY): Used(contacts=3)})
    assert full == PAUSED | {"gift/email/now", "gift/push/now"}  # the morning is tomorrow's
    tomorrow = refused({("gift", TOMORROW): Used(contacts=3)})
    assert tomorrow == PAUSED | {"gift/email/morning", "gift/push/morning"}


def test_a_limit_in_money_refuses_the_arms_that_cost_more_than_is_left() -> None:
    assert refused({("coupon", TODAY): Used(spend=0.9)}) == PAUSED
    assert refused({("coupon", TODAY): Used(spend=0.95)}) == PAUSED | {"coupon/email/now"}
    assert refused({("coupon", TODAY): Used(spend=1.0)}) == PAUSED | {"coupon/email/now"}  # push is free
    tenths = sum([0.1] * 9)
    assert tenths + 0.1 != 1.0  # as floats add up
    assert refused({("coupon", TODAY): Used(spend=tenths)}) == PAUSED


def test_what_others_used_up_is_no_business_of_an_action_or_day() -> None:
    used = {("news", TODAY): Used(contacts=99), ("gone", TODAY): Used(contacts=99)}
    assert refused(used | {("gift", "2026-11-21"): Used(contacts=99)}) == PAUSED


def test_a_day_is_the_playbooks_and_not_the_customers() -> None:
    """At 23:30 in Amsterdam it is 17:30 in New York, and half an hour later a new day begins."""
    late = at("2026-11-22 23:30", AMSTERDAM)
    assert GATE.day_of(late, "gift") == TODAY
    assert GATE.day_of(late + HOUR / 2, "gift") == TOMORROW
    assert GATE.day_of(np.nextafter(late + HOUR / 2, 0), "gift") == TODAY
    assert GATE.day_of(late, "news") is None
    keys = GATE.limit_keys(np.array([late]), [NEW_YORK])
    assert keys == [("coupon", TODAY), ("gift", TODAY), ("gift", TOMORROW), ("paused", TODAY)]


def test_a_playbook_without_limits_asks_for_nothing() -> None:
    plain = Gatekeeper(playbook())
    assert plain.limit_keys(np.array([NOON]), ["UTC"]) == []
    assert plain.room({}, []) is None
    assert plain.day_of(NOON, "offer") is None


def test_moments_that_quiet_hours_leave_out_use_up_no_day() -> None:
    quiet = Gatekeeper(playbook(TEXT + 'contact: {quiet_hours: {from: "22:00", to: "07:00"}}'))
    keys = quiet.limit_keys(np.array([at("2026-11-22 23:00", AMSTERDAM)]), [AMSTERDAM])
    assert keys == [("gift", TOMORROW)]


def test_room_is_what_is_left_at_the_dearest_arm_that_still_fits() -> None:
    keys = [("coupon", TODAY), ("gift", TODAY), ("paused", TODAY)]
    assert GATE.room({}, keys) == 3
    assert GATE.room({("gift", TODAY): Used(contacts=2)}, keys) == 1
    assert GATE.room({("gift", TODAY): Used(contacts=3)}, keys) == 10  # ten at 0.1 of the coupon
    assert GATE.room({("coupon", TODAY): Used(spend=0.85)}, keys[:1]) == 1
    assert GATE.room({("coupon", TODAY): Used(spend=0.95)}, keys[:1]) is None  # only what is free still fits
    assert GATE.room({}, keys[2:]) is None
    assert GATE.room({}, []) is None


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 3), st.floats(0, 1), st.integers(0, 2**32 - 1))
def test_room_decisions_on_any_arms_overdraw_no_limit(contacts: int, spend: float, seed: int) -> None:
    """All judged by what was used up before the first of them."""
    used = {("gift", TODAY): Used(contacts=contacts), ("coupon", TODAY): Used(spend=spend)}
    room = GATE.room(used, [*used])
    arms, rng = GATE.playbook.arms, np.random.default_rng(seed)
    asked = replace(situation(GATE.playbook, [NOON], zones=[AMSTERDAM]), used=used)
    eligible = np.flatnonzero(GATE.judge(asked).eligible[0])
    drawn = rng.choice(eligible, size=50 if room is None else room)
    names = [arms.names[arm].split("/") for arm in drawn]
    gifts = sum(name[0] == "gift" and name[2] == "now" for name in names)
    coupons = arms.cost[[arm for arm, name in zip(drawn, names, strict=True) if name[0] == "coupon"]].sum()
    assert contacts + gifts <= 3
    assert spend + coupons <= 1 + 1e-8


def test_reach_is_the_longest_that_a_contact_can_matter() -> None:
    day = 24 * HOUR

    def reach(caps: str, cooldown: str = "") -> float:
        offer = f"offer: {{channels: [email], timings: [now]{cooldown}}}"
        text = HEAD + f"timings: {{now: {{}}}}\nactions: {{{offer}}}\ncontact: {{caps: [{caps}]}}"
        return Gatekeeper(playbook(text)).reach

    assert reach("") == 0.0
    assert reach("{max: 1, within: 36h}") == 1.5 * day
    assert reach("{max: 1, within: 36h}", ", cooldown: 3d") == 3 * day
    assert [reach(f"{{max: 1, per: {per}}}") for per in ("day", "week", "month")] == [
        2 * day, 8 * day, 32 * day
    ]  # fmt: skip
