"""How large and how long an experiment has to be to find an effect, by each method of analysis."""

from __future__ import annotations

import math
from dataclasses import dataclass

from experiments.ab import duration, sample_size
from experiments.ab.planning import Method
from experiments.report.experiment.history import DAY, History
from experiments.report.experiment.values import EARNED, NET
from nba.errors import InvalidInput, NotEnoughData
from nba.playbook.experiment import Experiment

METHODS: tuple[Method, ...] = ("fixed", "group-sequential", "always-valid")
LOOKED = 20
"""How often an always-valid analysis is taken to be looked at; more changes its need by little."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodPlan:
    """What one method needs: mature customers a variant, in all, and the days until they are."""

    method: Method
    variants: dict[str, int]
    days: float

    @property
    def customers(self) -> int:
        return sum(self.variants.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What each method needs to find `effect` (absolute) with `power`."""

    experiment: Experiment
    history: History
    effect: float
    power: float
    alpha: float
    methods: tuple[MethodPlan, ...]


def plan_of(experiment: Experiment, history: History, *, effect: float, relative: bool, power: float) -> Plan:
    """The customers of all variants, as the weights split them, until the smallest one against control has
    `power`; several variants share α. CUPED is counted in.

    Args:
        effect: a share of the mean where relative, else in the metric's unit.

    Raises:
        InvalidInput: effect, also one that the metric can't have; power.
        NotEnoughData: a share of a mean of 0.
    """
    if relative and history.mean == 0:
        raise NotEnoughData("the metric's mean was 0: give the effect in its unit, with --absolute")
    size = effect * abs(history.mean) if relative else effect
    if size == 0 or not math.isfinite(size):
        raise InvalidInput.of("effect", "must be a number other than 0")
    _possible(experiment, history, size)
    weights = [variant.weight for variant in experiment.variants.values()]
    alpha = experiment.analysis.alpha / (len(weights) - 1)
    return Plan(
        experiment=experiment,
        history=history,
        effect=size,
        power=power,
        alpha=alpha,
        methods=tuple(_planned(experiment, history, size, power, alpha, method) for method in METHODS),
    )


def _possible(experiment: Experiment, history: History, size: float) -> None:
    """Raises InvalidInput where the metric can't move so far: a count below 0, a share above 1."""
    name, metric = next(iter(experiment.metrics.items()))
    moved, most = history.mean + size, 1.0 if history.share else math.inf
    if metric.of in (NET, EARNED) or 0 < moved < most:
        return
    limits = "more than 0" + (" and less than 1" if history.share else "")
    raise InvalidInput.of(
        "effect",
        f"would move {name}, whose mean is {history.mean:.4g}, to {moved:.4g}, and it can only be {limits}",
    )


def _planned(
    experiment: Experiment, history: History, size: float, power: float, alpha: float, method: Method
) -> MethodPlan:
    analysis, weights = experiment.analysis, [v.weight for v in experiment.variants.values()]
    control = sample_size(
        history.mean,
        history.variance * (1 - history.rho**2),
        size,
        power=power,
        alpha=alpha,
        ratio=min(weights[1:]) / weights[0],
        method=method,
        looks=LOOKED if method == "always-valid" else analysis.looks,
        exponent=analysis.exponent,
        tuning=analysis.tuning,
    )
    needed = {
        name: math.ceil(control * variant.weight / weights[0])
        for name, variant in experiment.variants.items()
    }
    arrivals = history.daily * experiment.share
    days = duration(sum(needed.values()), arrivals, experiment.window / DAY)
    return MethodPlan(method=method, variants=needed, days=days)
