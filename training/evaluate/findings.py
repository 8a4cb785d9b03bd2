"""What an evaluation is asked and what it finds, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from experiments.ope import Diagnostics, Estimate, Trust
from nba.errors import NotEnoughData
from training.evaluate.contenders import Contender
from training.policy.left_out import LeftOut

Floats = NDArray[np.float64]
Found = Mapping[str, Estimate | NotEnoughData]

ESTIMATORS = ("dr", "snips", "ips", "sndr", "mips")
GROUPS = ("treatment", "random_eligible", "all")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How to value.

    Attributes:
        group: whose decisions; `all` is both groups that are acted upon.
        embedding: what `mips` takes as alike, of `EMBEDDINGS`.
        against: a contender's name; the others are compared with it, row by row.
    """

    estimators: tuple[str, ...] = ESTIMATORS
    against: str | None = None
    group: str = "treatment"
    embedding: str = "action+channel"
    folds: int = 3
    level: float = 0.95
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Valued:
    """One policy.

    Attributes:
        rows: decisions it was judged on.
        since, until: the first and the last of them, epoch seconds; None with no rows.
        found: by estimator, an estimate per decision or why there is none.
        overlap, trust, weight: None with no rows; weight is (rows,) importance weights.
    """

    contender: Contender
    rows: int
    since: float | None
    until: float | None
    found: Found
    overlap: Diagnostics | None
    trust: Trust | None
    weight: Floats | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """The paired difference of a policy and `against`, on the rows that may judge both."""

    name: str
    against: str
    rows: int
    found: Found


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What an evaluation found.

    Attributes:
        arms: their names, k.
        mature: decisions of the group whose rewards are mature.
        immature: decisions that are not mature yet, of all that may learn or judge.
        left_out: decisions of the store that have no arm in the playbook of now.
        model: why there are no predicted rewards, "" where there are.
    """

    playbook: str
    currency: str
    as_of: float
    settings: Settings
    arms: tuple[str, ...]
    mature: int
    immature: int
    left_out: LeftOut
    model: str
    valued: tuple[Valued, ...]
    compared: tuple[Compared, ...]
