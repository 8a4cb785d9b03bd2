"""Players learn from the arm drawn alone, and those with propensities are drawn as their odds say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from experiments.bakeoff.columns import Rounds
from experiments.bakeoff.entrants import ENTRANTS, OURS
from experiments.bakeoff.game import play
from experiments.bakeoff.online import OnlineRidge
from experiments.bakeoff.ours import Ours, OurSetting
from experiments.bakeoff.rivals import LinearSetting, LinUcb
from nba.policies.policy import Floats
from tests.experiments.bakeoff.labelled import crossed, two_sided


class Noted:
    """Another player, with its odds and arms written down."""

    def __init__(self, player: Ours) -> None:
        self.player = player
        self.odds_seen: list[Floats] = []
        self.arms: list[int] = []

    def odds(self, row: int) -> Floats:
        self.odds_seen.append(self.player.odds(row))
        return self.odds_seen[-1]

    def learn(self, row: int, arm: int, reward: float, odds: Floats) -> None:
        self.arms.append(arm)
        self.player.learn(row, arm, reward, odds)


class Fixed:
    """Always the same odds."""

    def __init__(self, odds: list[float]) -> None:
        self._odds = np.array(odds)

    def odds(self, row: int) -> Floats:
        return self._odds

    def learn(self, row: int, arm: int, reward: float, odds: Floats) -> None:
        """Nothing to learn."""


@pytest.mark.parametrize("start", [0.0, 0.7])
def test_moving_by_one_rank_gives_what_solving_at_once_gives(start: float) -> None:
    rng = np.random.default_rng(0)
    Z, arm, reward = rng.normal(size=(200, 6)), rng.integers(3, size=200), rng.random(200)
    weight = rng.uniform(0.5, 3.0, 200)
    model = OnlineRidge(Z, 3, 2.5)
    for row in range(200):
        model.learn(row, int(arm[row]), float(reward[row]), float(weight[row]))
    for a in range(3):
        z, w = Z[arm == a], weight[arm == a]
        gram = (z.T * w) @ z + 2.5 * np.eye(6)
        theta = np.linalg.solve(gram, z.T @ (w * (reward[arm == a] - start)))
        assert model.scores(7, start)[a] == pytest.approx(start + Z[7] @ theta, abs=1e-10)
        assert model.variances(slice(7, 8))[0, a] == pytest.approx(Z[7] @ np.linalg.solve(gram, Z[7]))


@pytest.mark.parametrize("name", list(ENTRANTS))
def test_odds_are_odds(name: str) -> None:
    rounds = Rounds(two_sided(60))
    player = ENTRANTS[name].make(rounds, 0, 1)
    game = play(player, rounds, seed=1)
    assert game.off < 1e-9
    assert game.least >= 0.0
    assert 0.0 <= game.error <= 1.0


def test_ours_keeps_its_floor_on_every_arm() -> None:
    rounds = Rounds(two_sided())
    game = play(Ours(rounds, OurSetting(floor=0.05)), rounds, seed=0)
    assert game.least >= 0.05 - 1e-12


def test_ours_learns_from_the_loss_of_the_arm_drawn_alone() -> None:
    """Where the arm was wrong, which of the others was right changes nothing."""
    task = two_sided()
    one = Noted(Ours(Rounds(task), OurSetting()))
    play(one, Rounds(task), seed=2)
    arms = np.array(one.arms)
    wrong = arms != task.label
    third = (3 - arms - task.label)[wrong]
    label = task.label.copy()
    label[wrong] = third
    other = Noted(Ours(Rounds(task), OurSetting()))
    changed = Rounds(replace(task, label=label))
    play(other, changed, seed=2)
    assert wrong.sum() > 10
    np.testing.assert_array_equal(np.array(one.odds_seen), np.array(other.odds_seen))


def test_ours_finds_what_only_a_product_tells() -> None:
    """Seed 0, 600 rounds; by chance the error would be 50 %, and the last half is played far better."""
    task = crossed()
    one = Noted(Ours(Rounds(task), OurSetting()))
    play(one, Rounds(task), seed=0)
    assert (np.array(one.arms) != task.label)[300:].mean() < 0.25


def test_linucb_takes_the_arm_of_the_highest_bound() -> None:
    rounds = Rounds(two_sided(80))
    player = LinUcb(rounds, LinearSetting(strength=2.0, explore=0.5), seed=0)
    shadow = OnlineRidge(rounds.columns("binned"), 3, 2.0)
    for row in range(80):
        odds = player.odds(row)
        bound = shadow.scores(row) + 0.5 * np.sqrt(shadow.variances(slice(row, row + 1))[0])
        assert bound[odds.argmax()] == pytest.approx(bound.max(), abs=1e-9)
        assert odds.max() == 1.0
        arm = int(odds.argmax())
        reward = float(arm == rounds.task.label[row])
        player.learn(row, arm, reward, odds)
        shadow.learn(row, arm, reward)


def test_the_check_of_draws_is_standard_normal_under_exact_odds() -> None:
    """400 games of 200 rounds, seeds 0 to 399; the test of a normal z fails a true one in 10⁵."""
    rounds = Rounds(two_sided(200))
    z = [play(Fixed([0.7, 0.2, 0.1]), rounds, seed).z for seed in range(400)]
    assert stats.kstest(z, "norm").pvalue > 1e-5
    assert stats.chi2.sf(sum(v**2 for v in z), 400) > 1e-5


@pytest.mark.parametrize("name", [OURS, "ridge + igw", "vw squarecb", "vw cover", "vw ε-greedy"])
def test_policies_with_propensities_are_drawn_as_they_say(name: str) -> None:
    """Ten games of 150 rounds, seeds 0 to 9; exact odds fail this about once in 10⁵."""
    entrant = ENTRANTS[name]
    z = []
    for seed in range(10):
        rounds = Rounds(two_sided(150, seed))
        z.append(play(entrant.make(rounds, 0, seed), rounds, seed).z)
    assert stats.chi2.sf(sum(v**2 for v in z), 10) > 1e-5
