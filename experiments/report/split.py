"""The sample-ratio check of the groups: are they as large as their shares say?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from experiments.ab import srm
from nba.errors import NotEnoughData

SUSPICIOUS = 0.01
"""A sound split falls below it once in a hundred independent reports, and then costs a look at the log; a
broken one that goes unseen spoils every other figure, so it is not the 0.001 of those who watch thousands
of experiments. The public Cookie Cats experiment, thought broken, has 0.009."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Customers a group as counted and as the shares would have them.

    Attributes:
        p_value: of such counts from a sound split; or why there is none.
    """

    observed: Mapping[str, int]
    expected: Mapping[str, float]
    p_value: float | NotEnoughData

    @property
    def suspicious(self) -> bool:
        return not isinstance(self.p_value, NotEnoughData) and self.p_value < SUSPICIOUS


def check_split(observed: Mapping[str, int], shares: Mapping[str, float]) -> Split:
    """Check counts against shares, on any positive scale. A group with no share should have nobody."""
    total, scale = sum(observed.values()), sum(shares.values())
    expected = {name: total * share / scale for name, share in shares.items()}
    return Split(observed=dict(observed), expected=expected, p_value=_p_value(observed, shares))


def _p_value(observed: Mapping[str, int], shares: Mapping[str, float]) -> float | NotEnoughData:
    if any(observed[name] for name, share in shares.items() if share == 0):
        return 0.0
    shared = [name for name, share in shares.items() if share > 0]
    if len(shared) < 2:
        return NotEnoughData("all customers are in one group, so there is no split to check")
    try:
        return srm([observed[name] for name in shared], [shares[name] for name in shared])
    except NotEnoughData as error:
        return error
