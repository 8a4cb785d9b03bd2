"""What contacts brought that would not have come without them: treatment against the holdout, in worth.

Per customer, y is the worth of all outcomes from entry until as-of, before costs, adjusted for what they had
earned before they entered where the groups are large enough (CUPED), as in `nba experiment report`:

    lift = (mean y of treatment − mean y of the holdout) · customers in treatment

The only figure of attribution that is an effect: a hash, not behaviour, put customers into the holdout. It is
of all contacts together; one holdout can't tell channels apart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from experiments.ab import Moments, difference
from experiments.report.compare import LEAST_ADJUSTED
from experiments.report.customers import Cohort, read_cohort
from nba.errors import NotEnoughData
from nba.playbook.compile import Playbook
from nba.stores.ports import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Lift:
    """Of the treatment customers together, in currency.

    Attributes:
        value, low, high: what contacts brought, and its interval at `level`.
        customers: in treatment; holdout: in the holdout.
        earned: what treatment's outcomes were worth altogether.
    """

    value: float
    low: float
    high: float
    level: float
    customers: int
    holdout: int
    earned: float


def lift(
    store: Store,
    playbook: Playbook,
    *,
    as_of: float,
    level: float = 0.95,
    progress: Callable[[int], None] = lambda read: None,
) -> Lift | NotEnoughData:
    """Compare treatment with the holdout, or say why it can't be done.

    Raises:
        InvalidInput: no decision before `as_of`.
    """
    cohort = read_cohort(store, playbook, as_of=as_of, progress=progress)
    treatment, holdout = (_earned(cohort, group) for group in ("treatment", "holdout"))
    if min(treatment.n, holdout.n) < LEAST_ADJUSTED or not (treatment + holdout).before_variance > 0:
        treatment, holdout = (Moments(n=m.n, total=m.total, squares=m.squares) for m in (treatment, holdout))
    try:
        found = difference(holdout, treatment, level=level)
    except NotEnoughData as error:
        return error
    n = treatment.n
    return Lift(
        value=found.value * n,
        low=found.low * n,
        high=found.high * n,
        level=level,
        customers=n,
        holdout=holdout.n,
        earned=treatment.total,
    )


def _earned(cohort: Cohort, group: str) -> Moments:
    rows = cohort.customers.filter(cohort.customers["group"] == group)
    return Moments.of(rows["earned"].to_numpy(), before=rows["before"].to_numpy())


def said(found: Lift | NotEnoughData, currency: str) -> str:
    """The lift in a sentence or two."""
    if isinstance(found, NotEnoughData):
        return f"What contacts brought is not known, as there is no holdout to compare with: {found}"
    share = f", {found.value / found.earned:.1%} of what they earned" if found.earned > 0 else ""
    return (
        f"Against the holdout, contacts brought {found.value:,.2f} {currency} of {found.earned:,.2f}{share}; "
        f"{found.level:.0%} interval {found.low:,.2f} to {found.high:,.2f}, on {found.customers:,} customers "
        f"against {found.holdout:,}. This alone is an effect, of all contacts together."
    )
