"""Were the arms alike before the experiment began? If not, the assignment is at fault, or CUPED has work."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from experiments.ab.anytime import TUNING, always_valid
from experiments.ab.moments import Moments

UNEVEN = 0.001
"""The p value from which chance is no explanation."""
LARGE = 0.1
"""The standardised difference from which an imbalance is said to matter. Austin (2009)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """How a figure from before the experiment differs between the arms.

    Attributes:
        standardised: treatment minus control, in standard deviations of one customer.
        p_value: of arms alike; always valid, so it may be looked at every hour.
        word: "even"; "uneven" where chance doesn't explain it; "by chance" where it is large but chance may
            have done it, as in small samples.
    """

    standardised: float
    p_value: float
    word: Literal["even", "by chance", "uneven"]


def balance(control_before: Moments, treatment_before: Moments, tuning: float = TUNING) -> Balance:
    """Compare what was known of the customers before their first exposure.

    Raises:
        InvalidInput: tuning.
        NotEnoughData: fewer than two customers in an arm, or all alike.
    """
    found = always_valid(control_before, treatment_before, tuning=tuning)
    spread = math.sqrt((control_before.variance + treatment_before.variance) / 2)
    standardised = found.value / spread
    if found.p_value < UNEVEN:
        return Balance(standardised=standardised, p_value=found.p_value, word="uneven")
    word: Literal["even", "by chance"] = "by chance" if abs(standardised) > LARGE else "even"
    return Balance(standardised=standardised, p_value=found.p_value, word=word)
