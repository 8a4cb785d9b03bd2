"""Which interval an estimate gets, or why none: from the weights, the influences and the rewards of the log.

The rules, in order. An estimate that trusts its model alone (`dm`) looks at no reward and skips all but the
first and the last.

1. One customer, hardly any weight, no reward that differs, one customer who makes up the spread: refused.
2. The range of a reward isn't known (clip.py) and too few customers earn for the log to show it: refused.
3. n_psi and rewarded customers are many: Student's interval. Where the odds of all arms were logged, n_psi is
   the smaller of the log's and the promised one (promised.py), the standard error the larger, and few are
   many: a small n_psi that is no surprise is in the degrees of freedom.
4. Else Cressie–Read, which knows the range and the mean of the weights, with fewer degrees of freedom.

Thresholds come from theory and from development logs: other worlds and seeds than the coverage study's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from experiments.ope.batch import Floats, LoggedBatch
from experiments.ope.clip import Known, common_reward, known_range
from experiments.ope.intervals.cressie_read import cressie_read
from experiments.ope.intervals.student import standard_error, students
from experiments.ope.promised import Promised
from experiments.ope.units import by_unit, kish, spread_count
from nba.errors import NotEnoughData

LEAST_CUSTOMERS = 2
"""With one customer there is no spread to measure."""

LEAST_EFFECTIVE = 1.5
"""Below, one customer holds about four fifths of the weight or more."""

LEAST_SPREAD = 1.1
"""An n_psi below it means that one customer makes up 95 % of the variance or more."""

MANY = 50.0
"""n_psi from which Student's interval is used. The skewness of the mean is then at most 1/√50 = .14, by
which Edgeworth's first term moves each end's 2.5 % by at most 1.2 points, in opposite directions. On
development logs Student's covered 94 to 97 % from 50 up, and below 10, with heavy weights, down to 40 %."""

MANY_PROMISED = 5.0
"""The same where the odds of all arms were logged. On 450 development worlds, single policies and pairs of
near twins, odds down to .005 and conversions from 1 %, Student's with the larger error covered 95 to 99.6 %
from 5 up; with the log's own n_psi it covered 42 to 84 %, also where that was above 100."""

MANY_REWARDED = 20
"""Rewarded customers from which n_psi is believed. With a reward model the spread of contexts alone makes
n_psi large while hardly a reward was seen: with 7 rewarded customers and an n_psi of 11 DR covered 62 %."""

LEAST_FREEDOM = 5.0
"""Least degrees of freedom of Cressie–Read, else n_psi. With as many as customers it covered 94 % at 15
customers of 20 decisions each; with these 96 % or more on all development logs."""

