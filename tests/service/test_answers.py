"""Repeats, conflicts, rounds inside one batch, and what answers say."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from nba.errors import Conflict, InvalidInput, NotFound
from nba.model import Activation, Answer, Receipt, Report, Reports
from nba.playbook.compile import parse
from nba.stores.memory import MemoryStore
from tests.service.business import (
    DAY,
    NOON,
    OPEN,
    Business,
    answered,
    consents,
    event,
    outcome,
    request,
    trained,
)

HOLDOUT = OPEN.replace("holdout: 0,", "holdout: 0.3,").replace("random_eligible: 0}", "random_eligible: 0.3}")
ALWAYS = (
    OPEN.replace("floor: 0.05}", "floor: 0}") + "incumbent: [{action: offer, channel: push, timing: now}]\n"
)


def consented(text: str = OPEN, customers: int = 1, clock: str = "request") -> Business:
    store = MemoryStore("live" if clock == "live" else "request", secret=b"k" * 32)
    business = Business.of(text, store)
    business.report(*(consents(f"c{i}") for i in range(customers)))
    return business


def test_a_repeated_id_is_answered_with_the_same_bytes_and_another_body_is_a_conflict() -> None:
    business = consented()
    first = business.one(request("c0", NOON, id="d"))
    again = business.one(request("c0", NOON, id="d"))
    assert isinstance(first, Answer)
    assert again == Answer(body=first.body, repeated=True, expired=False)
    assert isinstance(business.one(request("c0", NOON, id="d", explain=True)), Conflict)
    assert isinstance(business.one(request("c1", NOON, id="d")), Conflict)


def test_an_id_is_known_again_within_its_own_batch() -> None:
    business = consented()
    same, other = request("c0", NOON, id="d"), request("c1", NOON, id="d")
    first, again, conflict = business.service.handle([same, same, other], NOON)
    assert isinstance(first, Answer)
    assert again == Answer(body=first.body, repeated=True, expired=False)
    assert isinstance(conflict, Conflict)


def test_a_repeat_whose_moment_has_passed_is_expired() -> None:
    business = consented(ALWAYS, clock="live")
    asked = request("c0", id="d")
    assert answered(business.one(asked, NOON))["send_at"] is not None
    again = business.one(asked, NOON + 1)
    assert isinstance(again, Answer)
    assert (again.repeated, again.expired) == (True, True)


def test_requests_of_one_customer_in_one_batch_obey_the_cap() -> None:
    business = consented(ALWAYS)
    results = business.service.handle([request("c0", NOON) for _ in range(10)], NOON)
    actions = [answered(result)["action"] for result in results]
    assert actions == ["offer"] * 2 + ["no_contact"] * 8
    last = answered(results[-1])
    assert last["reason"] == "contact.caps[0]"
    assert last["retry_at"] == "2025-06-22T12:00:00Z"


def test_an_outcome_may_follow_its_decision_in_the_same_batch() -> None:
    business = consented(ALWAYS)
    bought = Reports(items=(outcome("purchase", NOON, decision_id="d", value=5.0),))
    _, receipt, after = business.service.handle(
        [request("c0", NOON, id="d"), bought, request("c0", NOON, id="e")], NOON
    )
    assert receipt == Receipt(accepted=1, duplicates=0, rejected=())
    assert answered(after)["stage"] == "buyer"
    assert business.trace("d")["stage"] == "visitor"


def test_a_decision_is_not_changed_by_what_follows_it_in_its_batch() -> None:
    """An outcome and an activation that name an earlier decision concern its customer."""
    business = consented(ALWAYS)
    business.decide("c0", NOON, id="held", activate=False)
    before, _, _ = business.service.handle(
        [
            request("c0", NOON, id="d"),
            Reports(items=(outcome("purchase", NOON, decision_id="held"),)),
            Activation(decision_id="held"),
        ],
        NOON,
    )
    assert answered(before)["stage"] == "visitor"
    assert business.trace("d")["trace"]["features"]["contact_total"] == 0.0


def test_time_does_not_go_backwards_for_a_customer() -> None:
    business = consented()
    business.decide("c0", NOON, id="d")
    assert isinstance(business.one(request("c0", NOON - 1)), Conflict)
    assert business.decide("c0", NOON)
    assert business.decide("c1", NOON - DAY), "another customer has a time of their own"
    assert isinstance(business.one(request("c0", NOON, id="d")), Answer), "a repeat is no step back"


def test_each_clock_refuses_the_other_clocks_requests() -> None:
    live, simulated = consented(clock="live"), consented()
    for business, at in ((live, NOON), (simulated, None)):
        error = business.one(request("c0", at))
        assert isinstance(error, InvalidInput)
        assert [e.field for e in error.errors] == ["at"]


@pytest.mark.parametrize("at", [math.nan, math.inf, 1e18, -1e12])
def test_moments_are_finite_and_near(at: float) -> None:
    with pytest.raises(InvalidInput):
        request("c0", at)
    with pytest.raises(InvalidInput):
        event("c0", "visit", at)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_values_are_finite(value: float) -> None:
    with pytest.raises(InvalidInput) as error:
        event("c0", "purchase", NOON, value=value)
    assert error.value.errors[0].field == "value"


def test_ids_are_checked_where_they_become_values() -> None:
    for wrong in ("", "a b", "x" * 129, "ä", "a\n"):
        with pytest.raises(InvalidInput):
            request(wrong)
        with pytest.raises(InvalidInput):
            Report(source="outcome", id=wrong, type="purchase", customer_id="c0")
    with pytest.raises(InvalidInput):
        Report(source="outcome", id="o", type="purchase")


def test_a_bad_request_is_told_every_wrong_field_and_leaves_no_trace() -> None:
    business = consented(OPEN)
    asked = request(
        "nobody",
        NOON,
        actions=("ofer",),
        channels=("email", "fax"),
        context={"basket": "much", "member": 1.0},
    )
    error, fine = business.service.handle([asked, request("c0", NOON)], NOON)
    assert isinstance(error, InvalidInput)
    assert [e.field for e in error.errors] == [
        "actions[0]",
        "channels[1]",
        "context.basket",
        "context.member",
    ]
    assert "offer" in error.errors[0].detail
    assert isinstance(fine, Answer)
    assert "nobody" not in business.store.links().values()


def test_undeclared_context_is_named_and_not_used() -> None:
    answer = consented().decide("c0", NOON, context={"device": "ios", "mood": "blue", "x" * 99: 1.0})
    assert answer["ignored"] == ["mood", "x" * 64]
    assert "blue" not in str(answer)


def test_silence_is_all_null_and_says_why_nothing_else_could_be() -> None:
    business = consented()
    answer = business.decide("stranger", NOON)
    assert (answer["action"], answer["propensity"]) == ("no_contact", 1.0)
    assert [answer[name] for name in ("channel", "timing", "send_at", "purpose")] == [None] * 4
    assert (answer["reason"], answer["retry_at"]) == ("consent", None)
    assert "reason" not in business.decide("c0", NOON)


def test_explained_answers_say_what_was_refused_and_what_else_could_have_been() -> None:
    business = consented(ALWAYS.replace("floor: 0}", "floor: 0.1}"))
    answer = business.decide("c0", NOON, explain=True, channels=("push",))
    assert answer["refused"] == {
        "offer/email/now": "request.channels",
        "offer/email/evening": "request.channels",
        "news/email/now": "request.channels",
    }
    odds = {alternative["arm"]: alternative["odds"] for alternative in answer["alternatives"]}
    assert set(odds) == {"no_contact", "offer/push/now", "offer/push/evening"}
    assert sum(odds.values()) == pytest.approx(1.0, abs=1e-9)
    assert odds["offer/push/now"] == pytest.approx(0.9 + 0.1 * 0.25)
    assert answer["best"] == "offer/push/now"
    assert answer["contributions"] == {}, "rules predict nothing"


def test_contributions_add_up_to_what_moves_the_score() -> None:
    playbook = parse(OPEN)
    business = Business.of(playbook)
    policy = trained(playbook)
    business.serve(policy)
    business.report(consents("c0"))
    answer = business.decide("c0", NOON, id="d", explain=True, context={"basket": 3.0, "device": "web"})
    arm = playbook.arms.find(answer["action"], answer["channel"], answer["timing"])
    level = float(policy.model.level[arm])  # type: ignore[attr-defined]
    assert sum(answer["contributions"].values()) + level == pytest.approx(answer["expected_value"])
    assert set(answer["contributions"]) <= set(playbook.schema.names)


def test_the_trace_is_the_answer_and_what_it_rested_on() -> None:
    business = consented(ALWAYS)
    answer = business.decide("c0", NOON, id="d", actions=("offer",))
    whole = business.trace("d")
    assert {name: whole[name] for name in answer} == answer
    trace = whole["trace"]
    assert trace["funnel"] == {"candidates": 6, "refused": 1, "scored": 5, "drawn": "offer/push/now"}
    assert trace["refused"] == {"news/email/now": "request.actions"}
    assert trace["features"]["visit_total"] == 0.0
    assert (trace["status"], trace["activated_at"], trace["state_version"]) == (
        "active",
        "2025-06-15T12:00:00Z",
        1,
    )
    with pytest.raises(NotFound):
        business.service.decision("never")


def test_groups_stick_and_decide_as_they_should() -> None:
    playbook = parse(HOLDOUT)
    business = consented(HOLDOUT, customers=200)
    business.live.current = replace(business.live.current, policy=trained(playbook), policy_name="ridge@1")
    first = {f"c{i}": business.decide(f"c{i}", NOON, id=f"g{i}", explain=True) for i in range(200)}
    groups = [answer["group"] for answer in first.values()]
    assert {groups.count(group) > 20 for group in ("treatment", "random_eligible", "holdout")} == {True}
    for customer, answer in first.items():
        assert business.decide(customer, NOON + 1)["group"] == answer["group"]
        odds = [alternative["odds"] for alternative in answer["alternatives"]]
        if answer["group"] == "holdout":
            assert (answer["action"], answer["propensity"], answer["reason"]) == (
                "no_contact",
                1.0,
                "groups.holdout",
            )
            assert answer["policy"] == "no_contact@0"
        elif answer["group"] == "random_eligible":
            assert odds == pytest.approx([1 / 3, 1 / 12, 1 / 12, 1 / 12, 1 / 12, 1 / 3])
            assert answer["policy"] == "uniform@0"
        else:
            assert answer["policy"] == "ridge@1"
