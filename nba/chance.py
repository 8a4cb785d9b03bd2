"""Chance that can be replayed: HMACs of ids under the secret of the store.

Each use has a salt of its own, so that a customer's group says nothing about their draws.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from nba.playbook.book import Combination
from nba.playbook.schema import Experiment, Groups

Group = Literal["treatment", "random_eligible", "holdout"]
_STEP = 2.0**-53


def uniforms(secret: bytes, ids: Sequence[str], salt: str = "draw") -> NDArray[np.float64]:
    """(n,) numbers in [0, 1), one an id: the first 53 bits of HMAC-SHA256(secret, salt:id)."""
    numbers = [
        int.from_bytes(hmac.digest(secret, f"{salt}:{id}".encode(), hashlib.sha256)[:8], "big") >> 11
        for id in ids
    ]
    return np.array(numbers, dtype=np.float64) * _STEP


def groups_of(secret: bytes, customer_ids: Sequence[str], groups: Groups) -> list[Group]:
    """Customers' groups: by hash, so they stick; changing one share moves as few as can be."""
    # Random ones are counted from the other end, so that the holdout may grow without moving any of them.
    low, high = groups.holdout, 1 - groups.random_eligible
    return [
        "holdout" if u < low else "random_eligible" if u >= high else "treatment"
        for u in uniforms(secret, customer_ids, salt="group").tolist()
    ]


def group_of(secret: bytes, customer_id: str, groups: Groups) -> Group:
    """One customer's group."""
    return groups_of(secret, [customer_id], groups)[0]


@dataclass(frozen=True, slots=True)
class Assignment:
    """Where a treatment customer stands in the experiments of a moment; who is in none may be in a ramp.

    Attributes:
        running: the experiments that expose customers at the moment, in the playbook's order.
        variants: (experiment, variant) of those that the customer is in, in the same order.
        ramp: the policy of a ramp decides.
    """

    running: tuple[str, ...] = ()
    variants: Combination = ()
    ramp: bool = False


NOWHERE = Assignment()


def running_at(experiments: Sequence[Experiment], moment: float) -> tuple[Experiment, ...]:
    """Those that expose customers at a moment, epoch seconds."""
    return tuple(e for e in experiments if e.exposes_from <= moment < e.exposes_until)


def variants_of(
    secret: bytes,
    customer_ids: Sequence[str],
    experiments: Sequence[Experiment],
    running: Sequence[Sequence[Experiment]],
) -> list[Combination]:
    """Which variants customers of the treatment group are in, of the experiments that run for each.

    A layer's experiments take intervals of [0, 1) one after the other, each as wide as its share, whether
    they run or not: so starting or ending one moves nobody in another. A customer's place in the layer and
    in the experiment are hashed with salts of their own.
    """
    found: list[list[tuple[int, tuple[str, str]]]] = [[] for _ in customer_ids]
    wanted = {experiment.name for some in running for experiment in some}
    for layer in dict.fromkeys(e.layer for e in experiments if e.name in wanted):
        places = uniforms(secret, customer_ids, salt=f"layer:{layer}").tolist()
        for number, experiment, low, high in _intervals(experiments, layer):
            if experiment.name in wanted:
                rows = [i for i, u in enumerate(places) if low <= u < high and experiment in running[i]]
                names = _variants(secret, [customer_ids[i] for i in rows], experiment)
                for i, name in zip(rows, names, strict=True):
                    found[i].append((number, (experiment.name, name)))
    return [tuple(pair for _, pair in sorted(pairs)) for pairs in found]


def _intervals(
    experiments: Sequence[Experiment], layer: str
) -> Iterator[tuple[int, Experiment, float, float]]:
    """Number and interval of each experiment of a layer."""
    low = 0.0
    for number, experiment in enumerate(experiments):
        if experiment.layer == layer:
            yield number, experiment, low, low + experiment.share
            low += experiment.share


def _variants(secret: bytes, customer_ids: Sequence[str], experiment: Experiment) -> list[str]:
    """The variant of each customer of an experiment: by weight, over a uniform of its own."""
    names = list(experiment.variants)
    ends = np.cumsum([variant.weight for variant in experiment.variants.values()])
    u = uniforms(secret, customer_ids, salt=f"experiment:{experiment.salt or experiment.name}")
    chosen = np.minimum(np.searchsorted(ends, u * ends[-1], side="right"), len(names) - 1)
    return [names[i] for i in chosen.tolist()]


def ramped(secret: bytes, customer_ids: Sequence[str], origin: int, share: float) -> list[bool]:
    """Who is in a ramp of a policy, named by its origin: a larger share keeps all of a smaller one."""
    return [u < share for u in uniforms(secret, customer_ids, salt=f"ramp:{origin}").tolist()]
