"""Many customers decided again and again under one playbook: what was contacted, and what was called off.

The loop of the service in small: judge, draw an arm, let go what it displaces, add the contact; a round is
cut into parts so that no daily limit is overdrawn.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random

import numpy as np
from numpy.typing import NDArray

from nba.contact.caps import PURPOSES, Ledger
from nba.contact.eligibility import Gatekeeper, Situation, Verdict
from nba.model import Used
from nba.playbook.compile import Playbook
from tests.contact.random_business import DAY, HOUR, STARTS, ZONES, random_playbook

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
NEVER = np.iinfo(np.int64).max
AHEAD = 200  # customers judged at once where there are daily limits
Draw = Callable[[Verdict, np.random.Generator], Ints]


@dataclass(frozen=True, kw_only=True)
class Crowd:
    """n customers over R rounds: who they are, and the sequence of their contacts.

    Attributes:
        zones: of each customer; `holdout`, `age` (n,); `consent` (n, purposes, channels).
        decided, visited: (n, R) when each round's decision was made, and the last visit before it, or NaN.
        arm: (n, R) drawn, 0 for no contact; `send_at` (n, R) with NaN for none.
        held: (n, R) contacts that nothing may displace.
        gone: (n, R) the round in which a contact gave way to that round's; NEVER for what stayed.
    """

    playbook: Playbook
    zones: list[str]
    holdout: Bools
    age: Floats
    consent: Bools
    decided: Floats
    visited: Floats
    arm: Ints
    send_at: Floats
    held: Bools
    gone: Ints


@dataclass
class _Used:
    """What daily limits have left, kept as a store would."""

    gate: Gatekeeper
    amounts: dict[tuple[str, str], Used] = field(default_factory=dict)

    def add(self, arm: int, send_at: float, sign: int) -> None:
        arms = self.gate.playbook.arms
        action = arms.actions[arms.action[arm]]
        day = self.gate.day_of(send_at, action)
        if day is not None:
            before, cost = self.amounts.get((action, day), Used()), float(arms.cost[arm])
            after = Used(contacts=before.contacts + sign, spend=before.spend + sign * cost)
            self.amounts[action, day] = after


def uniformly(verdict: Verdict, rng: np.random.Generator) -> Ints:
    """(n,) one of the eligible arms each, all alike."""
    return np.where(verdict.eligible, rng.random(verdict.codes.shape), -1.0).argmax(axis=1)


def lawlessly(verdict: Verdict, rng: np.random.Generator) -> Ints:
    """(n,) one of the arms that have a moment, refused or not."""
    return np.where(np.isnan(verdict.send_at), -1.0, rng.random(verdict.codes.shape)).argmax(axis=1)


def simulate(seed: int, *, customers: int, rounds: int, draw: Draw = uniformly) -> Crowd:
    """A random playbook, random customers, `customers` × `rounds` decisions."""
    rng, start = np.random.default_rng(seed), STARTS[seed % len(STARTS)]
    playbook = random_playbook(Random(seed), start)
    crowd = _people(playbook, rng, start, (customers, rounds))
    gate = Gatekeeper(playbook)
    used = _Used(gate)
    for i in range(rounds):
        _round(crowd, gate, used, i, rng, draw)
    return crowd


def _people(playbook: Playbook, rng: np.random.Generator, start: float, shape: tuple[int, int]) -> Crowd:
    (n, rounds), pause = shape, rng.choice([6, 20, 70]) * HOUR
    hurry = (
        HOUR / 2
    )  # three decisions in a row, so that what waits for its part of the day is still to be sent
    turn = np.arange(rounds)
    decided = start + turn // 3 * pause + turn % 3 * hurry + rng.uniform(0, hurry, shape)
    visits = np.where(rng.random(shape) < 0.1, decided - rng.uniform(0, 12 * HOUR, shape), -np.inf)
    visited = np.maximum.accumulate(visits, axis=1)
    return Crowd(
        playbook=playbook,
        zones=[ZONES[i] for i in rng.integers(len(ZONES), size=n)],
        holdout=rng.random(n) < 0.03,
        age=rng.choice([np.nan, 12.0, 40.0, 40.0, 60.0], size=n),
        consent=rng.random((n, len(PURPOSES), len(playbook.arms.channels))) < 0.9,
        decided=decided,
        visited=np.where(np.isfinite(visited), visited, np.nan),
        arm=np.zeros(shape, dtype=np.int64),
        send_at=np.full(shape, np.nan),
        held=rng.random(shape) < 0.05,
        gone=np.full(shape, NEVER),
    )


def _round(crowd: Crowd, gate: Gatekeeper, used: _Used, i: int, rng: np.random.Generator, draw: Draw) -> None:
    """Every customer decides once; in parts that can't overdraw a limit."""
    place, n = 0, len(crowd.zones)
    keys = gate.limit_keys(crowd.decided[:, i], crowd.zones)
    while place < n:
        rows = np.arange(place, min(n, place + AHEAD) if keys else n)
        asked = replace(_situation(crowd, gate, rows, i), used=dict(used.amounts))
        verdict = gate.judge(asked)
        arm = draw(verdict, rng)
        rows = rows[: gate.together(asked, keys)]
        _record(crowd, gate, used, asked, verdict, rows, arm[: len(rows)], i)
        place += len(rows)


