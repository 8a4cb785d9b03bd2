"""What cohorts of arrays show under each method, and what is said of it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from experiments.ab import Difference, Ratio, ratio_difference
from experiments.report.experiment import Analysed, Cohort, Values, analyse, verdict
from experiments.report.experiment.as_json import as_json
from experiments.report.experiment.compared import Comparison
from experiments.report.experiment.plots import band
from experiments.report.experiment.show import as_text
from experiments.report.experiment.warn import warnings
from experiments.report.words import amount
from nba.errors import NotEnoughData
from tests.experiments.report.cohorts import DAY, analysed, cohort, declared

PLANNED = {"method": "group-sequential", "customers": 2_000, "looks": 4}
FIXED = {"method": "fixed", "customers": 2_000}
METHODS: dict[str, dict[str, Any]] = {
    "always-valid": {"tuning": 2_000.0},
    "group-sequential": PLANNED,
    "fixed": FIXED,
}


def figure(found: Analysed, metric: str = "net", variant: str = "b") -> tuple[Comparison, Difference]:
    comparison = next(c for c in found.comparisons if (c.metric, c.variant) == (metric, variant))
    assert isinstance(comparison.tested.absolute, Difference)
    return comparison, comparison.tested.absolute


def until(whole: Cohort, mature: int) -> Cohort:
    """The same cohort when only so many were mature."""
    return replace(whole, as_of=float(whole.entered_at[mature - 1]) + whole.experiment.window)


def alarms(method: str, skewed: bool, runs: int) -> int:
    """A/A cohorts of 2,000 in which any of 20 looks called a difference."""
    experiment = declared(analysis=METHODS[method])
    looks = range(100, 2_001, 100)
    return sum(
        any(
            analyse(until(whole, look)).primary[0].tested.shown
            for look in (looks if method == "always-valid" else [2_000])
        )
        for seed in range(runs)
        for whole in [cohort(2_000, seed, experiment=experiment, rho=0.6, skewed=skewed)]
    )


@pytest.mark.parametrize("skewed", [False, True])
@pytest.mark.parametrize("method", METHODS)
def test_an_experiment_of_likes_looked_at_twenty_times_alarms_no_more_often_than_it_says(
    method: str, skewed: bool
) -> None:
    """Seeds 0 on, 2,000 customers each; at the stated 5 % more than 23 of 200 alarm once in 5,000 times, and
    more than 10 of 60, of the planned looks, which take longer.

    Always-valid is looked at at every hundredth customer, the others as they are planned.
    """
    runs, most = (60, 10) if method == "group-sequential" else (200, 23)
    assert alarms(method, skewed, runs) <= most


@pytest.mark.parametrize("method", METHODS)
def test_a_true_effect_is_found_and_shipped(method: str) -> None:
    """Seed 1, fixed: the effect of 0.3 is 6.7 standard errors of 2,000 customers."""
    found = analysed(2_000, 1, experiment=declared(analysis=METHODS[method]), effect=0.3)
    comparison, absolute = figure(found)
    assert absolute.low < 0.3 < absolute.high
    assert comparison.word == "better"
    decided = verdict(found, " EUR")
    assert decided.call == "ship"
    assert f"b: net is {amount(absolute.value, absolute.stderr)} EUR higher" in decided.why


@pytest.mark.parametrize("method", METHODS)
def test_a_variant_that_is_worse_is_to_be_stopped(method: str) -> None:
    found = analysed(2_000, 1, experiment=declared(analysis=METHODS[method]), effect=-0.3)
    assert figure(found)[0].word == "worse"
    assert verdict(found).call == "stop for harm"


def test_less_is_better_where_the_metric_says_so() -> None:
    experiment = declared(metrics={"net": {"better": "less"}})
    assert verdict(analysed(2_000, 1, experiment=experiment, effect=-0.4)).call == "ship"


def test_what_was_known_before_narrows_the_interval_as_theory_says() -> None:
    """Seed 2, 4,000 customers: with ρ = 0.8 the standard error is √(1 − 0.64) = 0.6 of what it was."""
    found = analysed(4_000, 2, rho=0.8)
    plain = cohort(4_000, 2, rho=0.8)
    unknown = {"net": replace(plain.values["net"], before=np.zeros(4_000))}
    assert found.primary[0].tested.adjusted
    without = analyse(replace(plain, values=unknown))
    assert not without.primary[0].tested.adjusted
    assert figure(found)[1].stderr / figure(without)[1].stderr == pytest.approx(0.6, rel=0.05)


def test_a_fixed_analysis_says_nothing_before_its_customers_are_in_and_then_stays() -> None:
    whole = cohort(3_000, 3, experiment=declared(analysis=FIXED), effect=0.3)
    early = analyse(until(whole, 1_999))
    assert isinstance(early.primary[0].tested.absolute, NotEnoughData)
    assert "looked at once (mature 1,999, planned 2,000)" in verdict(early).why
    assert verdict(early).call == "keep running"
    assert "1 more mature customers" in verdict(early).why
    assert early.variants[0].means["net"] == pytest.approx(10, abs=0.2)
    assert figure(analyse(until(whole, 2_000))) == figure(analyse(until(whole, 3_000)))


def test_planned_looks_are_taken_at_their_customers_and_the_first_to_cross_stands() -> None:
    """Seed 4, fixed: an effect of 0.25 crosses before the last look."""
    whole = cohort(2_000, 4, experiment=declared(analysis=PLANNED), effect=0.25)
    assert "first planned look is not due" in verdict(analyse(until(whole, 499))).why
    final = analyse(whole).primary[0].tested
    assert final.shown
    assert [look.customers for look in final.looks] == [500, 1_000, 1_500, 2_000][: len(final.looks)]
    assert [look.crossed for look in final.looks] == [False] * (len(final.looks) - 1) + [True]
    crossed_at = final.looks[-1].customers
    for mature in (crossed_at, crossed_at + 250, 2_000):
        assert analyse(until(whole, mature)).primary[0].tested == final


def test_between_two_looks_the_figures_of_the_earlier_one_stand() -> None:
    whole = cohort(2_000, 5, experiment=declared(analysis=PLANNED))
    at, later = (analyse(until(whole, n)).primary[0].tested for n in (1_000, 1_499))
    assert at == later
    assert len(at.looks) == 2


def test_several_variants_share_alpha_and_each_gets_a_word() -> None:
    """Seed 6: c is better by 0.4, 8 standard errors; b is not."""
    experiment = declared(variants={"a": {}, "b": {}, "c": {}})
    found = analysed(3_000, 6, experiment=experiment, effect={2: 0.4})
    assert [c.level for c in found.primary] == [0.975, 0.975]
    assert [c.word for c in found.primary] == ["no difference", "better"]
    absolute = figure(found, variant="b")[1]
    assert figure(found, variant="b")[0].p_value == min(1.0, 2 * absolute.p_value)
    decided = verdict(found)
    assert decided.call == "ship"
    assert decided.why.startswith("c: net is")
    assert {name: call for name, (call, _) in decided.variants.items()} == {"b": "keep running", "c": "ship"}


def counted(n: int, rate: list[float], seed: int, variant: np.ndarray[Any, Any]) -> Values:
    rng = np.random.default_rng(seed)
    return Values(of=(rng.random(n) < np.array(rate)[variant]).astype(float), before=np.zeros(n))


def with_metric(whole: Cohort, name: str, values: Values) -> Cohort:
    return replace(whole, values={**whole.values, name: values})


def guarded(harm: float, rates: list[float], better: str = "more") -> Analysed:
    """Seed 7, 4,000 customers, a count with these rates by variant beside an unmoved net."""
    experiment = declared(metrics={"net": {}, "visits": {"of": "visit", "harm": harm, "better": better}})
    bare = declared()
    whole = replace(cohort(4_000, 7, experiment=bare), experiment=experiment)
    return analyse(with_metric(whole, "visits", counted(4_000, rates, 8, whole.variant)))


def test_a_guardrail_stops_a_variant_that_is_worse_by_more_than_its_margin() -> None:
    """0.5 against 0.3 with 10 % allowed: the bar is 0.45, ten standard errors away."""
    found = guarded(0.1, [0.5, 0.3])
    assert found.guards[0].broken
    decided = verdict(found)
    assert decided.call == "stop for harm"
    assert "visits is worse than control's by more than 10.0 %" in decided.why


def test_a_guardrail_lets_pass_what_is_worse_within_its_margin() -> None:
    """0.5 against 0.45 with 40 % allowed: the bar is 0.3, nine standard errors away."""
    found = guarded(0.4, [0.5, 0.45])
    assert not found.guards[0].broken
    assert verdict(found).call == "keep running"


def test_a_guardrail_on_what_should_be_less_looks_the_other_way() -> None:
    assert guarded(0.1, [0.3, 0.5], better="less").guards[0].broken
    assert not guarded(0.1, [0.5, 0.3], better="less").guards[0].broken


def test_a_guardrail_below_zero_allows_what_is_lower_by_its_share() -> None:
    """Seed 9: control loses 10 on average; half as much again is beyond 20 %, a tenth more is within."""
    for effect, broken in ((-5.0, True), (-0.5, False)):
        experiment = declared(metrics={"count": {"of": "visit"}, "net": {"harm": 0.2}})
        whole = cohort(2_000, 9, mean=-10.0, effect=effect)
        values = {"count": counted(2_000, [0.5, 0.5], 1, whole.variant), **whole.values}
        found = analyse(replace(whole, experiment=experiment, values=values))
        assert found.guards[0].broken == broken


def test_a_ratio_metric_is_compared_over_customers_by_the_delta_method() -> None:
    rng = np.random.default_rng(10)
    orders = rng.poisson(2.0, 2_000).astype(float)
    spent = orders * rng.gamma(4.0, 5.0, 2_000)
    nothing = np.zeros(2_000)
    experiment = declared(metrics={"basket": {"of": "earned", "per": "order"}}, analysis=FIXED)
    plain = cohort(2_000, 10)
    values = {"basket": Values(of=spent, before=nothing, per=orders, per_before=nothing)}
    found = figure(analyse(replace(plain, experiment=experiment, values=values)), "basket")[1]
    arms = [Ratio.of(spent[plain.variant == v], orders[plain.variant == v]) for v in (0, 1)]
    expected = ratio_difference(*arms)
    assert (found.value, found.low, found.high) == pytest.approx(
        (expected.value, expected.low, expected.high)
    )


def test_many_metrics_are_corrected_together_and_the_primary_is_left_alone() -> None:
    names = [f"m{i}" for i in range(4)]
    experiment = declared(metrics={"net": {}, **{name: {"of": "visit"} for name in names}})
    whole = cohort(2_000, 11)
    values = {name: counted(2_000, [0.5, 0.5], i, whole.variant) for i, name in enumerate(names)}
    found = analyse(replace(whole, experiment=experiment, values={**whole.values, **values}))
    assert figure(found)[0].level == 0.95
    assert {figure(found, name)[0].level for name in names} == {1 - 0.05 / 4}
    lowest = min(figure(found, name)[1].p_value for name in names)
    assert min(figure(found, name)[0].p_value for name in names) == min(1.0, 4 * lowest)


def test_a_broken_split_leaves_nothing_else_to_believe() -> None:
    whole = cohort(3_000, 12, effect=1.0)
    missing = np.flatnonzero((whole.variant == 0) | (np.arange(3_000) % 3 > 0))
    kept = {"net": Values(of=whole.values["net"].of[missing], before=whole.values["net"].before[missing])}
    found = analyse(
        replace(whole, variant=whole.variant[missing], entered_at=whole.entered_at[missing], values=kept)
    )
    assert found.broken
    decided = verdict(found)
    assert decided.call == "broken split"
    assert "Believe nothing else" in decided.why
    assert decided.variants == {}


def test_segments_that_differ_are_told_apart_from_those_that_do_not() -> None:
    """Seed 13, 4,000 customers, an effect of 0.5 on half of them: 11 standard errors between the halves."""
    experiment = declared(segments={"loyal": "true"})
    whole = cohort(4_000, 13, experiment=experiment)
    loyal = whole.segments["loyal"]
    net = whole.values["net"]
    moved = Values(of=net.of + 0.5 * (loyal & (whole.variant == 1)), before=net.before)
    found = analyse(with_metric(whole, "net", moved)).segments["b"]
    alike = analyse(whole).segments["b"]
    assert not isinstance(found, NotEnoughData)
    assert not isinstance(alike, NotEnoughData)
    assert [row.segment for row in found.rows] == ["loyal", "(the rest)"]
    assert found.rows[0].difference.low > 0.3
    assert found.p_value < 1e-6
    assert alike.p_value > 0.001


def test_who_is_not_mature_counts_for_nothing_but_the_split() -> None:
    whole = cohort(1_000, 14, mature=400)
    wild = whole.values["net"].of.copy()
    wild[400:] += 1e6 * whole.variant[400:]
    found = analyse(with_metric(whole, "net", Values(of=wild, before=whole.values["net"].before)))
    assert figure(found)[1] == figure(analyse(whole))[1]
    assert sum(v.mature for v in found.variants) == 400
    assert sum(v.exposed for v in found.variants) == 1_000
    assert "600 customers are not mature" in as_text(found, "EUR")


def test_few_customers_give_no_figure_but_say_how_many_are_needed() -> None:
    found = analysed(60, 15, effect=5.0)
    assert "each variant needs 50 mature customers" in verdict(found).why
    assert verdict(found).call == "keep running"


def test_a_variant_without_customers_gives_words_and_no_number() -> None:
    whole = cohort(40, 16)
    alone = replace(whole, variant=np.zeros(40, dtype=np.int64))
    found = analyse(alone)
    told = json.loads(json.dumps(as_json(found, "EUR"), allow_nan=False))
    assert "not_enough_data" in told["comparisons"][0]["absolute"]
    assert "value" not in told["variants"][1]["means"]["net"]
    assert "b" in as_text(found, "EUR")


def test_an_experiment_that_nobody_entered_is_not_started() -> None:
    experiment = declared(starts="2026-01-10T00:00:00Z", washout="2d")
    for as_of, said in (
        ("2026-01-09T00:00:00+00:00", "starts at 2026-01-12"),
        ("2026-01-11T00:00:00+00:00", "washout"),
        ("2026-01-20T00:00:00+00:00", "the store has no decisions"),
    ):
        moment = np.datetime64(as_of[:19]).astype("datetime64[s]").astype(float)
        decided = verdict(
            analyse(replace(cohort(0, 1, experiment=experiment, mature=0), as_of=float(moment)))
        )
        assert decided.call == "not started"
        assert said in decided.why


def test_how_much_longer_is_about_what_it_then_takes() -> None:
    """Seed 17: at 1,000 customers the effect does not show; with so many more of the same it does."""
    whole = cohort(40_000, 17, effect=0.12, experiment=declared(analysis={"tuning": 3_000.0}))
    early = until(whole, 1_000)
    assert verdict(analyse(early)).call == "keep running"
    absolute = figure(analyse(early))[1]
    needed = int(verdict(analyse(early)).why.split("take about ")[1].split(" ")[0].replace(",", ""))
    later = analyse(until(whole, 1_000 + needed))
    half = (figure(later)[1].high - figure(later)[1].low) / 2
    assert half == pytest.approx(abs(absolute.value), rel=0.1)


def test_an_ended_experiment_without_a_difference_says_so() -> None:
    experiment = declared(starts="1969-12-01T00:00:00Z", ends="1970-01-02T00:00:00Z")
    found = analysed(1_000, 18, experiment=experiment, as_of=30 * DAY)
    assert verdict(found).call == "no difference shown"


def test_switched_and_reweighted_customers_are_warned_of() -> None:
    said = " ".join(warnings(analysed(200, 19, switched=3, reweighted=20, gone=2)))
    assert "3 customers saw more than one variant" in said
    assert "20 customers entered under other weights" in said
    assert "2 customers entered in a variant that is no longer declared" in said


def test_variants_that_differed_beforehand_are_warned_of() -> None:
    """Seed 20, fixed: a difference of one standard deviation over 400 customers."""
    whole = cohort(400, 20)
    net = whole.values["net"]
    found = analyse(with_metric(whole, "net", Values(of=net.of, before=net.before + whole.variant)))
    assert "differed before the first exposure" in warnings(found)[0]
    assert not warnings(analyse(whole))


def test_the_band_grows_narrower_as_customers_mature() -> None:
    points = band(cohort(3_000, 21, experiment=declared(analysis={"tuning": 1_000.0})))
    widths = [p.found.high - p.found.low for p in points]
    assert points[-1].customers == 3_000
    assert widths[-1] < widths[0] / 2
    assert 100 <= points[0].customers < 200
