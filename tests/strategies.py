"""All Hypothesis strategies, and the small playbook that they speak of."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import settings
from hypothesis import strategies as st

from nba.playbook.declaration import FeatureSchema, declare
from nba.playbook.schema import PlaybookSpec

settings.register_profile("nba", deadline=None)  # a busy machine is no failure
settings.load_profile("nba")

PLAYBOOK = PlaybookSpec.model_validate(
    {
        "name": "coffee",
        "currency": "EUR",
        "touchpoints": ["visit", "opened", "purchase", "ticket_opened", "ticket_closed"],
        "objectives": {"window": "7d", "outcomes": {"purchase": {"value": "amount"}}},
        "stages": [{"name": "awareness", "when": "true"}],
        "channels": {"email": {}, "mobile-app": {}, "web": {"consent": False}},
        "timings": {"now": {}},
        "actions": {
            "bogo-10": {"channels": ["email", "mobile-app"], "timings": ["now"]},
            "survey": {"channels": ["email"], "timings": ["now"]},
        },
    }
)
WINDOWS = ("purchase_count_30d", "purchase_value_7d", "purchase_value_30d", "visit_count_1d")
SCHEMA: FeatureSchema = declare(PLAYBOOK, WINDOWS)

TEN_YEARS = 3_652 * 86_400_000
_2016 = 1_451_606_400_000  # milliseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A touchpoint by its names; `customer` is a row number, `millis` the time since the epoch."""

    customer: int
    type: str
    channel: str | None
    action: str | None
    millis: int
    value: float


def times() -> st.SearchStrategy[int]:
    """Milliseconds in ten years; often the same ones, the turn of a day, or a moment apart."""
    same_days = st.builds(
        lambda day, ms: _2016 + day * 86_400_000 + ms, st.integers(0, 40), st.integers(0, 2)
    )
    return st.one_of(same_days, st.integers(_2016, _2016 + TEN_YEARS))


def events(customers: int = 3, schema: FeatureSchema = SCHEMA) -> st.SearchStrategy[Event]:
    """Touchpoints of any declared type and of one that is not declared; refunds among them."""
    return st.builds(
        Event,
        customer=st.integers(0, customers - 1),
        type=st.sampled_from([*schema.types, "undeclared"]),
        channel=st.sampled_from([*schema.channels, "undeclared", None]),
        action=st.sampled_from([*schema.actions, "undeclared", None]),
        millis=times(),
        value=st.one_of(st.just(0.0), st.floats(-1e6, 1e6), st.floats(-1e30, 1e30)),
    )


def histories(customers: int = 3, max_size: int = 25) -> st.SearchStrategy[list[Event]]:
    return st.lists(events(customers), max_size=max_size)
