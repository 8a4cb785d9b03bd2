"""A small business with a known effect: customers in a store, in the groups that their hash gives them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from nba.chance import group_of
from nba.playbook.compile import Playbook, parse
from nba.stores.memory import MemoryStore
from nba.stores.ports import DecisionRow, Store, TouchpointRow
from tests.stores.contract import decision, touchpoint

DAY = 86_400.0
SECRET = b"\x07" * 32
END = 30 * DAY
MAIL, SILENCE = "bogo/email/now", "no_contact"

TEXT = """
name: shop
currency: EUR
touchpoints: [visit, purchase, complaint]
objectives:
  window: 7d
  outcomes:
    purchase: {value: amount, weight: 0.5}
    complaint: {value: -10}
stages:
  - {name: all, when: "true"}
channels:
  email: {cost: 0.25}
timings:
  now: {}
actions:
  bogo: {channels: [email], timings: [now], cost: 0.75}
groups: {holdout: 0.2, random_eligible: 0.2}
"""


def shop(text: str = TEXT) -> Playbook:
    return parse(text)


PLAYBOOK = shop()


def decided(
    id: str, customer: str, at: float, arm: str = MAIL, group: str = "treatment", **values: object
) -> DecisionRow:
    """A decision of PLAYBOOK; a contact costs 1."""
    contact = arm != SILENCE
    sent = {"action": "bogo", "channel": "email", "timing": "now", "send_at": at}
    silent = {"action": SILENCE, "channel": None, "timing": None, "send_at": None}
    return decision(
        id,
        surrogate=customer,
        decided_at=at,
        arm=arm,
        group=group,
        **{"playbook": PLAYBOOK.version, **(sent if contact else silent), **values},
    )


def bought(id: str, customer: str, at: float, value: float, **values: object) -> TouchpointRow:
    """A purchase, worth half its value."""
    return touchpoint(
        id, **{"surrogate": customer, "type": "purchase", "occurred_at": at, "value": value, **values}
    )


def filled(
    store: Store, decisions: Sequence[DecisionRow], touchpoints: Sequence[TouchpointRow] = ()
) -> Store:
    store.keep_playbook(PLAYBOOK.version, PLAYBOOK.text)
    with store.transaction() as transaction:
        transaction.append_decisions(decisions)
        transaction.append_touchpoints(touchpoints)
    return store


def memory() -> MemoryStore:
    return MemoryStore(secret=SECRET)


def business(store: Store, *, customers: int, effect: float, seed: int, past: bool = False) -> Store:
    """Customers who enter over ten days and buy once, later; in treatment for `effect` more (net of contact).

    Purchases spread with a standard deviation of 4 in worth, of which `past` purchases tell 80 % of variance.
    """
    rng = np.random.default_rng(seed)
    decisions, touchpoints = [], []
    for i in range(customers):
        name = f"c-{i}"
        group = group_of(SECRET, name, PLAYBOOK.spec.groups)
        entered = float(rng.uniform(1, 11)) * DAY
        taste = rng.normal(0, 4 * np.sqrt(0.8))
        earned = 20 + taste + rng.normal(0, 4 * np.sqrt(0.2)) + (effect + 1 if group == "treatment" else 0.0)
        arm = MAIL if group == "treatment" else SILENCE
        decisions.append(decided(f"d-{i}", name, entered, arm, group))
        touchpoints.append(bought(f"p-{i}", name, entered + DAY, 2 * earned))
        if past:
            touchpoints.append(bought(f"b-{i}", name, entered - DAY / 2, 2 * (20 + taste)))
    return filled(store, decisions, touchpoints)


def cookie_cats(folder: Path) -> dict[str, int]:
    """Customers a version of the public Cookie Cats experiment, which was to split them in halves."""
    import polars as pl

    versions = pl.read_parquet(folder / "cookie-cats-ab" / "cookie_cats.parquet")["test_version"]
    return dict(versions.value_counts().iter_rows())
