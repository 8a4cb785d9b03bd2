"""Actions that a caller brings along: what is taken, what is refused, and which field is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from nba.playbook.compile import Playbook, parse
from tests.serving.running import SAMPLE, consented, problem, served, wiring

CATALOGUE = """
catalogue:
  channels: [email]
  timings: [now]
  attributes: {price: 50}
"""


def catalogued() -> Playbook:
    """The sample, learning the price of actions that are brought along."""
    return parse(SAMPLE.read_text() + CATALOGUE)


def ask(http: httpx.Client, actions: Any, customer_id: str = "brought-1", **asked: Any) -> httpx.Response:
    return http.post("/v1/decisions", json={"customer_id": customer_id, "actions": actions, **asked})


def own(id: str = "their-own", **features: Any) -> dict[str, Any]:
    return {"id": id, "features": features}


def test_brought_actions_are_decided_upon_like_any_other(tmp_path: Path) -> None:
    """Of 40 customers; that none gets a brought action has odds below one in a billion."""
    with served(wiring(tmp_path, playbook=catalogued())) as http:
        taken = []
        for i in range(40):
            consented(http, f"taken-{i}")
            answer = ask(http, [own("a-1", price=9.5), own("a-2", price=20)], f"taken-{i}")
            assert answer.status_code == 201, answer.text
            decided = answer.json()
            assert decided["action"] in ("no_contact", "a-1", "a-2")
            if decided["action"] != "no_contact":
                assert (decided["channel"], decided["timing"], decided["purpose"]) == (
                    "email",
                    "now",
                    "marketing",
                )
                taken.append(decided["decision_id"])
        assert taken
        assert http.get(f"/v1/decisions/{taken[0]}").status_code == 200


def test_features_that_no_learner_knows_are_named_and_counted(tmp_path: Path) -> None:
    with served(wiring(tmp_path, playbook=catalogued())) as http:
        answer = ask(http, [own(price=9.5, colour=3.0)], context={"shoe_size": 44}).json()
        assert set(answer["ignored"]) == {"actions.features.colour", "shoe_size"}
        assert "nba_ignored_features_total 1.0" in http.get("/metrics").text


def test_the_same_features_in_another_order_are_the_same_request(http: httpx.Client) -> None:
    first = ask(http, [own(a=1, b=2)], decision_id="order-d")
    again = ask(http, [own(b=2.0, a=1.0)], decision_id="order-d")
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.content == again.content


def test_an_action_without_features_has_none(http: httpx.Client) -> None:
    assert ask(http, [{"id": "bare"}]).status_code == 201


WRONG = {
    "an id with a space": ([own("a b")], "actions[0].id"),
    "no id": ([{"features": {}}], "actions[0].id"),
    "another field": ([{"id": "a", "colour": "red"}], "actions[0].colour"),
    "text for a feature": ([own(price="9.5")], "actions[0].features.price"),
    "a boolean for a feature": (["bogo-10", own(price=True)], "actions[1].features.price"),
    "null for a feature": ([own(price=None)], "actions[0].features.price"),
    "a list for a feature": ([own(price=[1])], "actions[0].features.price"),
    "an endless feature": ([own(price=1e13)], "actions[0].features.price"),
    "features as a list": ([{"id": "a", "features": [1]}], "actions[0].features"),
    "too many features": ([own(**{f"f{i}": 1 for i in range(65)})], "actions[0].features"),
    "a feature of the learner's own": (["bogo-10", own(_label_cost=1)], "actions[1].features._label_cost"),
    "a feature with a space": ([own(**{"a b": 1})], "actions[0].features.a b"),
    "a feature with a bar": ([own(**{"a|b": 1})], "actions[0].features.a|b"),
    "a feature with a colon": ([own(**{"a:b": 1})], "actions[0].features.a:b"),
    "a nameless feature": ([own(**{"": 1})], "actions[0].features."),
    "an id twice": ([own("a"), own("b"), own("a")], "actions[2].id"),
    "an id and a name": ([own("a"), "a"], "actions[0].id"),
    "an action of the playbook": (["new-roast", own("bogo-10")], "actions[1].id"),
    "silence": ([own("no_contact")], "actions[0].id"),
    "too many": ([own(f"a{i}") for i in range(201)], "actions"),
    "too many names": (["bogo-10"] * 1_001, "actions"),
    "a number": ([17], "actions[0]"),
}


@pytest.mark.parametrize(("actions", "field"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_action_is_a_422_that_names_its_field(http: httpx.Client, actions: Any, field: str) -> None:
    document = problem(ask(http, actions), 422)
    assert [error["field"] for error in document["errors"]] == [field]
    batch = http.post("/v1/decisions:batch", json={"decisions": [{"customer_id": "c", "actions": actions}]})
    assert batch.json()["answers"][0]["errors"] == document["errors"]


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"1e999", b"-1e999"])
def test_a_feature_that_is_not_finite_is_refused(http: httpx.Client, number: bytes) -> None:
    body = b'{"customer_id": "c-1", "actions": [{"id": "a", "features": {"price": %b}}]}' % number
    document = problem(http.post("/v1/decisions", content=body), 422)
    assert [error["field"] for error in document["errors"]] == ["actions[0].features.price"]


def test_as_much_as_is_allowed_is_taken(http: httpx.Client) -> None:
    many = [own(f"a{i}", **{f"f{j}": 0.5 for j in range(64)}) for i in range(200)]
    answer = ask(http, [*many, *["bogo-10"] * 800])
    assert answer.status_code == 201, answer.text
    assert len(answer.json()["ignored"]) <= 50
