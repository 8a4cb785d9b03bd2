"""Fitted once for all tests of policies: each learner on 6,000 decisions of the small world."""

from __future__ import annotations

import pytest

from nba.playbook.compile import Playbook
from nba.policies.learners import LEARNERS
from nba.policies.served import LearnedModel
from tests.policies.shop import shop
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
