"""Choices: a policy that stops exploring, arms that are not drawn, and nobody for whom anything is good."""

from __future__ import annotations

import numpy as np
import pytest

from nba.errors import NotEnoughData
from nba.playbook.compile import parse
from nba.policies.served import UniformPolicy
from tests.service.business import OPEN, trained
from training.health.choices import entropy, no_good_arm, normalised_entropy, starved

PLAYBOOK = parse(OPEN + "\nhealth: {no_good_arm: 0.8, rows: 100}")
K = len(PLAYBOOK.arms)


def _odds(n: int, sure: float) -> np.ndarray:
    odds = np.full((n, K), (1 - sure) / (K - 1))
    odds[:, 1] = sure
    return odds


def test_even_odds_have_entropy_one_sure_ones_none_and_one_arm_has_no_say() -> None:
    odds = np.array([[0.5, 0.5, 0, 0], [1.0, 0, 0, 0], [0.25, 0.25, 0.25, 0.25], [1.0, 0, 0, 0]])
    eligible = np.array([[1, 1, 0, 0], [1, 1, 0, 0], [1, 1, 1, 1], [1, 0, 0, 0]], dtype=bool)
    np.testing.assert_allclose(normalised_entropy(odds, eligible), [1, 0, 1, np.nan])


@pytest.mark.parametrize(("sure", "breached"), [(0.7, False), (0.99, True)])
def test_odds_that_have_collapsed_are_found(sure: float, breached: bool) -> None:
    odds = np.vstack([_odds(400, 0.7), _odds(200, sure)])
    odds[:, [1, 2]] = odds[:, [1, 2]] + np.linspace(-1, 1, 600)[:, None] * np.array([-1e-3, 1e-3])
    window = np.arange(600) >= 400
    found = list(entropy(odds, np.ones_like(odds, dtype=bool), np.arange(600), window, ~window, PLAYBOOK))
    assert [check.breached for check in found] == [breached]


def test_arms_that_are_drawn_as_their_odds_say_are_not_starved() -> None:
    """Seed 5, 3,000 draws; at 10⁻⁴ over all arms a right draw fails this once in ten thousand."""
    odds = _odds(3_000, 0.5)
    arm = np.array([np.random.default_rng([5, i]).choice(K, p=row) for i, row in enumerate(odds)])
    eligible, before = np.ones_like(odds, dtype=bool), np.ones(K, dtype=bool)
    assert not any(check.breached for check in starved(arm, odds, eligible, before, PLAYBOOK))
    arm[arm == 2] = 1
    found = [check.subject for check in starved(arm, odds, eligible, before, PLAYBOOK) if check.breached]
    assert found == [PLAYBOOK.arms.names[2]]


def test_an_arm_that_nobody_may_get_any_more_is_starved_and_one_that_never_was_is_not() -> None:
    odds = _odds(300, 0.5)
    eligible, before = np.ones_like(odds, dtype=bool), np.ones(K, dtype=bool)
    eligible[:, [2, 3]], odds[:, [2, 3]], before[3] = False, 0.0, False
    arm, names = np.arange(300) % 2, PLAYBOOK.arms.names
    found = {check.subject for check in starved(arm, odds, eligible, before, PLAYBOOK) if check.breached}
    assert names[2] in found
    assert names[3] not in found


def test_the_share_without_a_good_arm_is_what_the_policy_says() -> None:
    features = np.zeros((500, len(PLAYBOOK.schema)))
    eligible = np.ones((500, K), dtype=bool)
    eligible[:50, 1:] = False  # of these nobody asks
    policy = trained(PLAYBOOK)
    found = list(no_good_arm(features, eligible, policy, PLAYBOOK))
    values = policy.choose(features[:1], eligible[50:51]).values[0]
    assert [check.value for check in found] == [float(values[1:].max() <= values[0])]
    with pytest.raises(NotEnoughData):
        list(no_good_arm(features, eligible, UniformPolicy.of(PLAYBOOK), PLAYBOOK))
