"""The playbook's `promotion`, `learning` and `health` sections as written: when what is learned may serve."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from nba.playbook.scalars import FeatureName, Fraction, Name, Seconds
from nba.playbook.section import Section

Rate = Annotated[float, Field(strict=True, ge=0, le=1_000)]


def _rising(steps: list[float]) -> list[float]:
    if any(low >= high for low, high in pairwise(steps)) or not all(0 < step < 1 for step in steps):
        raise ValueError("must be rising shares above 0 and below 1, such as [0.01, 0.05, 0.25]")
    return steps


class Ramp(Section):
    """A new specification first decides for a share of treatment customers, by hash, step by step.

    `customers` is how many of them must have a mature reward on a step before the next.
    """

    steps: Annotated[list[Fraction], Field(min_length=1, max_length=20), AfterValidator(_rising)] = Field(
        default_factory=lambda: [0.01, 0.05, 0.25]
    )
    customers: int = Field(default=100, strict=True, ge=2, le=10**9)


class Guardrail(Section):
    """How often something may follow a decision of a policy: what breaks it is rolled back.

    `count` is a touchpoint type, or `contact`; it is counted per decision, for `within` after it. `most`
    is a limit of its own; `rise` is how much more than under the champion it may be, as a share of that.
    """

    name: Name
    count: FeatureName
    within: Seconds = 86_400.0
    most: Rate | None = None
    rise: Rate | None = None

    @model_validator(mode="after")
    def _something(self) -> Guardrail:
        if self.most is None and self.rise is None:
            raise ValueError("needs most, rise or both")
        return self


class Promotion(Section):
    """When a challenger becomes champion, on the paired DR difference at confidence `level`.

    A refresh of the same specification must not be worse by more than `margin` of the champion's
    value; a new specification must be better, 1 − `level` being spent over all attempts against one
    champion. `decisions` mature ones and an `n_psi` (how many customers make up the difference's
    variance) are the least that either is judged on.
    """

    level: float = Field(default=0.95, strict=True, gt=0.5, lt=1)
    margin: float = Field(default=0.05, strict=True, gt=0, lt=1)
    decisions: int = Field(default=500, strict=True, ge=1, le=10**9)
    n_psi: float = Field(default=10.0, strict=True, ge=2, le=10**9)
    ramp: Ramp | None = None
    guardrails: list[Guardrail] = Field(default_factory=list)


class Learning(Section):
    """When `nba learn` learns.

    `update`: so many newly mature decisions bring the champion up to date, where its learner can add
    them; `retrain`: all learners compete again after so long, or after `volume` newly mature decisions.
    A reward is taken `settle` after its window closed, for outcomes that are reported late. With `early`
    decisions whose windows are open train too, by what the delay model expects of them. A decision of
    `half_life` ago counts half in training; left out, all count alike.
    """

    update: int = Field(default=200, strict=True, ge=1, le=10**9)
    retrain: Seconds = 7 * 86_400.0
    volume: int | None = Field(default=None, strict=True, ge=1, le=10**9)
    settle: Seconds | None = None
    early: bool = False
    half_life: Seconds | None = None


class Health(Section):
    """What drift is: the last `window` against the `reference` before it, looked at `every` so often.

    `psi` is a feature's population stability index, four times that for quick counters of the state;
    `missing` the rise of its missing share, `entropy` the least mean entropy of the odds as a share of its
    reference, `reward` the fall of the mean reward in standard errors, `calibration` the largest expected
    calibration error, of scores as a share of how often the event comes, of expected value as a share of
    what is earned; `no_good_arm` the largest share of decisions with no arm better than silence, `starved`
    the least share of draws that an arm must have of its due. Nothing is out of bounds that chance explains.
    A check of null is not made; `retrain` names the checks that start a retraining.
    """

    every: Seconds = 86_400.0
    window: Seconds = 7 * 86_400.0
    reference: Seconds = 28 * 86_400.0
    rows: int = Field(default=200, strict=True, ge=20, le=10**9)
    psi: Rate | None = 0.25
    missing: Fraction | None = 0.2
    entropy: Fraction | None = 0.5
    reward: Rate | None = 4.0
    calibration: Rate | None = 0.5
    no_good_arm: Fraction | None = None
    starved: Fraction | None = 0.1
    retrain: list[FeatureName] = Field(default_factory=lambda: ["psi", "reward", "calibration"])