Interval = Literal["student", "cressie-read"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What the log has on an estimate.

    Attributes:
        n, customers: logged decisions, and independent units among them.
        effective_n: Kish's (Σw)²/Σw² over customers.
        seen: (Σψ²)²/Σψ⁴ over the log's customers; 0 where ψ doesn't vary.
        n_psi: the smaller of that and the promised one.
        stderr: the larger of seen and promised.
        promised: whether the odds of all arms had a say in these.
        rewarded: customers whose reward differs from the common one in a row that counts.
        range: of a reward, None where unknown.
        uses_rewards: whether the estimate rests on the log's rewards at all.
    """

    n: int
    customers: int
    effective_n: float
    seen: float
    n_psi: float
    stderr: float
    promised: bool
    rewarded: int
    range: Known | None
    uses_rewards: bool

    @property
    def many(self) -> float:
        """The n_psi from which Student's interval holds."""
        return MANY_PROMISED if self.promised else MANY

    def figures(self, **needed: float) -> dict[str, float]:
        found = {
            "n": float(self.n),
            "customers": float(self.customers),
            "effective_n": self.effective_n,
            "n_psi": self.n_psi,
            "rewarded": float(self.rewarded),
        }
        return found | {f"needed_{name}": figure for name, figure in needed.items()}


def check_weight(name: str, batch: LoggedBatch, weight: Floats | None) -> float:
    """The effective sample of the (n,) weights; the customers where the estimator has none.

    Raises:
        NotEnoughData: fewer than two customers, or no or hardly any weight.
    """
    effective = float(batch.units) if weight is None else kish(by_unit(weight, batch))
    figures = {"n": float(len(batch.reward)), "customers": float(batch.units), "effective_n": effective}
    if batch.units < LEAST_CUSTOMERS:
        needed = {"needed_customers": float(LEAST_CUSTOMERS)}
        raise NotEnoughData(f"{name}: a standard error needs at least two customers", figures | needed)
    if effective == 0:
        raise NotEnoughData(f"{name}: no logged decision has weight under the target", figures)
    if effective < LEAST_EFFECTIVE:
        needed = {"needed_effective_n": LEAST_EFFECTIVE}
        raise NotEnoughData(f"{name}: one customer holds nearly all the weight", figures | needed)
    return effective


def gather(
    batch: LoggedBatch, psi: Floats, effective: float, weights: tuple[Floats, ...], known: Promised | None
) -> Evidence:
    """What the log has on an estimate with (units,) influences psi: of the policy with the one (n,) weight
    given, or of the difference of the two. Rows that neither moves don't count.

    Args:
        known: what the odds promise of it.
    """
    common = common_reward(batch)
    counts = _moves(weights).astype(np.float64) if weights else np.ones(len(batch.reward))
    differs = counts * (batch.reward != common)
    seen, stderr = spread_count(psi), standard_error(psi, len(batch.reward))
    n_psi = seen
    if known is not None:
        n_psi, stderr = min(seen, known.n_psi), max(stderr, known.stderr)
    return Evidence(
        n=len(batch.reward),
        customers=batch.units,
        effective_n=effective,
        seen=seen,
        n_psi=n_psi,
        stderr=stderr,
        promised=known is not None,
        rewarded=int(np.count_nonzero(by_unit(differs, batch))),
        range=known_range(batch, common, counts),
        uses_rewards=bool(weights),
    )


def _moves(weights: tuple[Floats, ...]) -> NDArray[np.bool_]:
    """(n,) rows with weight, or on which two policies' weights differ."""
    moved: NDArray[np.bool_] = weights[0] != (weights[1] if len(weights) > 1 else 0)
    return moved


def choose(name: str, found: Evidence) -> Interval:
    """The interval that holds with this evidence.

    Raises:
        NotEnoughData: none does; the detail says what is missing and what would mend it.
    """
    if not found.uses_rewards and found.seen == 0:
        return "student"  # a model that says the same of every context
    if found.uses_rewards and (found.rewarded == 0 or found.seen == 0):
        detail = f"{name}: the logged rewards that count don't differ, so their spread is unknown"
        raise NotEnoughData(detail, found.figures(rewarded=2.0))
    if found.seen < LEAST_SPREAD:
        detail = f"{name}: one customer makes up the spread"
        raise NotEnoughData(detail, found.figures(n_psi=LEAST_SPREAD))
    if not found.uses_rewards:
        return "student"
    if found.range is None:
        raise NotEnoughData(f"{name}: {_UNBOUNDED}", found.figures(n_psi=found.many))
    return "student" if found.n_psi >= found.many and found.rewarded >= MANY_REWARDED else "cressie-read"


_UNBOUNDED = (
    "so few customers earn so much of the reward that what was not seen could be as much again; "
    "declare the range of a reward (the playbook's objectives.clip, LoggedBatch's bounds), "
    "or wait for more rewarded customers"
)


def ends(
    value: float,
    batch: LoggedBatch,
    weights: tuple[Floats, ...],
    found: Evidence,
    interval: Interval,
    level: float,
) -> tuple[float, float]:
    """Both ends of the chosen interval, for one policy or the difference of two. They hold the value."""
    if interval == "student" or found.range is None:
        return students(value, found.stderr, found.n_psi, level)
    if len(weights) == 1:
        low, high = _reweighed(batch, weights[0], found, found.range, level)
    else:
        each = (1 + level) / 2  # half the error for each policy
        (low_a, high_a), (low_b, high_b) = (
            _reweighed(batch, weight, found, found.range, each) for weight in weights
        )
        low, high = low_a - high_b, high_a - low_b
    return min(low, value), max(high, value)


def _reweighed(
    batch: LoggedBatch, weight: Floats, found: Evidence, range: Known, level: float
) -> tuple[float, float]:
    share = batch.units / found.n
    return cressie_read(
        by_unit(weight, batch) * share,
        by_unit(weight * batch.reward, batch) * share,
        level,
        bounds=range.bounds,
        freedom=max(found.n_psi, LEAST_FREEDOM),
    )
