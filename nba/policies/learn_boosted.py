"""Learn a boosted reward model. It has no heads: one would take as many trees again."""

from __future__ import annotations

from nba.errors import InvalidInput
from nba.policies import boosted
from nba.policies.boosted import BoostedModel, BoostedSettings
from nba.policies.lesson import Lesson
from nba.policies.thompson import NO_HEADS


def learn(lesson: Lesson) -> BoostedModel:
    """Raises InvalidInput: heads are wanted."""
    if lesson.heads:
        raise InvalidInput.of("exploration.explorer", f"asks for thompson; a boosted model {NO_HEADS}")
    settings = lesson.settings
    own = BoostedSettings(
        trees=int(settings["trees"]),
        rate=float(settings["rate"]),
        leaves=int(settings["leaves"]),
        leaf=int(settings["leaf"]),
        l2=float(settings["l2"]),
    )
    features = lesson.playbook.schema.features
    categories = [i for i, feature in enumerate(features) if feature.kind == "category"]
    model, *halves = boosted.fit(
        lesson.batch, lesson.playbook.arms, categories, lesson.seed, own, halves=lesson.serves
    )
    return lesson.resolved(model, *halves) if lesson.serves else lesson.least_resolved(model)
