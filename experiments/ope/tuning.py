"""Choose an estimator's hyperparameter from the log itself: SLOPE, or the least estimated squared error.

SLOPE walks from the widest candidate to the narrowest and stops before the first whose value is too far from
an earlier one's,

    |V̂ᵢ − V̂ⱼ| ≤ cᵢ + (√6 − 1) cⱼ   for all j before i,   c = t(1 − δ) stderr

which needs no estimate of the bias. Su, Srinath & Krishnamurthy (2020), §3; Tucker & Lee (2021), §3 for the
rule without an order given beforehand. The other adds the variance to the square of a bound on the bias,

    |V̂ − V̂ of the unbiased end| + R √(2 mean(w²) ln(2/δ) / m) + 2 R max(w) ln(2/δ) / (3m)

with R the range of the logged rewards. Su, Dimakopoulou, Krishnamurthy & Dudík (2020), §5 and appendix.
Customers count as units throughout, m of them. The interval of a tuned estimate doesn't hold the choice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from experiments.ope.batch import Floats, LoggedBatch
from experiments.ope.inference import Estimate, estimate
from experiments.ope.registry import terms_of
from experiments.ope.terms import linearise
from experiments.ope.units import by_unit
from nba.errors import InvalidInput, NotEnoughData

DELTA = 0.1
SLACK = 6**0.5 - 1
CANDIDATES = (1.0, 2.0, 5.0, 10.0, 50.0, 100.0, float("inf"))
SMALL = (0.0, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tunable:
    """A hyperparameter with its candidates; `unbiased` is the value that leaves the weights as they are."""

    hyper: str
    candidates: Sequence[float] = CANDIDATES
    unbiased: float = float("inf")


TUNABLE: Mapping[str, Tunable] = {
    "ips": Tunable(hyper="clip"),
    "dr": Tunable(hyper="clip"),
    "clipped-ips": Tunable(hyper="clip"),
    "clipped-snips": Tunable(hyper="clip"),
    "switch-dr": Tunable(hyper="threshold"),
    "dr-os": Tunable(hyper="shrinkage"),
    "sg-ips": Tunable(hyper="shrinkage", candidates=SMALL, unbiased=0.0),
    "sg-dr": Tunable(hyper="shrinkage", candidates=SMALL, unbiased=0.0),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One value of the hyperparameter.

    Attributes:
        value: the estimate with it.
        stderr: over customers.
        width: half of the one-sided interval that SLOPE compares.
        error: estimated squared error, with the bound on the bias.
    """

    setting: float
    value: float
    stderr: float
    width: float
    error: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuned:
    """What was chosen.

    Attributes:
        hyper: the hyperparameter's name, `setting` its value: pass it on as `**{hyper: setting}`.
        candidates: all that were compared, in the order given.
    """

    name: str
    hyper: str
    setting: float
    value: float
    candidates: tuple[Candidate, ...]

    def estimate(self, batch: LoggedBatch, level: float = 0.95) -> Estimate:
        """With its interval, as `estimate` gives it."""
        return estimate(self.name, batch, level, **{self.hyper: self.setting})


def slope(
    name: str, batch: LoggedBatch, candidates: Sequence[float] | None = None, *, delta: float = DELTA
) -> Tuned:
    """By SLOPE.

    Raises:
        InvalidInput: the estimator has nothing to tune, no candidates, or the batch lacks what it needs.
        NotEnoughData: fewer than two customers, or no weight under the target.
    """
    tried = _tried(name, batch, candidates, delta)
    order = sorted(range(len(tried)), key=lambda i: (-tried[i].width, _trust(name, tried[i])))
    chosen = order[0]
    for at, i in enumerate(order[1:], start=1):
        if not all(_agree(tried[i], tried[j]) for j in order[:at]):
            break
        chosen = i
    return _tuned(name, tried, chosen)


def least_error(
    name: str, batch: LoggedBatch, candidates: Sequence[float] | None = None, *, delta: float = DELTA
) -> Tuned:
    """By the least estimated squared error; of equal ones the least biased. Raises as `slope`."""
    tried = _tried(name, batch, candidates, delta)
    return _tuned(
        name, tried, min(range(len(tried)), key=lambda i: (tried[i].error, -_trust(name, tried[i])))
    )


def _agree(narrow: Candidate, wide: Candidate) -> bool:
    return abs(narrow.value - wide.value) <= narrow.width + SLACK * wide.width


def _trust(name: str, candidate: Candidate) -> float:
    """Higher for settings nearer to the unbiased end."""
    return candidate.setting if TUNABLE[name].unbiased > 0 else -candidate.setting


def _tuned(name: str, tried: list[Candidate], chosen: int) -> Tuned:
    best = tried[chosen]
    return Tuned(
        name=name,
        hyper=TUNABLE[name].hyper,
        setting=best.setting,
        value=best.value,
        candidates=tuple(tried),
    )


def _tried(
    name: str, batch: LoggedBatch, candidates: Sequence[float] | None, delta: float
) -> list[Candidate]:
    if name not in TUNABLE:
        raise InvalidInput.of("name", f"{name} has nothing to tune; {', '.join(TUNABLE)} have")
    if not 0 < delta < 1:
        raise InvalidInput.of("delta", f"must lie between 0 and 1, but is {delta}")
    settings = TUNABLE[name].candidates if candidates is None else candidates
    if len(settings) == 0:
        raise InvalidInput.of("candidates", "must not be empty")
    if batch.units < 2:
        raise NotEnoughData(f"{name}: tuning needs at least two customers", {"customers": float(batch.units)})
    unbiased = _part(name, batch, TUNABLE[name].unbiased)[0]
    return [_candidate(name, batch, setting, unbiased, delta) for setting in settings]


def _part(name: str, batch: LoggedBatch, setting: float) -> tuple[float, Floats]:
    return linearise(terms_of(name, batch, {TUNABLE[name].hyper: setting}))


def _candidate(name: str, batch: LoggedBatch, setting: float, unbiased: float, delta: float) -> Candidate:
    value, influence = _part(name, batch, setting)
    n, m = len(batch.reward), batch.units
    psi = by_unit(influence, batch) * (m / n)
    variance = float(np.einsum("i,i->", psi, psi)) / m / m
    stderr = float(np.sqrt(variance * m / (m - 1)))
    slack = float(np.ptp(batch.reward)) * _slack(by_unit(batch.weight, batch) * (m / n), delta)
    bound = abs(unbiased - value) + slack
    return Candidate(
        setting=setting,
        value=value,
        stderr=stderr,
        width=float(stdtrit(m - 1, 1 - delta)) * stderr,
        error=variance + bound * bound,
    )


def _slack(weight: Floats, delta: float) -> float:
    """Bernstein's bound on how far the measured bias may be from the true one, for rewards in [0, 1]."""
    m, log = len(weight), float(np.log(2 / delta))
    return float(np.sqrt(2 * np.mean(weight * weight) * log / m) + 2 * weight.max() * log / (3 * m))
