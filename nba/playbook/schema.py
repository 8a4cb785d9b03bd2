"""The playbook as written: pydantic models of the YAML file, one per section.

Only shape and ranges are checked here. What needs several sections at once (a rule that names a
feature, an action that names a channel) is checked in `compile.py`, which has them all.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from nba.playbook.scalars import DAY as DAY
from nba.playbook.scalars import (
    MOST,
    Cost,
    FeatureNames,
    Fraction,
    Kind,
    Moment,
    Name,
    Names,
    Number,
    Purpose,
    Purposes,
    Range,
    Rule,
    Seconds,
    TimeOfDay,
    worth,
)
from nba.playbook.scalars import FeatureName as FeatureName


class Section(BaseModel):
    """Unknown fields are refused; values don't change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Outcome(Section):
    """What one outcome is worth: a number, or `amount`, the outcome's own value; times `weight`."""

    value: Annotated[Number | Literal["amount"], BeforeValidator(worth)]
    weight: Number = 1.0


class Objectives(Section):
    """The reward: the worth of all outcomes in [decided_at, decided_at + window), clipped, less the cost of
    the contact."""

    window: Seconds
    outcomes: dict[FeatureName, Outcome] = Field(min_length=1)
    clip: Range | None = None


class Stage(Section):
    name: Name
    when: Rule


class Channel(Section):
    """`consent: true` means that unknown consent is no consent; `cost` is per contact."""

    cost: Cost = 0.0
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
    cost: Cost = 0.0
    channels: Names
    timings: Names
    when: Rule = "true"
    valid_from: Moment | None = None
    valid_until: Moment | None = None
    cooldown: Seconds | None = None
    attributes: dict[FeatureName, Number] = Field(default_factory=dict)


class Cap(Section):
    """At most `max` contacts in any `within`; of one channel where `channel` is given.

    Only marketing counts and is held back, unless `purposes` says otherwise.
    """

    max: int = Field(strict=True, ge=0, le=1_000_000)
    within: Seconds
    channel: Name | None = None
    purposes: Purposes = Field(default=["marketing"])


class QuietHours(Section):
    """Nothing is sent from `from` to `to` of the customer's own day; it may span midnight."""

    start: TimeOfDay = Field(alias="from")
    end: TimeOfDay = Field(alias="to")

    @model_validator(mode="after")
    def _some_hours(self) -> QuietHours:
        if self.start == self.end or (self.start, self.end) == (0, DAY):
            raise ValueError("from and to must differ, and must leave a part of the day to send in")
        return self


class Stop(Section):
    """While `when` holds or is not known, actions of these purposes are refused under this name."""

    name: Name
    when: Rule
    purposes: Purposes = Field(default=["marketing"])


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
    gamma: float = Field(default=100.0, strict=True, gt=0, le=MOST)
    epsilon: Fraction = 0.1
    ceiling: Fraction = 0.3
    floor: Fraction = 0.02

    @model_validator(mode="after")
    def _room(self) -> Exploration:
        if self.floor > self.ceiling:
            raise ValueError("floor must not be above ceiling")
        return self


class Groups(Section):
    """Shares of customers, by hash: never acted upon, and acted upon at random."""

    holdout: Fraction = 0.05
    random_eligible: Fraction = 0.05

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
    activity: FeatureNames


class Scores(Section):
    propensity: dict[FeatureName, Propensity] = Field(default_factory=dict)
    churn: Churn | None = None


class Promotion(Section):
    """When a challenger becomes champion, on the paired DR difference at confidence `level`.

    A refresh of the same specification must not be worse by more than `margin` of the champion's
    value; a new specification must be better.
    """

    level: float = Field(default=0.95, strict=True, gt=0.5, lt=1)
    margin: float = Field(default=0.05, strict=True, gt=0, lt=1)
    decisions: int = Field(default=500, strict=True, ge=1, le=10**9)


class PlaybookSpec(Section):
    """The whole file."""

    name: Name
    currency: str = Field(min_length=1, max_length=8)
    timezone: str = "UTC"
    context: dict[FeatureName, Kind] = Field(default_factory=dict)
    attributes: dict[FeatureName, Kind] = Field(default_factory=dict)
    touchpoints: FeatureNames
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
        """The same for two files that mean the same; what the fingerprint is taken of.

        Order counts: arms and features stand in the order of the file.
        """
        return self.model_dump(mode="json", by_alias=True)
