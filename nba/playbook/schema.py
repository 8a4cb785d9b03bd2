"""The playbook as written: pydantic models of the YAML file, one per section.

Only shape and ranges are checked here. What needs several sections at once is checked where all of them are
known: names in `checks.py`, rules in `compile.py`, what makes no sense together in `contradictions.py`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from nba.playbook.contact_policy import Cap as Cap
from nba.playbook.contact_policy import Contact
from nba.playbook.experiment import Experiment as Experiment
from nba.playbook.feedback import Feedback as Feedback
from nba.playbook.identities import Identities
from nba.playbook.promotion import Guardrail as Guardrail
from nba.playbook.promotion import Health as Health
from nba.playbook.promotion import Learning as Learning
from nba.playbook.promotion import Promotion as Promotion
from nba.playbook.reactions import Deliver as Deliver
from nba.playbook.reactions import Tickets as Tickets
from nba.playbook.reactions import Trigger as Trigger
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
    Range,
    Rule,
    Seconds,
    TimeOfDay,
    worth,
)
from nba.playbook.scalars import FeatureName as FeatureName
from nba.playbook.section import Section as Section


class Outcome(Section):
    """What one outcome is worth: a number, or `amount`, the outcome's own value; times `weight`.

    It counts for `window` after a decision, the objectives' own by default; what outcomes of this type are
    worth together after one decision is at most `cap`, either way.
    """

    value: Annotated[Number | Literal["amount"], BeforeValidator(worth)]
    weight: Number = 1.0
    window: Seconds | None = None
    cap: Annotated[float, Field(strict=True, gt=0, le=MOST)] | None = None


class Objectives(Section):
    """The reward: the worth of all outcomes in [decided_at, decided_at + window), clipped, less the cost of
    the contact. No outcome's own window is longer, so a reward is mature when `window` is over."""

    window: Seconds
    outcomes: dict[FeatureName, Outcome] = Field(min_length=1)
    clip: Range | None = None


class Stage(Section):
    name: Name
    when: Rule


class Channel(Section):
    """`consent: true` means that unknown consent is no consent; `cost` is per contact.

    With `deliver: smtp` contacts are sent by `nba deliver` itself, as `deliver.smtp` says.
    """

    cost: Cost = 0.0
    consent: bool = True
    deliver: Literal["smtp"] | None = None


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


class Daily(Section):
    """What an action may use up on one day of the playbook's time zone, over all customers: contacts, and
    their cost in the playbook's currency. A contact counts on the day on which it is to be sent."""

    contacts: int | None = Field(default=None, strict=True, ge=0, le=10**9)
    spend: Cost | None = None

    @model_validator(mode="after")
    def _something(self) -> Daily:
        if self.contacts is None and self.spend is None:
            raise ValueError("needs contacts, spend or both")
        return self


class Action(Section):
    """What could be done.

    `stop_after` stops an action for so long after the customer's latest touchpoint of a type. Of two
    actions under one cap, the one of higher `priority` may displace what is not yet sent of the other.
    `lever` is what the business makes of the model's word: 2 doubles the action's gain over silence.
    """

    purpose: Purpose = "marketing"
    category: Name = "general"
    cost: Cost = 0.0
    channels: Names
    timings: Names
    when: Rule = "true"
    valid_from: Moment | None = None
    valid_until: Moment | None = None
    cooldown: Seconds | None = None
    stop_after: dict[FeatureName, Seconds] = Field(default_factory=dict)
    priority: int = Field(default=0, strict=True, ge=-100, le=100)
    lever: float = Field(default=1.0, strict=True, ge=0.1, le=10)
    daily: Daily | None = None
    attributes: dict[FeatureName, Number] = Field(default_factory=dict)


