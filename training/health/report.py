"""A health report as plain values: what was looked at, against what, and what is out of bounds."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from training.policy.left_out import LeftOut

Interval = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One figure beside its bound.

    Attributes:
        name: psi, missing, entropy, reward, calibration, value_calibration, no_good_arm, starved or outcomes.
        subject: the feature, arm or outcome type that it is about; "" for all of them.
        value: in the unit of `threshold`.
        breached: whether the value is out of bounds, and by more than chance.
        detail: in plain words.
    """

    name: str
    subject: str
    value: float
    threshold: float
    breached: bool
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthReport:
    """What `examine` found.

    Attributes:
        as_of: epoch seconds.
        window, reference: from, until before; epoch seconds.
        checks: all that were made.
        decisions, before: how many decisions window and reference have.
        unmade: checks that could not be made, and why.
        left_out: decisions that none of the checks sees, since the playbook lacks their arms.
    """

    as_of: float
    window: Interval
    reference: Interval
    checks: tuple[Check, ...]
    decisions: int = 0
    before: int = 0
    unmade: tuple[str, ...] = ()
    left_out: LeftOut = field(default_factory=LeftOut)

    @property
    def breached(self) -> tuple[Check, ...]:
        return tuple(check for check in self.checks if check.breached)

    def to_json(self) -> dict[str, Any]:
        told = {"breached": [asdict(check) for check in self.breached], "left_out": self.left_out.to_json()}
        return asdict(self) | told

    @classmethod
    def of_json(cls, told: dict[str, Any]) -> HealthReport:
        """The report that `to_json` wrote."""
        return cls(
            as_of=told["as_of"],
            window=(told["window"][0], told["window"][1]),
            reference=(told["reference"][0], told["reference"][1]),
            checks=tuple(Check(**check) for check in told["checks"]),
            decisions=told["decisions"],
            before=told["before"],
            unmade=tuple(told["unmade"]),
            left_out=LeftOut.of_json(told["left_out"]) if "left_out" in told else LeftOut(),
        )
