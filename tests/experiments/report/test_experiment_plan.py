"""What an experiment needs, from what the store knows; and the moment that nobody named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from experiments.ab import Moments, difference
from experiments.report.experiment.cohort import Values
from experiments.report.experiment.history import History, history_of, read_history
from experiments.report.experiment.plan import Plan, plan_of
from experiments.report.experiment.show_plan import show
from experiments.report.moment import default_as_of
from nba.errors import InvalidInput, NotEnoughData
from nba.stores.memory import MemoryStore
from nba.stores.open import default_url, open_store
from nba.stores.ports import Store
from tests.experiments.report.business import DAY, END, TEXT, bought, business, decided, filled, memory, shop
from tests.experiments.report.cohorts import declared

PAST = History(n=5_000, mean=20.0, variance=16.0, rho=0.0, days=25.0)


def planned(history: History = PAST, effect: float = 0.05, relative: bool = True, **fields: object) -> Plan:
    return plan_of(declared(**fields), history, effect=effect, relative=relative, power=0.8)


def by_method(plan: Plan) -> dict[str, int]:
    return {one.method: one.customers for one in plan.methods}


def test_the_fixed_plan_is_the_textbooks() -> None:
    """n = 2 (1.96 + 0.8416)² σ²/δ² an arm: with σ = 4 and δ = 1 that is 251.2."""
    plan = planned()
    assert plan.effect == 1.0
    assert plan.methods[0].variants == {"a": 252, "b": 252}
    assert by_method(plan) == by_method(planned(effect=1.0, relative=False))


def test_looking_more_freely_costs_customers() -> None:
    found = by_method(planned())
    assert found["fixed"] < found["group-sequential"] < found["always-valid"]


def test_what_is_known_of_the_past_saves_customers() -> None:
    """ρ = 0.8 leaves 36 % of the variance."""
    known = History(n=5_000, mean=20.0, variance=16.0, rho=0.8, days=25.0)
    assert by_method(planned(known))["fixed"] == pytest.approx(0.36 * 502.4, abs=3)


def test_weights_split_the_customers_and_more_variants_need_more() -> None:
    uneven = planned(variants={"a": {"weight": 3}, "b": {}}).methods[0].variants
    assert uneven["a"] == pytest.approx(3 * uneven["b"], abs=3)
    assert sum(uneven.values()) > 504
    three = planned(variants={"a": {}, "b": {}, "c": {}}).methods[0].variants
    assert min(three.values()) > 252


def test_a_share_of_the_layer_takes_as_much_longer() -> None:
    """504 customers at 200 a day, and a day to mature."""
    assert planned().methods[0].days == pytest.approx(504 / 200 + 1)
    assert planned(share=0.1).methods[0].days == pytest.approx(504 / 20 + 1)


@pytest.mark.parametrize(("effect", "power"), [(0.0, 0.8), (float("nan"), 0.8), (0.1, 1.5)])
def test_an_effect_or_a_power_that_is_none_is_named(effect: float, power: float) -> None:
    with pytest.raises(InvalidInput, match=r"effect|power"):
        plan_of(declared(), PAST, effect=effect, relative=True, power=power)


SHARE = History(n=5_000, mean=0.1, variance=0.09, rho=0.0, days=25.0, share=True)
COUNT = History(n=5_000, mean=1.5, variance=2.0, rho=0.0, days=25.0)


@pytest.mark.parametrize(
    ("history", "effect", "relative"),
    [
        (SHARE, -1.0, True),
        (SHARE, 9.5, True),
        (SHARE, 0.9, False),
        (SHARE, -0.2, False),
        (COUNT, -1.0, True),
        (COUNT, -2.0, False),
    ],
)
def test_an_effect_that_the_metric_can_not_have_is_refused(
    history: History, effect: float, relative: bool
) -> None:
    with pytest.raises(
        InvalidInput, match=r"would move bought, whose mean is .* can only be more than 0"
    ) as e:
        planned(history, effect, relative, metrics={"bought": {"of": "purchase"}})
    assert e.value.errors[0].field == "effect"


def test_an_effect_that_it_can_have_is_planned_for() -> None:
    bought = {"bought": {"of": "purchase"}}
    for history, effect in ((SHARE, -0.9), (SHARE, 8.5), (COUNT, 4.0), (COUNT, -0.5)):
        assert planned(history, effect, metrics=bought).effect == pytest.approx(effect * history.mean)
    assert planned(PAST, -1.5).effect == -30.0, "what is earned net of costs may fall below nothing"


def test_no_pre_period_is_said_and_not_told_as_a_saving_of_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show(planned(PAST), Console(width=200))
    said = capsys.readouterr().out
    assert "no pre-period known: the store has nothing of them in the" in said
    assert "days before they entered" in said
    assert "tells 0 %" not in said
    show(planned(replace(PAST, before=3)), Console(width=200))
    assert "what they did before tells 0 % of the variance" in capsys.readouterr().out


def test_who_is_known_from_before_is_counted_by_what_the_metric_counts() -> None:
    values = Values(of=np.array([0.0, 1.0, 1.0]), before=np.array([0.0, 2.0, 0.0]))
    past = history_of(values, 10.0)
    assert (past.before, past.share) == (1, True)
    assert not history_of(Values(of=np.array([0.0, 2.0]), before=np.zeros(2)), 10.0).share


TRIAL = shop(
    TEXT + "\nexperiments: [{name: bolder, window: 3d, before: 10d, variants: {plain: {}, bold: {}}}]\n"
)


def test_the_past_gives_mean_spread_and_how_well_it_is_known_beforehand() -> None:
    """Seed 1, 2,000 customers, 1,200 of them treated, who buy a day later for 20 + 1.5 in the mean; their
    past, half a day earlier, tells 80 % of a variance of 16. Bounds of four standard errors."""
    store = business(memory(), customers=2_000, effect=1.5, seed=1, past=True)
    past = read_history(store, TRIAL, TRIAL.spec.experiments[0], as_of=END)
    assert past.n == pytest.approx(1_200, abs=4 * 22)
    assert past.mean == pytest.approx(21.5, abs=4 * 0.12)
    assert past.variance == pytest.approx(16, rel=4 * 0.041)
    assert past.rho**2 == pytest.approx(0.8, abs=0.05)
    assert past.days == pytest.approx(26, abs=0.2)


def test_a_log_shorter_than_the_window_is_no_past() -> None:
    store = business(memory(), customers=200, effect=1.0, seed=1)
    with pytest.raises(NotEnoughData, match="whole window"):
        read_history(store, TRIAL, TRIAL.spec.experiments[0], as_of=3 * DAY)
    with pytest.raises(NotEnoughData, match="whole window"):
        read_history(memory(), TRIAL, TRIAL.spec.experiments[0], as_of=END)


def test_a_handful_of_customers_is_no_past_either() -> None:
    store = filled(memory(), [decided("d", "c", DAY)])
    with pytest.raises(NotEnoughData, match="too few customers of the past"):
        read_history(store, TRIAL, TRIAL.spec.experiments[0], as_of=END)


def test_a_ratio_varies_as_its_influence_does() -> None:
    """Its variance over n is that of the estimate, as the delta method has it."""
    rng = np.random.default_rng(3)
    orders = rng.poisson(2.0, 1_000).astype(float)
    spent = orders * rng.gamma(4.0, 5.0, 1_000)
    nothing = np.zeros(1_000)
    past = history_of(Values(of=spent, before=nothing, per=orders, per_before=nothing), 10.0)
    ratio = spent.sum() / orders.sum()
    influence = (spent - ratio * orders) / orders.mean()
    assert past.mean == pytest.approx(ratio)
    assert past.variance == pytest.approx(influence.var(ddof=1))
    assert past.rho == pytest.approx(0.0, abs=1e-6)
    assert difference(Moments.of(influence), Moments.of(influence)).stderr > 0


def test_a_metric_that_never_differed_can_not_be_planned_by() -> None:
    with pytest.raises(NotEnoughData, match="the same for all"):
        history_of(Values(of=np.ones(100), before=np.zeros(100)), 10.0)


MAKERS: dict[str, Callable[[Path], Store]] = {
    "memory": lambda folder: MemoryStore("request"),
    "sqlite": lambda folder: open_store(default_url(folder), "request"),
}


@pytest.mark.parametrize("kind", MAKERS)
def test_on_the_request_clock_time_ends_with_the_latest_moment_in_the_store(
    kind: str, tmp_path: Path
) -> None:
    store = MAKERS[kind](tmp_path)
    with pytest.raises(InvalidInput, match="neither decisions nor events"):
        default_as_of(store, now=1e9)
    filled(store, [decided("d-1", "c", 5 * DAY), decided("d-2", "c", 9 * DAY + 0.25)])
    assert default_as_of(store, now=1e9) == 9 * DAY + 1
    filled(store, [], [bought("p", "c", 9.5 * DAY, 1.0)])
    assert default_as_of(store, now=1e9) == 9.5 * DAY + 1
    store.close()


def test_on_the_live_clock_it_is_now() -> None:
    assert default_as_of(MemoryStore("live"), now=12.5) == 12.5
