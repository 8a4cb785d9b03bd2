"""Slates: several contacts or positions decided at once, drawn independently slot by slot.

What each slot earned is known: `slots` makes a batch in which a slot's reward counts L times, so that the
value is a slate's, and every estimator of the table holds if a slot's reward doesn't depend on what stands in
the others (the item-position model of clicks; Li, Kim, Kompella et al., 2018, §4).
Only the whole slate's reward is known: `slots` repeats it, and `pseudo-inverse` with `slots=L` holds if it is
a sum of effects of the slots (Swaminathan et al., 2017).
Neither holds where slots work on each other, or were drawn without replacement with odds that depend on the
earlier slots; there, take the slate as one arm with the product of its odds.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from experiments.ope.batch import LoggedBatch
from nba.errors import InvalidInput


def slots(
    *,
    reward: ArrayLike,
    arm: ArrayLike,
    propensity: ArrayLike,
    target: ArrayLike,
    q_hat: ArrayLike | None = None,
    customer: ArrayLike | None = None,
) -> LoggedBatch:
    """m slates of L slots as m·L rows, those of a slate being one unit.

    Args:
        reward: (m, L) what each slot earned, or (m,) what the slate did.
        arm: (m, L); propensity: (m, L) odds of that arm in that slot.
        target: (m, L, k) odds of each arm in each slot, or (L, k) where all slates have the same.
        q_hat: (m, L, k) predicted rewards of a slot; only where slots have rewards of their own.
        customer: (m,) whom each slate was for; each its own by default.

    Returns:
        A batch whose values are per slate: for the table's estimators where slots have rewards, for
        `pseudo-inverse` (with `slots=L`) where slates have.

    Raises:
        InvalidInput: shapes that don't fit.
    """
    arms = np.asarray(arm)
    if arms.ndim != 2:
        raise InvalidInput.of("arm", f"must have shape (slates, slots), but has {arms.shape}")
    m, length = arms.shape
    earned = np.asarray(reward, dtype=np.float64)
    odds = np.asarray(target, dtype=np.float64)
    if odds.ndim == 2:
        odds = np.broadcast_to(odds, (m, *odds.shape))
    if odds.ndim != 3 or odds.shape[:2] != (m, length):
        raise InvalidInput.of("target", f"must have shape {(m, length, 'k')}, but has {odds.shape}")
    if earned.shape == (m,):
        if q_hat is not None:
            raise InvalidInput.of("q_hat", "needs a reward for each slot, not for the slate")
        by_slot = np.repeat(earned, length)
    elif earned.shape == (m, length):
        by_slot = length * earned.reshape(-1)
    else:
        raise InvalidInput.of("reward", f"must have shape {(m, length)} or {(m,)}, but has {earned.shape}")
    k = odds.shape[2]
    given: Any = np.arange(m) if customer is None else np.asarray(customer)
    if given.shape != (m,):
        raise InvalidInput.of("customer", f"must have shape {(m,)}, but has {given.shape}")
    return LoggedBatch(
        reward=by_slot,
        arm=arms.reshape(-1),
        propensity=np.asarray(propensity, dtype=np.float64).reshape(-1),
        target=odds.reshape(-1, k),
        q_hat=None if q_hat is None else length * np.asarray(q_hat, dtype=np.float64).reshape(-1, k),
        customer=np.repeat(given, length),
    )
