"""Fit one calibrated classifier: a pure function of (table, split, settings, seed)."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from nba import trees
from nba.errors import NotEnoughData
from nba.journey.scores import Calibration, ScoreModel
from nba.trees import Trees
from training.propensity import leakage, metrics
from training.propensity.margin import calibrated
from training.propensity.splits import Split
from training.propensity.table import Table

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
LEAST = 10
SHAP_ROWS = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How the trees grow and what calibrates them. `tune` searches these; the defaults are cautious.

    Attributes:
        calibration: of two classes; more are calibrated by temperature.
        patience: rounds without a better log loss on the validation rows before growing stops.
        allow_leaks: features that may explain the target alone.
    """

    learning_rate: float = 0.05
    leaves: int = 15
    least_in_leaf: int = 40
    feature_share: float = 0.8
    row_share: float = 0.8
    ridge: float = 1.0
    most_trees: int = 2_000
    patience: int = 50
    calibration: Literal["sigmoid", "isotonic"] = "sigmoid"
    allow_leaks: tuple[str, ...] = ()

    def of_trees(self, seed: int) -> dict[str, Any]:
        """The same in LightGBM's words."""
        return {
            "learning_rate": self.learning_rate,
            "num_leaves": self.leaves,
            "min_child_samples": self.least_in_leaf,
            "colsample_bytree": self.feature_share,
            "subsample": self.row_share,
            "subsample_freq": 1,
            "reg_lambda": self.ridge,
            "n_estimators": self.most_trees,
            "random_state": seed,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """A trained model and what the test rows say of it.

    Attributes:
        model: what serves.
        estimator: the same as scikit-learn's calibrated classifier, for MLflow.
        metrics: by name, on the test rows, which nothing was tuned on.
        reliability: the reliability curve on the test rows; of more than two classes, of the top one.
        shap: mean |SHAP| of each feature on the margin, most first (TreeSHAP, Lundberg et al. 2020).
        explained: the share of the target that each feature alone explains; empty for more classes.
        predicted, actual: (test rows,) probability of the positive, or of the top class, and whether it came.
        at: (test rows,) their times; None where the table has none.
        parameters: settings, split and sizes, for the reader.
    """

    model: ScoreModel
    estimator: Any
    metrics: dict[str, float]
    reliability: list[dict[str, Any]]
    shap: dict[str, float]
    explained: dict[str, float]
    predicted: Floats
    actual: Ints
    at: Floats | None = None
    parameters: dict[str, Any] = field(default_factory=dict)


def fit_classifier(
    name: str,
    table: Table,
    split: Split,
    settings: Settings = Settings(),
    seed: int = 0,
) -> Fitted:
    """Grow trees on the training rows, stop and calibrate them on the validation rows, judge on the test.

    Raises:
        InvalidInput: a feature alone explains the target (two classes), by name.
        NotEnoughData: a part of the split has fewer than `LEAST` rows of a class.
    """
    _enough(table, split)
    train, validation, test = (table.take(rows) for rows in (split.train, split.validation, split.test))
    explained = leakage.guard(train, settings.allow_leaks) if len(table.classes) == 2 else {}
    booster, rounds = _grow(train, validation, settings, seed)
    method = settings.calibration if len(table.classes) == 2 else "temperature"
    estimator, calibration = calibrated(booster.text, len(table.classes), validation.X, validation.y, method)
    model = ScoreModel(
        name=name, features=table.names, classes=table.classes, trees=booster, calibration=calibration
    )
    p = model.probabilities(test.X)
    predicted, actual = _judged(p, test.y)
    base = np.bincount(train.y, minlength=len(table.classes)) / len(train)
    binary = len(table.classes) == 2
    return Fitted(
        model=model,
        estimator=estimator,
        metrics=metrics.binary(test.y, predicted) if binary else metrics.multiclass(test.y, p, base),
        reliability=metrics.reliability(actual, predicted),
        shap=_shap(booster, test, seed),
        explained=explained,
        predicted=predicted,
        actual=actual,
        at=test.at,
        parameters={**asdict(settings), "seed": seed, "trees": rounds, **_sizes(split, calibration)},
    )


def _grow(train: Table, validation: Table, settings: Settings, seed: int) -> tuple[Trees, int]:
    classifier = trees.classifier(**settings.of_trees(seed))
    classifier.fit(
        train.X,
        train.y,
        eval_X=validation.X,
        eval_y=validation.y,
        categorical_feature=[train.names.index(name) for name in train.categorical],
        callbacks=[trees.early_stopping(settings.patience)],
    )
    rounds = int(classifier.best_iteration_)
    return Trees(classifier.booster_.model_to_string(num_iteration=rounds)), rounds


def _judged(p: Floats, y: Ints) -> tuple[Floats, Ints]:
    if p.shape[1] == 2:
        return p[:, 1], y
    return p.max(axis=1), (p.argmax(axis=1) == y).astype(np.int64)


def _shap(booster: Trees, test: Table, seed: int) -> dict[str, float]:
    rows = np.random.default_rng(seed).permutation(len(test))[:SHAP_ROWS]
    values = np.abs(booster.contributions(test.X[np.sort(rows)]))
    d = len(test.names)
    each = values.reshape(len(rows), -1, d + 1)[:, :, :d].sum(axis=1).mean(axis=0)
    return dict(sorted(zip(test.names, map(float, each), strict=True), key=lambda item: -item[1]))


def _sizes(split: Split, calibration: Calibration) -> dict[str, Any]:
    return {
        "split": split.kind,
        "gap": split.gap,
        "rows_train": len(split.train),
        "rows_validation": len(split.validation),
        "rows_test": len(split.test),
        "calibrated_by": calibration.method,
    }


def _enough(table: Table, split: Split) -> None:
    for part in ("train", "validation", "test"):
        counts = np.bincount(table.y[getattr(split, part)], minlength=len(table.classes))
        if counts.min() < LEAST:
            figures = {f"{part}_{c}": float(n) for c, n in zip(table.classes, counts, strict=True)}
            raise NotEnoughData(
                f"the {part} rows need {LEAST} of each class", figures | {"needed": float(LEAST)}
            )
