"""Actions that a caller brings along: ordinary actions after the playbook's own, under one version."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nba.errors import InvalidInput
from nba.model import BroughtAction
from nba.playbook.arms import arm_table
from nba.playbook.catalogue import bring, feature_name_error, unknown_features
from nba.playbook.compile import Playbook, parse
from nba.playbook.schema import Catalogue
from tests.playbook.business import TEXT
from tests.playbook.customers import customer, moment, reasons

CATALOGUE = """\
catalogue:
  purpose: service
  category: shelf
  cost: 0.2
  channels: [push, email]
  timings: [evening]
  when: age > 21
  cooldown: 2d
  stop_after: {purchase: 1d}
  priority: -3
  attributes: {price: 50, margin: 20}
"""
BOOK = parse(
    TEXT.replace("    cost: 0.5\n", "    cost: 0.5\n    attributes: {price: 100, weight: 2}\n", 1) + CATALOGUE
)
PLAIN = parse(TEXT)


def brought(id: str, **features: float) -> BroughtAction:
    return BroughtAction(id=id, features=tuple(sorted(features.items())))


def attribute(book: Playbook, arm: str, name: str) -> float:
    return float(book.arms.features[book.arms.index[arm], book.arms.feature_names.index(f"attribute={name}")])


def test_brought_actions_stand_after_the_playbooks_own_whose_arms_keep_their_places() -> None:
    book = bring(BOOK, (brought("sku-2", price=9.5), brought("a:b~.1")))
    own = len(BOOK.arms)
    assert book.arms.names[:own] == BOOK.arms.names
    assert book.arms.names[own:] == (
        "sku-2/email/evening",
        "sku-2/push/evening",
        "a:b~.1/email/evening",
        "a:b~.1/push/evening",
    )
    assert list(book.spec.actions) == list(book.arms.actions) == ["bogo", "ten-off", "sku-2", "a:b~.1"]
    for name in ("action", "channel", "timing", "cost", "lever", "priority", "features"):
        assert np.array_equal(getattr(book.arms, name)[:own], getattr(BOOK.arms, name)), name
    assert book.arms.action_starts.tolist() == [0, 1, 5, 9, 11]
    assert book.arms.channel_starts.tolist() == [0, 1, 3, 5, 7, 9, 10, 11, 12]


def test_a_brought_action_has_what_the_catalogue_says() -> None:
    book = bring(BOOK, (brought("sku", price=9.5, colour=3.0),))
    action, arm = book.spec.actions["sku"], book.arms.index["sku/push/evening"]
    assert (action.purpose, action.category, action.cost) == ("service", "shelf", 0.2)
    assert (action.channels, action.timings) == (["email", "push"], ["evening"])
    assert (action.cooldown, action.stop_after) == (2 * 86_400, {"purchase": 86_400})
    assert (action.priority, action.lever, action.daily) == (-3, 1.0, None)
    assert (action.valid_from, action.valid_until) == (None, None)
    assert action.attributes == {"price": 9.5}
    assert book.arms.cost[arm] == pytest.approx(0.205)
    assert (book.arms.lever[arm], book.arms.priority[arm]) == (1.0, -3)


def test_channels_and_timings_default_to_all() -> None:
    book = bring(PLAIN, (brought("sku"),))
    assert book.arms.names[len(PLAIN.arms) :] == (
        "sku/email/now",
        "sku/email/evening",
        "sku/push/now",
        "sku/push/evening",
    )


def test_version_features_and_text_are_the_playbooks_own() -> None:
    book = bring(BOOK, (brought("sku", price=1.0),))
    assert (book.version, book.fingerprint) == (BOOK.version, BOOK.fingerprint)
    assert book.schema is BOOK.schema
    assert book.text == BOOK.text
    assert book.base is BOOK
    assert book.arms.feature_names == BOOK.arms.feature_names
    assert book.zone == BOOK.zone


def test_values_are_in_units_of_their_scale_and_bounded() -> None:
    book = bring(
        BOOK,
        (brought("sku", price=25.0, margin=5.0, weight=-1.0), brought("odd", price=1e308, margin=-1e308)),
    )
    # The playbook's own price of 100 is more than the 50 expected; only its own actions have a weight.
    assert attribute(book, "bogo/email/now", "price") == 1.0
    assert attribute(book, "sku/email/evening", "price") == 0.25
    assert attribute(book, "sku/email/evening", "margin") == 0.25
    assert attribute(book, "sku/push/evening", "weight") == -0.5
    assert attribute(book, "odd/email/evening", "price") == 4.0
    assert attribute(book, "odd/email/evening", "margin") == -4.0
    assert attribute(book, "odd/email/evening", "weight") == 0.0
    assert attribute(book, "ten-off/email/now", "margin") == 0.0


def test_a_brought_action_has_no_column_of_its_own_but_that_of_its_category() -> None:
    book = bring(BOOK, (brought("sku", price=50.0),))
    features = dict(zip(book.arms.feature_names, book.arms.features[-1], strict=True))
    assert {name for name, value in features.items() if value} == {
        "contact",
        "category=shelf",
        "channel=push",
        "timing=evening",
        "channel=push&timing=evening",
        "attribute=price",
    }
    assert not any(name.startswith("category=catalogue") for name in PLAIN.arms.feature_names)
    plain = bring(PLAIN, (brought("sku"),)).arms
    assert plain.features[-1].sum() == 4


def test_a_brought_action_has_the_features_of_a_listed_one_but_for_the_name() -> None:
    """What is derived for a request is what loading a file with these actions would give."""
    text = TEXT.replace(
        "contact:\n",
        "  sku:\n    purpose: service\n    category: shelf\n    cost: 0.2\n    channels: [email, push]\n"
        "    timings: [evening]\n    priority: -3\n    attributes: {price: 9.5, margin: -3}\ncontact:\n",
    )
    filed = parse(text + CATALOGUE).arms
    derived = bring(parse(TEXT + CATALOGUE), (brought("sku", price=9.5, margin=-3.0),)).arms
    assert filed.names == derived.names
    for name in ("action", "channel", "timing", "cost", "lever", "priority"):
        assert np.array_equal(getattr(filed, name), getattr(derived, name)), name
    shared = [i for i, name in enumerate(filed.feature_names) if name != "action=sku"]
    assert tuple(filed.feature_names[i] for i in shared) == derived.feature_names
    assert np.array_equal(filed.features[:, shared], derived.features)


def test_the_contact_rules_hold_for_brought_actions() -> None:
    book = bring(BOOK, (brought("sku", price=1.0),))
    noon = moment("2026-03-10 12:00")
    young = reasons(book, customer(book, noon, attributes={"age": 20}, basket=0.0))
    grown = reasons(book, customer(book, noon, attributes={"age": 30}, basket=0.0))
    refused = reasons(book, customer(book, noon, attributes={"age": 30}, basket=0.0, consent=False))
    assert young["sku/push/evening"] == "actions.sku.when"
    assert grown["sku/push/evening"] == grown["sku/email/evening"] == ""
    assert refused["sku/email/evening"] == "consent"
    assert refused["sku/push/evening"] == ""  # its channel asks for none


def test_nothing_brought_is_the_playbook_itself() -> None:
    assert bring(BOOK, ()) is BOOK
    assert bring(BOOK, (brought("sku"),)) is bring(BOOK, (brought("sku"),))


@pytest.mark.parametrize(
    ("ids", "field"),
    [(["sku", "bogo"], "actions[1].id"), (["no_contact"], "actions[0].id"), (["a", "a"], "actions[1].id")],
)
def test_an_id_that_is_taken_is_refused(ids: list[str], field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        bring(BOOK, tuple(brought(id) for id in ids))
    assert [error.field for error in caught.value.errors] == [field]


def test_features_that_nothing_learns_from_are_named_once_in_order() -> None:
    catalogue = (brought("a", price=1.0, zeal=2.0, colour=1.0), brought("b", zeal=1.0, weight=1.0))
    assert unknown_features(BOOK, catalogue) == ["colour", "zeal"]
    assert unknown_features(bring(BOOK, catalogue), catalogue) == ["colour", "zeal"]
    assert unknown_features(PLAIN, catalogue) == ["colour", "price", "weight", "zeal"]
    assert unknown_features(BOOK, ()) == []


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("_label_cost", "'label_cost'"),
        ("price eur", "'price_eur'"),
        ("a|b", "'a_b'"),
        ("a:3", "'a_3'"),
        ("Price", "'price'"),
        ("2nd", "'nd'"),
        ("\ud800x", "'x'"),
    ],
)
def test_a_name_that_could_reach_the_learners_own_fields_is_refused_with_the_mend(
    name: str, near: str
) -> None:
    error = feature_name_error(name)
    assert error is not None
    assert error.endswith(f"write {near} here and in the playbook")


@given(st.text(max_size=80) | st.text("ab_ :|0", max_size=70))
def test_names_of_brought_features_are_those_that_a_playbook_can_declare(name: str) -> None:
    try:
        Catalogue.model_validate({"attributes": {name: 1.0}})
        declared = True
    except ValueError:
        declared = False
    assert (feature_name_error(name) is None) == declared
    if declared:
        assert not set(name) & set(" |:\t\n")
        assert not name.startswith("_")


def test_a_category_that_a_cap_names_has_a_feature() -> None:
    capped = parse(
        TEXT.replace("max: 1, within: 1d, channel: push", "max: 1, within: 1d, category: catalogue")
    )
    assert capped.arms.categories == ("general", "catalogue")
    assert "category=catalogue" in capped.arms.feature_names
    assert PLAIN.arms.categories == ("general",)


@given(st.integers(0, 6), st.lists(st.sampled_from(["price", "margin", "weight", "other"]), unique=True))
def test_however_many_are_brought_the_table_stays_whole(count: int, names: list[str]) -> None:
    catalogue = tuple(brought(f"b{i}", **{name: float(i) for name in names}) for i in range(count))
    arms = bring(BOOK, catalogue).arms
    k = len(BOOK.arms) + 2 * count
    columns = (arms.action, arms.channel, arms.timing, arms.cost, arms.lever, arms.priority, arms.features)
    assert {len(column) for column in columns} == {k}
    assert {column.dtype for column in columns} == {np.dtype(np.int64), np.dtype(np.float64)}
    assert len(set(arms.names)) == k
    assert np.isfinite(arms.features).all()
    assert np.abs(arms.features).max() <= 4
    assert np.array_equal(arm_table(BOOK.spec).features, BOOK.arms.features)
