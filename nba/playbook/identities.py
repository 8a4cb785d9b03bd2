"""The playbook's `identities` section as written: which claims make one person of several customer ids."""

from __future__ import annotations

from pydantic import Field

from nba.playbook.scalars import Name
from nba.playbook.section import Section


class Identities(Section):
    """Customers who claim the same identity of a kind in `link` are one person; left out, any kind links.

    Leave out of it what strangers share, such as a family's device. A claim that would make more than
    `most` customer ids one person is refused.
    """

    link: list[Name] | None = None
    most: int = Field(default=20, strict=True, ge=2, le=100)

    def links(self, kind: str) -> bool:
        return self.link is None or kind in self.link
