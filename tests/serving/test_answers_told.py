"""What a body of reports means before the service sees it."""

from __future__ import annotations

import orjson
import pytest

from nba.errors import InvalidInput
from nba.model import Rejection, Report
from serving.requests import events


def test_an_answer_to_a_survey_without_its_value_is_no_zero() -> None:
    """A detractor is not made by leaving a field out."""
    sent = [
        {"event_id": "a", "customer_id": "c0", "type": "nps"},
        {"event_id": "b", "customer_id": "c0", "type": "nps", "value": 0},
        {"event_id": "c", "customer_id": "c0", "type": "visit"},
    ]
    first, *others = events(orjson.dumps({"events": sent}), "application/json").items
    assert isinstance(first, Rejection)
    assert first.detail.startswith("value: is missing")
    assert [isinstance(item, Report) for item in others] == [True, True]
    cloud = {"specversion": "1.0", "id": "1", "source": "s", "type": "csat", "subject": "c0"}
    with pytest.raises(InvalidInput, match=r"data\.value: is missing"):
        events(orjson.dumps(cloud), "application/cloudevents+json")
