"""Who the customers are: latent traits that drive the response, and the observed attributes beside them.

Attributes are correlated with traits, so that a contextual policy has something to learn, and noisy, so
that behaviour tells more than attributes alone. What happens to a customer is in `dynamics`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.simulate.commerce import Commerce, Floats, Ints

REGIONS = ("north", "south", "west")
DEVICES = ("ios", "android", "web")
NORMALS = 20  # standard normals drawn per customer, row by row
UNIFORMS = 8
GRANTED = {"email": 0.95, "push": 0.88, "sms": 0.85}  # share of customers who consented at the start

# How taste leans on age (per 15 years younger than 45), membership, north, south, west; then its mean.
TASTE = {
    "offer": (0.2, -0.7, -0.5, 1.1, -0.5, -0.7),
    "news": (-1.0, 0.1, -0.2, -0.4, 0.7, -0.7),
    "loyalty": (0.1, 1.9, -0.1, 0.0, 0.0, -1.5),
    "event": (0.9, -0.2, 0.9, -0.6, -0.4, -1.1),
}
# How liking a channel leans on youth and on each device; then its mean, as log-odds of opening.
CHANNEL = {
    "email": (-0.8, -0.3, -0.3, 0.9, -0.3),
    "push": (0.5, 0.8, 0.4, -1.3, -0.5),
    "sms": (-0.1, -0.4, 0.7, -0.1, -0.3),
}
# How liking a part of the day leans on youth; then its mean. A timing open at any hour is the zero.
DAYPART = {"morning": (-0.9, 0.1), "evening": (0.9, 0.2)}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Traits:
    """n customers.

    Attributes:
        age: (n,) in years. member: (n,). region, device: (n,) index into REGIONS, DEVICES.
        basket: (n,) mean purchase at the full price, in the currency, 4 to 13.
        thrift: (n,) how much a discount appeals, 0 to 1.
        taste: (n, categories) log of how strongly an opened contact lifts buying.
        channel: (n, channels) and daypart: (n, timings) in log-odds of opening.
        touchiness: (n,) how much a contact tires, 0.03 to 0.9.
        visits, purchases: (n,) base rates a day.
        churn: (n,) base hazard a day.
        granted: (n, channels) consent at the start.
    """

    age: Floats
    member: NDArray[np.bool_]
    region: Ints
    device: Ints
    basket: Floats
    thrift: Floats
    taste: Floats
    channel: Floats
    daypart: Floats
    touchiness: Floats
    visits: Floats
    purchases: Floats
    churn: Floats
    granted: NDArray[np.bool_]

    def take(self, customers: Ints) -> Traits:
        """The traits of some customers, in the order asked for."""
        rows: dict[str, Any] = {f.name: getattr(self, f.name)[customers] for f in fields(self)}
        return Traits(**rows)


def draw_traits(seed: int, customers: int, commerce: Commerce) -> Traits:
    """Draw the population. Customer i is the same person whatever the number of customers."""
    z = _stream(seed, 0).standard_normal((customers, NORMALS))
    u = _stream(seed, 1).random((customers, UNIFORMS))
    age = np.clip(np.round(42 + 14 * z[:, 0]), 18, 80)
    youth = (45 - age) / 15
    member = u[:, 0] < 0.4
    region = np.digitize(u[:, 1], [0.35, 0.68])
    device = np.where(u[:, 2] < logistic(-0.4 - 0.9 * youth), 2, (u[:, 3] < 0.5).astype(np.int64))
    return Traits(
        age=age,
        member=member,
        region=region,
        device=device,
        basket=np.clip(np.exp(2.05 + 0.15 * member - 0.08 * youth + 0.25 * z[:, 1]), 4, 13),
        thrift=logistic(-0.6 + 0.4 * youth + 1.0 * (region == 1) + 0.7 * z[:, 2]),
        taste=_taste(commerce, youth, member, region, z[:, 3:7]),
        channel=_channel(commerce, youth, device, z[:, 7:10]),
        daypart=_daypart(commerce, youth, z[:, 10:12]),
        touchiness=np.clip(np.exp(-1.5 + 0.5 * (region == 0) - 0.4 * member + 0.7 * z[:, 12]), 0.03, 0.9),
        visits=np.exp(-2.3 + 0.4 * member + 0.4 * z[:, 13]),
        purchases=np.exp(-3.3 + 0.5 * member + 0.5 * z[:, 14]),
        churn=np.exp(-7.2 - 0.4 * member + 0.5 * z[:, 15]),
        granted=u[:, 4 : 4 + len(commerce.channels)] < [GRANTED[name] for name in commerce.channels],
    )


def drift_traits(traits: Traits, seed: int, size: float) -> Traits:
    """Tastes moved a share `size` (0 to 1) of the way to another category's, the same for everybody.

    At 1 the categories have changed places (a seeded cycle), so what a policy learned of them is wrong.
    """
    places = traits.taste.shape[1]
    moved = np.roll(traits.taste, 1 + int(_stream(seed, 2).integers(places - 1)), axis=1)
    return replace(traits, taste=(1 - size) * traits.taste + size * moved)


def _taste(
    commerce: Commerce, youth: Floats, member: NDArray[np.bool_], region: Ints, noise: Floats
) -> Floats:
    design = np.column_stack([youth, member, region == 0, region == 1, region == 2, np.ones_like(youth)])
    return _leaning(design, [TASTE[name] for name in commerce.categories]) + 0.45 * noise


def _channel(commerce: Commerce, youth: Floats, device: Ints, noise: Floats) -> Floats:
    design = np.column_stack([youth, device == 0, device == 1, device == 2, np.ones_like(youth)])
    return _leaning(design, [CHANNEL[name] for name in commerce.channels]) + 0.5 * noise


def _daypart(commerce: Commerce, youth: Floats, noise: Floats) -> Floats:
    columns = dict(zip(DAYPART, noise.T, strict=True))
    liking = {name: DAYPART[name][0] * youth + DAYPART[name][1] + 0.5 * columns[name] for name in DAYPART}
    return np.column_stack([liking.get(name, np.zeros_like(youth)) for name in commerce.timings])


def _leaning(design: Floats, weights: Sequence[tuple[float, ...]]) -> Floats:
    """design·weightsᵀ, summed in a fixed order: BLAS rounds differently when n differs."""
    out: Floats = np.einsum("nd,gd->ng", design, np.array(weights))
    return out


def _stream(seed: int, stream: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=np.array([seed, stream], dtype=np.uint64)))


def logistic(x: Floats) -> Floats:
    """1 / (1 + e⁻ˣ)."""
    out: Floats = 1 / (1 + np.exp(-x))
    return out
