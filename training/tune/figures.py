"""The pictures of a study: how values came on, and which parameters mattered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from training.tune.study import Finished

MOST_BARS = 15


def history_figure(trials: Sequence[Finished], unit: str) -> Figure:
    """The value of every trial with its interval, by learner, and the best so far."""
    figure = Figure(figsize=(7.5, 3.8), layout="constrained")
    axes = figure.subplots()
    done = [(trial, trial.value) for trial in trials if trial.value is not None]
    for learner in dict.fromkeys(trial.tried.learner for trial, _ in done):
        own = [(trial.number, value) for trial, value in done if trial.tried.learner == learner]
        ends = np.abs([(v.value - v.low, v.high - v.value) for _, v in own]).T
        numbers, values = [n for n, _ in own], [v.value for _, v in own]
        axes.errorbar(numbers, values, yerr=ends, fmt="o", ms=4, elinewidth=0.6, label=learner)
    if done:
        best = np.maximum.accumulate([value.value for _, value in done])
        axes.step([trial.number for trial, _ in done], best, where="post", color="black", label="best so far")
        axes.legend(loc="best", fontsize="small")
    axes.set(xlabel="trial", ylabel=f"value per decision, {unit}")
    return figure


def importance_figure(importance: Mapping[str, float]) -> Figure:
    """Shares of the spread of values that parameters explain, largest on top."""
    shown = list(importance.items())[:MOST_BARS][::-1]
    figure = Figure(figsize=(7.5, 1.2 + 0.28 * len(shown)), layout="constrained")
    axes = figure.subplots()
    axes.barh([name for name, _ in shown], [share for _, share in shown])
    axes.set(xlabel="share of the spread of values explained (PED-ANOVA)")
    return figure
