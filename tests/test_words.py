"""What is said of a customer: the latest word counts, whatever the order in which words arrive."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nba.contact.caps import PURPOSES
from nba.errors import InvalidInput
from nba.gathering import consent_of
from nba.model import Scalar
from nba.stores.ports import CustomerRow
from nba.words import consent, hear, profile
from tests.contact.business import playbook

BOOK = playbook()


def customer() -> CustomerRow:
    return CustomerRow(customer_id="c-1", surrogate="s-1")


def granted(words: list[tuple[str, str | None, bool, float]]) -> dict[tuple[str, str], bool]:
    """(purpose, channel, granted, at) → what is granted then, by purpose and channel."""
    row = customer()
    for purpose, channel, yes, at in words:
        hear(row, "consent", channel, {"purpose": purpose, "granted": yes}, at)
    table = consent_of(BOOK, row)
    names = itertools.product(enumerate(PURPOSES), enumerate(BOOK.arms.channels))
    return {(purpose, channel): bool(table[i, j]) for (i, purpose), (j, channel) in names}


def test_who_has_said_nothing_consents_to_nothing() -> None:
    assert not any(granted([]).values())


def test_consent_is_for_one_purpose_and_one_channel_or_all_channels() -> None:
    one = granted([("marketing", "email", True, 1.0)])
    assert [key for key, yes in one.items() if yes] == [("marketing", "email")]
    every = granted([("service", None, True, 1.0)])
    assert [key for key, yes in every.items() if yes] == [("service", c) for c in BOOK.arms.channels]


def test_the_latest_word_counts_whether_said_of_one_channel_or_of_all() -> None:
    words = [("marketing", None, False, 2.0), ("marketing", "email", True, 1.0)]
    assert not granted(words)["marketing", "email"]
    words = [("marketing", None, False, 1.0), ("marketing", "email", True, 2.0)]
    assert granted(words)["marketing", "email"]
    assert not granted(words)["marketing", "push"]


WORDS = st.tuples(
    st.sampled_from(PURPOSES),
    st.sampled_from([None, "email", "push"]),
    st.booleans(),
    st.sampled_from([1.0, 2.0, 3.0]),
)


@given(st.lists(WORDS, max_size=8).flatmap(lambda words: st.tuples(st.just(words), st.permutations(words))))
def test_of_words_at_one_moment_the_refusal_counts_in_whatever_order_they_come(
    orders: tuple[list[tuple[str, str | None, bool, float]], list[tuple[str, str | None, bool, float]]],
) -> None:
    words, shuffled = orders
    told = granted(words)
    assert told == granted(shuffled)
    for (purpose, channel), yes in told.items():
        said = [(at, g) for p, c, g, at in words if p == purpose and c in (None, channel)]
        last = max((at for at, _ in said), default=0.0)
        assert yes == (bool(said) and all(g for at, g in said if at == last))


VALUES = st.none() | st.booleans() | st.floats(-3, 3) | st.sampled_from(["a", "b"])


@given(
    st.lists(st.tuples(VALUES, st.sampled_from([1.0, 2.0])), max_size=5).flatmap(
        lambda words: st.tuples(st.just(words), st.permutations(words))
    )
)
def test_attributes_do_not_depend_on_the_order_of_arrival_either(
    orders: tuple[list[tuple[Scalar, float]], list[tuple[Scalar, float]]],
) -> None:
    rows = (customer(), customer())
    for row, words in zip(rows, orders, strict=True):
        for value, at in words:
            hear(row, "profile", None, {"age": value}, at)
    assert rows[0].attributes == rows[1].attributes


def test_a_profile_keeps_what_the_playbook_declares_and_drops_the_rest() -> None:
    said: dict[str, Scalar] = {"age": 40, "timezone": "Asia/Kolkata", "diagnosis": "private"}
    assert profile(BOOK, said) == {"age": 40, "timezone": "Asia/Kolkata"}
    assert profile(BOOK, {"age": None, "timezone": None}) == {"age": None, "timezone": None}


@pytest.mark.parametrize(
    ("properties", "field", "said"),
    [
        ({"age": "old"}, "properties.age", "must be a number"),
        ({"age": True}, "properties.age", "must be a number"),
        ({"age": 10**400}, "properties.age", "must be a number"),
        ({"age": float("inf")}, "properties.age", "must be a number"),
        ({"timezone": "Mars/Olympus"}, "properties.timezone", "no such time zone"),
        ({"timezone": 3.0}, "properties.timezone", "no such time zone"),
    ],
)
def test_a_wrong_attribute_is_named(properties: dict[str, Scalar], field: str, said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        profile(BOOK, properties)
    [error] = caught.value.errors
    assert (error.field, said in error.detail) == (field, True)


@pytest.mark.parametrize(
    ("channel", "properties", "field"),
    [
        (None, {"purpose": "gossip", "granted": True}, "properties.purpose"),
        (None, {"purpose": "marketing"}, "properties.granted"),
        (None, {"purpose": "marketing", "granted": "yes"}, "properties.granted"),
        (None, {"purpose": "marketing", "granted": 1.0}, "properties.granted"),
        ("fax", {"purpose": "marketing", "granted": True}, "channel"),
        ("*", {"purpose": "marketing", "granted": True}, "channel"),
    ],
)
def test_a_consent_that_says_nothing_clear_is_refused(
    channel: str | None, properties: dict[str, Scalar], field: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        consent(BOOK, channel, properties)
    assert [error.field for error in caught.value.errors] == [field]


def test_a_consent_without_a_purpose_is_for_marketing() -> None:
    assert consent(BOOK, "email", {"granted": True}) == {"purpose": "marketing", "granted": True}
