"""The table of learners: pure in the seed, and plain about what they can't take."""

from __future__ import annotations

import numpy as np
import pytest

from nba.errors import InvalidInput, NotEnoughData
from nba.playbook.compile import Playbook
from nba.policies.batch import TrainingBatch
from nba.policies.learners import LEARNERS
from nba.policies.lesson import resolution
from tests.policies.world import World


@pytest.mark.parametrize("name", LEARNERS)
def test_the_same_decisions_and_seed_give_the_same_model(name: str, playbook: Playbook, world: World) -> None:
    batch = World.of(playbook, 500, seed=4).log(playbook, seed=5)
    one, again = (LEARNERS[name].fit(playbook, batch, seed=3) for _ in range(2))
    assert np.array_equal(one.scores(world.features), again.scores(world.features))
    assert one.resolution == again.resolution


@pytest.mark.parametrize("name", LEARNERS)
def test_a_handful_of_decisions_gives_finite_scores(name: str, playbook: Playbook, world: World) -> None:
    batch = World.of(playbook, 6, seed=4).log(playbook, seed=5)
    model = LEARNERS[name].fit(playbook, batch, seed=3)
    assert np.isfinite(model.scores(world.features)).all()
    assert model.resolution > 0


@pytest.mark.parametrize("name", LEARNERS)
def test_rewards_that_are_all_zero_are_scored_zero(name: str, playbook: Playbook, world: World) -> None:
    batch = World.of(playbook, 200, seed=4).log(playbook, seed=5)
    nothing = TrainingBatch(
        features=batch.features, arm=batch.arm, reward=np.zeros(200), propensity=batch.propensity
    )
    model = LEARNERS[name].fit(playbook, nothing, seed=3)
    assert np.abs(model.scores(world.features)).max() < 1e-6


@pytest.mark.parametrize("name", LEARNERS)
def test_a_setting_that_a_learner_lacks_is_named(name: str, playbook: Playbook) -> None:
    batch = World.of(playbook, 50, seed=4).log(playbook, seed=5)
    with pytest.raises(InvalidInput, match=f"bims: is no setting of {name}"):
        LEARNERS[name].fit(playbook, batch, seed=0, settings={"bims": 3})


@pytest.mark.parametrize(
    ("field", "value", "detail"),
    [
        ("reward", np.nan, "finite"),
        ("propensity", 0.0, "in \\(0, 1\\]"),
        ("propensity", 1.1, "in \\(0, 1\\]"),
        ("arm", -1, "an index into the arm table"),
    ],
)
def test_a_batch_out_of_range_names_field_and_row(
    field: str, value: float, detail: str, playbook: Playbook
) -> None:
    batch = World.of(playbook, 5, seed=4).log(playbook, seed=5)
    columns = {name: getattr(batch, name).copy() for name in ("features", "arm", "reward", "propensity")}
    columns[field][3] = value
    with pytest.raises(InvalidInput, match=rf"{field}\[3\]: must be {detail}"):
        TrainingBatch(**columns)


def test_one_decision_is_not_enough(playbook: Playbook) -> None:
    with pytest.raises(NotEnoughData, match="at least two"):
        World.of(playbook, 5, seed=4).log(playbook, seed=5).at(np.array([0]))


def test_the_resolution_of_halves_is_the_standard_error_of_a_difference() -> None:
    """Scores whose error falls as 1/√n; seed 0, 4,000 × 5 numbers; true to 3 %, about five deviations."""
    rng = np.random.default_rng(0)
    deviation = 0.3  # of the whole model's scores; a half has √2 times as much
    one, other = rng.normal(scale=deviation * np.sqrt(2), size=(2, 4_000, 5))
    within = np.sqrt(4 / 5)  # five arms less their mean
    assert resolution(one, other, 0.0, 10) == pytest.approx(deviation * np.sqrt(2) * within, rel=0.03)
    assert resolution(one, one, 2.0, 100) == pytest.approx(0.2)
