"""Propensity and churn at serving time: boosted trees, a calibration, and nothing of how they were trained.

Models travel as one artefact of kind `scores`: the text of each booster, its calibration as plain
numbers, the features it reads by name, and test vectors which a reader must reproduce before it serves.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from nba.artefacts import Artefact, Manifest
from nba.errors import CorruptArtefact
from nba.playbook.declaration import FeatureSchema
from nba.trees import Trees

Floats = NDArray[np.float64]
Method = Literal["sigmoid", "isotonic", "temperature"]
KIND = "scores"
NEXT_STAGE = "next_stage"
TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """From the trees' raw margin to a probability.

    Attributes:
        method: `sigmoid` is 1 / (1 + exp(a·s + b)) with x = (a,), y = (b,) (Platt 1999);
            `isotonic` is linear between the thresholds (x, y) and flat outside (Zadrozny & Elkan 2002);
            `temperature` is softmax(βs) with x = (β,), y = () (Guo et al. 2017).
    """

    method: Method
    x: tuple[float, ...]
    y: tuple[float, ...]

    def apply(self, margin: Floats) -> Floats:
        """(n,) → (n,) probabilities of the positive; for `temperature` (n, c) → (n, c), rows sum to 1."""
        if self.method == "sigmoid":
            return np.asarray(expit(-(self.x[0] * margin + self.y[0])), dtype=np.float64)
        if self.method == "isotonic":
            return np.interp(margin, self.x, self.y)
        scaled = self.x[0] * margin
        odds = np.exp(scaled - scaled.max(axis=1, keepdims=True))
        return np.asarray(odds / odds.sum(axis=1, keepdims=True), dtype=np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreModel:
    """One trained score.

    Attributes:
        name: the score feature it fills, or `next_stage`.
        features: the features it reads, in the order of the booster's columns.
        classes: names of the classes, the positive last of two.
    """

    name: str
    features: tuple[str, ...]
    classes: tuple[str, ...]
    trees: Trees
    calibration: Calibration

    def probabilities(self, X: Floats) -> Floats:
        """(n, len(features)) → (n, len(classes)); rows sum to 1. A row does not depend on the others."""
        calibrated = self.calibration.apply(self.trees.predict(X, raw=True))
        return calibrated if calibrated.ndim == 2 else np.column_stack([1.0 - calibrated, calibrated])


class ScoreModels:
    """The scores of a playbook, ready to serve. Pure; a row's scores don't depend on the other rows."""

    def __init__(self, models: Sequence[ScoreModel], schema: FeatureSchema) -> None:
        """Raises KeyError where a model names a feature, score or stage the schema doesn't have."""
        self.models: Mapping[str, ScoreModel] = {model.name: model for model in models}
        self.names = tuple(f.name for f in schema.features if f.group == "score")
        self.stages = next(f.categories for f in schema.features if f.group == "stage")
        if unknown := set(self.models) - {*self.names, NEXT_STAGE}:
            raise KeyError(f"no score is named {sorted(unknown)[0]}")
        self._columns = {
            m.name: np.array([schema.index[f] for f in m.features], dtype=np.int64) for m in models
        }
        staged = self.models.get(NEXT_STAGE)
        self._stage_columns = [self.stages.index(c) for c in staged.classes] if staged else []

    def scores(self, features: Floats) -> Floats:
        """(n, F) in schema order → (n, scores) in [0, 1], in the order of `names`; NaN where no model is."""
        values = np.full((len(features), len(self.names)), np.nan)
        for column, name in enumerate(self.names):
            if name in self.models and len(features):
                X = features[:, self._columns[name]]
                values[:, column] = self.models[name].probabilities(X)[:, 1]
        return values

    def next_stage(self, features: Floats) -> Floats:
        """(n, F) → (n, stages) probability of each stage after the reward window.

        Rows sum to 1; a stage that training never saw has 0. All NaN without a model.
        """
        if NEXT_STAGE not in self.models:
            return np.full((len(features), len(self.stages)), np.nan)
        values = np.zeros((len(features), len(self.stages)))
        if len(features):
            X = features[:, self._columns[NEXT_STAGE]]
            values[:, self._stage_columns] = self.models[NEXT_STAGE].probabilities(X)
        return values


