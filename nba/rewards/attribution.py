"""Which contacts outcomes are credited to: a report of what came after what, never a training target.

An outcome's worth is shared among the contacts of its customer that it came within the window of:

    last touch    all to the latest one
    linear        to all alike
    time decay    in proportion to 2^(−age / half-life)

What no contact came before is organic. None of this measures an effect: who would have bought anyway is
credited too. Worth is counted in millionths of the currency, so that all parts add up to the whole exactly.
Models that look at channels as a whole are in `removal` and `shapley`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from nba.errors import InvalidInput
from nba.playbook.schema import Objectives
from nba.rewards.outcomes import Outcomes, window_of
from nba.rewards.timeline import Timeline, pairs

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Model = Literal["last-touch", "linear", "time-decay"]

UNIT = 1e-6
_MOST = 4e12  # in currency, over all outcomes: millionths of it fit in 63 bits


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Credit:
    """What m outcomes are credited to, in millionths of the currency.

    Attributes:
        contacts: (n,) to each contact; outcomes: (n,) how many it has a share in.
        organic: to none; organic_outcomes: how many.
        total: of all outcomes: the contacts' and the organic together.
    """

    contacts: Ints
    outcomes: Ints
    organic: int
    organic_outcomes: int
    total: int


def attribute(
    objectives: Objectives, known: Outcomes, at: Floats, model: Model, half_life: float = 7 * 86_400.0
) -> Credit:
    """Share the outcomes among n contacts.

    Args:
        known: outcomes of the customers that were contacted or might have been; its deciders begin with the
            contacts' customers (n,), and any others follow.
        at: (n,) epoch seconds at which the contacts were decided on.
        half_life: seconds, of time decay.

    Raises:
        InvalidInput: worth beyond what can be counted, or no half-life.
    """
    check_half_life(half_life)
    units = units_of(known)
    outcome, contact = touched(objectives, known, at)
    shares = _shares(
        units[outcome], outcome, _weights(known.at[outcome] - at[contact], outcome, model, half_life)
    )
    credited = np.zeros(len(at), dtype=np.int64)
    np.add.at(credited, contact, shares)
    shared = np.zeros(len(units), dtype=np.bool_)
    shared[outcome] = True
    return Credit(
        contacts=credited,
        outcomes=np.bincount(contact[_has_share(outcome, model)], minlength=len(at)).astype(np.int64),
        organic=int(units[~shared].sum()),
        organic_outcomes=int((~shared).sum()),
        total=int(units.sum()),
    )


def check_half_life(half_life: float) -> None:
    """Raises InvalidInput where there is none."""
    if not half_life > 0:
        raise InvalidInput.of("half-life", "must be more than nothing, such as 7d")


def units_of(known: Outcomes) -> Ints:
    """(m,) the outcomes' worth in millionths. Raises InvalidInput: beyond what can be counted."""
    if float(np.abs(known.worth).sum()) > _MOST:
        raise InvalidInput.of(
            "objectives", f"outcomes are worth more than {_MOST:g} together; use a larger unit"
        )
    return np.rint(known.worth / UNIT).astype(np.int64)


def touched(objectives: Objectives, known: Outcomes, at: Floats) -> tuple[Ints, Ints]:
    """Every (outcome, contact) such that the outcome lies in the contact's window; by outcome, then time."""
    customer = known.decider[: len(at)]
    order = np.lexsort((at, customer))
    contacts = Timeline.of(customer[order], at[order], int(known.decider.max(initial=-1)) + 1)
    windows = np.array([window_of(objectives, type) for type in known.types])[known.type]
    # A little more than the window back, then what `at + window` really has in it.
    first = contacts.before(known.customer, known.at - windows - 1.0)
    end = contacts.before(known.customer, np.nextafter(known.at, np.inf))
    outcome, row = pairs(first, end)
    within = known.at[outcome] < contacts.at[row] + windows[outcome]
    return outcome[within], order[row[within]]


def _has_share(outcome: Ints, model: Model) -> NDArray[np.bool_]:
    return _last(outcome) if model == "last-touch" else np.ones(len(outcome), dtype=np.bool_)


def _last(outcome: Ints) -> NDArray[np.bool_]:
    """(p,) whether the pair is the last of its outcome."""
    return np.append(outcome[1:] != outcome[:-1], True)[: len(outcome)]


def _weights(age: Floats, outcome: Ints, model: Model, half_life: float) -> Floats:
    """(p,) each contact's part of its outcome; those of an outcome add up to 1."""
    if model == "last-touch":
        return _last(outcome).astype(np.float64)
    youngest = np.repeat(age[_last(outcome)], np.bincount(outcome)[np.unique(outcome)])
    parts = np.ones(len(age)) if model == "linear" else np.exp2((youngest - age) / half_life)
    sums = np.bincount(outcome, parts)
    return parts / sums[outcome]


def _shares(units: Ints, outcome: Ints, weights: Floats) -> Ints:
    """(p,) whole millionths; the latest contact takes what rounding leaves."""
    shares = np.rint(units * weights).astype(np.int64)
    if len(shares):
        last = np.flatnonzero(_last(outcome))
        begins = np.append(0, last[:-1] + 1)
        shares[last] += units[last] - np.add.reduceat(shares, begins)
    return shares
