"""What is known of a metric before an experiment: customers of the past, as if it had begun a while ago.

Each treatment customer enters at their first decision shown in a stretch of the log that ended a window ago,
so that all of them are mature. Their values give mean, spread and how well the past tells them (CUPED); their
number gives how many would arrive.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl

from experiments.log import touchpoint_frame
from experiments.report.experiment.arms import LEAST
from experiments.report.experiment.cohort import Floats, Values
from experiments.report.experiment.reading import contact_frame
from experiments.report.experiment.values import CONTACTS, metric_values, types_of
from experiments.report.kept import KeptPlaybooks
from nba.errors import NotEnoughData
from nba.playbook.compile import Playbook
from nba.playbook.experiment import Experiment
from nba.stores.ports import Store

DAY = 86_400.0
STRETCH = 28 * DAY
"""Over which customers enter, where the log is as long as that and a window."""


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The primary metric of n customers of the past.

    Attributes:
        mean, variance: of one customer's value; of a ratio by the delta method.
        rho: how closely figures from before go with it, 0 to 1; with CUPED the variance is times 1 − ρ².
        days: the stretch over which they entered.
        share: whether the value is 0 or 1 for each, so that the mean is a share of customers.
        before: how many of them did anything, by this metric, in the time before that CUPED looks at.
    """

    n: int
    mean: float
    variance: float
    rho: float
    days: float
    share: bool = False
    before: int = 0

    @property
    def daily(self) -> float:
        """Treatment customers who came by for the first time, a day."""
        return self.n / self.days


def read_history(
    store: Store,
    playbook: Playbook,
    experiment: Experiment,
    *,
    as_of: float,
    progress: Callable[[int], None] = lambda decisions: None,
) -> History:
    """Raises NotEnoughData where the log is shorter than the window, or has too few customers."""
    stop = as_of - experiment.window
    start = max(_first(store), stop - STRETCH)
    if start >= stop:
        figures = {"days of log": max(as_of - start, 0.0) / DAY, "window, days": experiment.window / DAY}
        raise NotEnoughData("no customer of the past has had a whole window", figures)
    kept = KeptPlaybooks(playbook, store)
    entered: dict[str, float] = {}
    contacts = [pl.DataFrame(schema=CONTACTS)]
    for rows in store.decisions(start - experiment.before, as_of):
        for row in rows:
            if row.group == "treatment" and row.status == "active" and start <= row.decided_at < stop:
                entered.setdefault(row.surrogate, row.decided_at)
        contacts.append(contact_frame(rows, kept))
        progress(len(rows))
    if len(entered) < LEAST:
        figures = {"customers": float(len(entered)), "needed": float(LEAST)}
        raise NotEnoughData("too few customers of the past to plan by", figures)
    name, metric = next(iter(experiment.metrics.items()))
    values = metric_values(
        {name: metric},
        pl.DataFrame({"customer": list(entered), "entered_at": list(entered.values())}),
        touchpoints=touchpoint_frame(
            store,
            playbook,
            since=start - experiment.before,
            until=as_of,
            also=types_of({name: metric}),
        ),
        contacts=pl.concat(contacts),
        objectives=playbook.spec.objectives,
        window=experiment.window,
        before=experiment.before,
    )
    return history_of(values[name], (stop - start) / DAY)


def history_of(values: Values, days: float) -> History:
    """Raises NotEnoughData where nothing differs, or a ratio has nothing to divide by."""
    figures = {"customers": float(len(values.of))}
    mean, linear = _linear(values, figures)
    variance = float(linear.var(ddof=1))
    if variance <= 0:
        raise NotEnoughData("the metric was the same for all customers of the past", figures)
    share = values.per is None and bool(np.isin(values.of, (0.0, 1.0)).all())
    return History(
        n=len(linear),
        mean=mean,
        variance=variance,
        rho=_rho(values, linear),
        days=days,
        share=share,
        before=_known_before(values),
    )


def _known_before(values: Values) -> int:
    """Of how many customers anything is known from before."""
    past = values.before != 0
    return int((past if values.per_before is None else past | (values.per_before != 0)).sum())


def _linear(values: Values, figures: dict[str, float]) -> tuple[float, Floats]:
    """The mean or the ratio, and (n,) what each customer adds to it."""
    if values.per is None:
        return float(values.of.mean()), values.of
    if values.per.sum() <= 0:
        raise NotEnoughData("the ratio has nothing to divide by", figures)
    ratio = float(values.of.sum() / values.per.sum())
    return ratio, (values.of - ratio * values.per) / values.per.mean()


def _rho(values: Values, linear: Floats) -> float:
    """√R² of the least-squares line through the figures from before."""
    columns = [values.before] if values.per_before is None else [values.before, values.per_before]
    design = np.column_stack([np.ones(len(linear)), *columns])
    residual = linear - design @ np.linalg.lstsq(design, linear, rcond=None)[0]
    explained = 1 - float(residual @ residual) / float(((linear - linear.mean()) ** 2).sum())
    return math.sqrt(min(max(explained, 0.0), 1.0))


def _first(store: Store) -> float:
    first = next(store.decisions(-math.inf, math.inf, chunk=1), None)
    return math.inf if first is None else first[0].decided_at
