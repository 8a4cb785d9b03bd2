"""Words, numbers, money and moments as the reader's language writes them.

A catalogue is one YAML file a language: the English text → its translation. What has none stands in English.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from math import isfinite
from zoneinfo import ZoneInfo

import yaml
from babel import Locale
from babel.dates import format_date, format_datetime
from babel.numbers import format_currency, format_decimal, format_percent

LANGUAGES: Mapping[str, tuple[str, str]] = {
    "en": ("English", "en_GB"),
    "nl": ("Nederlands", "nl_NL"),
    "de": ("Deutsch", "de_DE"),
    "tr": ("Türkçe", "tr_TR"),
}
NOTHING = "–"


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

    @property
    def locale(self) -> Locale:
        return _locale(self.language)

    def number(self, value: float | None, digits: int = 0) -> str:
        if value is None or not isfinite(value):
            return NOTHING
        pattern = "#,##0" + ("." + "0" * digits if digits else "")
        return format_decimal(value, format=pattern, locale=self.locale)

    def percent(self, share: float | None, digits: int = 1) -> str:
        if share is None or not isfinite(share):
            return NOTHING
        return _percent(share, digits, self.locale)

    def money(self, value: float | None, digits: int = 2) -> str:
        if value is None or not isfinite(value):
            return NOTHING
        if len(self.currency) == 3 and self.currency.isalpha() and self.currency.isupper():
            return str(format_currency(value, self.currency, locale=self.locale))
        return f"{self.number(value, digits)} {self.currency}"

    def moment(self, at: float | None) -> str:
        """Day and time in the playbook's zone."""
        if at is None or not isfinite(at):
            return NOTHING
        return str(format_datetime(_at(at), "d MMM y, HH:mm", tzinfo=ZoneInfo(self.zone), locale=self.locale))

    def day(self, at: float | None) -> str:
        if at is None or not isfinite(at):
            return NOTHING
        return str(format_date(_at(at).astimezone(ZoneInfo(self.zone)), "d MMM y", locale=self.locale))

    def short_day(self, at: float) -> str:
        return str(format_date(_at(at).astimezone(ZoneInfo(self.zone)), "d MMM", locale=self.locale))

    def clock(self, at: float) -> str:
        """Time of day with seconds, of the real clock."""
        return str(format_datetime(_at(at), "HH:mm:ss", tzinfo=ZoneInfo(self.zone), locale=self.locale))

    def said(self, moment: str | None) -> str:
        """A timestamp as the API writes it."""
        return NOTHING if moment is None else self.moment(datetime.fromisoformat(moment).timestamp())


def chosen(told: str | None, accepted: str) -> str:
    """The language of a cookie, or the first of the header `Accept-Language` that is here, or English."""
    wanted: Sequence[str] = [told or "", *(part.split(";")[0].strip() for part in accepted.split(","))]
    known = (one[:2].lower() for one in wanted if one[:2].lower() in LANGUAGES)
    return next(known, "en")


@cache
def _catalogue(language: str) -> Mapping[str, str]:
    if language == "en":
        return {}
    text = files("serving.console").joinpath(f"catalogues/{language}.yaml").read_text(encoding="utf-8")
    told: Mapping[str, str] = yaml.safe_load(text) or {}
    return told


@cache
def _locale(language: str) -> Locale:
    return Locale.parse(LANGUAGES[language][1])


def _at(moment: float) -> datetime:
    return datetime.fromtimestamp(moment, UTC)


def _percent(share: float, digits: int, locale: Locale) -> str:
    pattern = locale.percent_formats[None].pattern
    whole = pattern.replace("#,##0", "#,##0" + ("." + "0" * digits if digits else ""))
    return str(format_percent(share, format=whole, locale=locale))
