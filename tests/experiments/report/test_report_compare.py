"""Comparisons on simulated businesses whose truth is known, and on the public Cookie Cats experiment."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from experiments.ab import Difference
from experiments.report import Comparison, Report, ab_report, check_split
from experiments.report.customers import read_cohort
from experiments.report.show import as_json, as_text
from experiments.report.words import conclusion, notes, split_warning, warnings
from nba.errors import InvalidInput, NotEnoughData
from nba.stores.ports import Store
from tests.experiments.report.business import (
    DAY,
    END,
    PLAYBOOK,
    SILENCE,
    bought,
    business,
    cookie_cats,
    decided,
    filled,
    memory,
)


def measured(store: Store) -> Report:
    return ab_report(read_cohort(store, PLAYBOOK, as_of=END), PLAYBOOK)


def found(report: Report, treatment: str, control: str) -> tuple[Comparison, Difference]:
    pair = next(c for c in report.comparisons if (c.treatment, c.control) == (treatment, control))
    assert isinstance(pair.absolute, Difference)
    return pair, pair.absolute


def test_the_true_effect_is_found_and_groups_treated_alike_do_not_differ() -> None:
    """Seed 1, 2,000 customers, fixed: with four standard errors a right report fails once in ten thousand."""
    report = measured(business(memory(), customers=2_000, effect=1.5, seed=1))
    for treatment, control, truth in (
        ("treatment", "holdout", 1.5),
        ("treatment", "random_eligible", 1.5),
        ("random_eligible", "holdout", 0.0),
    ):
        _, difference = found(report, treatment, control)
        assert abs(difference.value - truth) < 4 * difference.stderr
        assert 0.1 < difference.stderr < 0.4  # 4 · √(1/400 + 1/1200) is 0.23
    assert found(report, "treatment", "holdout")[1].p_value < 0.001
    assert not report.split.suspicious
    assert warnings(report) == []
    assert "the groups are as large as their shares say" in as_text(report)


def test_the_difference_is_welchs_test_of_the_customers_net_earnings() -> None:
    store = business(memory(), customers=400, effect=1.0, seed=2)
    cohort = read_cohort(store, PLAYBOOK, as_of=END)
    values = {g: (cohort.of(g)["earned"] - cohort.of(g)["cost"]).to_numpy() for g in ("treatment", "holdout")}
    theirs = stats.ttest_ind(values["treatment"], values["holdout"], equal_var=False)
    pair, ours = found(ab_report(cohort, PLAYBOOK), "treatment", "holdout")
    assert not pair.adjusted
    assert ours.value == pytest.approx(values["treatment"].mean() - values["holdout"].mean())
    assert ours.p_value == pytest.approx(theirs.pvalue)
    assert [ours.low, ours.high] == pytest.approx(list(theirs.confidence_interval()))


def test_what_customers_earned_before_narrows_the_interval() -> None:
    """80 % of the variance is known beforehand, so the standard error shrinks to √0.2 of it, or 0.45."""
    plain = found(measured(business(memory(), customers=2_000, effect=1.5, seed=3)), "treatment", "holdout")
    known = found(
        measured(business(memory(), customers=2_000, effect=1.5, seed=3, past=True)), "treatment", "holdout"
    )
    assert (plain[0].adjusted, known[0].adjusted) == (False, True)
    assert known[1].stderr / plain[1].stderr == pytest.approx(np.sqrt(0.2), rel=0.1)
    assert abs(known[1].value - 1.5) < 4 * known[1].stderr


def test_a_handful_of_customers_is_not_adjusted() -> None:
    report = measured(business(memory(), customers=100, effect=1.5, seed=3, past=True))
    assert not any(c.adjusted for c in report.comparisons)


def small(*, holdout: int) -> Store:
    """Six customers in treatment and a few in holdout, nobody in random-eligible."""
    groups = ["treatment"] * 6 + ["holdout"] * holdout
    decisions = [
        decided(f"d-{i}", f"c-{i}", DAY, SILENCE if g == "holdout" else "bogo/email/now", g)
        for i, g in enumerate(groups)
    ]
    return filled(
        memory(), decisions, [bought(f"p-{i}", f"c-{i}", 2 * DAY, 2.0 * i) for i in range(len(groups))]
    )


def test_a_group_of_one_customer_or_none_gives_no_figure_and_says_why() -> None:
    report = measured(small(holdout=1))
    for comparison in report.comparisons:
        assert isinstance(comparison.absolute, NotEnoughData)
        assert isinstance(comparison.relative, NotEnoughData)
        assert "at least two customers" in conclusion(comparison, "EUR", 0.95)
    told = json.loads(json.dumps(as_json(report), allow_nan=False))
    assert "value" not in told["comparisons"][0]["absolute"]
    assert told["comparisons"][0]["absolute"]["figures"] == {"control n": 1, "treatment n": 6}
    assert "net_per_customer" not in told["groups"]["random_eligible"]
    assert "can't be checked" in as_text(report)


def test_one_comparison_without_data_leaves_the_others_standing() -> None:
    report = measured(small(holdout=2))
    kinds = {(c.treatment, c.control): type(c.absolute) for c in report.comparisons}
    assert kinds == {
        ("treatment", "holdout"): Difference,
        ("treatment", "random_eligible"): NotEnoughData,
        ("random_eligible", "holdout"): NotEnoughData,
    }


def test_a_share_of_a_mean_near_zero_is_not_reported() -> None:
    decisions = [
        decided(f"d-{i}", f"c-{i}", DAY, SILENCE, "holdout" if i % 2 else "treatment") for i in range(40)
    ]
    money = [bought(f"p-{i}", f"c-{i}", 2 * DAY, float(i % 4 // 2 * 200 - 99)) for i in range(40)]
    report = measured(filled(memory(), decisions, money))
    pair, _ = found(report, "treatment", "holdout")
    assert isinstance(pair.relative, NotEnoughData)


def test_the_words_say_who_earned_more_by_how_much_and_when_nothing_is_shown() -> None:
    """Seed 1, as above: the effect of 1.5 is seven standard errors."""
    report = measured(business(memory(), customers=2_000, effect=1.5, seed=1))
    clear, _, alike = (conclusion(c, "EUR", 0.95) for c in report.comparisons)
    value = found(report, "treatment", "holdout")[1]
    assert clear.startswith(
        f"treatment earned {value.value:.2f} EUR more per customer than holdout, "
        f"95 % interval {value.low:.2f} to {value.high:.2f} "
    )
    assert "no difference is shown" not in clear
    assert alike.endswith("no difference is shown")
    worse = measured(business(memory(), customers=2_000, effect=-3.0, seed=1))
    assert " EUR less per customer than holdout" in conclusion(worse.comparisons[0], "EUR", 0.95)


def test_a_level_outside_0_and_1_is_refused() -> None:
    cohort = read_cohort(business(memory(), customers=50, effect=1.0, seed=1), PLAYBOOK, as_of=END)
    with pytest.raises(InvalidInput, match="level"):
        ab_report(cohort, PLAYBOOK, level=95.0)


def test_cookie_cats_is_warned_of(data_dir: Path) -> None:
    """The public experiment of 90,189 players was to be split in halves; its p value is 0.009."""
    split = check_split(cookie_cats(data_dir), {"gate_30": 1, "gate_40": 1})
    assert split.p_value == pytest.approx(0.009, abs=0.0005)
    assert split.suspicious
    assert "before believing any difference" in split_warning(split)[0]


def test_a_split_as_the_shares_say_is_not_warned_of() -> None:
    assert split_warning(check_split({"a": 498, "b": 502}, {"a": 1, "b": 1})) == []


def test_customers_in_a_group_without_a_share_are_warned_of() -> None:
    split = check_split({"treatment": 90, "holdout": 1}, {"treatment": 1.0, "holdout": 0.0})
    assert "holdout has 1 customers instead of 0" in split_warning(split)[0]


def test_everybody_in_treatment_by_the_shares_is_no_split_to_check() -> None:
    split = check_split({"treatment": 90, "holdout": 0}, {"treatment": 1.0, "holdout": 0.0})
    assert not split.suspicious
    assert "can't be checked" in split_warning(split)[0]


def test_a_caller_that_activates_contacts_only_is_found_out_by_the_split() -> None:
    """Silence stays held, so the holdout goes missing."""
    rows = [
        row
        for chunk in business(memory(), customers=500, effect=1.0, seed=4).decisions(0, END)
        for row in chunk
        if row.channel is not None or row.decision_id.endswith("7")
    ]
    report = measured(filled(memory(), rows))
    assert report.split.suspicious
    assert "activated only when they are contacts" in warnings(report)[0]


def test_a_report_in_which_most_windows_are_open_warns_that_costs_come_first() -> None:
    decisions = [
        decided(
            f"d-{i}",
            f"c-{i}",
            DAY,
            "bogo/email/now" if i % 2 else SILENCE,
            "treatment" if i % 2 else "holdout",
        )
        for i in range(40)
    ]
    store = filled(memory(), decisions, [])
    early = ab_report(read_cohort(store, PLAYBOOK, as_of=2 * DAY), PLAYBOOK)
    late = ab_report(read_cohort(store, PLAYBOOK, as_of=DAY + 2 * early.window), PLAYBOOK)
    (told,) = [
        line for line in warnings(early) if line.startswith("too early for a verdict: 20 of 20 contacts")
    ]
    assert not any("contacts are younger" in line for line in notes(early)), "told once"
    assert not any("too early" in line for line in warnings(late))
    assert f"warning: {told}" in as_text(early)
