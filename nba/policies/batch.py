"""What a learner learns from: decisions whose rewards are mature."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nba.errors import InvalidInput, NotEnoughData
from nba.playbook.arms import ArmTable
from nba.policies.policy import Bools, Floats, Ints


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainingBatch:
    """n decisions, checked once.

    Attributes:
        features: (n, F) as they were when decided, in schema order, NaN where not known.
        arm: (n,) the arm drawn, an index into `arms`.
        reward: (n,) mature rewards, in the playbook's currency.
        propensity: (n,) odds at which the arm was drawn, in (0, 1].
        weight: (n,) how much each decision counts, above 0; None for 1 each.
        arms: the table that `arm` points into, as `extended` makes it of the playbook's; None for that one.

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
    arms: ArmTable | None = None

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
        if self.arms is not None:
            _check("arm", self.arm < len(self.arms), "must be an index into the arm table")
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
            arms=self.arms,
        )


def extended(base: ArmTable, rows: Sequence[tuple[ArmTable, int]]) -> tuple[ArmTable, Ints]:
    """One arm table for decisions each of which had further arms of its own.

    Args:
        rows: the table of each decision (`nba.playbook.catalogue.bring`) and the arm drawn in it.

    Returns:
        `base` with every distinct arm drawn beside its own (by name and features) after them, to learn
        from, not to choose from; and (n,) each decision's arm in it.

    Raises:
        InvalidInput: a table whose arm features are not those of `base`.
    """
    number: dict[tuple[str, int, int, bytes], int] = {}
    drawn: list[tuple[ArmTable, int]] = []
    found = np.empty(len(rows), dtype=np.int64)
    for i, (table, arm) in enumerate(rows):
        if table.feature_names != base.feature_names:
            raise InvalidInput.of(f"rows[{i}]", "is an arm table of another playbook")
        if arm < len(base):
            found[i] = arm
            continue
        name = table.actions[table.action[arm]]
        key = (name, int(table.channel[arm]), int(table.timing[arm]), table.features[arm].tobytes())
        if key not in number:
            number[key] = len(base) + len(drawn)
            drawn.append((table, arm))
        found[i] = number[key]
    return _joined(base, drawn), found


def _joined(base: ArmTable, drawn: Sequence[tuple[ArmTable, int]]) -> ArmTable:
    """`base` and single arms of other tables, of actions that `base` lacks."""
    if not drawn:
        return base
    names = [table.actions[table.action[arm]] for table, arm in drawn]
    actions = (*base.actions, *dict.fromkeys(names))
    position = {name: i for i, name in enumerate(actions)}
    columns: dict[str, Any] = {
        name: np.concatenate((getattr(base, name), [getattr(table, name)[arm] for table, arm in drawn]))
        for name in ("channel", "timing", "cost", "lever", "priority", "features")
    }
    action = np.concatenate((base.action, [position[name] for name in names]))
    return replace(base, actions=actions, action=action, **columns)


def _check(field: str, good: Bools, detail: str) -> None:
    if not good.all():
        raise InvalidInput.of(f"{field}[{int(np.argmin(good))}]", detail)
