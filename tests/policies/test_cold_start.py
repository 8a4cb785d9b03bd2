"""A new arm starts from its relatives, and its reach follows the evidence, not a count.

One world for all: offers earn 1, research costs 0.5, silence and service are worth nothing; noise of
deviation 1. Seeds are fixed, so every answer is.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from nba.playbook.compile import Playbook
from nba.policies.batch import TrainingBatch
from nba.policies.learners import LEARNERS
from nba.policies.policy import Floats
from nba.policies.served import LearnedModel, ServedPolicy
from tests.policies.shop import TEXT, shop
from tests.policies.world import customers

FRESH = (
    "  fresh: {category: offer, channels: [email], timings: [now], attributes: {discount: 0.5}}\n"
    "  paper: {category: research, channels: [email], timings: [now]}\n"
)
PLAYBOOK = shop(text=TEXT.replace("incumbent:", FRESH + "incumbent:"))
ARM = {name: PLAYBOOK.arms.find(name, "email", "now") for name in ("fresh", "paper", "bogo", "newsletter")}
SETTINGS = {"vowpal": {"passes": 5, "rate": 0.1}}
WORTH = {"offer": 1.0, "research": -0.5, "service": 0.0}


@cache
def learned(name: str, tries: int, worth: float, heads: int = 0) -> LearnedModel:
    """From 3,000 decisions on the old arms and `tries` on fresh, which is worth `worth`; paper has none."""
    arms, rng = PLAYBOOK.arms, np.random.default_rng(5)
    X = customers(PLAYBOOK, 3_000 + tries, rng)
    old = [a for a in range(len(arms)) if a not in (ARM["fresh"], ARM["paper"])]
    arm = np.concatenate((rng.choice(old, 3_000), np.full(tries, ARM["fresh"])))
    categories = [PLAYBOOK.spec.actions[name].category for name in arms.actions]
    means = np.array([0.0, *(WORTH[categories[a]] for a in arms.action[1:])])
    means[ARM["fresh"]] = worth
    reward = means[arm] + rng.normal(size=len(arm))
    batch = TrainingBatch(features=X, arm=arm, reward=reward, propensity=np.full(len(arm), 0.1))
    return LEARNERS[name].fit(PLAYBOOK, batch, 7, SETTINGS.get(name), heads=heads)


OTHERS = customers(PLAYBOOK, 300, np.random.default_rng(4))


def scores(model: LearnedModel) -> Floats:
    """(k,) mean scores over other customers."""
    return model.scores(OTHERS).mean(axis=0)


@pytest.mark.parametrize("name", LEARNERS)
def test_an_arm_that_was_never_drawn_is_scored_near_its_relatives(name: str) -> None:
    means = scores(learned(name, tries=0, worth=0.0))
    assert means[ARM["fresh"]] == pytest.approx(means[ARM["bogo"]], abs=0.35)
    assert means[ARM["paper"]] == pytest.approx(means[ARM["newsletter"]], abs=0.35)
    assert means[ARM["fresh"]] > means[ARM["paper"]] + 0.7


def reach(name: str, worth: float, explorer: str, heads: int = 0) -> list[float]:
    """Mean odds of the new arm as decisions on it come in: none, 40, 1,000."""
    text = f"exploration: {{explorer: {explorer}, gamma: 100, ceiling: 0.5, floor: 0.02}}"
    exploration = shop(exploration=text).spec.exploration
    everything = np.ones((len(OTHERS), len(PLAYBOOK.arms)), dtype=np.bool_)
    return [
        float(
            ServedPolicy.of(learned(name, tries, worth, heads), exploration)
            .choose(OTHERS, everything)
            .odds[:, ARM["fresh"]]
            .mean()
        )
        for tries in (0, 40, 1_000)
    ]


@pytest.mark.parametrize("name", LEARNERS)
def test_the_reach_of_a_good_new_arm_grows_with_evidence(name: str) -> None:
    odds = reach(name, worth=2.5, explorer="squarecb")
    assert odds[0] + 0.1 < odds[1] < odds[2] + 0.01
    assert odds[2] > 0.9


@pytest.mark.parametrize("name", LEARNERS)
def test_the_reach_of_a_bad_new_arm_falls_with_evidence_to_its_floor(name: str) -> None:
    odds = reach(name, worth=-1.5, explorer="squarecb")
    assert odds[0] > odds[1] > odds[2] - 1e-3
    assert 0.02 / 8 <= odds[2] < 0.005


def test_thompson_gives_a_new_arm_reach_by_what_is_not_known_of_it() -> None:
    good, bad = (reach("ridge", worth, "thompson", heads=32) for worth in (2.5, -1.5))
    assert 0.02 < good[0] < good[1] < good[2] + 0.01
    assert bad[0] > bad[1] > bad[2] - 0.01
    assert good[2] > 0.9
    assert bad[2] < 0.005


def test_the_playbook_of_these_tests_is_the_shop_with_two_more_actions() -> None:
    own: Playbook = shop()
    assert PLAYBOOK.arms.actions == (*own.arms.actions, "fresh", "paper")
