"""A shop on a store: customers whose taste is in their context, decided for by the service itself."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nba.model import Report, Reports
from nba.stores.memory import MemoryStore
from nba.stores.ports import Store
from tests.service.business import DAY, NOON, Business, answered, consents, outcome, request

TEXT = """
name: shop
currency: EUR
context: {device: [ios, web], basket: number}
touchpoints: [visit, purchase]
objectives: {window: 7d, outcomes: {purchase: {value: amount}}}
stages: [{name: all, when: "true"}]
channels: {email: {cost: 0.5}, push: {cost: 0.1}}
timings: {now: {}}
actions:
  offer: {channels: [push], timings: [now]}
  news: {channels: [email], timings: [now]}
exploration: {explorer: squarecb, gamma: 20, floor: 0.1}
groups: {holdout: 0.1, random_eligible: 0.1}
promotion: {level: 0.95, margin: 0.1, decisions: 300, n_psi: 4}
"""
SECRET = bytes(32)
Worth = Callable[[str, str, np.random.Generator], float]


def by_taste(device: str, action: str, chance: np.random.Generator) -> float:
    """The offer is for phones, the news for the web; the other one annoys nobody."""
    liked = {"ios": "offer", "web": "news"}[device] == action
    return float(10.0 * liked + chance.exponential())


def whatever(device: str, action: str, chance: np.random.Generator) -> float:
    """What is done makes no difference."""
    return float(chance.exponential(5.0))


def open_shop(store: Store | None = None, text: str = TEXT) -> Business:
    return Business.of(text, MemoryStore("request", secret=SECRET) if store is None else store)


def trade(business: Business, customers: int, worth: Worth, *, day: int = 0, seed: int = 0) -> float:
    """A decision for each of the customers on this day, and what it earned; the moment after it."""
    chance, at = np.random.default_rng([seed, day]), NOON + day * DAY
    for start in range(0, customers, 250):
        names = [f"c{i}" for i in range(start, min(start + 250, customers))]
        devices = chance.choice(["ios", "web"], len(names))
        said = [consents(name, at=at - 60.0) for name in names] if day == 0 else []
        asked = [
            request(name, at, id=f"{name}.{day}", context={"device": str(device), "basket": chance.random()})
            for name, device in zip(names, devices, strict=True)
        ]
        _, *results = business.service.handle([Reports(items=tuple(said)), *asked], at)
        outcomes: list[Report] = [
            outcome(
                "purchase",
                at + 3_600.0,
                id=f"{name}.{day}",
                decision_id=f"{name}.{day}",
                value=worth(str(device), answered(result)["action"], chance),
            )
            for name, device, result in zip(names, devices, results, strict=True)
        ]
        business.report(*outcomes)
    return at + 3_601.0
