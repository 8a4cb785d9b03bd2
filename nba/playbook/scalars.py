"""How one value of the playbook is written: durations, times of day, moments, names, numbers.

Types are strict: text is no number, a number is no boolean, so a slip of the pen is told and not guessed at.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

DAY = 86_400.0
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": DAY, "w": 7 * DAY}
_LONGEST = 36_525 * DAY
FEATURE_NAME = "[a-z][a-z0-9_]{0,63}"
MOST = 1e12  # of money and of weights: sums over all customers stay exact to far below a cent


def _duration(value: object) -> float:
    """`7d`, `36h`, `90m` → seconds."""
    match = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)([smhdw])", value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("must be a number and a unit, such as 7d, 36h or 90m")
    seconds = float(match[1]) * _UNITS[match[2]]
    if not 0 < seconds <= _LONGEST:
        raise ValueError("must be more than nothing and at most 36525d")
    return seconds


def _clock(value: object) -> int:
    """`18:30` → seconds of the day."""
    match = re.fullmatch(r"([0-9]{1,2}):([0-9]{2})", value) if isinstance(value, str) else None
    seconds = int(match[1]) * 3600 + int(match[2]) * 60 if match and int(match[2]) < 60 else DAY + 1
    if seconds > DAY:
        raise ValueError("must be a time of day from 00:00 to 24:00")
    return int(seconds)


def _moment(value: object) -> datetime:
    """A moment with its time zone → the same in UTC."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            value = None
    if not isinstance(value, date):
        raise ValueError("must be a moment, such as 2026-12-01T00:00:00Z")
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise ValueError("needs a time zone, such as 2026-12-01T00:00:00Z")
    if not 1900 <= value.year < 2200:
        raise ValueError("must lie in the years 1900 to 2199")
    return value.astimezone(UTC)


def _rule(value: object) -> object:
    """A bare `true` is YAML's, and a rule all the same."""
    return str(value).lower() if isinstance(value, bool) else value


def worth(value: object) -> object:
    if isinstance(value, str) and value != "amount":
        raise ValueError("must be a number, or `amount` for the outcome's own value")
    return value


def _kind(value: object) -> object:
    if value not in ("number", "boolean") and not isinstance(value, list):
        raise ValueError("must be number, boolean, or a list of categories")
    return value


def _once(values: list[str]) -> list[str]:
    twice = sorted({value for value in values if values.count(value) > 1})
    if twice:
        raise ValueError(f"{twice[0]!r} stands twice")
    return values


def _matching(pattern: str, words: str) -> AfterValidator:
    def check(value: str) -> str:
        if re.fullmatch(pattern, value) is None:
            raise ValueError(f"a name here {words}")
        return value

    return AfterValidator(check)


def _ordered(value: tuple[float, float]) -> tuple[float, float]:
    if value[0] >= value[1]:
        raise ValueError("must be [lowest, highest], lowest below highest")
    return value


Number = Annotated[float, Field(strict=True, ge=-MOST, le=MOST)]
Cost = Annotated[float, Field(strict=True, ge=0, le=MOST)]
Range = Annotated[tuple[Number, Number], AfterValidator(_ordered)]
Fraction = Annotated[float, Field(strict=True, ge=0, le=1)]
Seconds = Annotated[float, BeforeValidator(_duration)]
TimeOfDay = Annotated[int, BeforeValidator(_clock)]
Moment = Annotated[datetime, BeforeValidator(_moment)]
Name = Annotated[
    str,
    _matching("[A-Za-z][A-Za-z0-9_-]{0,63}", "starts with a letter and has up to 64 letters, digits, _ or -"),
]
FeatureName = Annotated[str, _matching(FEATURE_NAME, "starts with a-z and has up to 64 of a-z, 0-9 and _")]
Names = Annotated[list[Name], Field(min_length=1), AfterValidator(_once)]
FeatureNames = Annotated[list[FeatureName], Field(min_length=1), AfterValidator(_once)]
Rule = Annotated[str, Field(min_length=1, max_length=2_000), BeforeValidator(_rule)]
Purpose = Literal["marketing", "service", "transactional"]
Purposes = Annotated[list[Purpose], Field(min_length=1), AfterValidator(_once)]
Category = Annotated[str, Field(min_length=1, max_length=128)]
Categories = Annotated[list[Category], Field(min_length=1, max_length=200), AfterValidator(_once)]
Kind = Annotated[Categories | Literal["number", "boolean"], BeforeValidator(_kind)]
