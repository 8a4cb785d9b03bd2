"""What the page on the rules says of a customer is what the rules make of one, example by example."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nba.contact.eligibility import Gatekeeper
from nba.model import BroughtAction, Used
from nba.playbook.catalogue import bring
from nba.playbook.compile import Playbook
from tests.playbook.customers import contact, customer, moment, reasons
from tests.playbook.pages import example

NOON = "2026-06-01 12:00"


def refusal(book: Playbook, arm: str, now: str, **about: Any) -> str:
    """The rule that refuses an arm at a moment in Amsterdam; empty where none does."""
    contacts = [contact(book, a, c, moment(at), f"d{i}") for i, (a, c, at) in enumerate(about.pop("had", ()))]
    return reasons(book, customer(book, moment(now), contacts, **about))[arm]


def test_consent() -> None:
    book, now = example("Consent"), moment(NOON)
    mia = customer(book, now)
    mia.consent[0] = False
    mia.consent[0, 0, book.arms.channels.index("email")] = True
    told = reasons(book, mia)
    assert told["bogo-10/email/now"] == ""
    assert told["bogo-10/push/now"] == told["bogo-10/sms/now"] == "consent"


def test_purposes() -> None:
    book = example("Purposes")
    had = [("newsletter", "email", f"2026-06-0{day} 09:00") for day in (1, 2, 3)]
    assert refusal(book, "newsletter/email/morning", "2026-06-04 12:00", had=had) == "contact.caps[0]"
    assert refusal(book, "appointment/push/now", "2026-06-04 12:00", had=had) == ""
    tom = customer(book, moment(NOON))
    tom.consent[0, 1:] = False
    assert reasons(book, tom)["newsletter/email/morning"] == ""
    assert reasons(book, tom)["appointment/push/now"] == "consent"


def test_quiet_hours_and_timings() -> None:
    book = example("Quiet hours and timings")
    gate, arms = Gatekeeper(book), book.arms.index
    late = gate.judge(customer(book, moment("2026-06-01 22:30")))
    assert gate.reasons[late.codes[0, arms["bogo-10/email/now"]]] == "contact.quiet_hours"
    assert late.send_at[0, arms["bogo-10/email/morning"]] == moment("2026-06-02 08:00")
    early = gate.judge(customer(book, moment("2026-06-01 19:10")))
    assert early.send_at[0, arms["bogo-10/email/evening"]] == moment("2026-06-01 19:10")
    assert early.send_at[0, arms["bogo-10/email/morning"]] == moment("2026-06-02 08:00")
    ana = gate.judge(customer(book, moment("2026-06-01 12:00"), zone="America/Los_Angeles"))
    assert ana.send_at[0, arms["bogo-10/email/evening"]] == moment("2026-06-01 18:00", "America/Los_Angeles")


def test_quiet_hours_hold_for_every_purpose_and_for_a_channel_without_consent() -> None:
    book = example(
        "Quiet hours and timings",
        channels={"banner": {"cost": 0.0, "consent": False}},
        actions={
            purpose: {"purpose": purpose, "channels": ["banner"], "timings": ["now"]}
            for purpose in ("marketing", "service", "transactional")
        },
    )
    for purpose in book.spec.actions:
        assert (
            refusal(book, f"{purpose}/banner/now", "2026-06-01 22:30", consent=False) == "contact.quiet_hours"
        )
        assert refusal(book, f"{purpose}/banner/now", NOON, consent=False) == ""


def test_caps() -> None:
    book = example("Caps: how much at most")
    had = [
        ("news", "email", "2026-06-01 09:00"),
        ("news", "push", "2026-06-02 10:00"),
        ("news", "push", "2026-06-05 10:00"),
    ]
    asked = customer(book, moment("2026-06-06 12:00"), [contact(book, a, c, moment(at)) for a, c, at in had])
    gate = Gatekeeper(book)
    verdict = gate.judge(asked)
    assert {gate.reasons[code] for code in verdict.codes[0, 1:]} == {"contact.caps[0]"}
    assert gate.retry_at(asked, 0, verdict) == moment("2026-06-08 09:00")
    sms = [("news", "sms", "2026-06-01 08:00")]
    assert refusal(book, "news/sms/now", "2026-06-01 23:59", had=sms) == "contact.caps[1]"
    assert refusal(book, "news/sms/now", "2026-06-02 00:00", had=sms) == ""
    assert refusal(book, "news/email/now", "2026-06-01 12:00", had=sms) == ""
    offer = [("two-for-one", "email", "2026-06-01 08:00")]
    assert refusal(book, "two-for-one/push/now", "2026-06-03 12:00", had=offer) == "contact.caps[2]"


def test_cooldown() -> None:
    book, had = example("Cooldown: not the same again so soon"), [("survey", "email", "2026-03-01 10:00")]
    assert refusal(book, "survey/email/now", "2026-05-29 12:00", had=had) == "actions.survey.cooldown"
    assert refusal(book, "survey/email/now", "2026-05-30 12:00", had=had) == ""


def test_stop_after_something_happened() -> None:
    book, arm, reason = (
        example("Stop after something happened"),
        "bogo-10/email/now",
        "actions.bogo-10.stop_after",
    )
    assert refusal(book, arm, "2026-06-14 12:00", days_since_purchase=13.0) == reason
    assert refusal(book, arm, "2026-06-15 12:00", days_since_purchase=14.0) == ""
    assert (
        refusal(book, arm, "2026-07-09 12:00", days_since_purchase=38.0, days_since_complaint=29.0) == reason
    )
    assert refusal(book, arm, "2026-07-10 12:00", days_since_purchase=39.0, days_since_complaint=30.0) == ""
    assert refusal(book, arm, NOON) == ""


def test_validity_stages_and_conditions() -> None:
    book, eve = example("Validity, stages and who may get what"), "2026-12-31 20:00"
    grown: dict[str, Any] = {"attributes": {"age": 30}, "stage": 0.0}
    assert refusal(book, "winter-sale/email/now", eve, **grown) == ""
    assert refusal(book, "winter-sale/email/morning", eve, **grown) == "actions.winter-sale.valid_until"
    assert (
        refusal(book, "winter-sale/email/now", "2026-11-30 12:00", **grown)
        == "actions.winter-sale.valid_from"
    )
    assert refusal(book, "winter-sale/email/now", eve, stage=0.0) == "actions.winter-sale.when"
    known = customer(book, moment(eve), purchase_total=6.0, days_since_purchase=1.0)
    holds = [rule.holds(known.features)[0] for rule in book.stage_rules]
    assert book.spec.stages[holds.index(True)].name == "loyal"
    assert holds == [True, True, True]
    young = example("Validity, stages and who may get what", actions=_only("not (age >= 18)"))
    assert refusal(young, "offer/email/now", eve) == "actions.offer.when"
    assert refusal(young, "offer/email/now", eve, attributes={"age": 17}) == ""


def _only(when: str) -> dict[str, Any]:
    return {"offer": {"channels": ["email"], "timings": ["now"], "when": when}}


def test_priorities() -> None:
    book = example("Priorities: what may take another's place")
    gate, arm = Gatekeeper(book), book.arms.index["price-drop/push/now"]

    def judged(third: str) -> tuple[bool, tuple[str, ...]]:
        days = ["2026-06-01 09:00", "2026-06-02 09:00", third]
        had = [contact(book, "newsletter", "email", moment(at), f"d{i}") for i, at in enumerate(days)]
        asked = customer(book, moment("2026-06-03 12:00"), had)
        verdict = gate.judge(asked)
        return bool(verdict.eligible[0, arm]), gate.displaced(asked, 0, arm, verdict)

    assert judged("2026-06-04 09:00") == (True, ("d2",))
    assert judged("2026-06-03 09:00") == (False, ())


def test_stops() -> None:
    book, arm = example("Stops: not now"), "bogo-10/email/now"
    assert refusal(book, arm, NOON, attributes={"age": 30}) == ""
    assert refusal(book, arm, NOON, attributes={"age": 30}, open_tickets=1.0) == "contact.stops.open-ticket"
    assert refusal(book, arm, NOON) == "contact.stops.minors"
    known = example(
        "Stops: not now", contact={"stops": [{"name": "minors", "when": "known(age) and age < 16"}]}
    )
    assert refusal(known, arm, NOON) == ""
    assert refusal(known, arm, NOON, attributes={"age": 15}) == "contact.stops.minors"


def test_daily_limits() -> None:
    book = example("Daily limits")
    day = ("call-back", "2026-06-01")
    assert refusal(book, "call-back/push/now", NOON, used={day: Used(contacts=199)}) == ""
    full = {day: Used(contacts=200)}
    assert refusal(book, "call-back/push/now", NOON, used=full) == "actions.call-back.daily"
    assert refusal(book, "call-back/push/now", "2026-06-02 00:00", used=full) == ""
    spent = {("gift", "2026-06-01"): Used(contacts=199, spend=199 * 5.01)}
    assert refusal(book, "gift/email/now", NOON, used=spent) == "actions.gift.daily"
    assert refusal(book, "gift/email/morning", NOON, used=spent) == ""


def test_levers() -> None:
    book = example("Levers: what the business knows better")
    gains = np.array([0.40, 0.70])
    assert (gains * book.arms.lever[1:]).tolist() == pytest.approx([0.60, 0.35])


def test_actions_from_a_catalogue() -> None:
    plain = example("Actions from a catalogue")
    items = tuple(BroughtAction(id=i, features=(("price", 9.5),)) for i in ("sku-4711", "sku-4712"))
    book = bring(plain, items)
    had = [("sku-4711", "email", "2026-06-01 09:00")]
    seen = {"days_since_visit": 1.0, "had": had}
    assert refusal(book, "sku-4712/push/now", NOON, **seen) == "contact.caps[1]"
    assert refusal(book, "sku-4712/push/now", "2026-06-02 09:00", **seen) == ""
    assert refusal(book, "sku-4711/push/now", "2026-06-02 09:00", **seen) == "actions.sku-4711.cooldown"
    assert refusal(book, "sku-4711/push/now", "2026-06-08 09:00", **seen) == ""


def test_holdout() -> None:
    book = example("Holdout and random groups")
    assert refusal(book, "bogo-10/email/now", NOON, holdout=True) == "groups.holdout"


def test_apprentice_mode() -> None:
    book = example("Apprentice mode")
    mia = customer(book, moment(NOON), days_since_purchase=50.0)
    assert book.incumbent_rules[0].holds(mia.features)[0]
    assert reasons(book, mia)["win-back/email/evening"] == ""
