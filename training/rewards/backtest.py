"""What a log's mean reward looks like before all is known, three ways, against what it turned out to be.

At moments of the past, over the decisions of some time before each:

    zero     what has not come counts as nothing
    drop     decisions whose windows are open are left out
    delay    they count with what the delay model, fitted on what was known then, expects of them

An error is an estimate less the truth. Bias is its mean over moments and RMSE the root of its mean square;
intervals are percentiles over customers drawn with replacement (Efron 1979), with the delay models as fitted.
Resampling adds noise, so an RMSE's interval stands a little high.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nba.errors import NotEnoughData
from nba.playbook.schema import Objectives
from nba.rewards.delay import DelayModel
from nba.rewards.delay_sums import DelaySums
from nba.rewards.outcomes import Outcomes
from nba.rewards.reward import earned

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

ESTIMATORS = ("zero", "drop", "delay")
RESAMPLES = 200
FEWEST = 100  # decisions, and mature ones among them, that a group must have at a moment
_SUMS = ("n", "truth", "zero", "delay", "mature", "of mature")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PastLog:
    """n decisions, and all that came after them until `known_until` (epoch seconds).

    Attributes:
        customer: (n,) codes. decided_at: (n,) epoch seconds. cost: (n,) currency.
        action: (n,) names, `no_contact` for silence.
        touchpoints: customer (codes), type, occurred_at (epoch seconds), value.
    """

    objectives: Objectives
    customer: Ints
    decided_at: Floats
    cost: Floats
    action: NDArray[np.str_]
    touchpoints: pl.DataFrame
    known_until: float

    def where(self, rows: Bools) -> PastLog:
        return PastLog(
            objectives=self.objectives,
            customer=self.customer[rows],
            decided_at=self.decided_at[rows],
            cost=self.cost[rows],
            action=self.action[rows],
            touchpoints=self.touchpoints,
            known_until=self.known_until,
        )

    def early(self, moment: float) -> tuple[Outcomes, Floats]:
        """What was known at a moment: outcomes, and (n,) rewards so far."""
        known = Outcomes.of(self.objectives, pl.Series(self.customer), self.touchpoints, moment)
        return known, earned(self.objectives, known, self.decided_at) - self.cost

    @property
    def contact(self) -> Bools:
        return np.asarray(self.action != "no_contact", dtype=np.bool_)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A figure with its 95 % interval over customers."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One group, one estimator; `truth` is the mean reward over the `moments` that had enough decisions."""

    group: str
    estimator: str
    moments: int
    truth: float
    bias: Figure
    rmse: Figure


def backtest(log: PastLog, moments: Sequence[float], *, recent: float, seed: int = 0) -> list[Row]:
    """Judge the three over decisions of the last `recent` seconds at each moment.

    Raises:
        NotEnoughData: the truth of a moment is not known yet, or the delay model has too little to go by.
    """
    window = log.objectives.window
    if max(moments) + window > log.known_until:
        figures = {"known until": log.known_until, "needed": max(moments) + window}
        raise NotEnoughData("what a moment's decisions came to is not known yet", figures)
    _, truth = log.early(log.known_until)
    groups = _groups(log)
    customers = int(log.customer.max()) + 1
    sums = np.stack([_sums(log, truth, groups, moment, recent, customers) for moment in moments])
    drawn = np.random.default_rng(seed).multinomial(
        customers, np.full(customers, 1 / customers), size=RESAMPLES
    )
    weights = np.vstack([np.ones(customers), drawn])  # the log itself, then the resamples
    totals = np.einsum("bc,mgsc->bmgs", weights, sums, optimize=True)
    return [row for g, name in enumerate(groups) for row in _rows(name, totals[:, :, g])]


def _groups(log: PastLog) -> dict[str, Bools]:
    names = [name for name in sorted(set(log.action.tolist())) if name != "no_contact"]
    return {
        "all": np.ones(len(log.action), dtype=np.bool_),
        "no_contact": ~log.contact,
        "contact": log.contact,
        **{name: np.asarray(log.action == name) for name in names},
    }


def _sums(
    log: PastLog, truth: Floats, groups: dict[str, Bools], moment: float, recent: float, customers: int
) -> Floats:
    """(groups, sums, customers) at one moment."""
    before = log.decided_at < moment
    past = log.where(before)
    known, early = past.early(moment)
    elapsed, contact = moment - past.decided_at, past.contact
    sums = DelaySums.of(
        log.objectives, known, decided_at=past.decided_at, cost=past.cost, contact=contact, as_of=moment
    )
    expected, _ = DelayModel.of(sums).expected(early, elapsed, contact)
    mature = elapsed >= log.objectives.window
    fresh = elapsed <= recent
    columns = np.stack(
        [np.ones(len(early)), truth[before], early, expected, mature, early * mature],
    )
    found = np.zeros((len(groups), len(_SUMS), customers))
    for g, of in enumerate(groups.values()):
        rows = fresh & of[before]
        for s, column in enumerate(columns):
            found[g, s] = np.bincount(past.customer[rows], column[rows], minlength=customers)
    return found


def _rows(group: str, totals: Floats) -> list[Row]:
    """From totals (1 + resamples, moments, sums), of which the first are the log's own."""
    enough = (totals[0, :, _SUMS.index("n")] >= FEWEST) & (totals[0, :, _SUMS.index("mature")] >= FEWEST)
    if not enough.any():
        return []
    total = {name: totals[:, enough, s] for s, name in enumerate(_SUMS)}
    truth = total["truth"] / total["n"]
    estimates = {
        "zero": total["zero"] / total["n"],
        "drop": total["of mature"] / np.maximum(total["mature"], 1),
        "delay": total["delay"] / total["n"],
    }
    return [
        Row(
            group=group,
            estimator=name,
            moments=int(enough.sum()),
            truth=float(truth[0].mean()),
            bias=_figure((estimates[name] - truth).mean(axis=1)),
            rmse=_figure(np.sqrt(np.square(estimates[name] - truth).mean(axis=1))),
        )
        for name in ESTIMATORS
    ]


def _figure(values: Floats) -> Figure:
    low, high = np.quantile(values[1:], [0.025, 0.975])
    return Figure(value=float(values[0]), low=float(low), high=float(high))
