"""A loaded playbook: its fingerprint, its arms, its features."""

from __future__ import annotations

import numpy as np
import pytest

from nba.playbook.compile import parse
from nba.playbook.declaration import identifier
from tests.playbook.business import TEXT, shop


def test_the_fingerprint_is_of_what_is_meant_and_not_of_how_it_is_written() -> None:
    book = shop()
    same = TEXT.replace("cost: 0.01", "cost: 1e-2, consent: true").replace("7d", "168h") + "# a comment\n"
    assert parse(same).fingerprint == book.fingerprint
    assert book.version == f"shop@{book.fingerprint}"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("cost: 0.01", "cost: 0.02"),
        ("age > 18", "age > 19"),
        ("name: shop", "name: store"),
        # The order of actions, channels and context is the order of arms and features.
        ("{device: [ios, android, web], basket: number}", "{basket: number, device: [ios, android, web]}"),
        ("channels:\n  email", "channels:\n  aaa: {}\n  email"),
    ],
)
def test_the_fingerprint_changes_with_what_is_meant(old: str, new: str) -> None:
    assert shop(old, new).fingerprint != shop().fingerprint


def test_the_arms_are_each_actions_channels_and_timings_after_no_contact() -> None:
    arms = shop("when: age > 18", "timings: [evening]\n    channels: [push]").arms
    assert arms.names == (
        "no_contact",
        "bogo/email/now",
        "bogo/email/evening",
        "bogo/push/now",
        "bogo/push/evening",
        "ten-off/push/evening",
    )
    assert [arms.find(*name.split("/")) for name in arms.names] == list(range(len(arms)))
    assert arms.action_starts.tolist() == [0, 1, 5]
    assert arms.channel_starts.tolist() == [0, 1, 3, 5]
    np.testing.assert_allclose(arms.cost, [0, 0.51, 0.51, 0.505, 0.505, 0.505])
    with pytest.raises(KeyError):
        arms.find("ten-off", "email", "now")


def test_levers_and_priorities_stand_by_arm_with_none_for_no_contact() -> None:
    arms = shop("when: age > 18", "lever: 2.5\n    priority: -7").arms
    assert arms.lever.tolist() == [1, 1, 1, 1, 1, 2.5, 2.5, 2.5, 2.5]
    assert arms.priority.tolist() == [0, 0, 0, 0, 0, -7, -7, -7, -7]
    assert arms.priority.dtype == np.int64


def test_children_of_each_node_of_the_tree_are_neighbours_however_the_file_lists_them() -> None:
    book = shop("    timings: [now, evening]", "    timings: [evening, now]")
    mixed = shop("    channels: [email, push]", "    channels: [push, email]")
    assert book.arms.names == mixed.arms.names == shop().arms.names


def test_arm_features_are_zero_for_no_contact_and_scaled_for_the_rest() -> None:
    text = TEXT.replace("    cost: 0.5\n", "    cost: 0.5\n    attributes: {discount: 20, odd: 0}\n", 1)
    arms = parse(text.replace("    when: age > 18", "    attributes: {discount: -5}")).arms
    names = arms.feature_names
    assert not arms.features[0].any()
    discount = arms.features[:, names.index("attribute=discount")]
    assert discount[1:].tolist() == [1, 1, 1, 1, -0.25, -0.25, -0.25, -0.25]
    assert not arms.features[:, names.index("attribute=odd")].any()
    one_hot = [i for i, name in enumerate(names) if name.startswith(("action=", "channel=", "timing="))]
    assert (arms.features[1:, one_hot].sum(axis=1) == 4).all()  # action, channel, timing, and their pair


def test_an_exact_window_is_a_feature_only_where_a_rule_names_it() -> None:
    assert "purchase_count_30d" not in shop().schema.index
    named = shop("age > 18", "purchase_count_30d > 1 and purchase_value_7d < 100").schema
    assert {w.name for w in named.windows} == {"purchase_count_30d", "purchase_value_7d"}
    assert set(named.names) - set(shop().schema.names) == {"purchase_count_30d", "purchase_value_7d"}


def test_the_feature_fingerprint_is_the_same_wherever_a_row_means_the_same() -> None:
    schema = shop().schema
    assert shop("cost: 0.01", "cost: 0.02").schema.fingerprint == schema.fingerprint
    assert (
        shop("age: number, member: boolean", "member: boolean, age: number").schema.fingerprint
        != schema.fingerprint
    )
    assert shop("[ios, android, web]", "[android, ios, web]").schema.fingerprint != schema.fingerprint


def test_features_are_identifiers_that_rules_can_name() -> None:
    names = shop().schema.names
    assert all(name.isidentifier() for name in names)
    assert len(set(names)) == len(names)
    assert identifier("Ten-Off") == "ten_off"
    assert "days_since_ten_off" in names


def test_rules_stand_in_the_order_of_their_section() -> None:
    book = shop()
    assert [rule.text for rule in book.stage_rules] == ["days_since_purchase < 7", "true"]
    assert [rule.text for rule in book.action_rules] == ["true", "age > 18"]
    assert [rule.text for rule in book.stop_rules] == ["basket > 100"]
    assert [rule.text for rule in book.incumbent_rules] == ["member"]
