"""The log as arrays: rewards by hand, held decisions, earlier playbooks."""

from __future__ import annotations

import numpy as np
import pytest

from nba.errors import InvalidInput
from nba.model import Activation
from nba.playbook.compile import parse
from nba.stores.memory import MemoryStore
from tests.service.business import DAY, NOON, Business, consents, event, outcome
from tests.training.policy.shop import SECRET, TEXT, by_taste, open_shop, trade
from training.policy.log import read_log

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
