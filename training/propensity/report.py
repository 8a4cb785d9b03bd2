"""One trained model as one MLflow run: parameters, data fingerprint, metrics, curves, the model itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from matplotlib.figure import Figure

from experiments.tracking import Tracker, fingerprint
from training.propensity.fit import Fitted
from training.propensity.table import Table

MOST_BARS = 20
NEWEST = "newest"


def log_fitted(
    tracker: Tracker,
    experiment: str,
    fitted: Fitted,
    table: Table,
    params: Mapping[str, Any] | None = None,
    tags: Mapping[str, str] | None = None,
    register: str | None = None,
) -> str:
    """Log a model under `experiment` and return the run's id.

    Features go by name and figure: no customer's row, id or attribute leaves. With `register` the model
    becomes a version of that name in MLflow's registry, which the alias `newest` then points at.

    Raises:
        StoreUnavailable: MLflow can't be reached.
    """
    described = {
        **fitted.parameters,
        "allow_leaks": ",".join(fitted.parameters["allow_leaks"]),
        "features": len(table.names),
        "rows": len(table),
        "data_fingerprint": data_fingerprint(table),
        **_interval(table),
        **(params or {}),
    }
    with tracker.run(experiment, fitted.model.name, described, tags) as run:
        run.log_metrics(fitted.metrics)
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


def _interval(table: Table) -> dict[str, float]:
    if table.at is None:
        return {}
    return {"data_from": float(table.at.min()), "data_to": float(table.at.max())}
