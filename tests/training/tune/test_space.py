"""What may be tried: nothing that a learner lacks, nothing that the playbook forbids."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import yaml

from nba.errors import InvalidInput
from nba.playbook.compile import Playbook, parse
from nba.playbook.schema import Exploration
from nba.policies.learners import LEARNERS
from tests.training.policy.shop import TEXT
from training.tune.show import playbook_lines
from training.tune.space import learners_for, proposed


class Random:
    """Proposes anything within the bounds that it is asked for, and its ends often."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.asked: list[str] = []

    def suggest_categorical(self, name: str, choices: Sequence[Any], /) -> Any:
        self.asked.append(name)
        return choices[self.rng.integers(len(choices))]

    def suggest_float(self, name: str, low: float, high: float, /, *, log: bool = False) -> float:
        self.asked.append(name)
        assert low < high
        assert low > 0 or not log
        return float(self.rng.choice([low, high, self.rng.uniform(low, high)]))

    def suggest_int(self, name: str, low: int, high: int, /, *, log: bool = False) -> int:
        return int(self.suggest_float(name, low, high, log=log))


def book(exploration: str) -> Playbook:
    return parse(TEXT.replace("{explorer: squarecb, gamma: 20, floor: 0.1}", exploration))


@pytest.mark.parametrize(
    "exploration",
    [
        "{explorer: squarecb, floor: 0.1}",
        "{explorer: softmax, floor: 0.05, ceiling: 0.05}",
        "{explorer: thompson, ceiling: 0.2}",
        "{explorer: uniform}",
    ],
)
def test_whatever_is_proposed_the_playbook_and_the_learner_take(exploration: str) -> None:
    playbook = book(exploration)
    own, learners = playbook.spec.exploration, learners_for(playbook, ())
    for seed in range(300):
        tried = proposed(Random(seed), playbook, learners, explore=True)
        assert not tried.is_default
        assert set(tried.settings) <= set(LEARNERS[tried.learner].defaults)
        explores = tried.explores(playbook)
        assert explores.floor == own.floor
        assert explores.ceiling <= own.ceiling
        assert (explores.explorer == "thompson") == (own.explorer == "thompson")
        if own.explorer == "uniform":
            assert not tried.exploration


def test_without_exploration_only_the_learner_is_tuned() -> None:
    playbook = book("{explorer: squarecb}")
    for seed in range(50):
        trial = Random(seed)
        assert not proposed(trial, playbook, ("ridge",), explore=False).exploration
        assert not {"changes", "explorer"} & set(trial.asked)


def test_learners_that_there_are_not_or_can_not_serve_are_told_with_near_names() -> None:
    with pytest.raises(InvalidInput, match="no learner 'rigde'; did you mean 'ridge'"):
        learners_for(book("{explorer: squarecb}"), ["rigde"])
    thompson = book("{explorer: thompson}")
    with pytest.raises(InvalidInput, match="carries no draws"):
        learners_for(thompson, ["boosted"])
    assert "boosted" not in learners_for(thompson, ())


def test_the_lines_to_paste_say_in_a_playbook_what_was_tried() -> None:
    tried = {"explorer": "epsilon-greedy", "epsilon": 0.012345678, "ceiling": 0.123456}
    read = Exploration(**yaml.safe_load(playbook_lines(tried))["exploration"])
    assert (read.explorer, read.epsilon, read.ceiling) == ("epsilon-greedy", 0.01235, 0.1235)
    tiny = Exploration(**yaml.safe_load(playbook_lines({"explorer": "squarecb", "gamma": 2}))["exploration"])
    assert tiny.gamma == 2.0
