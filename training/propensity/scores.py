"""Train every score that a playbook declares, then the next stage.

A pure function of (playbook, dataset, settings, seed); where it is logged and stored is for the caller.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nba.artefacts import Artefact
from nba.errors import NotEnoughData
from nba.features.rows import stage_of
from nba.journey.scores import NEXT_STAGE, ScoreModels, seal_scores
from nba.playbook.compile import Playbook
from nba.playbook.declaration import FeatureSchema
from training.propensity.dataset import UNKNOWN, Dataset
from training.propensity.fit import LEAST, Fitted, Settings, fit_classifier
from training.propensity.splits import split_of
from training.propensity.table import Table

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
INPUTS = ("state", "attribute", "moment")
PROBES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """What one training made.

    Attributes:
        fitted: by score name, and `next_stage`.
        tables: the labelled rows of each.
        skipped: by name, why there is no model.
    """

    fitted: Mapping[str, Fitted]
    tables: Mapping[str, Table]
    skipped: Mapping[str, str]


def train_scores(
    playbook: Playbook,
    data: Dataset,
    settings: Settings = Settings(),
    seed: int = 0,
    progress: Callable[[str], None] = lambda name: None,
) -> Trained:
    """Train what the data carries; `progress` hears each name before it is trained.

    Raises:
        InvalidInput: a feature alone explains a target.
        NotEnoughData: the data carries none of the scores.
    """
    fitted: dict[str, Fitted] = {}
    tables: dict[str, Table] = {}
    skipped: dict[str, str] = {}

    def train(name: str, table: Table, horizon: float) -> None:
        progress(name)
        try:
            fitted[name] = fit_classifier(name, table, split_of(table, horizon, seed), settings, seed)
            tables[name] = table
        except NotEnoughData as error:
            skipped[name] = error.detail

    for name, label in data.labels.items():
        train(name, _table(playbook.schema, data, label, ("no", "yes")), horizon_of(playbook, name))
    stages, y = _next_stages(playbook, data, fitted)
    if len(stages) >= 2:
        train(NEXT_STAGE, _table(playbook.schema, data, y, stages), horizon_of(playbook, NEXT_STAGE))
    else:
        skipped[NEXT_STAGE] = f"customers are seen in fewer than two stages, {LEAST * 5} times each"
    if not fitted:
        raise NotEnoughData("; ".join(f"{name}: {reason}" for name, reason in skipped.items()))
    return Trained(fitted=fitted, tables=tables, skipped=skipped)


def horizon_of(playbook: Playbook, name: str) -> float:
    """Seconds ahead that a score looks; the next stage looks ahead by the reward window."""
    scores = playbook.spec.scores
    if name == NEXT_STAGE:
        return playbook.spec.objectives.window
    if name == "churn" and scores.churn is not None:
        return scores.churn.inactivity
    return scores.propensity[name.removeprefix("propensity_")].horizon


def seal(playbook: Playbook, trained: Trained, data: Dataset, seed: int = 0) -> Artefact:
    """The artefact that serves these models."""
    figures = {name: fitted.metrics for name, fitted in trained.fitted.items()}
    return seal_scores(
        [fitted.model for fitted in trained.fitted.values()],
        playbook.schema,
        playbook.fingerprint,
        _probes(data.X, seed),
        data_from=float(data.at.min()),
        data_to=data.until,
        rows=len(data.at),
        parameters={"metrics": figures, "skipped": dict(trained.skipped)},
    )


def _table(schema: FeatureSchema, data: Dataset, label: Ints, classes: tuple[str, ...]) -> Table:
    """The labelled rows, with the features that a score may read: not context, which history doesn't have,
    nor scores and stage, which are computed from scores."""
    rows = np.flatnonzero(label != UNKNOWN)
    used = [i for i, f in enumerate(schema.features) if f.group in INPUTS]
    return Table(
        X=data.X[rows][:, used],
        names=tuple(schema.names[i] for i in used),
        y=label[rows],
        classes=classes,
        categorical=tuple(schema.names[i] for i in used if schema.features[i].kind == "category"),
        at=data.at[rows],
        customer=data.customer[rows],
    )


def _next_stages(
    playbook: Playbook, data: Dataset, fitted: Mapping[str, Fitted]
) -> tuple[tuple[str, ...], Ints]:
    """The stages that are common enough, and each moment's stage after the window as an index into them.

    Stages may ask for scores, so the scores just trained are filled in first, as in serving.
    """
    schema = playbook.schema
    models = ScoreModels([f.model for f in fitted.values()], schema)
    covered = np.flatnonzero(~np.isnan(data.later[:, schema.index["hour"]]))
    later = data.later[covered]
    later[:, [schema.index[name] for name in models.names]] = models.scores(later)
    stage = stage_of(playbook.stage_rules, later)
    common = [s for s in range(len(playbook.spec.stages)) if (stage == s).sum() >= 5 * LEAST]
    y = np.full(len(data.at), UNKNOWN, dtype=np.int64)
    for index, s in enumerate(common):
        y[covered[stage == s]] = index
    return tuple(playbook.spec.stages[s].name for s in common), y


def _probes(X: Floats, seed: int) -> Floats:
    """Made-up rows over the range of the data, some values missing: test vectors of no real customer."""
    rng = np.random.default_rng(seed)
    known = ~np.isnan(X).all(axis=0)
    low, high = np.zeros(X.shape[1]), np.ones(X.shape[1])
    low[known], high[known] = np.nanmin(X[:, known], axis=0), np.nanmax(X[:, known], axis=0)
    rows = low + rng.random((PROBES, X.shape[1])) * (high - low)
    whole = known & (np.nan_to_num(X) == np.round(np.nan_to_num(X))).all(axis=0)
    rows[:, whole] = np.round(rows[:, whole])
    rows[rng.random(rows.shape) < 0.1] = np.nan
    return rows