def _record(
    crowd: Crowd,
    gate: Gatekeeper,
    used: _Used,
    asked: Situation,
    verdict: Verdict,
    rows: Ints,
    arm: Ints,
    i: int,
) -> None:
    for row in np.flatnonzero(verdict.displacing[np.arange(len(rows)), arm]).tolist():
        for earlier in map(int, gate.displaced(asked, row, int(arm[row]), verdict)):
            customer = int(rows[row])
            crowd.gone[customer, earlier] = i
            used.add(int(crowd.arm[customer, earlier]), float(crowd.send_at[customer, earlier]), -1)
    crowd.arm[rows, i] = arm
    crowd.send_at[rows, i] = verdict.send_at[np.arange(len(rows)), arm]
    limited = np.array([a.daily is not None for a in crowd.playbook.spec.actions.values()] + [False])
    for row in np.flatnonzero(limited[crowd.playbook.arms.action[arm]] & (arm > 0)).tolist():
        used.add(int(arm[row]), float(crowd.send_at[rows[row], i]), 1)


def _situation(crowd: Crowd, gate: Gatekeeper, rows: Ints, i: int) -> Situation:
    playbook, schema = crowd.playbook, crowd.playbook.schema
    features = np.zeros((len(rows), len(schema)))
    features[:, schema.index["age"]] = crowd.age[rows]
    features[:, schema.index["days_since_visit"]] = (crowd.decided[rows, i] - crowd.visited[rows, i]) / DAY
    return Situation(
        now=crowd.decided[rows, i],
        zones=[crowd.zones[row] for row in rows.tolist()],
        features=features,
        consent=crowd.consent[rows],
        ledger=_ledger(crowd, gate, rows, i),
        asked_actions=np.ones((len(rows), len(playbook.arms.actions)), dtype=np.bool_),
        asked_channels=np.ones((len(rows), len(playbook.arms.channels)), dtype=np.bool_),
        holdout=crowd.holdout[rows],
    )


def _ledger(crowd: Crowd, gate: Gatekeeper, rows: Ints, i: int) -> Ledger:
    """The contacts of earlier rounds that still count and are within reach; a decision's id is its round."""
    spec, arms = crowd.playbook.spec, crowd.playbook.arms
    actions = list(spec.actions.values())
    purpose = np.array([*(PURPOSES.index(a.purpose) for a in actions), -1])
    category = np.array([*(arms.categories.index(a.category) for a in actions), -1])
    priority = np.array([*(a.priority for a in actions), 0])
    there = (crowd.arm[rows, :i] > 0) & (crowd.gone[rows, :i] == NEVER)
    there &= crowd.send_at[rows, :i] >= crowd.decided[rows, i, None] - gate.reach
    columns = np.flatnonzero(there.any(axis=0))
    place = np.ix_(rows, columns)
    there, arm = there[:, columns], crowd.arm[place]
    action = np.where(there, arms.action[arm], -1)
    return Ledger(
        at=np.where(there, crowd.send_at[place], np.nan),
        channel=np.where(there, arms.channel[arm], -1),
        purpose=purpose[action],
        action=action,
        category=category[action],
        priority=priority[action],
        reserved=there & ~crowd.held[place],
        ids=(tuple(map(str, columns.tolist())),) * len(rows),
    )
