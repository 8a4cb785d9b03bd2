"""Labelled sets as bandit tasks. Reads and shuffles; knows no columns of a model and no policy.

A context is what the encoder of the engine takes: a number as it is, a category as its index, NaN where
not known. Strings that name more than half of the rows apart are names of rows, and are left out.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

import nba
from nba.errors import InvalidInput
from nba.playbook.declaration import Feature, FeatureSchema
from nba.policies.policy import Floats, Ints

FOLDER = "bakeoff-classification"
_LABEL = "label"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Task:
    """n labelled contexts.

    Attributes:
        schema: of the F features.
        features: (n, F), NaN where not known.
        label: (n,) the arm whose reward is 1; all others' is 0.
        arms: how many there are, k.
    """

    name: str
    schema: FeatureSchema
    features: Floats
    label: Ints
    arms: int

    def __len__(self) -> int:
        return len(self.label)

    def shuffled(self, seed: int, rows: int | None = None) -> Task:
        """The first `rows` of the order drawn from `seed`."""
        order = np.random.default_rng(seed).permutation(len(self))[:rows]
        return Task(
            name=self.name,
            schema=self.schema,
            features=self.features[order],
            label=self.label[order],
            arms=self.arms,
        )


def data_folder() -> Path:
    """Where the public data sets lie: `NBA_DATA_DIR`, by default ../shared/data beside the checkout."""
    beside = Path(nba.__file__).parents[1].parent / "shared" / "data"
    return Path(os.environ.get("NBA_DATA_DIR", beside))


def names(folder: Path) -> list[str]:
    """The sets in a folder of Parquet files.

    Raises:
        InvalidInput: there are none.
    """
    found = sorted(path.stem for path in folder.glob("*.parquet"))
    if not found:
        raise InvalidInput.of("NBA_DATA_DIR", f"there are no Parquet files in {folder}")
    return found


def read(path: Path) -> Task:
    """One Parquet file whose column `label` is the class."""
    return of_frame(path.stem, pl.read_parquet(path), _LABEL)


def of_frame(name: str, frame: pl.DataFrame, label: str) -> Task:
    """A table with one column of labels."""
    labels = frame[label].cast(pl.String)
    classes = labels.unique().sort().to_list()
    features, columns = [], []
    for column in frame.drop(label).iter_columns():
        if column.dtype in (pl.String, pl.Boolean):
            text = column.cast(pl.String)
            categories = text.drop_nulls().unique().sort().to_list()
            if 2 * len(categories) > len(text):
                continue
            features.append(category(column.name, tuple(categories)))
            columns.append(_positions(text, categories))
        else:
            features.append(number(column.name))
            columns.append(column.cast(pl.Float64).fill_null(float("nan")).to_numpy())
    return Task(
        name=name,
        schema=schema(features),
        features=np.column_stack(columns),
        label=_positions(labels, classes).astype(np.int64),
        arms=len(classes),
    )


def of_numbers(name: str, X: Floats, label: Ints) -> Task:
    """(n, F) numbers and (n,) labels 0 … k − 1."""
    features = [number(f"x{i}") for i in range(X.shape[1])]
    return Task(
        name=name,
        schema=schema(features),
        features=X.astype(np.float64),
        label=label.astype(np.int64),
        arms=int(label.max()) + 1,
    )


def number(name: str) -> Feature:
    return Feature(name=name, kind="number", group="context")


def category(name: str, categories: tuple[str, ...]) -> Feature:
    return Feature(name=name, kind="category", group="context", categories=categories)


def schema(features: list[Feature]) -> FeatureSchema:
    return FeatureSchema(features=tuple(features), types=(), channels=(), actions=(), windows=())


def _positions(text: pl.Series, among: list[str]) -> Floats:
    position = {value: float(i) for i, value in enumerate(among)}
    return np.array([float("nan") if value is None else position[value] for value in text])
