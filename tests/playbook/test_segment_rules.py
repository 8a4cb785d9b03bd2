"""`segment` in rules: there where a rule names it, a category of the names asked for."""

from __future__ import annotations

import pytest

from nba.errors import InvalidPlaybook
from nba.playbook.compile import parse
from nba.playbook.declaration import ANOTHER
from nba.playbook.rules import segment_names

BASE = """
name: shop
currency: EUR
touchpoints: [visit]
objectives: {window: 7d, outcomes: {visit: {value: 1}}}
stages: [{name: any, when: "true"}]
channels: {email: {}}
timings: {now: {}}
actions:
  news: {channels: [email], timings: [now], when: "WHEN"}
"""


def asking(rule: str, more: str = "") -> str:
    return BASE.replace("WHEN", rule) + more


def test_the_names_asked_for_are_found_wherever_they_are_compared() -> None:
    assert segment_names("segment == 'a' and ('b' != segment or segment in ['c', 'd'])") == set("abcd")
    assert segment_names("stage == 'x' and known(segment)") == set()


def test_a_rule_that_names_a_segment_makes_the_feature_the_last_one() -> None:
    schema = parse(asking("segment in ['b', 'a']")).schema
    assert schema.features[-1].name == "segment"
    assert schema.features[-1].categories == ("a", "b", ANOTHER)
    assert "segment" not in parse(asking("true")).schema.index


@pytest.mark.parametrize(
    ("rule", "why"), [("segment > 3", "category"), ("segment == 3", "quoted name"), ("segment", "category")]
)
def test_a_segment_is_compared_with_names_only(rule: str, why: str) -> None:
    with pytest.raises(InvalidPlaybook, match=why):
        parse(asking(rule))


def test_stages_dont_know_segments() -> None:
    with pytest.raises(InvalidPlaybook, match="not known yet"):
        parse(BASE.replace('when: "true"', "when: \"segment == 'a'\"").replace("WHEN", "true"))


def test_an_attribute_of_this_name_is_itself() -> None:
    book = parse(asking("segment > 3", "attributes: {segment: number}\n"))
    assert book.schema.features[book.schema.index["segment"]].group == "attribute"


def test_a_variant_may_not_ask_for_another_segment() -> None:
    trial = """
experiments:
  - name: e
    variants:
      a: {}
      b: {change: {actions: {news: {when: "segment == 'z'"}}}}
"""
    with pytest.raises(InvalidPlaybook, match="segment 'z'"):
        parse(asking("segment == 'a'", trial))


def test_a_rule_that_asks_for_a_segment_leaves_the_basis_of_the_scores_as_it_was() -> None:
    before, after = parse(asking("true")).schema, parse(asking("segment == 'a'")).schema
    assert before.fingerprint == before.basis == after.basis
    assert after.fingerprint != after.basis
