"""Who enters an experiment's cohort, when, in which variant, and what counts for them."""

from __future__ import annotations

from typing import Any

import numpy as np
import orjson
import pytest

from experiments.report.experiment import Cohort, read_cohorts
from nba.blobs import pack
from nba.errors import InvalidInput
from nba.playbook.compile import Playbook
from nba.stores.ports import DecisionRow, Store
from tests.experiments.report.business import (
    DAY,
    END,
    SILENCE,
    TEXT,
    bought,
    decided,
    filled,
    memory,
    shop,
)

DECLARED = """
experiments:
  - name: bolder
    window: 3d
    before: 2d
    variants: {plain: {}, bold: {}}
    metrics: {net: {}, visits: {of: visit}, contacts: {of: contact}, basket: {of: earned, per: purchase}}
    segments: {loyal: "purchase_total > 3"}
"""
TRIAL = shop(TEXT + DECLARED)


def shown(id: str, customer: str, at: float, variant: str | None = "bold", **values: Any) -> DecisionRow:
    """A decision of TRIAL that carries `bolder` in a variant."""
    trace = {} if variant is None else {"experiments": {"bolder": variant}}
    features = pack(np.zeros((1, len(TRIAL.schema))))[0]
    given = {"playbook": TRIAL.version, "trace": orjson.dumps(trace), "features": features, **values}
    return decided(id, customer, at, **given)


def store_of(*rows: DecisionRow, touchpoints: Any = (), playbooks: tuple[Playbook, ...] = (TRIAL,)) -> Store:
    store = filled(memory(), list(rows), list(touchpoints))
    for playbook in playbooks:
        store.keep_playbook(playbook.version, playbook.text)
    return store


def read(store: Store, playbook: Playbook = TRIAL, as_of: float = END) -> Cohort:
    return read_cohorts(store, playbook, playbook.spec.experiments, as_of=as_of)["bolder"]


def test_a_customer_enters_once_at_the_first_shown_decision_that_carries_the_experiment() -> None:
    cohort = read(
        store_of(
            shown("d-0", "c", 1 * DAY, None),
            shown("d-1", "c", 2 * DAY, status="held", activated_at=None),
            shown("d-2", "c", 3 * DAY),
            shown("d-3", "c", 4 * DAY),
            shown("d-4", "other", 2.5 * DAY, "plain"),
        )
    )
    assert cohort.entered_at.tolist() == [2.5 * DAY, 3 * DAY]
    assert [cohort.names[v] for v in cohort.variant] == ["plain", "bold"]
    assert cohort.counts().tolist() == [1, 1]


def test_metrics_count_in_the_window_from_exposure_and_what_lies_before_it_is_the_covariate() -> None:
    at = 5 * DAY
    cohort = read(
        store_of(
            shown("d-0", "c", at - 1.5 * DAY, None),
            shown("d-1", "c", at),
            shown("d-2", "c", at + DAY, None),
            shown("d-3", "c", at + 2 * DAY, "bold", arm=SILENCE),
            shown("d-4", "c", at + 3 * DAY),
            touchpoints=[
                bought("p-0", "c", at - 2.1 * DAY, 1_000.0),
                bought("p-1", "c", at - 2 * DAY, 40.0),
                bought("p-2", "c", at, 10.0),
                bought("p-3", "c", at + 2.9 * DAY, 8.0),
                bought("p-4", "c", at + 3 * DAY, 1_000.0),
                bought("v-1", "c", at + DAY, 0.0, type="visit"),
                bought("v-1", "c", at + DAY, 0.0, type="visit", source="outcome"),
                bought("v-2", "c", at - DAY, 0.0, type="visit"),
                bought("v-3", "somebody", at + DAY, 0.0, type="visit"),
            ],
        )
    )
    values = cohort.values
    assert (values["net"].of[0], values["net"].before[0]) == (9.0 - 2.0, 20.0 - 1.0)
    assert (values["visits"].of[0], values["visits"].before[0]) == (1.0, 1.0)
    assert (values["contacts"].of[0], values["contacts"].before[0]) == (2.0, 1.0)
    basket = values["basket"]
    assert basket.per is not None
    assert basket.per_before is not None
    assert (basket.of[0], basket.per[0], basket.per_before[0]) == (9.0, 2.0, 1.0)


