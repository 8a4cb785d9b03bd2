"""The log as arrays: rewards by hand, held decisions, earlier playbooks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nba.errors import InvalidInput
from nba.model import Activation, Erased, Erasure
from nba.playbook.compile import parse
from nba.stores.memory import MemoryStore
from tests.service.business import DAY, NOON, Business, consents, event, outcome
from tests.training.policy.shop import SECRET, TEXT, by_taste, open_shop, trade
from training.policy.log import read_log
from training.policy.rows import variant_of
from training.rewards.decisions import decisions

SURE = TEXT.replace("floor: 0.1", "floor: 0").replace("holdout: 0.1, random_eligible: 0.1", "holdout: 0")
SURE = SURE.replace("{holdout: 0}", "{holdout: 0, random_eligible: 0}")
SURE += "incumbent: [{when: 'basket > 1', action: offer, channel: push, timing: now}]\n"


def test_rewards_are_what_a_hand_adds_up() -> None:
    """The offer costs 0.1; the window is 7 days, closed at its start and open at its end."""
    business = open_shop(text=SURE)
    business.report(*(consents(f"c{i}") for i in range(4)))
    business.report(event("c0", "purchase", NOON - 1, value=100.0))
    for i, basket in enumerate([2.0, 0.0, 2.0]):
        business.decide(f"c{i}", NOON, id=f"d{i}", context={"basket": basket})
    business.decide("c3", NOON + DAY, id="d3", context={"basket": 2.0})
    business.report(
        outcome("purchase", NOON, customer_id="c0", value=1.0),
        event("c0", "purchase", NOON + 7 * DAY - 1, value=2.0),
        event("c0", "purchase", NOON + 7 * DAY, value=4.0),
        event("c1", "purchase", NOON + 3, value=8.0),
        event("c1", "visit", NOON + 4, value=16.0),
        outcome("purchase", NOON + 2 * DAY, decision_id="d3", value=32.0),
        event("c0", "purchase", NOON + 3, id="both", value=0.5),
        outcome("purchase", NOON + 3, id="both", customer_id="c0", value=0.5),
    )
    log = read_log(business.store, business.live.current.playbook, as_of=NOON + 7 * DAY)
    assert log.reward[:3] == pytest.approx([1 + 2 + 0.5 - 0.1, 8.0, -0.1])
    assert np.isnan(log.reward[3])
    assert log.mature.tolist() == [True, True, True, False]
    assert log.decided_at.tolist() == [NOON, NOON, NOON, NOON + DAY]
    assert [business.live.current.playbook.arms.names[a] for a in log.arm] == [
        "offer/push/now",
        "no_contact",
        "offer/push/now",
        "offer/push/now",
    ]


def test_what_was_held_and_never_shown_is_left_out() -> None:
    business = open_shop(text=SURE)
    business.report(*(consents(f"c{i}") for i in range(4)))
    for i, basket in enumerate([2.0, 2.0, 0.0, 0.0]):
        business.decide(f"c{i}", NOON, id=f"d{i}", activate=False, context={"basket": basket})
    for shown in ("d1", "d3"):
        business.one(Activation(decision_id=shown))
    log = read_log(business.store, business.live.current.playbook, as_of=NOON + 1)
    assert log.arm.tolist() == [1, 0]


def test_a_log_of_the_service_has_its_odds_groups_and_features() -> None:
    business = open_shop()
    as_of = trade(business, 300, by_taste)
    playbook = business.live.current.playbook
    log = read_log(business.store, playbook, as_of=as_of)
    rows = np.arange(len(log))
    assert len(log) == 300
    assert log.odds.sum(axis=1) == pytest.approx(np.ones(300), abs=1e-9)
    assert (log.odds[~log.eligible] == 0).all()
    assert (log.odds[rows, log.arm] == log.propensity).all()
    assert set(log.group) == {"treatment", "random_eligible", "holdout"}
    assert (log.arm[log.group == "holdout"] == 0).all()
    assert set(log.features[:, playbook.schema.index["device"]]) == {0.0, 1.0}
    assert len(np.unique(log.customer)) == 300


def test_an_empty_log_says_what_to_do() -> None:
    with pytest.raises(InvalidInput, match="serve some first"):
        read_log(open_shop().store, open_shop().live.current.playbook, as_of=NOON)


def test_two_playbooks_in_one_log_are_matched_by_name() -> None:
    """The news are given up and a gift comes; a context feature changes its kind, a touchpoint is new."""
    store = MemoryStore("request", secret=SECRET)
    before = open_shop(store)
    trade(before, 300, by_taste)
    changed = (
        TEXT.replace("news: {channels: [email]", "gift: {channels: [email]")
        .replace("basket: number", "basket: [small, large]")
        .replace("[visit, purchase]", "[opened, purchase, visit]")
    )
    Business.of(changed, store).decide("c0", NOON + DAY, id="later")
    playbook = parse(changed)
    log = read_log(store, playbook, as_of=NOON + 2 * DAY)
    was = read_log(store, before.live.current.playbook, as_of=NOON + DAY)
    kept = was.arm != before.live.current.playbook.arms.find("news", "email", "now")
    assert 0 < kept.sum() < 300
    assert len(log) == kept.sum() + 1
    old, index = log.where(np.arange(len(log)) < kept.sum()), playbook.schema.index
    assert old.arm.tolist() == was.arm[kept].tolist()
    assert not old.eligible[:, playbook.arms.find("gift", "email", "now")].any()
    assert old.odds.sum(axis=1) == pytest.approx(np.ones(len(old)), abs=1e-9)
    left = 1.0 - was.odds[kept][:, was.odds.shape[1] - 1]
    assert old.propensity == pytest.approx(was.propensity[kept] / left), "given that it was no news"
    same = was.features[kept][:, before.live.current.playbook.schema.index["device"]]
    assert old.features[:, index["device"]].tolist() == same.tolist()
    assert np.isnan(old.features[:, index["basket"]]).all()
    assert np.isnan(old.features[:, index["opened_total"]]).all()
    assert (old.features[:, index["visit_total"]] == 0.0).all()


def test_what_is_known_early_and_how_long_it_has_been_stand_beside_the_reward() -> None:
    business = open_shop(text=SURE)
    business.report(consents("c0"), consents("c1"))
    business.decide("c0", NOON, id="d0", context={"basket": 2.0})
    business.decide("c1", NOON + DAY, id="d1", context={"basket": 0.0})
    business.report(outcome("purchase", NOON + DAY, customer_id="c0", value=8.0))
    log = read_log(business.store, business.live.current.playbook, as_of=NOON + 3 * DAY)
    assert log.early.tolist() == pytest.approx([7.9, 0.0])
    assert log.elapsed.tolist() == [3 * DAY, 2 * DAY]
    assert log.decision_id.tolist() == ["d0", "d1"]
    assert np.isnan(log.reward).all()


def test_overlaps_are_the_other_contacts_that_were_sent() -> None:
    """c0 is contacted on three days, of which the second was not sent; c1 is left in peace between."""
    business = open_shop(text=SURE)
    business.report(consents("c0"), consents("c1"))
    for day in range(3):
        business.decide("c0", NOON + day * DAY, id=f"d{day}", context={"basket": 2.0})
    business.decide("c1", NOON + 2 * DAY, id="other", context={"basket": 0.0})
    before = read_log(business.store, business.live.current.playbook, as_of=NOON + 9 * DAY)
    assert before.overlaps.tolist() == [2, 1, 0, 0]
    business.report(outcome("not_sent", NOON + DAY, decision_id="d1"))
    after = read_log(business.store, business.live.current.playbook, as_of=NOON + 9 * DAY)
    assert after.overlaps.tolist() == [1, 1, 0, 0]


def test_rewards_settle_before_they_are_mature_where_the_playbook_says_so() -> None:
    business = open_shop(text=SURE + "learning: {settle: 2d}\n")
    business.decide("c0", NOON, id="d0", context={"basket": 0.0})
    playbook = business.live.current.playbook
    for days, mature in ((8, [False]), (9, [True])):
        log = read_log(business.store, playbook, as_of=NOON + days * DAY)
        assert log.mature.tolist() == mature


def test_experiments_are_told_by_variant() -> None:
    business = open_shop(text=SURE)
    business.decide("c0", NOON, id="d0", context={"basket": 0.0})
    row = business.store.decision("d0")
    assert row is not None
    assert variant_of(row) == ""
    told = b'{"experiments":{"bolder":"bold","hours":"late"},' + row.trace[1:]
    assert variant_of(replace(row, trace=told)) == "bolder/bold,hours/late"
    log = read_log(business.store, business.live.current.playbook, as_of=NOON + DAY)
    assert log.where(log.variant == "").decision_id.tolist() == ["d0"]


def test_a_log_read_with_delays_expects_what_is_still_to_come() -> None:
    business = open_shop()
    trade(business, 300, by_taste)
    as_of = trade(business, 200, by_taste, day=6) + DAY
    playbook = business.live.current.playbook
    log = read_log(business.store, playbook, as_of=as_of, delays=lambda log: log.group != "holdout")
    reward, weight = log.expected()
    assert log.mature.sum() == 300
    assert (reward[log.mature] == log.reward[log.mature]).all()
    assert (weight[log.mature] == 1.0).all()
    assert ((weight >= 0) & (weight <= 1)).all()
    part = log.where(~log.mature)
    np.testing.assert_array_equal(part.expected()[0], reward[~log.mature])
    with pytest.raises(InvalidInput, match="delay model"):
        read_log(business.store, playbook, as_of=as_of).expected()


def test_what_customers_who_were_erased_got_is_left_out_and_the_rest_is_as_it_was() -> None:
    business = open_shop()
    end = trade(business, 60, by_taste)
    playbook, as_of = business.live.current.playbook, end + 8 * DAY
    before = read_log(business.store, playbook, as_of=as_of)
    gone = {business.store.known(f"c{i}")[0].surrogate for i in range(5)}
    for i in range(5):
        assert isinstance(business.one(Erasure(customer_id=f"c{i}", who="ada"), as_of), Erased)
    after = read_log(business.store, playbook, as_of=as_of)
    kept = before.where(np.array([surrogate not in gone for surrogate in before.surrogate]))
    assert len(after) == 55
    for name in ("features", "eligible", "arm", "propensity", "odds", "reward", "decided_at", "decision_id"):
        np.testing.assert_array_equal(getattr(after, name), getattr(kept, name), err_msg=name)
    shown = decisions(business.store, as_of=as_of)  # what needs no features counts them all the same
    assert len(shown) == 60
    assert set(shown["customer"]) >= gone


def test_an_outcome_under_another_customer_id_of_a_person_is_earned_by_its_decision() -> None:
    """And two decisions under two ids of a person are of one customer."""
    business = open_shop(text=SURE)
    business.report(*(consents(name) for name in ("c0", "c1", "c2")))
    claim = {"kind": "email", "value": "x@y"}
    business.report(*(event(name, "identify", properties=claim) for name in ("c0", "c1")))
    for i in range(3):
        business.decide(f"c{i}", NOON + i, id=f"d{i}", context={"basket": 2.0})
    business.report(event("c1", "purchase", NOON + 60.0, value=8.0))
    log = read_log(business.store, business.live.current.playbook, as_of=NOON + 8 * DAY)
    assert log.reward == pytest.approx([7.9, 7.9, -0.1])
    assert log.customer[0] == log.customer[1] != log.customer[2]
