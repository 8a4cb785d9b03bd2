"""A row of features, whole: state, attributes, request context, the moment, scores, stage.

One code for one customer and for a million; each column means what `nba/playbook/declaration.py` says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from nba.contact.timing import local_clock
from nba.features.state import States
from nba.journey.scores import ScoreModels
from nba.playbook.compile import Playbook
from nba.playbook.declaration import MOVES, Feature
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
    places = _places(playbook)
    X = np.empty((len(now), places.width))
    X[:, : places.state] = states.read(now)
    X[:, places.state :] = np.nan
    for told, rows in ((places.attribute, attributes), (places.context, context)):
        for i, row in enumerate(rows):
            for name, value in row.items():
                if name in told:
                    column, feature = told[name]
                    X[i, column] = code(feature, value)
    X[:, places.hour], X[:, places.weekday] = local_clock(now, zones)
    if scores is not None:
        X[:, places.score] = scores.scores(X)
    X[:, places.stage] = stage_of(playbook.stage_rules, X)
    if places.moves and scores is not None:
        X[:, places.moves] = moves(X[:, places.stage], scores.next_stage(X))
    return X


def moves(stage: Floats, following: Floats) -> Floats:
    """(n,) stages, (n, stages) odds of each stage to come → (n, 2) of one further up the list, of one further
    down; NaN where the stage is not known."""
    places = np.arange(following.shape[1])
    known = np.nan_to_num(stage)[:, None]
    odds = [np.where(side, following, 0.0).sum(axis=1) for side in (places < known, places > known)]
    unknown = np.isnan(stage) | np.isnan(following).any(axis=1)
    return np.where(unknown[:, None], np.nan, np.column_stack(odds))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Places:
    """Where the columns of each group stand; those that a caller tells by name, with their features."""

    width: int
    state: int
    attribute: Mapping[str, tuple[int, Feature]]
    context: Mapping[str, tuple[int, Feature]]
    hour: int
    weekday: int
    score: list[int]
    stage: int
    moves: list[int]


@lru_cache(maxsize=16)
def _places(playbook: Playbook) -> _Places:
    schema = playbook.schema
    features = list(enumerate(schema.features))
    return _Places(
        width=len(schema),
        state=len(schema.state_names),
        attribute={f.name: (i, f) for i, f in features if f.group == "attribute"},
        context={f.name: (i, f) for i, f in features if f.group == "context"},
        hour=schema.index["hour"],
        weekday=schema.index["weekday"],
        score=[i for i, f in features if f.group == "score"],
        stage=schema.index["stage"],
        moves=[schema.index[name] for name in MOVES] if playbook.spec.scores.stages else [],
    )


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
