"""An impact report as plain values: what is gained per customer over each standing alternative.

On-policy it is about treatment customers, off-policy about the learned policies that decided for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

How = Literal["on-policy", "off-policy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Worth:
    """Ours less an alternative, per customer and in currency, with its interval.

    Attributes:
        customers: how many it took: on-policy those of both groups, off-policy those whom it decided for.
        decisions_each: decisions per customer in the period; off-policy the value per decision times this.
        n_psi: how many customers make up the variance; None on-policy.
    """

    value: float
    stderr: float
    low: float
    high: float
    customers: int
    decisions_each: float
    n_psi: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Ours against one alternative: treatment customers on-policy, learned policies off-policy.

    Attributes:
        against: `random_eligible`, `holdout`, `propensity`, `no_levers` or `incumbent`.
        what: the alternative in plain words.
        worth: None where there is none to tell, then `missing` says why and `figures` by how much.
        said: one sentence.
    """

    against: str
    what: str
    how: How
    said: str
    worth: Worth | None = None
    missing: str = ""
    figures: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Impact:
    """All comparisons.

    Attributes:
        since, as_of: epoch seconds; decisions from then until then, with mature rewards off-policy.
        policies: that decided, with how many decisions each, off-policy.
        notes: how to read the figures.
    """

    playbook: str
    currency: str
    since: float
    as_of: float
    level: float
    policies: Mapping[str, int]
    comparisons: tuple[Comparison, ...]
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)
