"""Decisions for which callers brought actions along: one table of arms for all of them.

The same id with other features is another action. Decisions whose actions there is no room for are left out,
which hangs on the request and not on the arm.
"""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from nba.model import BroughtAction
from nba.playbook.catalogue import bring
from nba.playbook.compile import Playbook
from nba.stores.ports import DecisionRow
from nba.trace import brought_of

MOST = 500  # distinct actions: the log is a matrix of decisions and arms
_NONE = b'"brought":[]'


class Catalogue:
    """The actions that were brought along in a log, each under a name of its own.

    Attributes:
        rows: the decisions that brought some, and whose actions there is room for.
        crowded: shown decisions for whose actions there is none.
    """

    def __init__(self) -> None:
        self.rows: list[DecisionRow] = []
        self.crowded = 0
        self._names: dict[BroughtAction, str] = {}
        self._others = 0
        self._ids: set[str] = set()

    def put_aside(self, rows: Sequence[DecisionRow]) -> list[DecisionRow]:
        """Take the rows that brought actions; what is left brought none."""
        others = []
        for row in rows:
            brought = brought_in(row)
            if not brought:
                others.append(row)
            elif self._has_room(brought):
                self.rows.append(row)
            elif row.status == "active":
                self.crowded += 1
        return others

    def extend(self, playbook: Playbook) -> Playbook:
        """The playbook with all of these actions after its own."""
        own = playbook.spec.actions
        for action, name in self._names.items():
            if name in own:  # since then the playbook has an action of this name
                self._names[action] = self._other(name)
        return bring(
            playbook,
            tuple(BroughtAction(id=name, features=a.features) for a, name in self._names.items()),
        )

    def renamed(self, arm: str, brought: Sequence[BroughtAction]) -> str:
        """An arm of a decision as the one table names it."""
        id, slash, rest = arm.partition("/")
        for action in brought:
            if action.id == id:
                return f"{self._names[action]}{slash}{rest}"
        return arm

    def _other(self, id: str) -> str:
        """A name that no action has; ids have at most 128 characters."""
        self._others += 1
        return f"{id[:120]}~{self._others}"

    def _has_room(self, brought: tuple[BroughtAction, ...]) -> bool:
        new = [action for action in brought if action not in self._names]
        if len(self._names) + len(new) > MOST:
            return False
        for action in new:
            again = action.id in self._ids
            self._ids.add(action.id)
            self._names[action] = self._other(action.id) if again else action.id
        return True


def brought_in(row: DecisionRow) -> tuple[BroughtAction, ...]:
    """The actions that the caller of a decision brought along."""
    if _NONE in row.trace or b'"brought"' not in row.trace:
        return ()
    return brought_of(orjson.loads(row.trace))
