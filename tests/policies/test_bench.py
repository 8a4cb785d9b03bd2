"""The measures of choosing run, and choosing is far faster than asking Vowpal Wabbit arm by arm."""

from __future__ import annotations

from nba.policies.bench import choose_600, choose_bulk


def test_choosing_among_600_arms_beats_asking_vowpal_wabbit_for_each() -> None:
    """The goal is 40 times; 5 leaves room for a busy machine."""
    line = choose_600()
    assert set(line) == {"name", "value", "unit", "baseline", "ratio"}
    assert float(line["ratio"]) > 5


def test_bulk_choices_are_counted_by_the_second() -> None:
    line = choose_bulk(customers=2_000)
    assert line["unit"] == "decisions/s"
    assert float(line["ratio"]) > 5
