"""Learning from decisions for which callers brought actions of their own."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.tracking import Tracker
from nba.artefacts import Artefacts
from nba.live import LiveSource
from nba.model import BroughtAction
from nba.playbook.compile import parse
from nba.policies.served import ServedPolicy
from tests.service.business import DAY, NOON, Business, answered, consents, outcome, request
from tests.training.policy.shop import TEXT, by_taste, open_shop, trade
from training.policy.log import read_log
from training.policy.retrain import Settings, retrain

WITH_PRICE = TEXT.replace(
    "exploration:", "catalogue: {attributes: {price: 10}, channels: [push]}\nexploration:"
)
CHEAP = BroughtAction(id="cheap", features=(("price", 1.0),))
DEAR = BroughtAction(id="dear", features=(("price", 10.0),))


def trade_catalogue(business: Business, customers: int, day: int = 0) -> float:
    """Each request brings two actions; people buy what is cheap."""
    chance, at = np.random.default_rng(day), NOON + day * DAY
    for i in range(customers):
        business.report(consents(f"c{i}", at=at - 60.0))
        asked = request(f"c{i}", at, id=f"c{i}.{day}", actions=("cheap", "dear"), brought=(CHEAP, DEAR))
        action = answered(business.one(asked))["action"]
        worth = {"cheap": 9.0, "dear": 1.0}.get(action, 2.0) + float(chance.exponential())
        business.report(
            outcome("purchase", at + 60.0, id=f"c{i}.{day}", decision_id=f"c{i}.{day}", value=worth)
        )
    return at + 61.0


def test_a_log_has_one_table_of_arms_for_all_that_was_brought() -> None:
    business = open_shop(text=WITH_PRICE)
    playbook = business.live.current.playbook
    as_of = trade_catalogue(business, 60)
    trade(business, 40, by_taste, day=9)
    other = BroughtAction(id="cheap", features=(("price", 2.0),))  # another price is another action
    business.decide("c0", NOON + 10 * DAY, id="other", actions=("cheap",), brought=(other,))
    log = read_log(business.store, playbook, as_of=as_of + 30 * DAY)
    assert log.playbook is not None
    names = log.playbook.arms.names
    assert names == (*playbook.arms.names, "cheap/push/now", "dear/push/now", "cheap~1/push/now")
    assert len(log) == 101
    assert (np.diff(log.decided_at) >= 0).all()
    rows = np.arange(len(log))
    assert log.odds.sum(axis=1) == pytest.approx(np.ones(101), abs=1e-9)
    assert (log.odds[rows, log.arm] == log.propensity).all()
    assert (log.odds[~log.eligible] == 0.0).all()
    own = len(playbook.arms)
    assert not log.eligible[:60, 1:own].any(), "these requests named what they brought alone"
    assert not log.eligible[60:100, own:].any()


def test_a_log_without_a_catalogue_is_of_the_playbook_itself() -> None:
    business = open_shop(text=WITH_PRICE)
    as_of = trade(business, 40, by_taste)
    assert read_log(business.store, business.live.current.playbook, as_of=as_of).playbook is None


@pytest.mark.parametrize("learner", ["ridge", "vowpal", "boosted"])
def test_what_was_learned_of_brought_actions_scores_those_to_come(
    learner: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """All decisions bring actions: the policy learns that cheap ones sell, also one it has never seen."""
    folder = tmp_path_factory.mktemp("shop")
    business = open_shop(text=WITH_PRICE)
    trade_catalogue(business, 900)
    playbook, artefacts = parse(WITH_PRICE), Artefacts(folder / "artefacts")
    result = retrain(
        business.store,
        artefacts,
        playbook,
        Tracker(directory=folder),
        as_of=NOON + 8 * DAY,
        settings=Settings(folds=2, learners=(learner,)),
    )
    assert result.verdict.promoted, result.verdict.reason
    live = LiveSource(
        playbook=playbook,
        store=business.store,
        artefacts=artefacts,
        alert=lambda *told: pytest.fail(str(told)),
    )
    assert live.refresh(0.0)
    assert isinstance(live.current.policy, ServedPolicy)
    business.live.current = live.current
    new = (
        BroughtAction(id="new", features=(("price", 1.2),)),
        BroughtAction(id="newer", features=(("price", 9.5),)),
    )
    business.report(consents("somebody"))
    answer = business.decide("somebody", NOON + 9 * DAY, actions=("new", "newer"), brought=new, explain=True)
    score = {a["arm"]: a["score"] for a in answer["alternatives"]}
    least = 0.5 if learner == "vowpal" else 3.0  # of 8; one online pass or two take in a part of so few
    assert score["new/push/now"] > score["newer/push/now"] + least
    assert score["new/push/now"] > score["no_contact"] + least


def test_a_candidate_that_is_not_promoted_may_look_on(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("shop")
    business = open_shop()
    trade(business, 600, lambda device, action, chance: float(chance.exponential(5.0)))
    playbook, artefacts = parse(TEXT), Artefacts(folder / "artefacts")
    result = retrain(
        business.store,
        artefacts,
        playbook,
        Tracker(directory=folder),
        as_of=NOON + 8 * DAY,
        settings=Settings(folds=2, learners=("ridge",), shadow=True),
    )
    assert result.publication is None
    assert set(business.store.serving()) == {"challenger"}
    live = LiveSource(playbook=playbook, store=business.store, artefacts=artefacts, alert=lambda *_: None)
    live.refresh(0.0)
    business.live.current = live.current
    business.report(consents("somebody"))
    answer = business.decide("somebody", NOON + 9 * DAY, id="d")
    assert answer["policy"] == "uniform@0"
    (name,) = business.trace("d")["trace"]["watching"]
    assert name == f"{result.specification}@1"


def test_under_thompson_a_policy_is_trained_with_its_heads(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("shop")
    text = TEXT.replace("explorer: squarecb, gamma: 20", "explorer: thompson, heads: 16")
    business = open_shop(text=text)
    trade(business, 900, by_taste)
    playbook, artefacts = parse(text), Artefacts(folder / "artefacts")
    result = retrain(
        business.store,
        artefacts,
        playbook,
        Tracker(directory=folder),
        as_of=NOON + 8 * DAY,
        settings=Settings(folds=2, learners=("ridge", "vowpal")),
    )
    assert result.verdict.promoted, result.verdict.reason
    live = LiveSource(playbook=playbook, store=business.store, artefacts=artefacts, alert=lambda *_: None)
    live.refresh(0.0)
    assert isinstance(live.current.policy, ServedPolicy)
    assert live.current.policy.model.head_count == 16
