"""The table of learners: logged decisions in, a reward model out. Being in it means being tested.

A learner is a pure function of (playbook, batch, seed, settings).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from nba.errors import InvalidInput
from nba.playbook.compile import Playbook
from nba.playbook.rules import nearest
from nba.policies import learn_boosted, learn_ridge, learn_vowpal
from nba.policies.batch import TrainingBatch
from nba.policies.lesson import Lesson, Settings
from nba.policies.served import LearnedModel


@dataclass(frozen=True, slots=True, kw_only=True)
class Learner:
    """A way to learn.

    Attributes:
        defaults: every setting and its default; no other is taken.
        space: what a tuner may try, (low, high) for numbers and a list for the rest.
        draws: whether its models can carry draws of themselves, which Thompson sampling takes.
    """

    name: str
    defaults: Settings
    space: Mapping[str, tuple[float, float] | list[str]]
    learn: Callable[[Lesson], LearnedModel]
    draws: bool = False

    def fit(
        self,
        playbook: Playbook,
        batch: TrainingBatch,
        seed: int,
        settings: Settings | None = None,
        *,
        serves: bool = True,
        heads: int = 0,
    ) -> LearnedModel:
        """Learn from n decisions.

        Args:
            serves: False for a model that only predicts: its resolution, which only exploration needs and
                which costs two fits more, is then the least there is.
            heads: how many draws of itself the model is to carry, for a playbook that explores by thompson.

        Returns:
            A model for the playbook's arms, also where the batch has further ones.

        Raises:
            InvalidInput: a setting or heads that this learner doesn't have, or an arm outside the playbook.
        """
        for name in settings or {}:
            if name not in self.defaults:
                known = list(self.defaults)
                raise InvalidInput.of(name, f"is no setting of {self.name}{nearest(name, known)}")
        lesson = Lesson(
            playbook=playbook,
            batch=batch,
            seed=seed,
            settings={**self.defaults, **(settings or {})},
            serves=serves,
            heads=heads,
        )
        if batch.features.shape[1] != len(playbook.schema) or batch.arm.max() >= len(lesson.arms):
            raise InvalidInput.of("batch", "has features or arms that the playbook doesn't have")
        if lesson.arms.feature_names != playbook.arms.feature_names:
            raise InvalidInput.of("batch", "has the arms of another playbook")
        return self.learn(lesson)


LEARNERS: dict[str, Learner] = {
    learner.name: learner
    for learner in (
        Learner(
            name="ridge",
            # strength 0 is chosen by cross-validation
            defaults={"bins": 4, "columns": 400, "strength": 0.0, "importance": "none"},
            space={"bins": (1, 6), "strength": (10.0, 100_000.0), "importance": ["none", "clipped"]},
            learn=learn_ridge.learn,
            draws=True,
        ),
        Learner(
            name="vowpal",
            defaults={
                "bins": 4,
                "columns": 400,
                "importance": "none",
                "passes": 2,
                "rate": 0.02,
                "power": 0.5,
                "l2": 0.0,
            },
            space={
                "bins": (1, 6),
                "importance": ["none", "clipped"],
                "passes": (1, 5),
                "rate": (0.005, 0.5),
                "l2": (0.0, 1e-4),
            },
            learn=learn_vowpal.learn,
            draws=True,
        ),
        Learner(
            name="boosted",
            defaults={"trees": 150, "rate": 0.05, "leaves": 15, "leaf": 50, "l2": 10.0},
            space={"trees": (50, 400), "rate": (0.01, 0.2), "leaves": (4, 63), "leaf": (20, 500)},
            learn=learn_boosted.learn,
        ),
    )
}
