"""Measure what choosing costs. Each function returns one line of `nba bench`, both sides timed here.

Ours is scores, odds and draw from raw features and an eligibility mask; VW's is its prediction for each
arm, on the model that ours was compiled from, its lines being ready-made.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from nba.playbook.compile import Playbook, parse
from nba.policies.draw import draw
from nba.policies.encoder import Encoder
from nba.policies.linear import LinearModel
from nba.policies.policy import Bools, Floats
from nba.policies.served import ServedPolicy
from nba.policies.vowpal import extract, namespace, workspace

FEATURES = 60
_SEED = 0
_TRAINING = 2_000
_FIFTY = [(4, 2)] * 6 + [(1, 1)]  # channels and timings of each action
Measure = dict[str, float | str]


def choose_50() -> Measure:
    """One customer, 50 arms, 60 features: microseconds a choice."""
    return _one("choose.50", channels=4, shapes=_FIFTY)


def choose_600() -> Measure:
    """One customer, 600 arms, 60 features: microseconds a choice."""
    return _one("choose.600", channels=5, shapes=[(5, 2)] * 59 + [(5, 1), (4, 1)])


def choose_bulk(customers: int = 100_000) -> Measure:
    """50 arms, 60 features, many customers, one process: decisions a second."""
    with _bench(channels=4, shapes=_FIFTY) as bench:
        X, eligible, uniforms = _moments(bench.policy, customers)
        ours = customers / _best(lambda: draw(bench.policy.choose(X, eligible).odds, uniforms), 1, 3)
        theirs = 1 / _best(bench.ask, 20, 3)
    return line("choose.bulk", ours, "decisions/s", theirs, ours / theirs)


def _one(name: str, channels: int, shapes: list[tuple[int, int]]) -> Measure:
    with _bench(channels, shapes) as bench:
        X, eligible, uniforms = _moments(bench.policy, 1)
        ours = 1e6 * _best(lambda: draw(bench.policy.choose(X, eligible).odds, uniforms), 500, 7)
        theirs = 1e6 * _best(bench.ask, 20, 7)
    return line(name, ours, "us", theirs, theirs / ours)


@dataclass(frozen=True, slots=True)
class _Bench:
    """The compiled policy, and the same question put to VW."""

    policy: ServedPolicy
    ask: Callable[[], object]


@contextmanager
def _bench(channels: int, shapes: list[tuple[int, int]]) -> Iterator[_Bench]:
    """A model learned by VW for actions of (channels, timings), and VW itself."""
    playbook = _playbook(channels, shapes)
    arms, rng = playbook.arms, np.random.default_rng(_SEED)
    X = np.zeros((_TRAINING, len(playbook.schema)))
    X[:, :FEATURES] = rng.normal(size=(_TRAINING, FEATURES))
    encoder = Encoder.fit(playbook.schema, X, bins=1)
    encoded, arm = encoder.encode(X), rng.integers(len(arms), size=_TRAINING)
    reward = encoded[:, 0] * arms.action[arm] / len(arms.actions) + rng.normal(size=_TRAINING)
    about = [namespace("a", phi) for phi in arms.features]
    with workspace("--learning_rate 0.1", len(encoder), arms.features.shape[1]) as vw:
        for r, x, a in zip(reward.tolist(), encoded, arm.tolist(), strict=True):
            vw.learn(f"{r:.9g} 1 {namespace('c', x)}{about[a]}")
        model = LinearModel.compile(
            specification="vowpal",
            encoder=encoder,
            weights=extract(vw, len(encoder), arms.features.shape[1]),
            arm_features=arms.feature_names,
            arms=arms,
            sigma=1.0,
            resolution=0.1,
        )
        lines = [namespace("c", encoded[0]) + phi for phi in about]
        policy = ServedPolicy.of(model, playbook.spec.exploration)
        yield _Bench(policy, lambda: [vw.predict(line) for line in lines])


def fifty_arms() -> Playbook:
    """The playbook of `choose.50`: 50 arms, silence among them, of 7 actions, 4 channels and 2 timings."""
    return _playbook(channels=4, shapes=_FIFTY)


def _playbook(channels: int, shapes: list[tuple[int, int]]) -> Playbook:
    names = [f"channel{i}" for i in range(channels)]
    actions = "\n".join(
        f"  action{i}: {{channels: [{', '.join(names[:c])}], timings: [{', '.join(['now', 'evening'][:t])}]}}"
        for i, (c, t) in enumerate(shapes)
    )
    channel_lines = "\n".join(f"  {name}: {{}}" for name in names)
    return parse(
        f"""
name: bench
currency: EUR
touchpoints: [visit, purchase]
objectives: {{window: 7d, outcomes: {{purchase: {{value: amount}}}}}}
stages: [{{name: any, when: "true"}}]
channels:
{channel_lines}
timings: {{now: {{}}, evening: {{from: "18:00", to: "21:00"}}}}
actions:
{actions}
"""
    )


def _moments(policy: ServedPolicy, n: int) -> tuple[Floats, Bools, Floats]:
    rng = np.random.default_rng(_SEED + 1)
    arms = policy.model.arms
    X = np.zeros((n, int(policy.model.encoder.source.max()) + 1))  # type: ignore[attr-defined]
    X[:, :FEATURES] = rng.normal(size=(n, FEATURES))
    eligible = rng.random((n, len(arms))) < 0.8
    eligible[:, 0] = True
    return X, eligible, rng.random(n)


def _best(run: Callable[[], object], times: int, rounds: int) -> float:
    """Seconds a run: the best round, since whatever else the machine does can only slow it down."""
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        for _ in range(times):
            run()
        seconds.append((time.perf_counter() - start) / times)
    return min(seconds)


def line(name: str, value: float, unit: str, baseline: float, ratio: float) -> Measure:
    return {"name": name, "value": value, "unit": unit, "baseline": baseline, "ratio": ratio}
