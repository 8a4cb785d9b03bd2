"""What `nba train` does: read, train, log to MLflow, write the artefact. The shell around the pure steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from experiments.tracking import Tracker
from nba.artefacts import Artefacts
from nba.errors import InvalidInput
from nba.journey.scores import NEXT_STAGE
from nba.model import timestamp
from nba.playbook.compile import load
from nba.playbook.schema import DAY
from training.propensity.dataset import dataset
from training.propensity.fit import Fitted, Settings, fit_classifier
from training.propensity.report import log_fitted
from training.propensity.scores import horizon_of, seal, train_scores
from training.propensity.splits import split_of
from training.propensity.table import from_frame

ORDER = "order of rows"
Hear = Callable[[str], None]


def silent(step: str) -> None:
    """Hear of a step and do nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A plain table and how to read it.

    Attributes:
        label: the column to predict; `positive` its value that counts, needless for yes and no.
        time: a column to split by; or with `ordered` the rows' own order.
        customer: a column to split by where there is no time; no part shares a customer.
        gap: the label's horizon: days, or rows with `ordered`.
    """

    path: Path
    label: str
    positive: str | None = None
    drop: tuple[str, ...] = ()
    time: str | None = None
    ordered: bool = False
    customer: str | None = None
    gap: float = 0.0


def train_history(
    playbook: Path,
    history: Path,
    as_of: float,
    artefacts: Path,
    settings: Settings,
    seed: int = 0,
    hear: Hear = silent,
    publish: Hear = silent,
    force: bool = False,
) -> dict[str, Any]:
    """Train all scores of a playbook: {"models": name → metrics, "skipped", "rows", "version", "no_better":
    name → sentence, "published"}.

    `hear` is told each step; `publish` the artefact's version, once it is written and all is logged, but not
    where a score that the playbook declares is no better than its base rate, unless with `force`.

    Raises:
        InvalidInput: the playbook is wrong, or a feature alone explains a target.
        NotEnoughData: the history carries none of the scores.
        StoreUnavailable: MLflow can't be reached, or the artefact can't be written.
    """
    loaded = load(playbook)
    hear("reading the history")
    data = dataset(loaded, history, as_of, seed=seed)
    trained = train_scores(loaded, data, settings, seed, hear)
    hear("logging to MLflow")
    artefact = seal(loaded, trained, data, seed)
    tags, tracker = {"playbook": loaded.version, "artefact": artefact.version}, Tracker()
    for name, fitted in trained.fitted.items():
        params = {"horizon_days": horizon_of(loaded, name) / DAY, "as_of": timestamp(as_of // 1)}
        register = f"{loaded.spec.name}-{name}"
        log_fitted(tracker, experiment_of(name), fitted, trained.tables[name], params, tags, register)
    version = Artefacts(artefacts).write(artefact)
    warned = no_better(trained.fitted)
    published = force or not warned.keys() - {NEXT_STAGE}
    if published:
        publish(version)
    return {
        "models": {name: fitted.metrics for name, fitted in trained.fitted.items()},
        "skipped": dict(trained.skipped),
        "rows": len(data.at),
        "version": version,
        "no_better": warned,
        "published": published,
    }


def no_better(fitted: Mapping[str, Fitted]) -> dict[str, str]:
    """The models whose log loss on the test rows is no lower than that of the base rates, and by how much."""
    found = {name: model.metrics for name, model in fitted.items()}
    return {
        name: f"its log loss of {m['log_loss']:.4f} is no better than the {m['base_log_loss']:.4f} that the "
        f"base rate alone reaches, on {m['rows']:,.0f} test rows"
        for name, m in found.items()
        if m["log_loss"] >= m["base_log_loss"]
    }


def train_table(
    source: Source, experiment: str, settings: Settings, seed: int = 0, hear: Hear = silent
) -> dict[str, Any]:
    """Train one model on a plain table: {"models": name → metrics, "ignored": columns left out}.

    Raises:
        InvalidInput: the file or a column is wrong, or a feature alone explains the target.
        NotEnoughData: too few rows of a class.
    """
    hear(f"reading {source.path.name}")
    frame = read_table(source.path)
    if source.ordered:
        frame = frame.with_row_index(ORDER)
    time = ORDER if source.ordered else source.time
    table = from_frame(frame, source.label, source.positive, source.drop, time=time, customer=source.customer)
    gap = source.gap if source.ordered else source.gap * DAY
    hear(f"training {source.label}")
    fitted = fit_classifier(
        source.label, table, split_of(table, gap, seed, rows=source.ordered), settings, seed
    )
    hear("logging to MLflow")
    log_fitted(Tracker(), experiment, fitted, table, {"source": source.path.name}, ordered=source.ordered)
    return {
        "models": {source.label: fitted.metrics},
        "ignored": list(table.ignored),
        "rows": len(table),
        "no_better": no_better({source.label: fitted}),
    }


def experiment_of(score: str) -> str:
    """The MLflow experiment of a score: `propensity` for all propensities, else the score's own name."""
    return "propensity" if score.startswith("propensity_") else score


def read_table(path: Path) -> pl.DataFrame:
    """A CSV or Parquet file. Raises InvalidInput where it can't be read."""
    try:
        if path.suffix == ".parquet":
            return pl.read_parquet(path)
        return pl.read_csv(path, try_parse_dates=True, infer_schema_length=None)
    except (OSError, pl.exceptions.PolarsError) as error:
        reason = (str(error).splitlines() or ["unknown"])[0]
        raise InvalidInput.of("table", f"can't be read: {reason}", source=str(path)) from None
