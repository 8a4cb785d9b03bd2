"""Ridge that goes on learning: parts add up to the whole, and a fold can be left out."""

from __future__ import annotations

import numpy as np
import pytest

from nba.errors import InvalidInput, NotEnoughData
from nba.playbook.compile import Playbook
from nba.policies.batch import TrainingBatch
from nba.policies.encoder import Encoder
from nba.policies.learners import LEARNERS
from nba.policies.policy import Ints
from nba.policies.running import FOLDS, RunningRidge
from nba.policies.served import ServedPolicy
from tests.policies.world import World


def _log(playbook: Playbook, n: int, seed: int) -> tuple[TrainingBatch, Ints]:
    batch = World.of(playbook, n, seed=seed).log(playbook, seed=seed + 1)
    return batch, np.random.default_rng(seed).integers(0, FOLDS, n)


@pytest.fixture(scope="module")
def started(playbook: Playbook) -> RunningRidge:
    batch, _ = _log(playbook, 1_000, seed=3)
    return RunningRidge.empty(Encoder.fit(playbook.schema, batch.features), playbook)


def test_what_is_learned_in_parts_is_what_is_learned_at_once(
    playbook: Playbook, started: RunningRidge
) -> None:
    batch, fold = _log(playbook, 4_000, seed=5)
    parts = started
    for rows in np.array_split(np.arange(4_000), 7):
        parts = parts.add(batch.at(rows), fold[rows])
    whole = started.add(batch, fold)
    assert parts.rows == whole.rows == 4_000
    assert parts.settled().strength == whole.settled().strength
    for one, other in zip(parts.parts, whole.parts, strict=True):
        for name in ("gram", "moment", "squares", "weight", "count"):
            np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=1e-9, atol=1e-6)
    X = World.of(playbook, 200, seed=9).features
    np.testing.assert_allclose(parts.model().scores(X), whole.model().scores(X), rtol=1e-6, atol=1e-6)


def test_a_model_without_a_fold_never_saw_it(playbook: Playbook, started: RunningRidge) -> None:
    batch, fold = _log(playbook, 4_000, seed=5)
    whole = started.add(batch, fold).settled()
    others = np.flatnonzero(fold != 2)
    apart = RunningRidge.empty(started.encoder, playbook, strength=whole.strength)
    apart = apart.add(batch.at(others), fold[others])
    X = World.of(playbook, 200, seed=9).features
    expected = apart.fit().weights()[0]
    np.testing.assert_allclose(whole.fit(without=2).weights()[0], expected, rtol=1e-5, atol=1e-6)
    assert not np.allclose(whole.model().scores(X), whole.model(without=2).scores(X), atol=1e-3)


def test_it_is_worth_as_much_as_the_learner_itself(playbook: Playbook, world: World) -> None:
    """6,000 decisions of seed 0; both policies are judged by their true value in the world."""
    batch = World.of(playbook, 6_000, seed=0).log(playbook, seed=1)
    learned = LEARNERS["ridge"].fit(playbook, batch, seed=7)
    running = RunningRidge.empty(Encoder.fit(playbook.schema, batch.features, 4, 300), playbook)
    model = running.add(batch, np.arange(6_000) % FOLDS).model()
    values = [world.value(ServedPolicy.greedy(m)) for m in (model, learned)]
    assert values[0] > 0.98 * values[1] > world.best_constant()
    assert 0.5 < model.resolution / learned.resolution < 2.0


def test_what_decays_counts_less(playbook: Playbook, started: RunningRidge) -> None:
    batch, fold = _log(playbook, 1_000, seed=5)
    once = started.add(batch, fold)
    assert once.decayed(0.25).total.weight.sum() == pytest.approx(0.25 * once.total.weight.sum())


def test_a_thompson_playbook_gets_its_heads(playbook: Playbook, started: RunningRidge) -> None:
    batch, fold = _log(playbook, 1_000, seed=5)
    assert started.add(batch, fold).model(heads=8, seed=1).head_count == 8


def test_nothing_learned_is_no_model_and_a_fold_that_there_is_not_is_told(
    playbook: Playbook, started: RunningRidge
) -> None:
    with pytest.raises(NotEnoughData, match="no decisions"):
        started.model()
    batch, _ = _log(playbook, 10, seed=5)
    with pytest.raises(InvalidInput, match="one number from 0 to 3"):
        started.add(batch, np.full(10, FOLDS))
