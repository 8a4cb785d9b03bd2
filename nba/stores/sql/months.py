"""Tables of PostgreSQL in parts by month: made ahead and on demand, dropped whole.

Of each table there are a part for all before some month, a part for each month from there on, and a part
for all from ten years on. So a row has a part whatever its time, no row ever has to move, and there are
at most 122 parts. A part's bounds stand in its name: `decisions_before_2026_11`, `decisions_2026_11`,
`decisions_from_2036_11`; months are UTC.

A part is filled in on its own and then attached, which waits for no reader and no writer. A default part
would need neither the first nor the last one, but nothing can be attached beside it without reading it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from math import inf

from sqlalchemy import Connection, Table, text

AHEAD = 2  # months made beyond the one that is needed
_PARTS = text(
    "SELECT relname FROM pg_inherits JOIN pg_class ON oid = inhrelid WHERE inhparent = to_regclass(:of)"
)
_NAME = re.compile(r"(before_|from_)?(\d{4})_(\d{2})")


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """Months since the year 0."""

    count: int

    @classmethod
    def at(cls, moment: float) -> Month:
        """The month of a moment, epoch seconds."""
        day = datetime.fromtimestamp(moment, UTC)
        return cls(day.year * 12 + day.month - 1)

    def __add__(self, months: int) -> Month:
        return Month(self.count + months)

    @property
    def start(self) -> float:
        return datetime(self.count // 12, self.count % 12 + 1, 1, tzinfo=UTC).timestamp()

    def __str__(self) -> str:
        return f"{self.count // 12:04}_{self.count % 12 + 1:02}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The parts that a table has.

    Attributes:
        first: the first month with a part of its own; what is earlier lies in one part.
        until: the first month without one.
        last: from this month on all lies in one part.
    """

    table: str
    first: Month
    until: Month
    last: Month

    @classmethod
    def of(cls, connection: Connection, table: Table) -> Parts:
        names = connection.execute(_PARTS, {"of": table.name}).scalars()
        found = [match for name in names if (match := _NAME.fullmatch(name, len(table.name) + 1))]
        months = [
            (kind, Month(int(year) * 12 + int(month) - 1))
            for kind, year, month in (m.groups() for m in found)
        ]
        first = next(month for kind, month in months if kind == "before_")
        until = max((month + 1 for kind, month in months if kind is None), default=first)
        last = next(month for kind, month in months if kind == "from_")
        return cls(table=table.name, first=first, until=until, last=last)

    def cover(self, connection: Connection, latest: float) -> float:
        """Make the months up to that of `latest` and a few more; the moment until which all are there now."""
        needed = max(Month.at(latest), self.first) + AHEAD + 1
        until = max(self.until, min(needed, self.last))
        for count in range(self.until.count, until.count):
            month = Month(count)
            _make(connection, self.table, str(month), f"FROM ({month.start}) TO ({(month + 1).start})")
        return inf if until == self.last else until.start

    def drop(self, connection: Connection, before: float) -> int:
        """Drop the parts that lie wholly before a moment; how many rows they had."""
        old = [m for m in map(Month, range(self.first.count, self.until.count)) if (m + 1).start <= before]
        if self.first.start > before:
            return 0
        first = old[-1] + 1 if old else self.first
        parts = [f"{self.table}_{part}" for part in (f"before_{self.first}", *old)]
        counts = [connection.execute(text(f"SELECT count(*) FROM {part}")).scalar_one() for part in parts]
        connection.execute(text(f"DROP TABLE {', '.join(parts)}"))  # from here on others wait
        _make(connection, self.table, f"before_{first}", f"FROM (MINVALUE) TO ({first.start})")
        return sum(counts)


def _make(connection: Connection, table: str, part: str, bounds: str) -> None:
    connection.execute(text(f"CREATE TABLE {table}_{part} (LIKE {table} INCLUDING ALL)"))
    connection.execute(text(f"ALTER TABLE {table} ATTACH PARTITION {table}_{part} FOR VALUES {bounds}"))
