"""What goes out as dsjson is what Vowpal Wabbit reads, whatever names are in it; and comes back."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nba.errors import InvalidInput
from nba.model import BroughtAction
from nba.policies.vowpal import read_dsjson
from tests.service.business import DAY, NOON, OPEN, Business, consents
from tests.training.interchange.logs import decisions, empty, shop
from training.ingest.quarantine import Quarantine
from training.interchange.dsjson import Line
from training.interchange.export_dsjson import export_dsjson
from training.interchange.learnt_elsewhere import Reading
from training.interchange.parts import Wanted
from training.interchange.receive import Received
from training.interchange.receive_dsjson import receive_dsjson
from training.policy.log import read_log
from training.rewards.recompute import recompute

_RESERVED = ["_label_cost", "_labelIndex", "_multi", "_tag", "_text"]
_NASTY = [*_RESERVED, "a b", "a|b", "a:1", "é", '"', "\n", "\\", "", "\ud800"]
names = st.one_of(st.sampled_from(_NASTY), st.text(max_size=6))
numbers = st.one_of(st.floats(), st.sampled_from([math.nan, math.inf, 1e300, -0.0, 1e-300]))
features = st.dictionaries(names, st.one_of(numbers, names, st.booleans(), st.none()), max_size=5)


@st.composite
def lines(draw: st.DrawFn) -> Line:
    k = draw(st.integers(1, 4))
    weights = np.array(draw(st.lists(st.floats(0.01, 1.0), min_size=k, max_size=k)))
    ids = st.text(alphabet="AZaz09._~:-/", min_size=1, max_size=9)
    return Line(
        event_id=draw(st.text(alphabet="AZaz09._~:-", min_size=1, max_size=9)),
        at=NOON + draw(st.floats(0, DAY)),
        reward=draw(st.floats(-1e6, 1e6)),
        chosen=draw(st.integers(0, k - 1)),
        actions=draw(st.lists(ids, min_size=k, max_size=k, unique=True)),
        odds=(weights / weights.sum()).tolist(),
        shared=draw(features),
        features=draw(st.lists(features, min_size=k, max_size=k)),
        policy=draw(st.sampled_from(["linear@7", 'a"b', "c|d: e"])),
    )


@settings(max_examples=60, deadline=None)
@given(st.lists(lines(), min_size=1, max_size=5))
def test_vowpal_wabbit_sees_what_was_written_whatever_the_names(written: list[Line]) -> None:
    text = b"".join(line.dumps() for line in written)
    assert text.count(b"\n") == len(written)
    seen = list(read_dsjson(text.decode().strip("\n").split("\n")))
    assert [s.chosen for s in seen] == [line.chosen for line in written]
    assert [s.tags for s in seen] == [tuple(line.actions) for line in written]
    assert [s.cost for s in seen] == [np.float32(0.0 - line.reward) for line in written]
    assert [s.probability for s in seen] == [np.float32(line.odds[line.chosen]) for line in written]


def test_a_line_that_vowpal_wabbit_cannot_parse_is_named() -> None:
    good = (
        Line(event_id="e", at=NOON, reward=1.0, chosen=0, actions=["x"], odds=[1.0], shared={}, features=[{}])
        .dumps()
        .decode()
    )
    with pytest.raises(InvalidInput, match="line 2"):
        list(read_dsjson([good, good[:-9]]))


def shared_of(line: dict[str, Any]) -> dict[str, Any]:
    return dict(line["c"]["shared"])


def test_an_exported_log_has_its_mature_decisions_alone_and_the_label_first(tmp_path: Path) -> None:
    business, as_of = shop(customers=40)
    book, target = business.live.current.playbook, tmp_path / "log.dsjson"
    counts = export_dsjson(business.store, book, target, Wanted(as_of=as_of))
    assert counts == {"decisions": 40, "immature": 40, "held": 0}
    text = target.read_text().splitlines()
    told = [json.loads(line) for line in text]
    assert all(line.startswith('{"_label_cost":') for line in text)
    known = recompute(business.store, book, as_of=as_of).frame
    rewards = dict(zip(known["decision_id"], known["reward"], strict=True))
    assert {t["EventId"]: -t["_label_cost"] for t in told} == pytest.approx(
        {id: reward for id, reward in rewards.items() if reward is not None}, rel=0, abs=1e-12
    )
    rows = {row.decision_id: row for row in decisions(business.store)}
    for line, seen in zip(told, read_dsjson(text), strict=True):
        row = rows[line["EventId"]]
        assert seen.chosen is not None
        assert seen.tags[seen.chosen] == row.arm
        assert line["a"][0] == seen.chosen + 1
        assert line["p"][0] == row.propensity == line["_label_probability"]
        assert sum(line["p"]) == pytest.approx(1.0, abs=1e-9)
        assert shared_of(line)["device"] in ("ios", "web")


def test_actions_that_callers_brought_are_among_the_arms(tmp_path: Path) -> None:
    business = Business.of(OPEN)
    business.report(consents("c1"))
    business.decide("c1", NOON, id="d", actions=("theirs",), brought=(BroughtAction(id="theirs"),))
    target = tmp_path / "log.dsjson"
    export_dsjson(business.store, business.live.current.playbook, target, Wanted(as_of=NOON + 9 * DAY))
    (seen,) = read_dsjson(target.read_text().splitlines())
    assert any(tag.startswith("theirs/") for tag in seen.tags)


def bring(source: Path, reading: Reading, store: Any) -> Received:
    refused = Quarantine(source.with_name("quarantine.jsonl"))
    try:
        received = receive_dsjson(store, source, reading, refused)
        refused.publish()
    finally:
        refused.discard()
    return received


def test_a_log_that_comes_back_has_the_same_odds_features_and_rewards(tmp_path: Path) -> None:
    business, as_of = shop(customers=40)
    book, target = business.live.current.playbook, tmp_path / "log.dsjson"
    export_dsjson(business.store, book, target, Wanted(as_of=as_of))
    store = empty()
    received = bring(target, Reading(book), store)
    assert (received.decisions.accepted, received.decisions.rejected) == (40, 0)
    first = read_log(business.store, book, as_of=as_of)
    first, again = first.where(first.mature), read_log(store, book, as_of=as_of)
    for name in ("decision_id", "arm", "eligible", "features"):
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name), err_msg=name)
    for name in ("odds", "propensity", "reward", "decided_at"):
        np.testing.assert_allclose(getattr(first, name), getattr(again, name), rtol=1e-9, atol=1e-9)
    assert bring(target, Reading(book), store).decisions.duplicates == 40
    trace = Business.of(book, store).trace("c1.0")["trace"]
    assert trace["funnel"]["drawn"] == business.trace("c1.0")["trace"]["funnel"]["drawn"]


def theirs(**changes: Any) -> dict[str, Any]:
    """A line as loggers of Vowpal Wabbit write it, for the arms of the shop."""
    return {
        "_label_cost": -2.0,
        "_label_probability": 0.7,
        "_label_Action": 2,
        "_labelIndex": 1,
        "Timestamp": "2025-06-15T12:00:00.1234567Z",
        "Version": "1",
        "EventId": "e1",
        "a": [2, 1, 3],
        "p": [0.7, 0.2, 0.1],
        "c": {
            "GUser": {"device": "ios", "shoe": 41},
            "_multi": [{"_tag": "no_contact"}, {"i": {"id": "offer"}}, {"id": "Their News", "j": [{"x": 1}]}],
        },
        **changes,
    }


def test_lines_of_others_are_taken_by_action_id_and_bad_ones_named_by_number(tmp_path: Path) -> None:
    book = shop(customers=5)[0].live.current.playbook
    context = theirs()["c"]
    bad = [
        ("c._multi", theirs(c={**context, "_multi": [*context["_multi"][:2], {"_tag": "spam"}]})),
        ("p", theirs(p=[0.7, 0.7, 0.1])),
        ("a", theirs(a=[2, 2, 3])),
        ("_label_probability", theirs(_label_probability=0.2)),
        ("_label_cost", {k: v for k, v in theirs().items() if k != "_label_cost"}),
        ("_labelIndex", theirs(_labelIndex=2)),
        ("EventId", theirs(EventId="a b")),
        ("Timestamp", theirs(Timestamp="noon")),
        ("_outcomes", theirs(_outcomes=[])),
        ("c.device", theirs(c={**context, "GUser": {"device": "fax"}})),
        ("c", theirs(c=None)),
        ("_skipLearn", theirs(_skipLearn=True)),
    ]
    source = tmp_path / "theirs.dsjson"
    told = [json.dumps(theirs()), "{", *(json.dumps(line) for _, line in bad)]
    source.write_text("\n".join(told) + "\n")
    store = empty()
    received = bring(source, Reading(book, {"Their News": "news/email/now"}), store)
    quarantined = [json.loads(line) for line in (tmp_path / "quarantine.jsonl").read_text().splitlines()]
    assert [(q["line"], q["field"]) for q in quarantined] == [
        (2, "line"), *((i, field) for i, (field, _) in enumerate(bad, start=3))
    ]  # fmt: skip
    assert (received.decisions.accepted, received.decisions.rejected) == (1, 13)
    log = read_log(store, book, as_of=NOON + 400 * DAY)
    assert log.reward.tolist() == pytest.approx([2.0])
    assert [book.arms.names[a] for a in log.arm] == ["offer/push/now"]
    assert log.odds[0, [book.arms.index[n] for n in ("no_contact", "offer/push/now", "news/email/now")]] == (
        pytest.approx([0.2, 0.7, 0.1])
    )
    assert log.features[0, book.schema.index["device"]] == 0.0


def test_a_map_to_no_arm_and_an_outcome_that_carries_no_amount_are_told() -> None:
    book = shop(customers=5)[0].live.current.playbook
    with pytest.raises(InvalidInput, match="the playbook has no arm 'moon'"):
        Reading(book, {"x": "moon"})
    with pytest.raises(InvalidInput, match="worth its amount; the playbook has purchase"):
        Reading(book, outcome="visit")
