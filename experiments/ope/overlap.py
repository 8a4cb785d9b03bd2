"""What a log can tell of a target policy, before any estimate is believed. It decides nothing itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from experiments.ope.batch import Floats, LoggedBatch
from experiments.ope.inference import by_unit, kish, spread_count
from experiments.ope.ips import ips
from experiments.ope.terms import linearise


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Diagnostics:
    """The overlap of log and target.

    Attributes:
        n, customers: logged decisions, and independent units among them (n where no customer is given).
        effective_n: Kish's count of the customers' importance weights.
        n_psi: (Σψ²)²/Σψ⁴ of IPS: how many customers make up its variance.
        mean_weight: near 1 where the log supports the target and propensities are right.
        max_weight: the largest importance weight of a row.
        zero_share: share of rows to whose arm the target gives no odds.
        unsupported: arms that the target uses and the log never shows, in order.
        unsupported_share: the target's odds on those arms, on average over the rows.
        calibration: (k,) mean of 1{arm = a}/propensity; 1 for an arm always eligible, the share of rows
            where it was eligible otherwise. Far off, the propensities are wrong.
    """

    n: int
    customers: int
    effective_n: float
    n_psi: float
    mean_weight: float
    max_weight: float
    zero_share: float
    unsupported: tuple[int, ...]
    unsupported_share: float
    calibration: Floats


def diagnostics(batch: LoggedBatch) -> Diagnostics:
    """All of them; never raises NotEnoughData, since showing too little data is its purpose."""
    n, k = batch.target.shape
    weight = batch.weight
    used = batch.target.sum(axis=0) / n
    missing = np.flatnonzero((used > 0) & (np.bincount(batch.arm, minlength=k) == 0))
    return Diagnostics(
        n=n,
        customers=batch.units,
        effective_n=kish(by_unit(weight, batch)),
        n_psi=spread_count(by_unit(linearise(ips(batch))[1], batch)),
        mean_weight=float(weight.mean()),
        max_weight=float(weight.max()),
        zero_share=1 - int(np.count_nonzero(weight)) / n,
        unsupported=tuple(missing.tolist()),
        unsupported_share=float(used[missing].sum()),
        calibration=np.bincount(batch.arm, weights=1 / batch.propensity, minlength=k) / n,
    )
