"""The playbook's `feedback` section as written: the scales of survey answers, and who counts as unhappy."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from nba.playbook.scalars import Number
from nba.playbook.section import Section

Survey = Literal["nps", "csat", "ces"]
SURVEYS: tuple[Survey, ...] = ("nps", "csat", "ces")
TEXTS = ("review", "comment", "complaint")
LONGEST_TEXT = 65_536  # bytes of UTF-8, as for the properties of an ingested row


class Scale(Section):
    """The answers that a survey may have, from `lowest` to `highest`, by whole steps unless `whole: false`.

    Who answers at most `unhappy` is a detractor, who answers at least `happy` a promoter.
    """

    lowest: Number
    highest: Number
    unhappy: Number
    happy: Number
    whole: Annotated[bool, Field(strict=True)] = True

    @model_validator(mode="after")
    def _in_order(self) -> Scale:
        if not self.lowest <= self.unhappy < self.happy <= self.highest:
            raise ValueError("needs lowest ≤ unhappy < happy ≤ highest")
        return self

    def has(self, value: float) -> bool:
        """Whether somebody can have answered this."""
        return self.lowest <= value <= self.highest and not (self.whole and value != int(value))

    def described(self) -> str:
        """`a whole number from 0 to 10`."""
        return f"a {'whole ' if self.whole else ''}number from {self.lowest:g} to {self.highest:g}"


class Feedback(Section):
    """How customers are asked. Left out: NPS 0 to 10, CSAT 1 to 5, CES 1 to 7, 7 being the least effort."""

    nps: Scale = Scale(lowest=0, highest=10, unhappy=6, happy=9)
    csat: Scale = Scale(lowest=1, highest=5, unhappy=2, happy=4)
    ces: Scale = Scale(lowest=1, highest=7, unhappy=3, happy=5)

    def scale(self, survey: Survey) -> Scale:
        found: Scale = getattr(self, survey)
        return found