def test_customers_whose_window_is_open_are_not_mature_and_stand_last() -> None:
    store = store_of(*(shown(f"d-{i}", f"c-{i}", i * DAY) for i in range(1, 6)))
    for days, mature in ((3.9, 0), (4.0, 1), (5.5, 2), (8.0, 5)):
        assert read(store, as_of=days * DAY).mature == mature


def test_late_reports_are_given_their_time_to_settle() -> None:
    slow = shop(TEXT + DECLARED + "\nlearning: {settle: 2d}\n")
    store = store_of(shown("d", "c", DAY), playbooks=(TRIAL, slow))
    assert [read(store, slow, as_of=days * DAY).mature for days in (4, 5.9, 6)] == [0, 0, 1]


def test_customers_who_switch_variants_keep_the_first_and_are_counted() -> None:
    cohort = read(store_of(shown("d-1", "c", DAY, "bold"), shown("d-2", "c", 2 * DAY, "plain")))
    assert (cohort.names[cohort.variant[0]], cohort.switched) == ("bold", 1)


def test_customers_of_held_decisions_alone_are_not_exposed_but_counted() -> None:
    held = {"status": "held", "activated_at": None}
    cohort = read(store_of(shown("d-1", "c", DAY, **held), shown("d-2", "x", DAY)))
    assert (len(cohort), cohort.held) == (1, 1)


def test_a_variant_that_is_gone_leaves_its_customers_out_and_says_how_many() -> None:
    cohort = read(store_of(shown("d-1", "c", DAY, "daring"), shown("d-2", "x", DAY)))
    assert (len(cohort), cohort.gone) == (1, 1)


def test_customers_who_entered_under_other_weights_are_counted() -> None:
    other = shop(TEXT + DECLARED.replace("bold: {}", "bold: {weight: 3}"))
    store = store_of(
        shown("d-1", "c", DAY, playbook=other.version), shown("d-2", "x", 2 * DAY), playbooks=(TRIAL, other)
    )
    assert read(store).reweighted == 1


def test_decisions_from_before_the_start_and_after_the_end_expose_nobody() -> None:
    timed = shop(
        TEXT
        + DECLARED.replace(
            "window: 3d",
            "window: 3d\n    starts: 1970-01-03T00:00:00Z\n    washout: 1d\n    ends: 1970-01-06T00:00:00Z",
        )
    )
    rows = [shown(f"d-{day}", f"c-{day}", day * DAY, playbook=timed.version) for day in range(1, 8)]
    assert (read(store_of(*rows, playbooks=(timed,)), timed).entered_at / DAY).tolist() == [3.0, 4.0]


def test_segments_are_those_of_the_features_logged_at_first_exposure() -> None:
    def with_purchases(count: float, playbook: Playbook) -> bytes:
        row = np.zeros((1, len(playbook.schema)))
        row[0, playbook.schema.index["purchase_total"]] = count
        return pack(row)[0]

    older = shop(
        (TEXT + DECLARED)
        .replace("touchpoints: [visit,", "touchpoints: [visit, opened,")
        .replace("name: shop", "name: old")
    )
    cohort = read(
        store_of(
            shown("d-1", "few", DAY, features=with_purchases(3, TRIAL)),
            shown("d-2", "few", DAY + 1, features=with_purchases(9, TRIAL)),
            shown("d-3", "many", DAY + 2, features=with_purchases(4, TRIAL)),
            shown("d-4", "of old", DAY + 3, features=with_purchases(4, older), playbook=older.version),
            playbooks=(TRIAL, older),
        )
    )
    assert cohort.segments["loyal"].tolist() == [False, True, True]


def test_an_experiment_that_nobody_saw_has_an_empty_cohort() -> None:
    cohort = read(store_of(shown("d-1", "c", DAY, None)))
    assert (len(cohort), cohort.mature, cohort.latest) == (0, 0, DAY)
    assert read(store_of(), as_of=END).latest is None


def test_a_playbook_that_the_store_lacks_is_named() -> None:
    with pytest.raises(InvalidInput, match="shop@lost"):
        read(store_of(shown("d-1", "c", DAY, playbook="shop@lost")))


def test_an_action_that_was_brought_along_costs_what_the_catalogue_says() -> None:
    brought = shop(TEXT + DECLARED + "\ncatalogue: {cost: 2}\n")
    row = shown("d", "c", DAY, arm="coupon/email/now", action="coupon", playbook=brought.version)
    assert read(store_of(row, playbooks=(brought,)), brought).values["net"].of.tolist() == [-2.25]
