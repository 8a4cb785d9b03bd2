"""Logs with a known truth: a target's value is a sum over contexts and arms, no simulation needed.

A customer keeps a context and a liking for the length of a log, so their decisions hang together. Rewards
are conversions, or spending with 99 % zeros, whole or clipped. It keeps out estimators and intervals.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtr

from experiments.ope.batch import Floats, Ints, LoggedBatch

CONTEXTS, ARMS = 8, 4
LIKING = (0.4, 1.6)  # how much likelier a reward is for one half of the customers, and the other
_ROWS = 2_000_000  # drawn at a time, to bound the memory


@dataclass(frozen=True, slots=True, kw_only=True)
class Reward:
    """What a decision earns: with some probability a fixed or a lognormal amount, else 0.

    Attributes:
        rate: the probability under the target, on average.
        spread: σ of the logarithm of the amount; 0 where each is 1.
        clip: the most that counts, None where nothing bounds it.
        declared: whether the log comes with its range.
    """

    rate: float
    spread: float = 0.0
    clip: float | None = None
    declared: bool = False

    def mean_amount(self) -> float:
        """E min(A, clip) of A = exp(σZ): the lognormal's partial expectation, closed."""
        s = self.spread
        if s == 0:
            return 1.0
        whole = math.exp(s * s / 2)
        if self.clip is None:
            return whole
        at = math.log(self.clip)
        return whole * float(ndtr((at - s * s) / s)) + self.clip * float(ndtr(-at / s))

    def amounts(self, rng: np.random.Generator, size: int) -> Floats:
        if self.spread == 0:
            return np.ones(size)
        drawn = np.exp(rng.normal(0.0, self.spread, size))
        return drawn if self.clip is None else np.minimum(drawn, self.clip)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Contexts by arms: odds of logging and target, how each arm pays, and what a model thinks it pays.

    Attributes:
        logging, target: (CONTEXTS, ARMS) odds; rows sum to 1.
        known: whether a log comes with the odds of all arms, not of the drawn one alone.
        against: the odds of a second target, where the difference to it is asked for; else None.
        pays: (CONTEXTS, ARMS) relative rates of reward, of mean 1 under the target.
        believed: (CONTEXTS, ARMS) the same by a reward model that is some 30 % off.
    """

    logging: Floats
    target: Floats
    pays: Floats
    believed: Floats
    known: bool = False
    against: Floats | None = None

    @classmethod
    def twins(cls, seed: int, floor: float, moved: int) -> World:
        """A logging policy that gives each arm but its favourite `floor`, and one that differs from it in the
        favourites of `moved` contexts: all that tells them apart are arms seldom drawn."""
        plain = cls.of(seed, 0.5, 0.5)
        rng = np.random.default_rng(seed)
        favourite = plain.target.argmax(axis=1)
        other = favourite.copy()
        changed = rng.choice(CONTEXTS, moved, replace=False)
        other[changed] = (favourite[changed] + rng.integers(1, ARMS, size=moved)) % ARMS
        logging, target = np.full((2, CONTEXTS, ARMS), floor)
        for odds, on_it in ((logging, favourite), (target, other)):
            odds[np.arange(CONTEXTS), on_it] = 1 - floor * (ARMS - 1)
        return replace(plain, logging=logging, target=target, known=True, against=logging)

    @classmethod
    def of(cls, seed: int, least: float, most: float) -> World:
        """A world in which the target's favourite arm has logging odds from `least` to `most` by context."""
        rng = np.random.default_rng(seed)
        favourite = rng.integers(ARMS, size=CONTEXTS)
        target, logging = np.full((2, CONTEXTS, ARMS), 1.0)
        each = np.arange(CONTEXTS)
        for odds, on_it in (
            (target, np.full(CONTEXTS, 0.85)),
            (logging, np.geomspace(least, most, CONTEXTS)),
        ):
            odds *= ((1 - on_it) / (ARMS - 1))[:, None]
            odds[each, favourite] = on_it
        pays = rng.uniform(0.4, 1.2, (CONTEXTS, ARMS))
        pays /= (target * pays).sum(axis=1).mean()
        believed = pays * rng.uniform(0.7, 1.3, pays.shape)
        return cls(logging=logging, target=target, pays=pays, believed=believed)

    @property
    def squared_weight(self) -> float:
        """E w², by which the effective sample falls short of the decisions."""
        return float((self.target**2 / self.logging).sum(axis=1).mean())

    @property
    def heaviest(self) -> float:
        return float((self.target / self.logging).max())

    def customers(self, effective: float, decisions: int) -> int:
        """How many have an effective sample of so many: E W² = 1 + (E w² − 1)/d over d decisions."""
        return math.ceil(effective * (1 + (self.squared_weight - 1) / decisions))

    def truth(self, reward: Reward) -> float:
        """The target's value, or the difference: likings and contexts average out, each being as likely as
        the next."""
        moved = self.target if self.against is None else self.target - self.against
        share = float((moved * self.pays).sum(axis=1).mean())
        return share * reward.rate * reward.mean_amount()

    def logs(
        self, rng: np.random.Generator, *, logs: int, customers: int, decisions: int, reward: Reward
    ) -> Iterator[LoggedBatch]:
        """So many logs of `customers` × `decisions` rows, drawn many at a time."""
        rows = customers * decisions
        customer = np.repeat(np.arange(customers), decisions) if decisions > 1 else None
        at_once = max(_ROWS // rows, 1)
        for start in range(0, logs, at_once):
            some = min(at_once, logs - start)
            context = np.repeat(rng.integers(CONTEXTS, size=some * customers), decisions)
            liking = np.repeat(rng.choice(LIKING, size=some * customers), decisions)
            arm = _draw(rng, self.logging, context)
            rate = reward.rate * self.pays[context, arm] * liking
            paid = np.where(rng.random(len(rate)) < rate, reward.amounts(rng, len(rate)), 0.0)
            for i in range(some):
                part = slice(i * rows, (i + 1) * rows)
                yield self._batch(context[part], arm[part], paid[part], customer, reward)

    def _batch(
        self, context: Ints, arm: Ints, paid: Floats, customer: Ints | None, reward: Reward
    ) -> LoggedBatch:
        mean = reward.rate * reward.mean_amount()
        bounds = None
        if reward.declared:
            bounds = (0.0, 1.0 if reward.clip is None else reward.clip)
        return LoggedBatch(
            reward=paid,
            arm=arm,
            propensity=self.logging[context, arm],
            target=self.target[context],
            q_hat=mean * self.believed[context],
            customer=customer,
            bounds=bounds,
            logging=self.logging[context] if self.known else None,
        )

    def second(self, batch: LoggedBatch) -> Floats | None:
        """(n, ARMS) odds of the second target on a log of this world, whose logging odds it has."""
        return batch.logging if self.against is not None else None


def _draw(rng: np.random.Generator, odds: Floats, context: Ints) -> Ints:
    """(n,) an arm for each context, by its odds."""
    below = odds.cumsum(axis=1)[:, :-1]
    u = rng.random(len(context))
    arm = np.zeros(len(context), dtype=np.int64)
    for column in below.T:
        arm += u >= column[context]
    return arm
