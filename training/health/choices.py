"""Whether the policy still chooses: entropy of its odds, arms not drawn, customers with no good arm."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy
from scipy.stats import poisson

from nba.errors import NotEnoughData
from nba.playbook.compile import Playbook
from nba.policies.policy import Policy
from training.health.report import Check
from training.health.shift import SURE, shift

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
_DEVIATIONS = 4.0
MOST_NAMED = 5


def normalised_entropy(odds: Floats, eligible: Bools) -> Floats:
    """(n,) −Σ p ln p / ln(eligible arms), 1 for even odds, 0 for a sure arm; NaN for one arm."""
    arms: Ints = eligible.sum(axis=1).astype(np.int64)
    with np.errstate(divide="ignore", invalid="ignore"):
        found: Floats = np.where(arms > 1, -xlogy(odds, odds).sum(axis=1) / np.log(arms), np.nan)
    return found


def entropy(
    odds: Floats, eligible: Bools, customer: Ints, window: Bools, reference: Bools, playbook: Playbook
) -> Iterator[Check]:
    """How evenly the policy still spreads its odds, as a share of before.

    Args:
        window, reference: decisions of learned policies. A first one explores less than the fallback before
            it, which is meant so.

    Raises:
        NotEnoughData: too few on either side.
    """
    health = playbook.spec.health
    if health.entropy is None:
        return
    values = normalised_entropy(odds, eligible)
    known = ~np.isnan(values)
    found = shift(np.nan_to_num(values), customer, window & known, reference & known, health.rows)
    share = found.now / found.before if found.before > 0 else 1.0
    yield Check(
        name="entropy",
        subject="",
        value=share,
        threshold=health.entropy,
        breached=share < health.entropy and found.deviations < -_DEVIATIONS,
        detail=f"the policy's odds are {share:.0%} as even as before",
    )


def starved(arm: Ints, odds: Floats, eligible: Bools, before: Bools, playbook: Playbook) -> Iterator[Check]:
    """Draws of each arm against their due, the sum of its odds where it was eligible.

    Args:
        arm, odds, eligible: (n,), (n, k), (n, k) of the window.
        before: (k,) whether the arm was eligible in the reference.

    An arm that was eligible in the reference and is for nobody now has 0 of what is due.
    """
    threshold = playbook.spec.health.starved
    if threshold is None:
        return
    due, drawn = odds.sum(axis=0), np.bincount(arm, minlength=odds.shape[1])
    ever = eligible.sum(axis=0) > 0
    names = playbook.arms.names
    for a, name in enumerate(names):
        if not ever[a]:
            if before[a]:
                yield _starved(name, 0.0, threshold, True, f"{name} is not eligible for anybody any more")
            continue
        if due[a] <= 0:
            continue
        share = float(drawn[a] / due[a])
        rare = float(poisson.cdf(drawn[a], due[a])) < SURE / len(names)
        detail = f"{name} was drawn {drawn[a]:,} times where {due[a]:,.0f} were due"
        yield _starved(name, share, threshold, share < threshold and rare, detail)


def no_good_arm(
    features: Floats, eligible: Bools, policy: Policy | None, playbook: Playbook
) -> Iterator[Check]:
    """Share of decisions, something being eligible, for which the policy thinks nothing better than silence.

    Raises:
        NotEnoughData: no policy that predicts, or too few decisions.
    """
    health = playbook.spec.health
    if health.no_good_arm is None:
        return
    asked = eligible[:, 1:].any(axis=1)
    if policy is None or not hasattr(policy, "model"):
        raise NotEnoughData("no policy that predicts rewards serves, so none can say which arms are good")
    if asked.sum() < health.rows:
        raise NotEnoughData(f"takes {health.rows} decisions with an eligible arm", {"decisions": asked.sum()})
    values, open = policy.choose(features[asked], eligible[asked]).values, eligible[asked]
    best = np.where(open[:, 1:], values[:, 1:], -np.inf).max(axis=1)
    share = float(np.mean(best <= values[:, 0]))
    yield Check(
        name="no_good_arm",
        subject="",
        value=share,
        threshold=health.no_good_arm,
        breached=share > health.no_good_arm,
        detail=f"for {share:.0%} of the decisions no arm is expected to do better than silence",
    )


def _starved(name: str, value: float, threshold: float, breached: bool, detail: str) -> Check:
    return Check(
        name="starved", subject=name, value=value, threshold=threshold, breached=breached, detail=detail
    )
