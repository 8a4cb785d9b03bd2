"""What customers said, from the history: answers with features of the moment before, and texts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from experiments.report.feedback.heard import Heard
from experiments.report.feedback.stored import numbered, text_of
from nba.features import history
from nba.features.rows import stage_of
from nba.journey.scores import ScoreModels
from nba.playbook.compile import Playbook
from nba.playbook.declaration import Feature, FeatureSchema
from nba.playbook.feedback import SURVEYS
from nba.playbook.feedback import TEXTS as WITH_TEXT
from training.propensity.dataset import feature_rows

Floats = NDArray[np.float64]
_GIVEN = pl.Schema(
    {"customer": pl.String, "survey": pl.String, "channel": pl.String, "value": pl.Float64, "at": pl.Float64}
)
_SAID = pl.Schema({"customer": pl.String, "type": pl.String, "text": pl.String, "at": pl.Float64})


def listen(
    playbook: Playbook,
    directory: Path,
    *,
    since: float,
    as_of: float,
    scores: ScoreModels | None = None,
    hear: Callable[[str], None] = lambda _: None,
) -> Heard:
    """Answers and texts of since ≤ time < as_of, from a history on disk.

    Args:
        scores: what is published, for stages and facts that ask for scores.

    Raises:
        InvalidInput: a touchpoint's value is no number.
    """
    given, said, features = [pl.DataFrame(schema=_GIVEN)], [pl.DataFrame(schema=_SAID)], []
    for bucket, rows in history.each_bucket(directory):
        hear(f"reading what was said, {bucket + 1} of {history.BUCKETS}")
        events = rows.filter(_seconds() < as_of).collect()
        own = events.filter(pl.col("type").is_in([*SURVEYS, *WITH_TEXT]), _seconds() >= since)
        answers = own.filter(pl.col("type").is_in(list(SURVEYS)))
        said.append(pl.DataFrame(list(_texts(own)), schema=_SAID, orient="row"))
        if len(answers):
            given.append(_given(answers))
            moments = answers.select("customer_id", pl.col("occurred_at").alias("at"))
            known = events.filter(pl.col("customer_id").is_in(moments["customer_id"].unique().to_list()))
            features.append(feature_rows(playbook, known, moments))
    answers, texts = pl.concat(given), pl.concat(said)
    X = np.concatenate(features) if features else np.empty((0, len(playbook.schema)))
    return _heard(playbook, answers, texts, _filled(playbook, X, scores))


def _seconds() -> pl.Expr:
    return pl.col("occurred_at").dt.epoch("us") / 1e6


def _given(answers: pl.DataFrame) -> pl.DataFrame:
    columns = {"customer": "customer_id", "survey": "type", "channel": "channel", "value": "value"}
    return answers.select(
        *(pl.col(column).alias(name) for name, column in columns.items()), _seconds().alias("at")
    )


def _texts(rows: pl.DataFrame) -> Iterator[tuple[str, str, str, float]]:
    texts = rows.filter(pl.col("type").is_in(list(WITH_TEXT)) & pl.col("properties").is_not_null())
    for customer, type, properties, at in texts.select(
        "customer_id", "type", "properties", _seconds()
    ).iter_rows():
        text = text_of(properties)
        if text is not None:
            yield customer, type, text, at


def _filled(playbook: Playbook, X: Floats, scores: ScoreModels | None) -> Floats:
    """With scores and stage, as in serving."""
    schema = playbook.schema
    if scores is not None:
        X[:, [schema.index[name] for name in scores.names]] = scores.scores(X)
    X[:, schema.index["stage"]] = stage_of(playbook.stage_rules, X)
    return X


def _heard(playbook: Playbook, answers: pl.DataFrame, texts: pl.DataFrame, X: Floats) -> Heard:
    plain = numbered(answers, texts)
    return replace(
        plain,
        splits={**_splits(playbook.schema, X), **plain.splits},
        facts=_facts(playbook.schema, X),
    )


def _splits(schema: FeatureSchema, X: Floats) -> dict[str, pl.Series]:
    """Stage, and every category and yes-or-no that the playbook lists of a customer."""
    shown = [(i, f) for i, f in enumerate(schema.features) if f.kind != "number" and f.group != "context"]
    shown.sort(key=lambda pair: pair[1].group != "stage")
    return {
        f.name: pl.Series([_word(f, value) for value in X[:, i].tolist()], dtype=pl.String) for i, f in shown
    }


def _word(feature: Feature, value: float) -> str | None:
    if np.isnan(value):
        return None
    return feature.categories[int(value)] if feature.kind == "category" else ("no", "yes")[int(value)]


def _facts(schema: FeatureSchema, X: Floats) -> dict[str, Floats]:
    """What a person can make sense of: how much of each touchpoint lately, how long since, age, scores."""
    found: dict[str, Floats] = {}
    for type in schema.types:
        if type in SURVEYS:
            continue  # an answer is not explained by answers
        found[f"{type} of late"] = X[:, schema.index[f"{type}_count_hl30"]]
        since = X[:, schema.index[f"days_since_{type}"]]
        found[f"days since {type}"] = np.where(np.isnan(since), np.inf, since)  # never is longest
    found["open tickets"] = X[:, schema.index["open_tickets"]]
    found["days as a customer"] = X[:, schema.index["tenure_days"]]
    for i, feature in enumerate(schema.features):
        if feature.kind == "number" and feature.group in ("attribute", "score"):
            found[feature.name] = X[:, i]
    return found
