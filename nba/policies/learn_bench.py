"""Measure what learning costs: logged decisions a second into a policy, ours and Vowpal Wabbit's `--cb_adf`.

Ours is encoding, sums and compiling, from arrays. VW's is its own loop over a file of its own format, written
beforehand, and over a prefix only: it is slow. Both policies are valued in the simulated world that wrote the
log, learned from the same decisions. VW's settings were chosen on other seeds; `python -m
nba.policies.learn_bench` makes that choice again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from nba.playbook.compile import Playbook
from nba.policies.batch import TrainingBatch
from nba.policies.bench import FEATURES, Measure, fifty_arms, line
from nba.policies.draw import draw
from nba.policies.encoder import Encoder
from nba.policies.explore import uniform_tree
from nba.policies.linear import LinearModel
from nba.policies.policy import Bools, Floats, Ints
from nba.policies.running import FOLDS, RunningRidge
from nba.policies.served import ServedPolicy
from nba.policies.vowpal import namespace, workspace

DECISIONS = 1_000_000
PREFIX = 20_000  # of them that VW learns from
_CHUNK = 50_000  # decisions in memory at once
_JUDGED = 3_000  # moments on which policies are valued
_SEED = 0
_OTHER_SEEDS = (101, 102)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rival:
    """How VW learns.

    Attributes:
        kind: its reduction, `--cb_type`.
        rate: `--learning_rate`.
        bins: of the columns it sees: 1 for scaled values alone, 4 for what ours sees.
    """

    kind: str = "mtr"
    rate: float = 0.3
    bins: int = 1


CHOSEN = {False: Rival(rate=0.3), True: Rival(rate=1.0)}
"""VW's best of `choose_rival`, by whether the world has tastes."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BenchWorld:
    """Customers of 60 normal features, and what each arm earns on average: slopes and steps by action, levels
    by channel and timing, and what a customer is worth anyway.

    With `tastes` channels and timings have slopes as well: who likes which, whatever is said there.

    Attributes:
        slopes: (60, k), with what all arms share.
        step: (k,) what it is worth more where feature `place` (k,) is above 0.5.
        level: (k,).
    """

    playbook: Playbook
    slopes: Floats
    place: Ints
    step: Floats
    level: Floats

    @classmethod
    def of(cls, playbook: Playbook, seed: int, tastes: bool = False) -> BenchWorld:
        rng, arms = np.random.default_rng(seed), playbook.arms
        actions, contact = len(arms.actions), arms.action >= 0
        own = rng.normal(size=(FEATURES, actions)) * (rng.random((FEATURES, actions)) < 0.3) * 0.15
        own, level = own[:, arms.action], rng.normal(0.0, 0.15, actions)[arms.action]
        for names, column in ((arms.channels, arms.channel), (arms.timings, arms.timing)):
            level = level + rng.normal(0.0, 0.15, len(names))[column]
            own = own + rng.normal(size=(FEATURES, len(names)))[:, column] * (0.03 if tastes else 0.0)
        return cls(
            playbook=playbook,
            slopes=own * contact + rng.normal(size=(FEATURES, 1)) * 0.1,
            place=rng.integers(FEATURES, size=actions)[arms.action],
            step=rng.uniform(0.3, 0.9, actions)[arms.action] * contact,
            level=level * contact,
        )

    def moments(self, n: int, seed: int) -> tuple[Floats, Bools]:
        """(n, F) features and (n, k) eligible arms, four in five."""
        rng = np.random.default_rng((_SEED, seed))
        X = np.zeros((n, len(self.playbook.schema)))
        X[:, :FEATURES] = rng.normal(size=(n, FEATURES))
        eligible = rng.random((n, len(self.playbook.arms))) < 0.8
        eligible[:, 0] = True
        return X, eligible

    def means(self, X: Floats) -> Floats:
        """(n, F) → (n, k)."""
        x = X[:, :FEATURES]
        return x @ self.slopes + self.step * (x[:, self.place] > 0.5) + self.level

    def log(self, n: int, seed: int) -> TrainingBatch:
        """Decisions drawn uniformly down the tree, and their rewards, of noise 1."""
        X, eligible = self.moments(n, seed)
        rng, rows = np.random.default_rng((1, seed)), np.arange(n)
        odds = uniform_tree(self.playbook.arms, eligible)
        arm = draw(odds, rng.random(n))
        reward = self.means(X)[rows, arm] + rng.normal(size=n)
        return TrainingBatch(
            features=X, arm=arm, reward=reward, propensity=odds[rows, arm], eligible=eligible
        )


def learn() -> Measure:
    """50 arms, 60 features: logged decisions a second into a policy.

    `policy_value` and `baseline_policy_value` are what both are truly worth a decision when acting greedily,
    each having learned from the same `baseline_decisions`; `best_policy_value` is what could be had. The
    same with `tastes_` is of a world in which liking a channel or timing depends on the customer too.
    """
    return measured(DECISIONS, PREFIX)


def measured(decisions: int, prefix: int) -> Measure:
    """The line of `nba bench`, from so many decisions, of which VW learns from the first `prefix`."""
    world = BenchWorld.of(fifty_arms(), _SEED)
    encoder = _encoder(world.playbook, world.log(prefix, seed=1))
    parts = [min(_CHUNK, decisions - start) for start in range(0, decisions, _CHUNK)]
    chunks = (world.log(n, seed=2 + i) for i, n in enumerate(parts))
    ours = decisions / _ridge(world.playbook, encoder, chunks)[0]
    seconds, figures = _contest(world, prefix, CHOSEN[False])
    again, tastes = _contest(BenchWorld.of(world.playbook, _SEED, tastes=True), prefix, CHOSEN[True])
    theirs = prefix / min(seconds, again)
    further = {"decisions": decisions, "baseline_decisions": prefix, **figures}
    further |= {f"tastes_{name}": value for name, value in tastes.items()}
    return {**line("learn", ours, "decisions/s", theirs, ours / theirs), **further}


