"""Fitted once for all tests of policies: each learner on 6,000 decisions of the small world.

And every policy there is, under every explorer that it can have.
"""

from __future__ import annotations

import pytest

from nba.playbook.compile import Playbook
from nba.playbook.schema import Exploration
from nba.policies.learners import LEARNERS
from nba.policies.mixture import MixturePolicy
from nba.policies.policy import Policy
from nba.policies.served import ConstantPolicy, IncumbentPolicy, LearnedModel, ServedPolicy, UniformPolicy
from tests.policies.shop import EXPLORERS, shop
from tests.policies.world import World


@pytest.fixture(scope="session")
def playbook() -> Playbook:
    return shop()


@pytest.fixture(scope="session")
def world(playbook: Playbook) -> World:
    """Moments that no learner has seen."""
    return World.of(playbook, 1_000, seed=2)


@pytest.fixture(scope="session")
def models(playbook: Playbook) -> dict[str, LearnedModel]:
    batch = World.of(playbook, 6_000, seed=0).log(playbook, seed=1)
    return {name: learner.fit(playbook, batch, seed=7) for name, learner in LEARNERS.items()}


@pytest.fixture(scope="session")
def headed(playbook: Playbook) -> dict[str, LearnedModel]:
    """Models that carry draws of themselves, of fewer decisions, so that the draws differ."""
    batch = World.of(playbook, 1_500, seed=0).log(playbook, seed=1)
    return {name: LEARNERS[name].fit(playbook, batch, seed=7, heads=8) for name in ("ridge", "vowpal")}


@pytest.fixture(scope="session")
def policies(
    playbook: Playbook, models: dict[str, LearnedModel], headed: dict[str, LearnedModel]
) -> dict[str, Policy]:
    """By the names in `shop.POLICIES`."""

    def served(model: LearnedModel, explorer: str) -> ServedPolicy:
        settings = {**playbook.spec.exploration.model_dump(), **EXPLORERS[explorer]}
        return ServedPolicy.of(model, Exploration(**settings))

    simple: dict[str, Policy] = {
        "constant": ConstantPolicy.of(playbook, playbook.arms.find("bogo", "push", "now")),
        "uniform": UniformPolicy.of(playbook),
        "incumbent": IncumbentPolicy.of(playbook),
    }
    learned: dict[str, Policy] = {
        f"{name} {explorer}": served(model, explorer)
        for name, model in models.items()
        for explorer in EXPLORERS
        if explorer != "thompson"
    }
    learned |= {
        f"{name} with heads, {explorer}": served(model, explorer)
        for name, model in headed.items()
        for explorer in EXPLORERS
    }
    parts = (simple["incumbent"], learned["ridge with heads, thompson"], learned["boosted squarecb"])
    mixture = MixturePolicy.of(playbook, (*parts, simple["uniform"]), (0.3, 0.4, 0.2, 0.1))
    return {**simple, **learned, "mixture": mixture}