def seal_scores(
    models: Sequence[ScoreModel],
    schema: FeatureSchema,
    playbook: str,
    probes: Floats,
    *,
    data_from: float | None = None,
    data_to: float | None = None,
    rows: int = 0,
    parameters: dict[str, Any] | None = None,
) -> Artefact:
    """Put trained models into an artefact, with what they answer on `probes` (m, F), made-up rows.

    `playbook` is its fingerprint; the interval and the rows are those of the training data.
    """
    ready = ScoreModels(models, schema)
    manifest = Manifest(
        kind=KIND,
        specification="lightgbm",
        playbook=playbook,
        features=schema.basis,
        data_from=data_from,
        data_to=data_to,
        rows=rows,
        parameters=parameters or {},
    )
    files = {f"{m.name}.txt": m.trees.text.encode() for m in models}
    files["models.json"] = json.dumps([_described(m) for m in models], indent=1, allow_nan=False).encode()
    files["probes.npy"] = _to_npy(probes)
    files["answers.npy"] = _to_npy(_answers(ready, probes))
    return Artefact.of(manifest, files)


def unseal_scores(artefact: Artefact, schema: FeatureSchema) -> ScoreModels:
    """The models of an artefact, once they have reproduced its test vectors.

    Raises:
        CorruptArtefact: another kind, another feature schema, unreadable files, or other answers.
    """
    if artefact.manifest.kind != KIND:
        raise CorruptArtefact(f"this is an artefact of kind {artefact.manifest.kind!r}, not {KIND!r}")
    if artefact.manifest.features != schema.basis:
        raise CorruptArtefact("the scores were trained on other features than the playbook declares; train")
    try:
        models = [_restored(entry, artefact.files) for entry in json.loads(artefact.files["models.json"])]
        ready = ScoreModels(models, schema)
        probes, answers = (_from_npy(artefact.files[f"{name}.npy"]) for name in ("probes", "answers"))
        agree = np.allclose(_answers(ready, probes), answers, rtol=0, atol=TOLERANCE, equal_nan=True)
    except (KeyError, ValueError, TypeError, IndexError, EOFError) as error:
        raise CorruptArtefact(f"the scores can't be read: {error}") from None
    if not agree:
        raise CorruptArtefact("the scores don't reproduce the test vectors stored with them")
    return ready


def _answers(models: ScoreModels, probes: Floats) -> Floats:
    return np.hstack([models.scores(probes), models.next_stage(probes)])


def _described(model: ScoreModel) -> dict[str, Any]:
    calibration = model.calibration
    return {
        "name": model.name,
        "features": model.features,
        "classes": model.classes,
        "calibration": {"method": calibration.method, "x": calibration.x, "y": calibration.y},
    }


def _restored(entry: Mapping[str, Any], files: Mapping[str, bytes]) -> ScoreModel:
    calibration = entry["calibration"]
    if calibration["method"] not in ("sigmoid", "isotonic", "temperature"):
        raise ValueError(f"there is no calibration {calibration['method']!r}")
    return ScoreModel(
        name=entry["name"],
        features=tuple(entry["features"]),
        classes=tuple(entry["classes"]),
        trees=Trees(files[f"{entry['name']}.txt"].decode()),
        calibration=Calibration(
            method=calibration["method"], x=tuple(calibration["x"]), y=tuple(calibration["y"])
        ),
    )


def _to_npy(values: Floats) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(values, dtype=np.float64), allow_pickle=False)
    return buffer.getvalue()


def _from_npy(data: bytes) -> Floats:
    return np.asarray(np.load(io.BytesIO(data), allow_pickle=False), dtype=np.float64)
