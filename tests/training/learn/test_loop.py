"""The loop on a shop: it learns what matures, once; it ramps, watches and rolls back, under its lease."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from experiments.tracking import Tracker
from nba.errors import Conflict
from nba.promotion import standing
from tests.service.business import DAY, NOON, outcome
from tests.training.learn.shop import GUARDED, LEARNING, RAMPED, Learning
from tests.training.policy.shop import TEXT, by_taste
from training import quarantine
from training.learn.freshen import boundary, start
from training.policy.champion import serving_champion
from training.policy.learnable import learnable
from training.quarantine import Quarantine


def test_the_first_policy_comes_as_soon_as_there_is_enough_and_is_kept_fresh(
    tmp_path: Path, tracker: Tracker
) -> None:
    shop = Learning.of(tmp_path, tracker, (TEXT + LEARNING).replace("margin: 0.1", "margin: 0.4"))
    shop.trade(200, by_taste, day=0)
    assert not shop.learn(8), "200 are fewer than the playbook judges on"
    shop.trade(700, by_taste, day=8, seed=1)
    assert shop.learn(16)
    first = standing(shop.store).champion
    assert first is not None
    assert shop.events()[-1] == "retrained"
    for week in range(2, 6):
        shop.trade(500, by_taste, day=8 * week, seed=week)
        shop.learn(8 * week + 8)
    fresh = standing(shop.store).champion
    assert fresh is not None
    assert fresh.number > first.number, [step.said for step in shop.steps]
    assert "freshened" in shop.events()


def test_what_a_learner_knows_is_each_matured_decision_once_whenever_it_looked(
    tmp_path: Path, tracker: Tracker
) -> None:
    shop = Learning.of(tmp_path, tracker)
    shop.trade(900, by_taste, day=0)
    assert shop.learn(8)
    for week in range(1, 5):
        shop.trade(300, by_taste, day=8 * week, seed=week)
        for part in (8.0, 8.1, 8.2):  # looks in between find nothing new
            shop.learn(8 * week + part)
    sums = shop.loop._sums
    assert sums is not None
    as_of = NOON + (8 * 4 + 8) * DAY  # when so much had matured that it was worth a look
    log = learnable(shop.store, shop.playbook, as_of).log
    assert sums.running.rows == int(np.sum(log.group == "treatment"))
    champion = serving_champion(shop.store, shop.artefacts, shop.playbook)
    anew = start(shop.store, shop.playbook, champion, sums.basis, as_of=as_of)
    assert anew.through == sums.through == boundary(shop.playbook, as_of)
    for one, other in zip(anew.running.parts, sums.running.parts, strict=True):
        np.testing.assert_allclose(one.gram, other.gram, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(one.moment, other.moment, rtol=1e-9, atol=1e-9)


def test_a_new_policy_decides_for_a_few_first_and_for_all_at_last(tmp_path: Path, tracker: Tracker) -> None:
    shop = Learning.of(tmp_path, tracker, RAMPED + LEARNING)
    shop.trade(900, by_taste, day=0)
    assert shop.learn(8)
    shares = []
    for week in range(1, 5):
        tried = standing(shop.store).tried
        shares.append(1.0 if tried is None else tried.share)
        shop.trade(600, by_taste, day=8 * week, seed=week)
        assert not shop.watch(8 * week + 6.9), "nothing of this step is mature yet"
        shop.watch(8 * week + 8)
    assert shares == [0.1, 0.5, 1.0, 1.0]
    assert [p.kind for p in shop.store.audit()] == ["ramp", "ramp", "policy", "ramp"]
    names = {p.name for p in shop.store.audit()}
    assert len(names) == 1, "one policy has one name on all steps"


def test_while_a_ramp_runs_nothing_else_is_trained(tmp_path: Path, tracker: Tracker) -> None:
    shop = Learning.of(tmp_path, tracker, RAMPED + LEARNING)
    shop.trade(900, by_taste, day=0)
    shop.learn(8)
    told = len(shop.steps)
    shop.trade(600, by_taste, day=8, seed=1)
    assert not shop.learn(60)
    assert len(shop.steps) == told


def test_a_guardrail_that_breaks_takes_the_ramp_back_before_any_reward_is_mature(
    tmp_path: Path, tracker: Tracker
) -> None:
    shop = Learning.of(tmp_path, tracker, GUARDED + LEARNING)
    shop.trade(900, by_taste, day=0)
    shop.learn(8)
    ramp = standing(shop.store).tried
    assert ramp is not None
    shop.trade(900, by_taste, day=9, seed=1)
    assert not shop.watch(9.2)
    leaving = [
        row.decision_id
        for rows in shop.store.draws(NOON + 9 * DAY, NOON + 10 * DAY)
        for row in rows
        if row.policy == ramp.name
    ]
    assert len(leaving) > 30
    at = NOON + 9.05 * DAY
    shop.business.report(*(outcome("unsubscribed", at, id=f"u.{i}", decision_id=i) for i in leaving))
    assert shop.watch(9.2)
    assert standing(shop.store).tried is None
    assert shop.events()[-1] == "rolled_back"
    last = shop.store.audit()[-1]
    assert (last.kind, last.share, last.who) == ("ramp", 0.0, "nba learn")
    assert "leaving" in last.why


def test_decisions_under_quarantine_are_not_learned_from(tmp_path: Path, tracker: Tracker) -> None:
    shop = Learning.of(tmp_path, tracker)
    shop.trade(900, by_taste, day=0)
    shop.learn(8)
    shop.trade(600, by_taste, day=9, seed=1)
    bad = Quarantine(
        type="purchase", start=NOON + 9 * DAY, end=NOON + 10 * DAY, why="wrong sign", who="a test"
    )
    shop.health.found = [bad]
    shop.learn(18)
    assert quarantine.in_force(shop.store) == [bad]
    found = learnable(shop.store, shop.playbook, NOON + 18 * DAY)
    assert found.quarantined == 600 - _held(shop)


def _held(shop: Learning) -> int:
    """Of the customers c0 to c599, those of the holdout."""
    rows = [row for part in shop.store.draws(NOON + 8.5 * DAY, NOON + 10 * DAY) for row in part]
    return sum(row.group == "holdout" for row in rows)


def test_who_has_lost_the_lease_publishes_nothing(tmp_path: Path, tracker: Tracker) -> None:
    shop = Learning.of(tmp_path, tracker)
    shop.trade(900, by_taste, day=0)
    lease = shop.lease()
    shop.store.give_back(lease)
    assert shop.store.lease("learn", "another", lease.until, 60.0) is not None
    with pytest.raises(Conflict):
        shop.loop.learn(NOON + 8 * DAY, lease)
    assert shop.store.audit() == []


def test_without_a_ramp_a_playbook_publishes_at_once(tmp_path: Path, tracker: Tracker) -> None:
    shop = Learning.of(tmp_path, tracker, TEXT + LEARNING)
    shop.trade(900, by_taste, day=0)
    shop.learn(8)
    assert [p.kind for p in shop.store.audit()] == ["policy"]
