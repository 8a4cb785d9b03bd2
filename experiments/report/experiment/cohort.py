"""The customers of one experiment as arrays, each once, in order of first exposure. Reads and tests nothing.

A metric counts for the experiment's window from first exposure, and a customer is analysed when theirs has
closed. The windows are equally long, so the order of exposure is the order of maturity: those who are
mature are the first so many, at any moment, and a look is a prefix of the cohort. (Running totals, in which
a customer's figure changes from look to look, break the theory of every sequential test.)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from experiments.ab import Arm, Moments, Ratio
from nba.playbook.experiment import Experiment

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Values:
    """One metric of n customers.

    Attributes:
        of: (n,) in the window from first exposure.
        before: (n,) the same in the experiment's `before`, up to first exposure.
        per, per_before: (n,) likewise of what a ratio metric is divided by; None for another metric.
    """

    of: Floats
    before: Floats
    per: Floats | None = None
    per_before: Floats | None = None

    def sums(self, rows: Ints) -> Arm:
        """Of the customers at these places: a Ratio where the metric is one."""
        if self.per is None or self.per_before is None:
            return Moments.of(self.of[rows], before=self.before[rows])
        return Ratio.of(self.of[rows], self.per[rows], self.before[rows], self.per_before[rows])


@dataclass(frozen=True, slots=True, kw_only=True)
class Cohort:
    """n customers who were exposed before `as_of`.

    Attributes:
        as_of: epoch seconds.
        variant: (n,) places in the experiment's variants; 0 is control.
        entered_at: (n,) first exposure, epoch seconds, ascending.
        values: metric → its values; only those of the mature mean anything.
        segments: segment → (n,) who was in it at first exposure.
        switched: customers who saw more than one variant; they count in the first.
        reweighted: customers who entered under other weights than today's.
        gone: customers who entered in a variant that is no longer declared; they are not among the n.
        held: customers whose decisions were all held and never shown; they are not among the n.
        settle: seconds after a window's end until its customer is mature, for outcomes reported late.
        latest: when the log's latest decision before `as_of` was made; None where there is none.
    """

    experiment: Experiment
    as_of: float
    variant: Ints
    entered_at: Floats
    values: Mapping[str, Values]
    segments: Mapping[str, Bools]
    switched: int = 0
    reweighted: int = 0
    gone: int = 0
    held: int = 0
    settle: float = 0.0
    latest: float | None = None

    def __len__(self) -> int:
        return len(self.variant)

    @property
    def mature(self) -> int:
        """How many windows have closed; these customers stand first."""
        return int(np.searchsorted(self.entered_at, self.as_of - self.ripening, side="right"))

    @property
    def ripening(self) -> float:
        """Seconds from first exposure until a customer is mature."""
        return self.experiment.window + self.settle

    @property
    def names(self) -> tuple[str, ...]:
        """The variants, control first."""
        return tuple(self.experiment.variants)

    def counts(self, until: int | None = None) -> Ints:
        """(k,) customers a variant among the first `until`."""
        return np.bincount(self.variant[:until], minlength=len(self.names)).astype(np.int64)

    def arms(self, metric: str, variant: int, until: int, among: Bools | None = None) -> tuple[Arm, Arm]:
        """Control's sums and the variant's over the first `until` customers, with figures from before.

        Args:
            among: (n,) of whom; all by default.
        """
        values = self.values[metric]
        control, other = (values.sums(rows) for rows in self._rows(variant, until, among))
        return control, other

    def before(self, metric: str, variant: int) -> tuple[Moments, Moments]:
        """What control's customers and the variant's had done before first exposure, mature or not."""
        before = self.values[metric].before
        control, other = (Moments.of(before[rows]) for rows in self._rows(variant, len(self), None))
        return control, other

    def _rows(self, variant: int, until: int, among: Bools | None) -> list[Ints]:
        chosen = [self.variant[:until] == arm for arm in (0, variant)]
        return [np.flatnonzero(rows if among is None else rows & among[:until]) for rows in chosen]
