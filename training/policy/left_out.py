"""Decisions that a log has no arm for: how many, of which arms, and when that is too many to pass over.

An arm that was renamed or taken out of the playbook has no column any more. Its draws are left out, and the
odds of the others are those given that it was not drawn; so what is said holds for the arms of now, on the
customers for whom they were drawn.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

WARNS = 0.05  # share of what was read above which it is a warning: others' customers are missing then
_NAMED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """What was read and is not in the log.

    Attributes:
        read: decisions that were shown, of all groups, mature or not.
        gone: arm → decisions that drew it, of arms that the playbook doesn't have.
        crowded: decisions whose callers' own actions there was no room for.
    """

    read: int = 0
    gone: Mapping[str, int] = field(default_factory=dict)
    crowded: int = 0

    @property
    def decisions(self) -> int:
        return sum(self.gone.values()) + self.crowded

    @property
    def warns(self) -> bool:
        return self.decisions > WARNS * self.read

    def said(self) -> list[str]:
        """In plain words; nothing where nothing was left out."""
        lines = []
        if self.gone:
            count = sum(self.gone.values())
            most = sorted(self.gone, key=lambda arm: (-self.gone[arm], arm))
            arms = ", ".join(f"{arm} {self.gone[arm]:,}" for arm in most[:_NAMED])
            more = f" and {len(most) - _NAMED} arms more" if len(most) > _NAMED else ""
            lines.append(
                f"{self._share(count)} are left out: the playbook has no such arm (any more): {arms}{more}"
            )
        if self.crowded:
            lines.append(
                f"{self._share(self.crowded)} are left out: their callers brought more distinct actions than "
                "a log has room for"
            )
        if self.warns:
            lines[0] = f"warning: {lines[0]}"
            lines.append(
                "what is said holds for the other decisions alone; if an action was renamed, its old name in "
                "the playbook brings them back"
            )
        return lines

    def to_json(self) -> dict[str, Any]:
        return {
            "read": self.read,
            "decisions": self.decisions,
            "arms": dict(self.gone),
            "no_room": self.crowded,
            "warning": self.warns,
        }

    def _share(self, count: int) -> str:
        return f"{count:,} of {self.read:,} decisions ({count / self.read:.1%})"

    @classmethod
    def of_json(cls, told: Mapping[str, Any]) -> LeftOut:
        """What `to_json` wrote."""
        return cls(read=told["read"], gone=dict(told["arms"]), crowded=told["no_room"])
