"""Languages: every text has its translation with the same names in it; figures are local."""

from __future__ import annotations

import re

import pytest

from serving.console.words import LANGUAGES, Words, _catalogue, chosen
from tests.console.texts import texts

OTHERS = [language for language in LANGUAGES if language != "en"]


@pytest.mark.parametrize("language", OTHERS)
def test_every_text_is_translated_and_no_other(language: str) -> None:
    assert set(_catalogue(language)) == texts()


@pytest.mark.parametrize("language", OTHERS)
def test_a_translation_has_the_names_of_its_text(language: str) -> None:
    for text, told in _catalogue(language).items():
        assert sorted(re.findall(r"\{\w+\}", text)) == sorted(re.findall(r"\{\w+\}", told)), text


def words(language: str, currency: str = "EUR") -> Words:
    return Words(language=language, currency=currency, zone="Europe/Amsterdam")


@pytest.mark.parametrize(
    ("language", "number", "money", "share", "day"),
    [
        ("en", "1,234.50", "€1,234.50", "12.3%", "1 Mar 2026"),
        ("nl", "1.234,50", "€\xa01.234,50", "12,3%", "1 mrt 2026"),
        ("de", "1.234,50", "1.234,50\xa0€", "12,3\xa0%", "1 März 2026"),
        ("tr", "1.234,50", "€1.234,50", "%12,3", "1 Mar 2026"),
    ],
)
def test_figures_are_written_as_the_language_writes_them(
    language: str, number: str, money: str, share: str, day: str
) -> None:
    one = words(language)
    assert one.number(1234.5, 2) == number
    assert one.money(1234.5) == money
    assert one.percent(0.123) == share
    assert one.day(1_772_323_200.0) == day


def test_what_is_not_known_is_a_dash_and_a_currency_without_a_code_stands_behind() -> None:
    assert words("en").number(None) == words("en").money(float("nan")) == words("en").percent(None) == "–"
    assert words("en", "points").money(3.0) == "3.00 points"


@pytest.mark.parametrize(
    ("told", "accepted", "language"),
    [(None, "", "en"), (None, "fr, de-CH;q=0.8", "de"), ("tr", "de", "tr"), ("xx", "nl", "nl")],
)
def test_the_reader_s_choice_comes_before_the_browser_s(
    told: str | None, accepted: str, language: str
) -> None:
    assert chosen(told, accepted) == language
