"""Statements built with SQLAlchemy Core, compiled once, and executed by the driver.

Core's own execution takes parameters and rows as dictionaries of its own making: for the 21 columns of a
decision that costs more than the database's work. The text is Core's, so SQL is written in one way only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from operator import attrgetter, itemgetter
from typing import Any

from sqlalchemy import Connection, Dialect, Select, UpdateBase


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A statement as the driver takes it.

    Values pass as they are, so a column's type must be one that the driver itself reads and writes as the
    ports have it: text, bytes, float, int.

    Attributes:
        text: with the driver's marks for parameters.
        marks: the parameters' names in the order of the marks.
        columns: of the rows that it reads.
    """

    text: str
    marks: tuple[str, ...]
    columns: tuple[str, ...] = ()

    @classmethod
    def of(cls, statement: Select[Any] | UpdateBase, dialect: Dialect) -> Prepared:
        """`dialect` has parameters by place, not by name; constants stand in the statement as text."""
        compiled = statement.compile(dialect=dialect)
        if not isinstance(compiled.positiontup, list):
            raise TypeError("the dialect marks its parameters by name")
        columns = statement.selected_columns if isinstance(statement, Select) else ()
        return cls(
            text=compiled.string,
            marks=tuple(compiled.positiontup),
            columns=tuple(column.name for column in columns),
        )

    def read(self, connection: Connection, **bound: Any) -> list[dict[str, Any]]:
        """Rows by column name."""
        rows = connection.exec_driver_sql(self.text, self._placed(bound)).all()
        return [dict(zip(self.columns, row, strict=True)) for row in rows]

    def run(self, connection: Connection, **bound: Any) -> int:
        """Execute once; how many rows it changed."""
        return connection.exec_driver_sql(self.text, self._placed(bound)).rowcount

    def run_each(self, connection: Connection, bound: Iterable[Mapping[str, Any]]) -> None:
        """Execute once for each; nothing where there are none."""
        self._many(connection, list(map(_taker(itemgetter, self.marks), bound)))

    def write(self, connection: Connection, rows: Iterable[object]) -> None:
        """Execute once for each row, whose attributes are the parameters."""
        self._many(connection, list(map(_taker(attrgetter, self.marks), rows)))

    def _placed(self, bound: Mapping[str, Any]) -> tuple[Any, ...]:
        return tuple(bound[mark] for mark in self.marks)

    def _many(self, connection: Connection, parameters: list[tuple[Any, ...]]) -> None:
        if parameters:
            connection.exec_driver_sql(self.text, parameters)


def _taker(getter: Callable[..., Callable[[Any], Any]], names: tuple[str, ...]) -> Callable[[Any], Any]:
    """Takes the values of these names from a row, as a tuple also where it is one."""
    take = getter(*names)
    return take if len(names) > 1 else lambda row: (take(row),)
