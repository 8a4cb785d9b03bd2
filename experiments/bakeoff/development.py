"""The tasks on which our default setting was chosen: none of them is among the sets it is judged on.

Four sets of scikit-learn, three others of the data folder (who churned, who bought, who subscribed), and
five simulated tasks: clusters in space, rules over categories, symptoms of diagnoses with gaps, and
mixtures with even and with rare classes. Knows no policy.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from experiments.bakeoff.tasks import Task, category, data_folder, of_frame, of_numbers, schema
from nba.policies.policy import Floats, Ints

_LIBRARY = ("digits", "wine", "breast_cancer", "iris")
# name, file, label
_PUBLIC = (
    ("telco", "telco-churn/telco_churn.parquet", "Churn"),
    ("shoppers", "online-shoppers/online_shoppers_intention.parquet", "Revenue"),
    ("bank", "bank-marketing/bank_full.parquet", "y"),
)
_SYMPTOMS, _DIAGNOSES = 30, 15


def development() -> list[Task]:
    """All of them. Raises FileNotFoundError where the data folder lacks one."""
    public = [_of_folder(*where) for where in _PUBLIC]
    return [*(_of_library(name) for name in _LIBRARY), *public, *simulated(seed=5)]


def simulated(seed: int) -> list[Task]:
    """The five simulated tasks; another seed gives other tasks of the same kinds."""
    return [_clusters(seed), _rules(seed), _diagnosis(seed), _mixed(seed), _rare(seed)]


def _of_library(name: str) -> Task:
    from sklearn import datasets

    bunch = getattr(datasets, f"load_{name}")()
    return of_numbers(name, bunch.data, bunch.target)


def _of_folder(name: str, path: str, label: str) -> Task:
    return of_frame(name, pl.read_parquet(data_folder() / path), label)


def _clusters(seed: int, n: int = 6_000) -> Task:
    """20 classes of two clusters each in 12 dimensions."""
    rng = np.random.default_rng(seed)
    centre, cluster = rng.normal(size=(40, 12)), rng.integers(40, size=n)
    return of_numbers("clusters", 1.3 * centre[cluster] + rng.normal(size=(n, 12)), cluster // 2)


def _rules(seed: int, n: int = 4_000) -> Task:
    """Four classes that follow from seven categories by a few rules, without noise."""
    rng = np.random.default_rng(seed)
    c = np.column_stack([rng.integers(size, size=n) for size in rng.integers(2, 5, size=7)])
    points = c[:, 0] * (c[:, 1] > 0) + c[:, 2] + 2 * (c[:, 3] == 1) - 2 * (c[:, 4] == 0) * (c[:, 5] > 0)
    return _of_categories("rules", c.astype(np.float64), np.digitize(points, [1, 2, 4]))


def _diagnosis(seed: int, n: int = 800) -> Task:
    """15 classes; each has a usual value of each symptom, seen in five cases of six or so; 8 % are gaps."""
    rng = np.random.default_rng(seed)
    usual, label = rng.integers(3, size=(_DIAGNOSES, _SYMPTOMS)), rng.integers(_DIAGNOSES, size=n)
    other = rng.integers(3, size=(n, _SYMPTOMS))
    c = np.where(rng.random(other.shape) < 0.75, usual[label], other).astype(np.float64)
    c[rng.random(c.shape) < 0.08] = np.nan
    return _of_categories("diagnosis", c, label)


def _mixed(seed: int) -> Task:
    from sklearn.datasets import make_classification

    X, label = make_classification(
        2_500, 18, n_informative=8, n_redundant=4, n_classes=5, class_sep=1.2, random_state=seed
    )
    return of_numbers("mixed", X, label)


def _rare(seed: int) -> Task:
    from sklearn.datasets import make_classification

    X, label = make_classification(
        3_500,
        10,
        n_informative=4,
        n_classes=4,
        n_clusters_per_class=1,
        weights=[0.88, 0.06, 0.04, 0.02],
        random_state=seed,
    )
    return of_numbers("rare", X, label)


def _of_categories(name: str, X: Floats, label: Ints) -> Task:
    sizes = np.nanmax(X, axis=0).astype(int) + 1
    features = [category(f"c{i}", tuple("abcde"[:size])) for i, size in enumerate(sizes)]
    return Task(
        name=name,
        schema=schema(features),
        features=X,
        label=label.astype(np.int64),
        arms=int(label.max()) + 1,
    )