class Catalogue(Section):
    """What holds for actions that a caller brings along in a request, which the playbook does not list.

    `channels` and `timings` default to all. `attributes` names the features of such actions that are
    learned from, each with the largest size to be expected of it; the playbook's own actions' are too.
    """

    purpose: Purpose = "marketing"
    category: Name = "catalogue"
    cost: Cost = 0.0
    channels: Names | None = None
    timings: Names | None = None
    when: Rule = "true"
    cooldown: Seconds | None = None
    stop_after: dict[FeatureName, Seconds] = Field(default_factory=dict)
    priority: int = Field(default=0, strict=True, ge=-100, le=100)
    attributes: dict[FeatureName, Annotated[float, Field(strict=True, gt=0, le=MOST)]] = Field(
        default_factory=dict
    )


class Incumbent(Section):
    """One line of the rules a company uses today: first match wins, no match is no contact."""

    when: Rule = "true"
    action: Name
    channel: Name
    timing: Name


class Exploration(Section):
    """How a policy explores.

    `ceiling` is the most that all arms but the best may get together from the explorer; `floor` is ε of
    the floor ε·u that every eligible arm keeps in any case. `gamma` is squarecb's, `epsilon` that of
    epsilon-greedy, `temperature` softmax's, `heads` how many draws of the model thompson asks.
    """

    explorer: Literal["squarecb", "epsilon-greedy", "softmax", "thompson", "uniform"] = "squarecb"
    gamma: float = Field(default=100.0, strict=True, gt=0, le=MOST)
    epsilon: Fraction = 0.1
    temperature: float = Field(default=1.0, strict=True, gt=0, le=MOST)
    heads: int = Field(default=32, strict=True, ge=2, le=512)
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
    """`stages: true` adds `move_on` and `fall_back`: the probability that the customer stands in a stage
    further up, or further down, in the playbook's list when the reward window is over."""

    propensity: dict[FeatureName, Propensity] = Field(default_factory=dict)
    churn: Churn | None = None
    stages: bool = Field(default=False, strict=True)


class PlaybookSpec(Section):
    """The whole file. In `mode: apprentice` the incumbent's rules decide, and what is trained looks on."""

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
    catalogue: Catalogue = Field(default_factory=Catalogue)
    contact: Contact = Field(default_factory=Contact)
    mode: Literal["autopilot", "apprentice"] = "autopilot"
    incumbent: list[Incumbent] = Field(default_factory=list)
    exploration: Exploration = Field(default_factory=Exploration)
    groups: Groups = Field(default_factory=Groups)
    scores: Scores = Field(default_factory=Scores)
    feedback: Feedback = Field(default_factory=Feedback)
    identities: Identities = Field(default_factory=Identities)
    promotion: Promotion = Field(default_factory=Promotion)
    learning: Learning = Field(default_factory=Learning)
    health: Health = Field(default_factory=Health)
    experiments: list[Experiment] = Field(default_factory=list)
    tickets: Tickets = Field(default_factory=Tickets)
    triggers: dict[Name, Trigger] = Field(default_factory=dict, max_length=100)
    deliver: Deliver = Field(default_factory=Deliver)

    def canonical(self) -> dict[str, Any]:
        """The same for two files that mean the same; what the fingerprint is taken of.

        Order counts: arms and features stand in the order of the file. What came into the playbook after
        decisions were made under it counts only where it says something, so that these keep their name.
        """
        values = self.model_dump(mode="json", by_alias=True)
        for name, default in _LATER.items():
            if getattr(self, name) == default:
                del values[name]
        for name in ("n_psi", "ramp", "guardrails"):
            if getattr(self.promotion, name) == getattr(_LATER_PROMOTION, name):
                del values["promotion"][name]
        for channel in values["channels"].values():
            if channel["deliver"] is None:
                del channel["deliver"]
        if not self.scores.stages:
            del values["scores"]["stages"]
        for outcome in values["objectives"]["outcomes"].values():
            for name in ("window", "cap"):
                if outcome[name] is None:
                    del outcome[name]
        return values


_LATER_PROMOTION = Promotion()
_LATER: dict[str, Any] = {
    "feedback": Feedback(),
    "identities": Identities(),
    "learning": Learning(),
    "health": Health(),
    "experiments": [],
    "tickets": Tickets(),
    "triggers": {},
    "deliver": Deliver(),
}
