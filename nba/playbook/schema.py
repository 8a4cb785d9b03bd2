"""The playbook as written: pydantic models of the YAML file, one per section.

Only shape and ranges are checked here. What needs several sections at once (a rule that names a
feature, an action that names a channel) is checked in `compile.py`, which has them all.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

DAY = 86_400.0
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": DAY, "w": 7 * DAY}


def _duration(value: object) -> object:
    """`7d`, `36h`, `90m` → seconds; anything else goes on to pydantic, which names the field."""
    if not isinstance(value, str):
        raise ValueError("a duration is a number and a unit, such as 7d, 36h or 90m")
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhdw])", value.strip())
    if match is None:
        raise ValueError("a duration is a number and a unit, such as 7d, 36h or 90m")
    return float(match[1]) * _UNITS[match[2]]


def _clock(value: object) -> object:
    """`18:30` → seconds of the day. YAML 1.1 reads a bare 18:30 as base 60, which is 1110 minutes."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value * 60
    match = re.fullmatch(r"([01]?\d|2[0-4]):([0-5]\d)", value) if isinstance(value, str) else None
    if match is None:
        raise ValueError('a time of day is "HH:MM"')
    return int(match[1]) * 3600 + int(match[2]) * 60


Seconds = Annotated[float, BeforeValidator(_duration), Field(gt=0)]
TimeOfDay = Annotated[int, BeforeValidator(_clock), Field(ge=0, le=86_400)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$")]
FeatureName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Rule = Annotated[str, Field(min_length=1, max_length=2_000)]
Purpose = Literal["marketing", "service", "transactional"]
Kind = Literal["number", "boolean"] | Annotated[list[str], Field(min_length=1, max_length=200)]
Share = Annotated[float, Field(ge=0, le=1)]


class Section(BaseModel):
    """Unknown fields are refused; values don't change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Outcome(Section):
    """What one outcome is worth: a number, or `amount`, the outcome's own value; times `weight`."""

    value: float | Literal["amount"]
    weight: float = 1.0


class Objectives(Section):
    """The reward: the worth of all outcomes in [decided_at, decided_at + window), clipped, less the cost of
    the contact."""

    window: Seconds
    outcomes: dict[FeatureName, Outcome] = Field(min_length=1)
    clip: tuple[float, float] | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Objectives:
        if self.clip is not None and self.clip[0] >= self.clip[1]:
            raise ValueError("clip is [lowest, highest], and lowest must be below highest")
        return self


class Stage(Section):
    name: Name
    when: Rule


class Channel(Section):
    """`consent: true` means that unknown consent is no consent; `cost` is per contact."""

    cost: float = Field(default=0.0, ge=0)
    consent: bool = True


class Timing(Section):
    """`{}` is now; with `from` and `to` a part of the customer's own day."""

    start: TimeOfDay | None = Field(default=None, alias="from")
    end: TimeOfDay | None = Field(default=None, alias="to")

    @model_validator(mode="after")
    def _both(self) -> Timing:
        if (self.start is None) != (self.end is None):
            raise ValueError("a part of the day has both from and to; now has neither")
        if self.start is not None and self.end is not None and self.start >= self.end:
            raise ValueError("from must be before to")
        return self


class Action(Section):
    purpose: Purpose = "marketing"
    category: Name = "general"
    cost: float = 0.0
    channels: list[Name] = Field(min_length=1)
    timings: list[Name] = Field(min_length=1)
    when: Rule = "true"
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    cooldown: Seconds | None = None
    attributes: dict[FeatureName, float] = Field(default_factory=dict)


class Cap(Section):
    """At most `max` contacts in any `within`; of one channel where `channel` is given.

    Only marketing counts and is held back, unless `purposes` says otherwise.
    """

    max: int = Field(ge=0)
    within: Seconds
    channel: Name | None = None
    purposes: list[Purpose] = Field(default=["marketing"], min_length=1)


class QuietHours(Section):
    """Nothing is sent from `from` to `to` of the customer's own day; it may span midnight."""

    start: TimeOfDay = Field(alias="from")
    end: TimeOfDay = Field(alias="to")


class Stop(Section):
    """While `when` holds, actions of these purposes are refused under this name."""

    name: Name
    when: Rule
    purposes: list[Purpose] = Field(default=["marketing"], min_length=1)


class Contact(Section):
    caps: list[Cap] = Field(default_factory=list)
    quiet_hours: QuietHours | None = None
    stops: list[Stop] = Field(default_factory=list)


class Incumbent(Section):
    """One line of the rules a company uses today: first match wins, no match is no contact."""

    when: Rule = "true"
    action: Name
    channel: Name
    timing: Name


class Exploration(Section):
    """How a policy explores.

    `ceiling` is the most that all arms but the best may get together from the explorer; `floor` is ε of
    the floor ε·u that every eligible arm keeps in any case.
    """

    explorer: Literal["squarecb", "epsilon-greedy", "uniform"] = "squarecb"
    gamma: float = Field(default=100.0, gt=0)
    epsilon: float = Field(default=0.1, ge=0, le=1)
    ceiling: float = Field(default=0.3, ge=0, le=1)
    floor: float = Field(default=0.02, ge=0, le=1)

    @model_validator(mode="after")
    def _room(self) -> Exploration:
        if self.floor > self.ceiling:
            raise ValueError("floor must not be above ceiling")
        return self


class Groups(Section):
    """Shares of customers, by hash: never acted upon, and acted upon at random."""

    holdout: Share = 0.05
    random_eligible: Share = 0.05

    @model_validator(mode="after")
    def _leave_some(self) -> Groups:
        if self.holdout + self.random_eligible >= 1:
            raise ValueError("holdout and random_eligible together must leave some customers to treat")
        return self


class Propensity(Section):
    """The probability that an event of type `event` comes within `horizon`."""

    event: FeatureName
    horizon: Seconds


class Churn(Section):
    """A customer who shows none of `activity` for `inactivity` has churned."""

    inactivity: Seconds
    activity: list[FeatureName] = Field(min_length=1)


class Scores(Section):
    propensity: dict[FeatureName, Propensity] = Field(default_factory=dict)
    churn: Churn | None = None


class Promotion(Section):
    """When a challenger becomes champion, on the paired DR difference at confidence `level`.

    A refresh of the same specification must not be worse by more than `margin` of the champion's
    value; a new specification must be better.
    """

    level: float = Field(default=0.95, gt=0.5, lt=1)
    margin: float = Field(default=0.05, gt=0, lt=1)
    decisions: int = Field(default=500, ge=1)


class PlaybookSpec(Section):
    """The whole file."""

    name: Name
    currency: str = Field(min_length=1, max_length=8)
    timezone: str = "UTC"
    context: dict[FeatureName, Kind] = Field(default_factory=dict)
    attributes: dict[FeatureName, Kind] = Field(default_factory=dict)
    touchpoints: list[FeatureName] = Field(min_length=1)
    objectives: Objectives
    stages: list[Stage] = Field(min_length=1)
    channels: dict[Name, Channel] = Field(min_length=1)
    timings: dict[Name, Timing] = Field(min_length=1)
    actions: dict[Name, Action] = Field(min_length=1)
    contact: Contact = Field(default_factory=Contact)
    incumbent: list[Incumbent] = Field(default_factory=list)
    exploration: Exploration = Field(default_factory=Exploration)
    groups: Groups = Field(default_factory=Groups)
    scores: Scores = Field(default_factory=Scores)
    promotion: Promotion = Field(default_factory=Promotion)

    def canonical(self) -> dict[str, Any]:
        """The same for two files that mean the same; what the fingerprint is taken of."""
        return self.model_dump(mode="json", by_alias=True)