def _contest(world: BenchWorld, prefix: int, settings: Rival) -> tuple[float, dict[str, float]]:
    """Seconds that VW takes, and what both policies are worth, learned from the same decisions."""
    log = world.log(prefix, seed=1)
    X, eligible = world.moments(_JUDGED, seed=0)
    means = world.means(X)
    policy = ServedPolicy.greedy(_ridge(world.playbook, _encoder(world.playbook, log), [log])[1])
    with rival(world.playbook, log, settings) as (seconds, scores):
        theirs = _best(scores(X), eligible)
    return seconds, {
        "policy_value": _earned(means, policy.choose(X, eligible).best),
        "baseline_policy_value": _earned(means, theirs),
        "best_policy_value": _earned(means, _best(means, eligible)),
    }


@contextmanager
def rival(
    playbook: Playbook, log: TrainingBatch, settings: Rival
) -> Iterator[tuple[float, Callable[[Floats], Floats]]]:
    """Seconds that VW took for the log, and what it then expects: (n, F) features → (n, k) scores."""
    encoder = _encoder(playbook, log, settings.bins)
    about = [namespace("a", phi) for phi in playbook.arms.features]
    with TemporaryDirectory() as scratch:
        file = Path(scratch) / "log.txt"
        file.write_text("".join(_lines(encoder, about, log)), encoding="utf-8")
        options = f"--cb_adf --cb_type {settings.kind} --learning_rate {settings.rate:g} --data {file}"
        start = time.perf_counter()
        with workspace(options, len(encoder), playbook.arms.features.shape[1]) as vw:  # reads it all
            seconds = time.perf_counter() - start
            yield seconds, lambda X: _asked(vw, encoder.encode(X), about)


def choose_rival(tastes: bool, decisions: int = 10_000) -> list[tuple[float, Rival]]:
    """What VW's policy is worth by its settings, best first, in a world that nothing else uses."""
    tried = [
        Rival(kind=kind, rate=rate, bins=bins)
        for kind in ("mtr", "dr")
        for rate in (0.1, 0.3, 1.0, 3.0)
        for bins in (1, 4)
    ]
    world = BenchWorld.of(fifty_arms(), _OTHER_SEEDS[tastes], tastes=tastes)
    found = [(_worth(world, settings, decisions), settings) for settings in tried]
    return sorted(found, key=lambda pair: -pair[0])


def _worth(world: BenchWorld, settings: Rival, decisions: int) -> float:
    """True value a decision of VW's greedy policy."""
    X, eligible = world.moments(_JUDGED, seed=_OTHER_SEEDS[0])
    with rival(world.playbook, world.log(decisions, seed=_OTHER_SEEDS[1]), settings) as (_, scores):
        return _earned(world.means(X), _best(scores(X), eligible))


def _ridge(playbook: Playbook, encoder: Encoder, log: Iterable[TrainingBatch]) -> tuple[float, LinearModel]:
    """Seconds that ours takes to learn and compile, the making of the log left out; and the model."""
    running, seconds = RunningRidge.empty(encoder, playbook), 0.0
    for batch in log:
        fold = np.arange(running.rows, running.rows + len(batch)) % FOLDS
        start = time.perf_counter()
        running = running.add(batch, fold)
        seconds += time.perf_counter() - start
    start = time.perf_counter()
    model = running.model()
    return seconds + time.perf_counter() - start, model


def _encoder(playbook: Playbook, log: TrainingBatch, bins: int = 4) -> Encoder:
    return Encoder.fit(playbook.schema, log.features, bins)


def _lines(encoder: Encoder, about: Sequence[str], log: TrainingBatch) -> Iterator[str]:
    """VW's text format: cost and odds stand before the arm drawn. Costs are standardised."""
    cost = (-(log.reward - log.reward.mean()) / log.reward.std()).tolist()
    open_ = np.ones((len(log), len(about)), dtype=np.bool_) if log.eligible is None else log.eligible
    for start in range(0, len(log), _CHUNK):
        encoded = encoder.encode(log.features[start : start + _CHUNK])
        for i, x in enumerate(encoded, start):
            drawn = int(log.arm[i])
            label = f"0:{cost[i]:.9g}:{log.propensity[i]:.9g} "
            arms = [(label if a == drawn else "") + about[a] for a in np.flatnonzero(open_[i]).tolist()]
            yield "\n".join((f"shared {namespace('c', x)}", *arms)) + "\n\n"


def _asked(vw: Any, encoded: Floats, about: Sequence[str]) -> Floats:
    """(n, k) what VW expects of every arm: it answers in costs."""
    return -np.array([vw.predict([f"shared {namespace('c', x)}", *about]) for x in encoded])


def _best(scores: Floats, eligible: Bools) -> Ints:
    best: Ints = np.where(eligible, scores, -np.inf).argmax(axis=1)
    return best


def _earned(means: Floats, arm: Ints) -> float:
    return float(means[np.arange(len(arm)), arm].mean())


if __name__ == "__main__":
    for tastes in (False, True):
        for worth, settings in choose_rival(tastes):
            print(f"tastes {tastes}: {worth:.4f}  {settings}")
