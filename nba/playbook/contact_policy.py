"""The playbook's `contact` section as written: caps, quiet hours, stops. What must not happen."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from nba.playbook.scalars import DAY, Name, Purposes, Rule, Seconds, TimeOfDay
from nba.playbook.section import Section


class Cap(Section):
    """At most `max` contacts in any `within`, or on one calendar day, week or month of the customer.

    Of one channel or category where these are given. Only marketing counts and is held back, unless
    `purposes` says otherwise.
    """

    max: int = Field(strict=True, ge=0, le=1_000_000)
    within: Seconds | None = None
    per: Literal["day", "week", "month"] | None = None
    channel: Name | None = None
    category: Name | None = None
    purposes: Purposes = Field(default=["marketing"])

    @model_validator(mode="after")
    def _one_length(self) -> Cap:
        if (self.within is None) == (self.per is None):
            raise ValueError("has either within, such as 7d, or per: day, week or month")
        return self


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
