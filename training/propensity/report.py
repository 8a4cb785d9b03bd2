"""One trained model as one MLflow run: parameters, data fingerprint, metrics, curves, the model itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from matplotlib.figure import Figure

from experiments.tracking import Tracker, fingerprint
from nba.model import timestamp
from training.propensity import metrics
from training.propensity.fit import LEAST, Fitted
from training.propensity.table import Table

MOST_BARS = 20
NEWEST = "newest"
SLICES = 6


def log_fitted(
    tracker: Tracker,
    experiment: str,
    fitted: Fitted,
    table: Table,
    params: Mapping[str, Any] | None = None,
    tags: Mapping[str, str] | None = None,
    register: str | None = None,
    *,
    ordered: bool = False,
) -> str:
    """Log a model under `experiment` and return the run's id.

    Features go by name and figure: no customer's row, id or attribute leaves. With `register` the model
    becomes a version of that name in MLflow's registry, which the alias `newest` then points at. Times are
    written as moments, or with `ordered`, where a row's place stands for its time, as places.

    Raises:
        StoreUnavailable: MLflow can't be reached.
    """
    described = {
        **fitted.parameters,
        "allow_leaks": ",".join(fitted.parameters["allow_leaks"]),
        "features": len(table.names),
        "rows": len(table),
        "data_fingerprint": data_fingerprint(table),
        **_interval(table, ordered=ordered),
        **(params or {}),
    }
    tags = {**(tags or {}), "data": described["data_fingerprint"]}
    slices = over_time(fitted)
    with tracker.run(experiment, fitted.model.name, described, tags) as run:
        run.log_metrics(fitted.metrics)
        for step, figures in enumerate(slices, start=1):
            run.log_metrics({f"over_time.{name}": value for name, value in figures.items()}, step=step)
        if slices:
            run.log_table(_dated(slices, ordered=ordered), "over_time.json")
        run.log_table(fitted.reliability, "reliability.json")
        run.log_figure(reliability_figure(fitted), "reliability.png")
        run.log_dict({"features": table.names, "categorical": table.categorical}, "features.json")
        run.log_dict(fitted.shap, "shap.json")
        run.log_figure(shap_figure(fitted), "shap.png")
        if fitted.explained:
            run.log_dict(fitted.explained, "explained_alone.json")
        run.log_sklearn_model(
            fitted.estimator, table.names, len(table.classes), register, register and NEWEST
        )
        return run.run_id


def data_fingerprint(table: Table) -> str:
    """SHA-256 of the labelled rows in any order: features, class, time and customer."""
    columns = [pl.Series(name, table.X[:, i]) for i, name in enumerate(table.names)]
    columns.append(pl.Series("class of row", table.y))
    if table.at is not None:
        columns.append(pl.Series("time of row", table.at))
    if table.customer is not None:
        columns.append(pl.Series("customer of row", table.customer.tolist(), dtype=pl.String))
    return fingerprint(pl.DataFrame(columns))


def over_time(fitted: Fitted) -> list[dict[str, float]]:
    """The metrics on stretches of the test's time, oldest first: whether the model wears out.

    Equally long; those with fewer than ten rows of a class are left out. Empty where rows have no time.
    """
    if fitted.at is None:
        return []
    edges = np.linspace(fitted.at.min(), fitted.at.max(), SLICES + 1)
    place = np.clip(np.searchsorted(edges, fitted.at, side="right") - 1, 0, SLICES - 1)
    found = []
    for number in range(SLICES):
        y, p = fitted.actual[place == number], fitted.predicted[place == number]
        if min(y.sum(), len(y) - y.sum()) < LEAST:
            continue
        stretch = {"from": float(edges[number]), "to": float(edges[number + 1])}
        found.append(stretch | metrics.binary(y, p))
    return found


def reliability_figure(fitted: Fitted) -> Figure:
    """What was predicted against what came, in bins of equal mass; the diagonal is honesty."""
    figure = Figure(figsize=(5, 5), layout="constrained")
    axes = figure.subplots()
    predicted = [b["predicted"] for b in fitted.reliability]
    observed = [b["observed"] for b in fitted.reliability]
    top = max(*predicted, *observed, 1e-6) * 1.05
    axes.plot([0, top], [0, top], linestyle="--", color="grey", linewidth=1)
    axes.plot(predicted, observed, marker="o")
    axes.set(
        xlabel="predicted", ylabel="observed", title=f"{fitted.model.name}: reliability on the test rows"
    )
    return figure


def shap_figure(fitted: Fitted) -> Figure:
    """Mean |SHAP| of the features that weigh most."""
    names = list(fitted.shap)[:MOST_BARS][::-1]
    figure = Figure(figsize=(7, 1 + 0.28 * len(names)), layout="constrained")
    axes = figure.subplots()
    axes.barh(np.arange(len(names)), [fitted.shap[name] for name in names])
    axes.set_yticks(np.arange(len(names)), names)
    axes.set(xlabel="mean |SHAP| on the margin", title=fitted.model.name)
    return figure


def _interval(table: Table, *, ordered: bool) -> dict[str, Any]:
    if table.at is None:
        return {}
    (interval,) = _dated([{"from": float(table.at.min()), "to": float(table.at.max())}], ordered=ordered)
    return {f"data_{end}": at for end, at in interval.items()}


def _dated(rows: list[dict[str, float]], *, ordered: bool) -> list[dict[str, Any]]:
    """With `from` and `to` as a person reads them: seconds since 1970 tell nobody anything."""
    if ordered:
        return list(rows)
    return [{**row, "from": timestamp(row["from"] // 1), "to": timestamp(row["to"] // 1)} for row in rows]
