"""A small contextual world over the test playbook: which arm is best depends on the customer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nba.playbook.compile import Playbook
from nba.policies.batch import TrainingBatch
from nba.policies.draw import draw
from nba.policies.policy import Bools, Floats, Policy
from nba.policies.served import UniformPolicy


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class World:
    """n moments: features, eligible arms, and the true mean reward of each arm."""

    features: Floats
    eligible: Bools
    mean: Floats

    @classmethod
    def of(cls, playbook: Playbook, n: int, seed: int) -> World:
        rng = np.random.default_rng(seed)
        arms, schema = playbook.arms, playbook.schema
        X = customers(playbook, n, rng)
        basket, device, age = (X[:, schema.index[name]] for name in ("basket", "device", "age"))
        X[:, schema.index["tenure_days"]] = np.where(rng.random(n) < 0.3, np.nan, 1.0)
        worth = np.column_stack(
            [
                np.where(basket > 1, 1.0, -0.4),
                np.where(device == 1, 1.2, -0.2),
                np.where(age < 0.5, 0.9, -0.3),
                0.1 - 0.1 * basket,
                np.where(device == 2, 0.8, 0.0),
            ]
        )
        mean = np.zeros((n, len(arms)))
        mean[:, 1:] = worth[:, arms.action[1:]] + 0.2 * (arms.channel[1:] == 1) - 0.1 * arms.cost[1:]
        eligible = rng.random(mean.shape) < 0.9
        eligible[:, 0] = True
        return cls(features=X, eligible=eligible, mean=mean + 0.5 * X[:, :1])

    def log(self, playbook: Playbook, seed: int, noise: float = 1.0) -> TrainingBatch:
        """Decisions drawn uniformly down the tree, with noisy rewards."""
        rng = np.random.default_rng(seed)
        odds = UniformPolicy.of(playbook).choose(self.features, self.eligible).odds
        rows = np.arange(len(odds))
        arm = draw(odds, rng.random(len(odds)))
        reward = self.mean[rows, arm] + noise * rng.normal(size=len(odds))
        return TrainingBatch(
            features=self.features, arm=arm, reward=reward, propensity=odds[rows, arm], eligible=self.eligible
        )

    def value(self, policy: Policy) -> float:
        """The true mean reward of a policy here."""
        odds = policy.choose(self.features, self.eligible).odds
        return float((odds * self.mean).sum(axis=1).mean())

    def best_constant(self) -> float:
        """The value of the best single arm, `no_contact` where it is refused."""
        taken = np.where(self.eligible, self.mean, self.mean[:, :1])
        return float(taken.mean(axis=0).max())


def customers(playbook: Playbook, n: int, rng: np.random.Generator) -> Floats:
    """(n, F) features, all known."""
    X = rng.exponential(size=(n, len(playbook.schema)))
    for i, feature in enumerate(playbook.schema.features):
        if feature.kind != "number":
            X[:, i] = rng.integers(len(feature.categories) or 2, size=n)
    return X
