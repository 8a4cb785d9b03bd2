"""What a log can tell of a target policy, before any estimate is believed. It decides nothing itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from experiments.ope.batch import Floats, LoggedBatch
from experiments.ope.calibration import Draws, check_draws
from experiments.ope.ips import ips
from experiments.ope.terms import linearise
from experiments.ope.units import by_unit, kish, spread_count

CLIP = 10.0
HEAVIEST = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Heavy:
    """A customer who weighs much: their heaviest row, and what all of their rows weigh.

    Attributes:
        row: position in the batch; weight: its importance weight.
        customer: as the batch names them, the row where it names none.
        share: of the whole log's weight that is this customer's.
    """

    row: int
    customer: Any
    weight: float
    share: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Diagnostics:
    """The overlap of log and target.

    Attributes:
        n, customers: logged decisions, and independent units among them (n where no customer is given).
        effective_n: Kish's count of the customers' importance weights.
        n_psi: (Σψ²)²/Σψ⁴ of IPS: how many customers make up its variance.
        mean_weight: near 1 where the log supports the target and propensities are right.
        weight_stderr: standard error of `mean_weight`, over customers.
        max_weight: the largest importance weight of a row.
        heaviest: the customers who weigh most, heaviest first.
        zero_share: share of rows to whose arm the target gives no odds.
        clip, clipped_share, clipped_weight: the bound that these speak of; share of rows above it; share of
            the whole weight that clipping there would take away.
        unsupported: arms that the target uses and the log never shows, in order.
        unsupported_share: the target's odds on those arms, on average over the rows.
        refused_share: the target's odds on arms whose logging odds were 0 in that row, on average; None
            without `logging`.
        calibration: (k,) mean of 1{arm = a}/propensity; 1 for an arm always eligible, the share of rows
            where it was eligible otherwise. Far off, the propensities are wrong.
        draws: the test of the logged odds against what was drawn; None without `logging`.
    """

    n: int
    customers: int
    effective_n: float
    n_psi: float
    mean_weight: float
    weight_stderr: float
    max_weight: float
    heaviest: tuple[Heavy, ...]
    zero_share: float
    clip: float
    clipped_share: float
    clipped_weight: float
    unsupported: tuple[int, ...]
    unsupported_share: float
    refused_share: float | None
    calibration: Floats
    draws: Draws | None


def diagnostics(batch: LoggedBatch, *, clip: float = CLIP) -> Diagnostics:
    """All of them; never raises NotEnoughData, since showing too little data is its purpose."""
    n, k = batch.target.shape
    weight = batch.weight
    used = np.einsum("ij->j", batch.target) / n
    missing = np.flatnonzero((used > 0) & (np.bincount(batch.arm, minlength=k) == 0))
    of_customer = by_unit(weight, batch)
    total = float(weight.sum())
    beyond = float(np.maximum(weight - clip, 0).sum())
    return Diagnostics(
        n=n,
        customers=batch.units,
        effective_n=kish(of_customer),
        n_psi=spread_count(by_unit(linearise(ips(batch))[1], batch)),
        mean_weight=total / n,
        weight_stderr=float(of_customer.std() * np.sqrt(batch.units)) / n,
        max_weight=float(weight.max()),
        heaviest=_heaviest(batch, of_customer, total),
        zero_share=1 - int(np.count_nonzero(weight)) / n,
        clip=clip,
        clipped_share=int(np.count_nonzero(weight > clip)) / n,
        clipped_weight=beyond / total if total > 0 else 0.0,
        unsupported=tuple(missing.tolist()),
        unsupported_share=float(used[missing].sum()),
        refused_share=_refused(batch),
        calibration=np.bincount(batch.arm, weights=1 / batch.propensity, minlength=k) / n,
        draws=None if batch.logging is None else check_draws(batch),
    )


def _heaviest(batch: LoggedBatch, of_customer: Floats, total: float) -> tuple[Heavy, ...]:
    if total <= 0:
        return ()
    few = min(HEAVIEST, batch.units)
    units = np.argpartition(of_customer, -few)[-few:]
    units = units[np.argsort(-of_customer[units], kind="stable")]
    return tuple(_heavy(batch, int(unit), float(of_customer[unit]) / total) for unit in units)


def _heavy(batch: LoggedBatch, unit: int, share: float) -> Heavy:
    rows = np.array([unit]) if batch.unit is None else np.flatnonzero(batch.unit == unit)
    row = int(rows[batch.weight[rows].argmax()])
    who = row if batch.customer is None else np.asarray(batch.customer)[row].item()
    return Heavy(row=row, customer=who, weight=float(batch.weight[row]), share=share)


def _refused(batch: LoggedBatch) -> float | None:
    if batch.logging is None:
        return None
    return float(np.where(batch.logging > 0, 0.0, batch.target).sum()) / len(batch.target)
