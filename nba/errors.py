"""The error tree, branched by what the caller should do next.

    NbaError
    ├── Correctable            the caller corrects the request
    │   ├── InvalidInput           a field is wrong: which one, where, and the mend
    │   │   └── InvalidPlaybook        the same, in the playbook
    │   ├── Conflict               an id seen with another body, or time going backwards
    │   ├── NotFound               no such decision, customer, artefact
    │   ├── Gone                   it was there and was erased
    │   ├── TooLarge               a body or batch above its limit
    │   └── NotEnoughData          the data can't carry the answer; the figures say by how much
    ├── Retryable              the caller waits and retries
    │   ├── StoreUnavailable       disk full, read-only, database down
    │   ├── Overloaded             more work queued than can be answered in time
    │   └── Busy                   another process is at it; it ends, or its lease does
    └── CallOperator           a person has to look
        ├── CorruptArtefact        bytes that don't match their manifest
        ├── SchemaMismatch         a store written by a newer version, or on another clock
        └── MissingLibrary         a system library is not installed

Errors carry fields and no HTTP codes; `serving/problems.py` maps each of them to one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


class NbaError(Exception):
    """The root. `detail` is one sentence for a person; it never repeats the input's personal data."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class Correctable(NbaError):
    """The caller corrects the request and sends it again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldError:
    """One wrong field: its path (`actions[2].channels`), what is wrong and the mend, and where."""

    field: str
    detail: str
    line: int | None = None

    def __str__(self) -> str:
        at = f"line {self.line}: " if self.line is not None else ""
        return f"{at}{self.field}: {self.detail}"


class InvalidInput(Correctable):
    """One or more fields are wrong. `source` is the file or endpoint they came from."""

    def __init__(self, errors: Sequence[FieldError], source: str | None = None) -> None:
        self.errors = tuple(errors)
        self.source = source
        prefix = f"{source}: " if source else ""
        super().__init__(prefix + "; ".join(map(str, self.errors)))

    @classmethod
    def of(cls, field: str, detail: str, line: int | None = None, source: str | None = None) -> InvalidInput:
        return cls([FieldError(field=field, detail=detail, line=line)], source)


class InvalidPlaybook(InvalidInput):
    """The playbook is wrong."""


class Conflict(Correctable):
    """An id seen with another body, or a customer's time going backwards."""


class NotFound(Correctable):
    """No such decision, customer or artefact."""


class Gone(Correctable):
    """It was there and was erased."""


class TooLarge(Correctable):
    """A body or batch above its limit."""


class NotEnoughData(Correctable):
    """The data can't carry the answer. `figures` says what there was and what is needed."""

    def __init__(self, detail: str, figures: Mapping[str, float] | None = None) -> None:
        self.figures = dict(figures or {})
        listed = ", ".join(f"{name} {_figure(value)}" for name, value in self.figures.items())
        super().__init__(f"{detail} ({listed})" if listed else detail)


def _figure(value: float) -> str:
    """Whole from 1,000 on, else to four digits; never with an exponent where it has a whole part."""
    return f"{value:,.0f}" if abs(value) >= 1_000 or float(value).is_integer() else f"{value:.4g}"


class Retryable(NbaError):
    """The caller waits and sends the same request again."""


class StoreUnavailable(Retryable):
    """The store can't write now: disk full, read-only, or the database is down."""


class Overloaded(Retryable):
    """More work is queued than can be answered in time."""


class Busy(Retryable):
    """Another process does this now, and holds the lease: it ends, or its lease does."""


class CallOperator(NbaError):
    """A person has to look."""


class CorruptArtefact(CallOperator):
    """Bytes that don't match their manifest, or don't reproduce their own test vectors."""


class SchemaMismatch(CallOperator):
    """A store written by a newer version of this program, or opened on another clock."""


class MissingLibrary(CallOperator):
    """A system library is not installed; the detail has the command that installs it."""
