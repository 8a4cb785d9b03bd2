"""A small world with a known truth, and logs drawn from it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from experiments.ope import LoggedBatch
from experiments.ope.batch import Floats, Ints

CONTEXTS, ARMS = 4, 6
CATEGORY: Ints = np.array([0, 0, 1, 1, 2, 2])


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Four contexts, six arms; the reward depends on the arm through its category alone, as MIPS asks."""

    logging: Floats
    target: Floats
    other: Floats
    mean: Floats
    wrong: Floats

    def value(self, target: Floats) -> float:
        return float((target * self.mean).sum(axis=1).mean())

    def context(self, log: LoggedBatch) -> Ints:
        """(n,) the context of each row, known again by its target odds."""
        found: Ints = (log.target[:, None, :] == self.target[None]).all(axis=2).argmax(axis=1)
        return found

    def log(self, rng: np.random.Generator, n: int, per_customer: int = 1) -> LoggedBatch:
        """n decisions; customers of several share a context and how much they like everything."""
        customer = np.repeat(np.arange(n // per_customer), per_customer)
        context = rng.integers(CONTEXTS, size=len(customer) // per_customer)[customer]
        liking = rng.normal(0, 0.3, size=len(customer) // per_customer)[customer]
        arm = (self.logging.cumsum(axis=1)[context] > rng.random((len(customer), 1))).argmax(axis=1)
        noise = liking if per_customer > 1 else 0.0
        return LoggedBatch(
            reward=(rng.random(len(customer)) < self.mean[context, arm]) + noise,
            arm=arm,
            propensity=self.logging[context, arm],
            target=self.target[context],
            q_hat=self.wrong[context],
            customer=customer if per_customer > 1 else None,
            embedding=CATEGORY,
        )


@pytest.fixture(scope="session")
def world() -> World:
    rng = np.random.default_rng(7)
    by_category = rng.uniform(0.1, 0.7, size=(CONTEXTS, 3))

    def odds() -> Floats:
        drawn: Floats = 0.7 * rng.dirichlet(np.ones(ARMS), CONTEXTS) + 0.3 / ARMS
        drawn /= drawn.sum(axis=1, keepdims=True)
        return drawn

    mean = by_category[:, CATEGORY]
    wrong = np.clip(mean + rng.normal(0, 0.2, size=mean.shape), 0, 1)
    return World(logging=odds(), target=odds(), other=odds(), mean=mean, wrong=wrong)


@pytest.fixture
def batch(world: World) -> LoggedBatch:
    """300 rows of 60 customers, with everything any estimator asks for."""
    rng = np.random.default_rng(11)
    drawn = world.log(rng, 300, per_customer=5)
    return replace(drawn, logging=world.logging[world.context(drawn)])
