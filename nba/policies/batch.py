"""What a learner learns from: decisions whose rewards are mature."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nba.errors import InvalidInput, NotEnoughData
from nba.policies.policy import Bools, Floats, Ints


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainingBatch:
    """n decisions, checked once.

    Attributes:
        features: (n, F) as they were when decided, in schema order, NaN where not known.
        arm: (n,) the arm drawn, an index into the playbook's arm table.
        reward: (n,) mature rewards, in the playbook's currency.
        propensity: (n,) odds at which the arm was drawn, in (0, 1].
        weight: (n,) how much each decision counts, above 0; None for 1 each.

    Raises:
        InvalidInput: shapes or ranges are wrong.
        NotEnoughData: fewer than two decisions.
    """

    features: Floats
    arm: Ints
    reward: Floats
    propensity: Floats
    eligible: Bools | None = None
    weight: Floats | None = None

    def __post_init__(self) -> None:
        n = len(self.features)
        if self.features.ndim != 2:
            raise InvalidInput.of("features", "must be (n, F)")
        columns = {"arm": self.arm, "reward": self.reward, "propensity": self.propensity}
        columns |= {"weight": self.weight} if self.weight is not None else {}
        for name, values in columns.items():
            if values.shape != (n,):
                raise InvalidInput.of(name, f"must be ({n},), one for each row of features")
        if n < 2:
            raise NotEnoughData("learning takes at least two decisions", {"decisions": n})
        _check("reward", np.isfinite(self.reward), "must be finite")
        _check("propensity", (self.propensity > 0) & (self.propensity <= 1), "must be in (0, 1]")
        _check("arm", self.arm >= 0, "must be an index into the arm table")
        if self.weight is not None:
            _check("weight", np.isfinite(self.weight) & (self.weight > 0), "must be finite and above 0")

    def __len__(self) -> int:
        return len(self.arm)

    @property
    def weights(self) -> Floats:
        """(n,) the weights, ones where there are none."""
        return np.ones(len(self)) if self.weight is None else self.weight

    def at(self, rows: Ints) -> TrainingBatch:
        """The decisions of these rows."""
        return TrainingBatch(
            features=self.features[rows],
            arm=self.arm[rows],
            reward=self.reward[rows],
            propensity=self.propensity[rows],
            eligible=None if self.eligible is None else self.eligible[rows],
            weight=None if self.weight is None else self.weight[rows],
        )


def _check(field: str, good: Bools, detail: str) -> None:
    if not good.all():
        raise InvalidInput.of(f"{field}[{int(np.argmin(good))}]", detail)
