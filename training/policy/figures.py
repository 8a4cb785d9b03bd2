"""The pictures of a judged policy, as PNG: worth, weights, reliability, what it looks at, regret.

What is drawn stands beside it as figures in a table; nothing is computed here but bins.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from experiments.ope import Estimate, LoggedBatch

Floats = NDArray[np.float64]
MOST_BARS = 20
BINS = 10


def png(figure: Figure) -> bytes:
    """The same picture gives the same bytes on one build of matplotlib."""
    file = BytesIO()
    figure.savefig(file, format="png", dpi=110, metadata={"Software": None})
    return file.getvalue()


def values_figure(
    challenger: Mapping[str, Estimate], champion: Mapping[str, Estimate], title: str, unit: str
) -> Figure:
    """What both policies are worth per decision, by estimator, with intervals."""
    figure = Figure(figsize=(7.5, 3.6), layout="constrained")
    axes = figure.subplots()
    names = list(dict.fromkeys((*challenger, *champion)))
    for label, found, shift in (("challenger", challenger, 0.12), ("champion", champion, -0.12)):
        places = [names.index(name) + shift for name in found]
        values = [e.value for e in found.values()]
        ends = np.abs([(e.value - e.low, e.high - e.value) for e in found.values()]).T.reshape(2, -1)
        axes.errorbar(values, places, xerr=ends, fmt="o", capsize=4, label=label)
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel=f"value per decision, {unit}", title=title)
    axes.legend(loc="best", fontsize="small")
    return figure


def weights_figure(batch: LoggedBatch, effective_n: float) -> Figure:
    """How many decisions have which importance weight: few large ones mean that few customers decide."""
    figure = Figure(figsize=(7.5, 3.6), layout="constrained")
    axes = figure.subplots()
    axes.hist(batch.weight, bins=50, log=True)
    zero = float(np.mean(batch.weight == 0))
    axes.set(
        xlabel="importance weight: odds of the logged arm under the challenger, over its propensity",
        ylabel="decisions",
        title=f"effective n {effective_n:,.0f} of {len(batch.weight):,}; {zero:.0%} have no weight",
    )
    return figure


def reliability(batch: LoggedBatch) -> list[dict[str, float]]:
    """Deciles of the value that the challenger expects, each with what it would have earned: the mean of the
    doubly robust scores, and its standard error over decisions. Empty without a reward model."""
    if batch.expected is None or batch.residual is None:
        return []
    expected, scores = batch.expected, batch.expected + batch.weight * batch.residual
    parts = [p for p in np.array_split(np.argsort(expected, kind="stable"), BINS) if len(p) > 1]
    return [
        {
            "low": float(expected[part[0]]),
            "high": float(expected[part[-1]]),
            "rows": len(part),
            "expected": float(expected[part].mean()),
            "earned": float(scores[part].mean()),
            "stderr": float(scores[part].std(ddof=1) / np.sqrt(len(part))),
        }
        for part in parts
    ]


def reliability_figure(bins: Sequence[Mapping[str, float]], unit: str) -> Figure:
    """Expected against earned; the diagonal is honesty."""
    figure = Figure(figsize=(5, 5), layout="constrained")
    axes = figure.subplots()
    expected, earned = ([b[name] for b in bins] for name in ("expected", "earned"))
    ends = [1.96 * b["stderr"] for b in bins]
    axes.axline((min(expected), min(expected)), slope=1, linestyle="--", color="grey", linewidth=1)
    axes.errorbar(expected, earned, yerr=ends, marker="o", capsize=3)
    axes.set(
        xlabel=f"expected, {unit} per decision",
        ylabel=f"earned (doubly robust, 95 %), {unit} per decision",
        title="reliability of the expected value",
    )
    return figure


def importance_figure(importance: Mapping[str, float], unit: str) -> Figure:
    """The features that move the chosen arm's expected value most."""
    names = list(importance)[:MOST_BARS][::-1]
    figure = Figure(figsize=(7.5, 1 + 0.28 * len(names)), layout="constrained")
    axes = figure.subplots()
    axes.barh(np.arange(len(names)), [importance[name] for name in names])
    axes.set_yticks(np.arange(len(names)), names)
    axes.set(xlabel=f"mean |contribution| to the chosen arm's expected value, {unit}")
    return figure


def regret_figure(regret: Sequence[float], unit: str) -> Figure:
    """Regret per decision after each training, where a simulated world tells."""
    figure = Figure(figsize=(7.5, 3.6), layout="constrained")
    axes = figure.subplots()
    axes.plot(range(1, len(regret) + 1), regret, marker="o")
    axes.set(xlabel="training", ylabel=f"regret per decision, {unit}", ylim=(0, None))
    return figure
