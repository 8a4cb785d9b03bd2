"""Displacement: the valuable takes the place of the less valuable; of as few as will do, none of it sent."""

from __future__ import annotations

from collections.abc import Sequence

from nba.contact.eligibility import Gatekeeper
from nba.model import ContactRow
from tests.contact.business import DAY, HEAD, HOUR, at, contact, playbook, reasons, situation

NOON = at("2026-03-11 12:00")
ACTIONS = """
timings: {now: {}}
actions:
  news: {channels: [email, push], timings: [now], priority: -1}
  offer: {channels: [email, push], timings: [now]}
  alert: {channels: [email, push], timings: [now], priority: 5}
"""


def gate(caps: str) -> Gatekeeper:
    return Gatekeeper(playbook(HEAD + ACTIONS + f"contact: {{caps: [{caps}]}}"))


def gone(caps: str, contacts: Sequence[ContactRow], arm: str = "alert/email/now") -> tuple[str, ...] | None:
    """The ids that give way to the arm; None where it is refused."""
    keeper = gate(caps)
    asked = situation(keeper.playbook, [NOON], [contacts])
    verdict, place = keeper.judge(asked), keeper.playbook.arms.index[arm]
    return keeper.displaced(asked, 0, place, verdict) if verdict.eligible[0, place] else None


def later(
    id: str, hours: float, action: str = "news", channel: str = "email", **fields: object
) -> ContactRow:
    return contact(NOON + hours * HOUR, action, channel, id=id, **fields)  # type: ignore[arg-type]


def test_an_alert_takes_the_place_of_a_newsletter_that_is_not_yet_sent() -> None:
    assert gone("{max: 1, within: 1d}", [later("a", 6)]) == ("a",)
    assert gone("{max: 1, per: day}", [later("a", 6)]) == ("a",)
    assert gone("{max: 2, within: 1d}", [later("a", 6)]) == ()


def test_what_is_sent_held_or_as_valuable_stays_and_the_cap_refuses() -> None:
    cap = "{max: 1, within: 1d}"
    assert gone(cap, [later("a", -1)]) is None
    assert gone(cap, [later("a", 0)]) is None
    assert gone(cap, [later("a", 6, status="held")]) is None
    assert gone(cap, [later("a", 6, "alert")]) is None
    assert gone(cap, [later("a", 6, "offer")], "offer/email/now") is None
    assert gone(cap, [later("a", 6, "offer")], "news/email/now") is None


def test_a_contact_of_an_action_that_is_gone_counts_as_of_no_priority() -> None:
    assert gone("{max: 1, within: 1d}", [later("a", 6, "retired")]) == ("a",)
    assert gone("{max: 1, within: 1d}", [later("a", 6, "retired")], "offer/email/now") is None


def test_the_lowest_priority_goes_first_then_the_latest_then_by_id() -> None:
    cap = "{max: 3, within: 7d}"
    assert gone(cap, [later("a", 30, "offer"), later("b", 2), later("c", 20, "offer")]) == ("b",)
    assert gone(cap, [later("a", 5), later("b", 9), later("c", 1, "offer")]) == ("b",)
    assert gone(cap, [later("b", 5), later("a", 5), later("c", 1)]) == ("a",)


def test_as_many_go_as_are_too_many_and_no_more() -> None:
    """Two caps are full: of the one on push nothing but the offer counts, so the newsletter can stay."""
    caps = "{max: 2, within: 7d}, {max: 1, within: 7d, channel: push}"
    contacts = [later("a", 4), later("b", 5, "offer", "push")]
    assert gone(caps, contacts, "alert/push/now") == ("b",)
    assert gone(caps, contacts, "alert/email/now") == ("a",)
    over = [
        later("a", 1),
        later("b", 2),
        later("c", 3, "offer"),
        later("d", 4),
    ]  # as an older playbook allowed
    assert gone("{max: 2, within: 7d}", over) == ("d", "b", "a")


def test_nobody_gives_way_in_vain() -> None:
    """One cap could be freed, the other not; the reason is the one that can't."""
    caps = "{max: 1, within: 1d, channel: push}, {max: 2, within: 1d}"
    contacts = [later("a", 6, "news", "push"), later("b", -1), later("c", -2)]
    assert gone(caps, contacts, "alert/push/now") is None
    keeper = gate(caps)
    told = reasons(keeper, situation(keeper.playbook, [NOON], [contacts]))
    assert told["alert/push/now"] == "contact.caps[1]"


def test_a_contact_in_windows_that_do_not_meet_stays() -> None:
    assert gone("{max: 1, within: 1d}", [later("a", 6), later("b", 30)]) == ("a",)


def test_displacing_says_which_arms_are_eligible_only_because_others_give_way() -> None:
    keeper = gate("{max: 1, within: 1d, channel: email}")
    asked = situation(keeper.playbook, [NOON, NOON], [[later("a", 6)], []])
    verdict, names = keeper.judge(asked), keeper.playbook.arms.names
    displacing = [{names[arm] for arm in row.nonzero()[0]} for row in verdict.displacing]
    assert displacing == [{"alert/email/now", "offer/email/now"}, set()]
    assert keeper.displaced(asked, 1, keeper.playbook.arms.index["alert/email/now"], verdict) == ()


def test_where_nothing_can_give_way_any_more_the_customer_waits_for_the_cap() -> None:
    keeper = gate("{max: 1, within: 1d}")
    asked = situation(keeper.playbook, [NOON], [[later("a", -1)]])
    assert keeper.retry_at(asked, 0, keeper.judge(asked)) == NOON - HOUR + DAY
