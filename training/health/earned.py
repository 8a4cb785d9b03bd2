"""Whether what is earned is still what it was, and what was expected: rewards, and their calibration."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import f

from nba.errors import NotEnoughData
from nba.playbook.compile import Playbook
from nba.playbook.schema import Objectives
from training.health.report import Check
from training.health.shift import SURE, by_customer, shift

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
LEAST_FALL = 0.1
"""Share of its reference by which a mean reward must have fallen to count: with enough customers a season or
their growing tired is four standard errors too."""
BINS = 10


def halved(objectives: Objectives) -> Objectives:
    """The same with half the window: what is earned by then is known a good deal sooner."""
    half = objectives.window / 2
    outcomes = {
        name: outcome.model_copy(update={"window": min(outcome.window or half, half)})
        for name, outcome in objectives.outcomes.items()
    }
    return objectives.model_copy(update={"window": half, "outcomes": outcomes})


def reward(
    rewards: Floats, customer: Ints, window: Bools, reference: Bools, playbook: Playbook, subject: str
) -> Iterator[Check]:
    """The fall of a mean reward, in standard errors over customers.

    Args:
        window, reference: decisions of one group. Of the random-eligible customers the policy stays the same;
            of treated ones a better policy may hide a fall, and a worse one is one.

    Raises:
        NotEnoughData: too few decisions on either side.
    """
    health = playbook.spec.health
    if health.reward is None:
        return
    found = shift(rewards, customer, window, reference, health.rows)
    fall = -found.deviations
    much = found.before - found.now > LEAST_FALL * abs(found.before)
    yield Check(
        name="reward",
        subject=subject,
        value=fall,
        threshold=health.reward,
        breached=fall > health.reward and much,
        detail=f"the mean reward of {subject} is {found.now:.4g}, before {found.before:.4g}: "
        f"{'down' if fall > 0 else 'up'} by {abs(fall):.1f} standard errors",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Expected against observed, by tenths of the expected.

    Attributes:
        error: mean distance of a tenth's two means.
        expected, observed: means over all.
        chance: the probability of such distances where what is expected is right.
    """

    error: float
    expected: float
    observed: float
    chance: float


def calibrated(expected: Floats, observed: Floats, customer: Ints) -> Calibration:
    """Expected calibration error (Naeini et al. 2015, §2) over bins of equal size.

    Its chance is that of the calibration in the large and of its slope (Cox 1958), the means of d and of
    d·(expected − mean), d the distance, as Hotelling's T² over customers. Bin by bin it would be wrong: in
    bins where nothing has come yet there is no spread to judge by.

    Args:
        expected, observed: (n,), n ≥ 1.
    """
    edges = np.unique(np.quantile(expected, np.arange(1, BINS) / BINS))
    bins = np.searchsorted(edges, expected, side="left")
    off = observed - expected
    return Calibration(
        error=float(np.abs(np.bincount(bins, weights=off)).sum() / len(off)),
        expected=float(expected.mean()),
        observed=float(observed.mean()),
        chance=_chance(np.column_stack([off, off * (expected - expected.mean())]), customer),
    )


def _chance(moments: Floats, customer: Ints) -> float:
    """Of means (n, p) so far from 0; where few customers make up the variance, they count as so few."""
    means = moments.mean(axis=0)
    psi = np.column_stack([by_customer(c, customer) for c in ((moments - means) / len(moments)).T])
    squares = np.sum(psi**2, axis=0)
    if np.any(squares <= 0):
        return 1.0
    p, units = len(means), float(np.min(squares**2 / np.sum(psi**4, axis=0)))
    if units <= p:
        return 1.0
    distance = float(means @ np.linalg.pinv(psi.T @ psi, hermitian=True) @ means)
    return float(f.sf(distance * (units - p) / (p * max(units - 1, 1)), p, units - p))


def score_calibration(
    name: str, predicted: Floats, came: Bools, customer: Ints, playbook: Playbook
) -> Iterator[Check]:
    """Calibration error of a score, as a share of how often the event came.

    Args:
        predicted, came: (n,) the logged score, and whether its event came within its horizon, which is over.

    Raises:
        NotEnoughData: too few decisions with a score, or the event never came.
    """
    health = playbook.spec.health
    if health.calibration is None:
        return
    known = ~np.isnan(predicted)
    figures = {"decisions": float(known.sum()), "events": float(came[known].sum())}
    if known.sum() < health.rows or not came[known].any():
        raise NotEnoughData(f"{name}: its calibration takes {health.rows} decisions and some events", figures)
    found = calibrated(predicted[known], came[known].astype(np.float64), customer[known])
    value = found.error / found.observed
    yield Check(
        name="calibration",
        subject=name,
        value=value,
        threshold=health.calibration,
        breached=value > health.calibration and found.chance < SURE,
        detail=f"{name} is off by {value:.0%} of how often the event came: "
        f"said {found.expected:.1%}, came {found.observed:.1%}",
    )


def value_calibration(
    expected: Floats, rewards: Floats, customer: Ints, playbook: Playbook
) -> Iterator[Check]:
    """By how much expected and earned value of the arms drawn differ, as a share of the larger.

    Args:
        expected: (n,) as logged at decision time, so nothing that came later has taught it; NaN for none.
        rewards: (n,) mature.

    Raises:
        NotEnoughData: too few decisions of policies that predict.
    """
    health = playbook.spec.health
    if health.calibration is None:
        return
    known = ~np.isnan(expected)
    if known.sum() < health.rows:
        figures = {"decisions": float(known.sum())}
        raise NotEnoughData(f"takes {health.rows} mature decisions with an expected value", figures)
    found = calibrated(expected[known], rewards[known], customer[known])
    size = max(abs(found.expected), abs(found.observed))
    value = found.error / size if size > 0 else 0.0
    yield Check(
        name="value_calibration",
        subject="",
        value=value,
        threshold=health.calibration,
        breached=value > health.calibration and found.chance < SURE,
        detail=f"expected and earned value differ by {value:.0%}: expected {found.expected:.4g} a decision, "
        f"earned {found.observed:.4g}",
    )
