"""What the feedback page reads."""

from __future__ import annotations

from experiments.report.feedback.stored import said
from nba.playbook.feedback import Feedback
from nba.stores.ports import TouchpointRow
from serving.console.hearing import _on_its_scale


def answer(survey: str, value: float) -> TouchpointRow:
    return TouchpointRow(
        source="event",
        id=f"{survey}-{value}",
        surrogate="ada",
        type=survey,
        channel=None,
        occurred_at=0.0,
        value=value,
    )


def test_answers_that_todays_scale_does_not_have_are_left_out() -> None:
    rows = [
        answer("nps", 10.0),
        answer("nps", 11.0),
        answer("nps", 7.5),
        answer("csat", 5.0),
        answer("csat", 7.0),
    ]
    assert _on_its_scale(said([rows])[0], Feedback()).to_list() == [True, False, False, True, False]
