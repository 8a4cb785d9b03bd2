"""Which cells fail, by rules set before the study was run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from experiments.coverage.study import LEVEL, Answers
from experiments.ope.batch import Floats
from experiments.ope.intervals.clopper_pearson import binomial

LIMIT = 0.99
"""One-sided level of the upper limit for a cell's coverage."""

MANY = 100.0
"""Mean n_psi from which a cell must be answered, and about as narrowly as can be."""

TOO_WIDE = 1.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """Intervals that held the truth.

    Attributes:
        held: how many; of: how many there were, at least one; limit: the upper limit for the share.
        width: the mean.
    """

    held: int
    of: int
    limit: float
    width: float

    @property
    def share(self) -> float:
        return self.held / self.of

    @property
    def valid(self) -> bool:
        return self.limit >= LEVEL


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """On one estimator in one cell.

    Attributes:
        coverage: of the answered logs, None where all were refused.
        refused: share of logs; student: share of the answers by Student's interval.
        n_psi, effective: means over logs.
        narrowest: the valid rival with the least mean width, its name and width; None where none was tried.
        failures: why it fails; empty where it doesn't.
    """

    coverage: Coverage | None
    refused: float
    student: float
    n_psi: float
    effective: float
    narrowest: tuple[str, float] | None
    failures: tuple[str, ...]


def covered(low: Floats, high: Floats, truth: float) -> Coverage:
    held = int(((low <= truth) & (truth <= high)).sum())
    limit = binomial(held, len(low), 2 * LIMIT - 1)[1]
    return Coverage(held=held, of=len(low), limit=limit, width=float((high - low).mean()))


def verdict(answers: Answers) -> Verdict:
    """The rules: the upper limit is not below the level; with n_psi of 100 there are no refusals, and the
    mean width is at most 1.25 times the narrowest valid interval's."""
    own = covered(answers.low, answers.high, answers.truth) if len(answers.low) else None
    n_psi, refused = float(answers.n_psi.mean()), answers.refusals / answers.logs
    narrowest = _narrowest(answers)
    failures = []
    if own is not None and not own.valid:
        failures.append(f"covers {own.share:.3f}, at most {own.limit:.3f}")
    if n_psi >= MANY and answers.refusals:
        failures.append(f"refuses {answers.refusals} though n_psi is {n_psi:.0f}")
    if n_psi >= MANY and own is not None and narrowest is not None and own.width > TOO_WIDE * narrowest[1]:
        failures.append(f"{own.width / narrowest[1]:.2f} times as wide as {narrowest[0]}")
    return Verdict(
        coverage=own,
        refused=refused,
        student=float(np.mean(answers.student)) if own is not None else 0.0,
        n_psi=n_psi,
        effective=float(answers.effective.mean()),
        narrowest=narrowest,
        failures=tuple(failures),
    )


def _narrowest(answers: Answers) -> tuple[str, float] | None:
    tried = {name: covered(ends[:, 0], ends[:, 1], answers.truth) for name, ends in answers.rivals.items()}
    valid = {name: found.width for name, found in tried.items() if found.valid}
    if not valid:
        return None
    name = min(valid, key=lambda rival: valid[rival])
    return name, valid[name]
