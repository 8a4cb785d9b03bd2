"""Languages: every text has its translation with the same names in it; figures are local."""

from __future__ import annotations

import re

import pytest

from nba.journey.traits import Trait, traits_of
from serving.console.sentences import catalogue
from serving.console.words import LANGUAGES, Words, _catalogue, chosen
from tests.console.seeded import GATE, MOVED
from tests.console.texts import texts
from tests.console.told import sentences
from tests.serving.running import sample
from training.segments.describe import _said

OTHERS = [language for language in LANGUAGES if language != "en"]


@pytest.mark.parametrize("language", OTHERS)
def test_every_text_is_translated_and_no_other(language: str) -> None:
    assert set(_catalogue(language)) == texts()


@pytest.mark.parametrize("language", OTHERS)
def test_a_translation_has_the_names_of_its_text(language: str) -> None:
    for text, told in _catalogue(language).items():
        assert sorted(re.findall(r"\{\w+\}", text)) == sorted(re.findall(r"\{\w+\}", told)), text


@pytest.mark.parametrize("language", OTHERS)
def test_every_sentence_of_other_modules_is_translated(language: str) -> None:
    known = catalogue(language)
    assert sentences() - set(known) == set()
    assert set(known) == set(catalogue(OTHERS[0]))
    for text, told in known.items():
        assert set(re.findall(r"\{\d\}", told)) <= set(re.findall(r"\{\d\}", text)), text


@pytest.mark.parametrize("language", OTHERS)
@pytest.mark.parametrize("trait", traits_of(sample()), ids=lambda trait: trait.name)
def test_what_a_persona_is_told_by_is_translated(language: str, trait: Trait) -> None:
    one = words(language)
    for phrase in (trait.said, *(_said(trait, *ends) for ends in ((0.1, 0.3), (12.0, None), (None, 5.3)))):
        told = str(one.told(phrase))
        assert 'lang="en"' not in told, phrase
        assert told != phrase


def test_a_sentence_is_told_with_figures_and_phrases_of_the_language() -> None:
    assert words("nl").told(MOVED) == "age is anders verdeeld dan eerder: de stabiliteitsindex (PSI) is 0,40"
    assert words("de").told(GATE) == (
        "eine neue Strategie muss besser sein: der Unterschied ist +0,2 (−0,1 bis +0,5), auf dem Niveau "
        "0,9750 (Versuch 2), seine untere Grenze liegt nicht über +0"
    )
    assert words("tr").told("calibration: takes 1,200 decisions with an eligible arm") == (
        "calibration: uygun kolu olan 1.200 karar ister"
    )
    assert words("en").told("a < b") == "a &lt; b"


def test_a_sentence_that_no_template_knows_stays_and_is_marked_as_english() -> None:
    assert words("nl").told("because <b>I</b> say so") == (
        '<span lang="en">because &lt;b&gt;I&lt;/b&gt; say so</span>'
    )
    assert words("nl").told("x" * 5_000).startswith('<span lang="en">xxx')


def words(language: str, currency: str = "EUR") -> Words:
    return Words(language=language, currency=currency, zone="Europe/Amsterdam")


@pytest.mark.parametrize(
    ("language", "number", "money", "share", "day"),
    [
        ("en", "1,234.50", "€1,234.50", "12.3%", "1 Mar 2026"),
        ("nl", "1.234,50", "€\xa01.234,50", "12,3%", "1 mrt 2026"),
        ("de", "1.234,50", "1.234,50\xa0€", "12,3\xa0%", "1. März 2026"),
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
    assert (words("en").number(-1e-17, 1), words("en").percent(-1e-17)) == ("0.0", "0.0%")
    assert (words("en").number(-1.5, 1), words("en").money(-1.5)) == ("−1.5", "−€1.50")


@pytest.mark.parametrize(
    ("told", "accepted", "language"),
    [(None, "", "en"), (None, "fr, de-CH;q=0.8", "de"), ("tr", "de", "tr"), ("xx", "nl", "nl")],
)
def test_the_reader_s_choice_comes_before_the_browser_s(
    told: str | None, accepted: str, language: str
) -> None:
    assert chosen(told, accepted) == language
