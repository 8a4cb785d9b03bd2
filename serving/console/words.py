"""Words, numbers, money and moments as the reader's language writes them.

A catalogue is one YAML file a language: the English text → its translation. What has none stands in English;
the one for English has what is a name in the store and no word yet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from math import isfinite
from typing import Literal
from zoneinfo import ZoneInfo

import yaml
from babel import Locale
from babel.dates import format_datetime, format_skeleton
from babel.numbers import format_currency, format_decimal, format_percent
from babel.units import format_unit
from markupsafe import Markup

from serving.console import sentences

LANGUAGES: Mapping[str, tuple[str, str]] = {
    "en": ("English", "en_GB"),
    "nl": ("Nederlands", "nl_NL"),
    "de": ("Deutsch", "de_DE"),
    "tr": ("Türkçe", "tr_TR"),
}
NOTHING = "–"
_UNITS = (("year", 31_557_600.0), ("day", 86_400.0), ("hour", 3_600.0), ("minute", 60.0), ("second", 1.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """One language, with the playbook's currency and time zone.

    Attributes:
        language: `en`, `nl`, `de` or `tr`.
        currency: as the playbook names it; one that is no ISO 4217 code is written behind the number.
    """

    language: str
    currency: str
    zone: str

    def __call__(self, text: str, **values: object) -> str:
        """The text in this language, `{names}` filled in."""
        told = _catalogue(self.language).get(text, text)
        return told.format(**values) if values else told

    def told(self, text: str) -> Markup:
        """A sentence of another module, in this language where it is known, else marked as English."""
        return sentences.told(text, self.language, self.number, self.percent)

    def told_plainly(self, text: str) -> str:
        """The same as plain text, for a picture."""
        return sentences.told_plainly(text, self.language, self.number, self.percent)

    @property
    def locale(self) -> Locale:
        return _locale(self.language)

    def number(self, value: float | None, digits: int = 0) -> str:
        if value is None or not isfinite(value):
            return NOTHING
        pattern = "#,##0" + ("." + "0" * digits if digits else "")
        return _minus(format_decimal(_whole(value, digits), format=pattern, locale=self.locale))

    def signed(self, value: float, digits: int = 0) -> str:
        """With its sign; what rounds to nothing has none."""
        size = self.number(abs(value), digits)
        return size if size == self.number(0.0, digits) else f"{'+' if value > 0 else '−'}{size}"

    def percent(self, share: float | None, digits: int = 1) -> str:
        if share is None or not isfinite(share):
            return NOTHING
        return _minus(_percent(_whole(share, digits + 2), digits, self.locale))

    def money(self, value: float | None, digits: int = 2) -> str:
        if value is None or not isfinite(value):
            return NOTHING
        if len(self.currency) == 3 and self.currency.isalpha() and self.currency.isupper():
            return _minus(format_currency(value, self.currency, locale=self.locale))
        return f"{self.number(value, digits)} {self.currency}"

    def p_value(self, p: float, *, bare: bool = False) -> str:
        """`p = 0.012`, `p < 0.0001`; with `bare` without the letter."""
        digits = 4 if p < 0.001 else 3 if p < 0.095 else 2
        told = f"< {self.number(0.0001, 4)}" if p < 0.0001 else self.number(p, digits)
        return told if bare else f"p {told}" if p < 0.0001 else f"p = {told}"

    def time(self, seconds: float) -> str:
        """`3.5 days`, `12 mins`, in the largest unit that it fills."""
        for unit, size in _UNITS:
            if abs(seconds) >= size or unit == "second":
                amount = seconds / size
                width: Literal["long", "short"] = "long" if unit in ("year", "day") else "short"
                pattern = "#,##0" if amount >= 10 or unit == "second" else "#,##0.#"
                return str(format_unit(amount, unit, width, format=pattern, locale=self.locale))
        raise AssertionError("the last unit fits")

    def moment(self, at: float | None) -> str:
        """Day and time in the playbook's zone."""
        if at is None or not isfinite(at):
            return NOTHING
        clock = format_datetime(_at(at), "HH:mm", tzinfo=ZoneInfo(self.zone), locale=self.locale)
        return f"{self.day(at)}, {clock}"

    def day(self, at: float | None) -> str:
        if at is None or not isfinite(at):
            return NOTHING
        return self._date("yMMMd", at)

    def short_day(self, at: float) -> str:
        return self._date("MMMd", at)

    def _date(self, parts: str, at: float) -> str:
        """These parts of a date, in the order of the language."""
        return str(format_skeleton(parts, _at(at), tzinfo=ZoneInfo(self.zone), locale=self.locale))

    def clock(self, at: float) -> str:
        """Time of day with seconds, of the real clock."""
        return str(format_datetime(_at(at), "HH:mm:ss", tzinfo=ZoneInfo(self.zone), locale=self.locale))

    def language_name(self, code: str) -> str:
        """`en` → English, Engels, …; what is no code stays as it is."""
        return str(self.locale.languages.get(code.lower(), code))

    def amount(self, value: float) -> str:
        """As many digits as it has, six at most."""
        return _minus(format_decimal(float(f"{value:.6g}"), format="#,##0.######", locale=self.locale))

    def said_day(self, moment: str) -> str:
        """The day of a timestamp as the API writes it."""
        return self.day(datetime.fromisoformat(moment).timestamp())

    def time_of_day(self, seconds: float) -> str:
        """Seconds after midnight as `22:00`, which all these languages write alike."""
        hours, minutes = divmod(round(seconds / 60), 60)
        return f"{hours:02d}:{minutes:02d}"

    def said(self, moment: str | None, *, seconds: bool = False) -> str:
        """A timestamp as the API writes it."""
        if moment is None:
            return NOTHING
        at = datetime.fromisoformat(moment).timestamp()
        return f"{self.day(at)}, {self.clock(at)}" if seconds else self.moment(at)


def chosen(told: str | None, accepted: str) -> str:
    """The language of a cookie, or the first of the header `Accept-Language` that is here, or English."""
    wanted: Sequence[str] = [told or "", *(part.split(";")[0].strip() for part in accepted.split(","))]
    known = (one[:2].lower() for one in wanted if one[:2].lower() in LANGUAGES)
    return next(known, "en")


@cache
def _catalogue(language: str) -> Mapping[str, str]:
    text = files("serving.console").joinpath(f"catalogues/{language}.yaml").read_text(encoding="utf-8")
    told: Mapping[str, str] = yaml.safe_load(text) or {}
    return told


@cache
def _locale(language: str) -> Locale:
    return Locale.parse(LANGUAGES[language][1])


def _whole(value: float, digits: int) -> float:
    """What rounds to nothing is nothing, without a sign."""
    return 0.0 if abs(value) < 0.5 * 10.0**-digits else value


def _minus(text: object) -> str:
    """With a minus that is one, not a hyphen."""
    return str(text).replace("-", "−")


def _at(moment: float) -> datetime:
    return datetime.fromtimestamp(moment, UTC)


def _percent(share: float, digits: int, locale: Locale) -> str:
    pattern = locale.percent_formats[None].pattern
    whole = pattern.replace("#,##0", "#,##0" + ("." + "0" * digits if digits else ""))
    return str(format_percent(share, format=whole, locale=locale))
