"""A row of features, whole: state, attributes, request context, the moment, scores, stage.

One code for one customer and for a million; each column means what `nba/playbook/declaration.py` says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from nba.contact.timing import local_clock
from nba.features.state import States
from nba.journey.scores import ScoreModels
from nba.playbook.compile import Playbook
from nba.playbook.declaration import Feature, FeatureSchema
from nba.playbook.rules import Rule

Floats = NDArray[np.float64]
_LARGEST = float(np.finfo(np.float64).max)


def assemble(
    playbook: Playbook,
    *,
    states: States,
    now: Floats,
    zones: Sequence[str],
    attributes: Sequence[Mapping[str, object]],
    context: Sequence[Mapping[str, object]],
    scores: ScoreModels | None,
) -> Floats:
    """Rows for n customers.

    Args:
        states: n feature states.
        now: (n,) epoch seconds.
        attributes, context: n mappings; what is absent, or of no known category, is NaN.
        scores: models that fill the score columns; None leaves them NaN.

    Returns:
        (n, F) in schema order.
    """
    schema = playbook.schema
    X = np.full((len(now), len(schema)), np.nan)
    X[:, : len(schema.state_names)] = states.read(now)
    for group, rows in (("attribute", attributes), ("context", context)):
        for column, feature in _columns(schema, group):
            X[:, column] = [code(feature, row.get(feature.name)) for row in rows]
    moment = dict(zip(("hour", "weekday"), local_clock(now, zones), strict=True))
    for column, feature in _columns(schema, "moment"):
        X[:, column] = moment[feature.name]
    if scores is not None:
        X[:, [column for column, _ in _columns(schema, "score")]] = scores.scores(X)
    X[:, schema.index["stage"]] = stage_of(playbook.stage_rules, X)
    return X


def stage_of(rules: Sequence[Rule], features: Floats) -> Floats:
    """(n, F) → (n,) index of the first stage rule that holds; NaN where none does."""
    stage = np.full(len(features), np.nan)
    for i, rule in reversed(list(enumerate(rules))):
        stage[rule.holds(features)] = i
    return stage


def code(feature: Feature, value: object) -> float:
    """One value as the number its column holds; NaN for what is missing or of the wrong kind."""
    if feature.kind == "category":
        known = isinstance(value, str) and value in feature.categories
        return float(feature.categories.index(str(value))) if known else np.nan
    if feature.kind == "boolean":
        return float(value) if isinstance(value, bool) else np.nan
    if isinstance(value, bool) or not isinstance(value, int | float):
        return np.nan
    return float(value) if -_LARGEST <= value <= _LARGEST else np.nan


def _columns(schema: FeatureSchema, group: str) -> list[tuple[int, Feature]]:
    return [(i, f) for i, f in enumerate(schema.features) if f.group == group]
