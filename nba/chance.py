"""Chance that can be replayed: HMACs of ids under the secret of the store.

Each use has a salt of its own, so that a customer's group says nothing about their draws.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from nba.playbook.schema import Groups

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
