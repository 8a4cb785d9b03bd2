"""What may be tried: a learner, its settings, and how the playbook explores. Knows no tuner's library.

A study tries every learner as it is first, so what is found is never worse than that was on the parts that
trials see; what is proposed after that always differs. Exploring is bounded by the playbook: its floor stays,
its ceiling is never exceeded. What exploring teaches for later does not count in a value, so more of either
could only look worse.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from nba.errors import InvalidInput
from nba.playbook.compile import Playbook
from nba.playbook.rules import nearest
from nba.playbook.schema import Exploration
from nba.policies.learners import LEARNERS
from nba.policies.lesson import Setting, Settings
from training.policy.selection import able

SETTINGS, EXPLORATION, BOTH = "settings", "exploration", "both"
_WIDE = 10.0  # from a range whose ends differ so many times on, it is gone through by factors
_EXPLORERS: Mapping[str, tuple[str, float, float] | None] = {
    "squarecb": ("gamma", 1.0, 10_000.0),
    "epsilon-greedy": ("epsilon", 0.001, 0.3),
    "softmax": ("temperature", 0.01, 10.0),
}


class Asked(Protocol):
    """Whoever proposes; Optuna's trial is one."""

    def suggest_categorical(self, name: str, choices: Sequence[Any], /) -> Any: ...
    def suggest_float(self, name: str, low: float, high: float, /, *, log: bool = False) -> float: ...
    def suggest_int(self, name: str, low: int, high: int, /, *, log: bool = False) -> int: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """One way to learn and to explore.

    Attributes:
        settings: of the learner, those that differ from its defaults.
        exploration: fields of the playbook's section that differ from it.
    """

    learner: str
    settings: Settings = field(default_factory=dict)
    exploration: Settings = field(default_factory=dict)

    def explores(self, playbook: Playbook) -> Exploration:
        """The playbook's section with these fields."""
        return Exploration(**{**playbook.spec.exploration.model_dump(), **self.exploration})

    @property
    def is_default(self) -> bool:
        return not self.settings and not self.exploration


def learners_for(playbook: Playbook, asked: Sequence[str]) -> tuple[str, ...]:
    """The learners to tune: those asked for, else all that can serve under the playbook.

    Raises:
        InvalidInput: there is no such learner, or it can't draw what the playbook's thompson asks.
    """
    can = able(playbook)
    for name in asked:
        if name not in LEARNERS:
            there_are = ", ".join(LEARNERS)
            detail = f"there is no learner {name!r}{nearest(name, list(LEARNERS))}; there are {there_are}"
            raise InvalidInput.of("learner", detail)
        if name not in can:
            detail = f"{name} carries no draws of itself, which the playbook's thompson asks; leave it out"
            raise InvalidInput.of("learner", detail)
    return tuple(dict.fromkeys(asked)) or can


def proposed(trial: Asked, playbook: Playbook, learners: Sequence[str], explore: bool) -> Tried:
    """What a trial is to try; `explore` is whether exploration is tuned too."""
    learner, changes = str(trial.suggest_categorical("learner", list(learners))), SETTINGS
    if tunable(playbook, explore):
        changes = trial.suggest_categorical("changes", [SETTINGS, EXPLORATION, BOTH])
    return Tried(
        learner=learner,
        settings={} if changes == EXPLORATION else _settings(trial, learner),
        exploration={} if changes == SETTINGS else _exploration(trial, playbook),
    )


def tunable(playbook: Playbook, explore: bool) -> bool:
    """Whether there is exploration to tune: who asks for `uniform` wants an experiment, and thompson has but
    the ceiling."""
    own = playbook.spec.exploration
    fixed = own.explorer == "uniform" or (own.explorer == "thompson" and own.floor >= own.ceiling)
    return explore and not fixed


def _settings(trial: Asked, learner: str) -> dict[str, Setting]:
    entry, found = LEARNERS[learner], dict[str, Setting]()
    for name, among in entry.space.items():
        key = f"{learner}.{name}"
        if isinstance(among, list):
            found[name] = str(trial.suggest_categorical(key, among))
        elif isinstance(entry.defaults[name], int):
            low, high = int(among[0]), int(among[1])
            found[name] = int(trial.suggest_int(key, low, high, log=_wide(low, high)))
        else:
            found[name] = float(trial.suggest_float(key, *among, log=_wide(*among)))
    return found


def _exploration(trial: Asked, playbook: Playbook) -> dict[str, Setting]:
    own = playbook.spec.exploration
    if own.explorer == "thompson":  # its models carry draws, others do not: it stays what it is
        explorer, found = own.explorer, dict[str, Setting]()
    else:
        explorer = trial.suggest_categorical("explorer", list(_EXPLORERS))
        found = {"explorer": str(explorer)}
    bounds = _EXPLORERS.get(explorer)
    if bounds is not None:
        name, low, high = bounds
        found[name] = float(trial.suggest_float(name, low, high, log=True))
    if own.floor < own.ceiling:
        found["ceiling"] = float(trial.suggest_float("ceiling", own.floor, own.ceiling))
    return found


def _wide(low: float, high: float) -> bool:
    return low > 0 and high / low >= _WIDE
