"""What serves after a promotion, a ramp, a withdrawal and a rollback, and what may not be done."""

from __future__ import annotations

import json

import pytest

from nba.errors import Conflict, InvalidInput
from nba.promotion import named, promote, rollback, standing, way_back, withdraw
from tests.promotion.desk import BY, Desk


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_with_nothing_published_nothing_stands(desk: Desk) -> None:
    now = standing(desk.store)
    assert (now.champion, now.ramp, now.challenger, now.earlier) == (None, None, None, ())
    assert now.name == "fallback"
    with pytest.raises(InvalidInput, match="fallback serves already"):
        rollback(desk.store, **BY)
    with pytest.raises(InvalidInput, match="there never was one"):
        named(desk.store, "linear@1")


def test_a_challenger_becomes_champion_and_looks_on_no_longer(desk: Desk) -> None:
    made = desk.challenger("a")
    champion = promote(desk.store, made, **BY, evidence='{"n": 3}')
    assert (champion.kind, champion.number, champion.name) == ("policy", 2, "ridge@1")
    assert (champion.version, champion.share, champion.evidence) == ("a", 1.0, '{"n": 3}')
    assert (champion.published_at, champion.who, champion.why) == (9.0, "ada", "because")
    assert desk.state() == ("ridge@1", None, None)


def test_a_ramp_goes_up_step_by_step_and_ends_when_it_is_champion(desk: Desk) -> None:
    desk.champion("a")
    made = desk.challenger("b")
    for share in (0.01, 0.05):
        step = promote(desk.store, made, **BY, share=share)
        assert (step.kind, step.share, step.name) == ("ramp", share, "ridge@2")
        assert desk.state() == ("ridge@1", ("ridge@2", share), "ridge@2")
    promote(desk.store, named(desk.store, "ramp"), **BY)
    assert desk.state() == ("ridge@2", None, None)
    assert [p.name for p in standing(desk.store).earlier] == ["ridge@1"]


def test_there_is_one_ramp_at_a_time(desk: Desk) -> None:
    one, two = desk.challenger("a"), desk.challenger("b")
    promote(desk.store, one, **BY, share=0.05)
    with pytest.raises(InvalidInput, match=r"ridge@1 is on its ramp, at a share of 0\.05"):
        promote(desk.store, two, **BY, share=0.01)
    withdraw(desk.store, "ramp", **BY)
    promote(desk.store, two, **BY, share=0.01)
    assert desk.state()[1] == ("ridge@2", 0.01)


def test_a_refresh_of_the_champion_leaves_the_ramp_of_another_policy_alone(desk: Desk) -> None:
    desk.champion("a")
    promote(desk.store, desk.challenger("b"), **BY, share=0.05)
    promote(desk.store, desk.challenger("c"), **BY)
    assert desk.state() == ("ridge@4", ("ridge@2", 0.05), None)


def test_what_stands_already_is_not_published_again(desk: Desk) -> None:
    made = desk.challenger("a")
    ramp = promote(desk.store, made, **BY, share=0.05)
    assert promote(desk.store, made, **BY, share=0.05) == ramp
    champion = promote(desk.store, made, **BY)
    count = len(desk.store.audit())
    assert promote(desk.store, named(desk.store, "ridge@1"), **BY) == champion
    assert len(desk.store.audit()) == count


def test_the_champion_can_not_be_put_on_a_ramp(desk: Desk) -> None:
    champion = desk.champion("a")
    with pytest.raises(InvalidInput, match="ridge@1 serves everybody already"):
        promote(desk.store, champion, **BY, share=0.5)


@pytest.mark.parametrize("share", [0.0, -0.1, 1.01, float("nan")])
def test_a_share_that_is_none_is_refused(desk: Desk, share: float) -> None:
    made = desk.challenger("a")
    with pytest.raises(InvalidInput, match="share"):
        promote(desk.store, made, **BY, share=share)
    assert len(desk.store.audit()) == 1


def test_scores_and_the_fallback_are_no_policies_to_promote(desk: Desk) -> None:
    scores = desk.publish("scores", "s")
    desk.champion("a")
    fallback = rollback(desk.store, **BY)
    for publication in (scores, fallback):
        with pytest.raises(InvalidInput, match="is no policy"):
            promote(desk.store, publication, **BY)
    with pytest.raises(InvalidInput, match="there is no policy 'ridge@1'"):
        named(desk.store, "ridge@1")


def test_rollbacks_go_back_one_champion_after_the_other_and_end_at_the_fallback(desk: Desk) -> None:
    for version in "abc":
        desk.champion(version)
    for name in ("ridge@2", "ridge@1", "fallback"):
        made = rollback(desk.store, **BY)
        assert made.kind == "policy"
        assert standing(desk.store).name == name
    assert (made.version, made.specification) == ("", "fallback")
    assert standing(desk.store).champion is None
    assert [p.name for p in standing(desk.store).earlier] == ["ridge@1", "ridge@2", "ridge@3"]
    with pytest.raises(InvalidInput, match="former champions: ridge@1, ridge@2, ridge@3"):
        rollback(desk.store, **BY)


def test_a_rollback_serves_the_same_artefact_under_the_same_name(desk: Desk) -> None:
    first = desk.champion("a")
    desk.champion("b")
    back = rollback(desk.store, **BY, evidence='{"unsubscribed": 0.2}')
    assert (back.version, back.name, back.origin) == ("a", first.name, first.number)
    assert json.loads(back.evidence) == {"unsubscribed": 0.2, "rolled_back": "ridge@2"}


def test_a_rollback_never_goes_to_what_a_rollback_took_away(desk: Desk) -> None:
    for version in "abc":
        desk.champion(version)
    rollback(desk.store, **BY)
    desk.champion("d")
    rollback(desk.store, **BY)
    assert standing(desk.store).name == "ridge@2"
    rollback(desk.store, **BY)
    assert standing(desk.store).name == "ridge@1"


def test_what_was_rolled_back_and_promoted_again_is_gone_back_from_to_what_it_replaced(desk: Desk) -> None:
    for version in "abc":
        desk.champion(version)
    rollback(desk.store, **BY)
    promote(desk.store, named(desk.store, "ridge@3"), **BY)
    rollback(desk.store, **BY)
    assert standing(desk.store).name == "ridge@2"


def test_promoting_an_old_champion_is_no_rollback(desk: Desk) -> None:
    """Where it does worse, one goes back to the one that it replaced."""
    for version in "abc":
        desk.champion(version)
    promote(desk.store, named(desk.store, "ridge@1"), **BY)
    rollback(desk.store, **BY)
    assert standing(desk.store).name == "ridge@3"


def test_a_running_ramp_is_what_a_rollback_ends(desk: Desk) -> None:
    desk.champion("a")
    promote(desk.store, desk.challenger("b"), **BY, share=0.05)
    made = rollback(desk.store, **BY)
    assert (made.kind, made.share, made.name) == ("ramp", 0.0, "ridge@2")
    assert desk.state() == ("ridge@1", None, "ridge@2")
    assert json.loads(made.evidence) == {"rolled_back": "ridge@2"}


def test_a_rollback_to_a_name_ends_the_ramp_too(desk: Desk) -> None:
    for version in "ab":
        desk.champion(version)
    promote(desk.store, desk.challenger("c"), **BY, share=0.05)
    assert rollback(desk.store, **BY, to="ridge@1").kind == "policy"
    assert desk.state()[:2] == ("ridge@1", None)


def test_a_rollback_to_the_champion_ends_the_ramp_alone(desk: Desk) -> None:
    desk.champion("a")
    promote(desk.store, desk.challenger("b"), **BY, share=0.05)
    assert rollback(desk.store, **BY, to="ridge@1").kind == "ramp"
    assert desk.state()[:2] == ("ridge@1", None)


def test_from_the_fallback_one_can_roll_back_to_a_former_champion(desk: Desk) -> None:
    desk.champion("a")
    rollback(desk.store, **BY, to="fallback")
    made = rollback(desk.store, **BY, to="ridge@1")
    assert standing(desk.store).champion == made
    assert json.loads(made.evidence) == {"rolled_back": "fallback"}
    rollback(desk.store, **BY)
    assert standing(desk.store).name == "fallback"


def test_a_rollback_to_what_serves_or_never_served_is_refused_with_what_could_be_named(desk: Desk) -> None:
    for version in "ab":
        desk.champion(version)
    desk.challenger("c")
    with pytest.raises(InvalidInput, match="ridge@2 serves already; former champions: ridge@1"):
        rollback(desk.store, **BY, to="ridge@2")
    with pytest.raises(
        InvalidInput,
        match="ridge@3 was published, as challenger, but never served everybody; former champions: ridge@1",
    ):
        rollback(desk.store, **BY, to="ridge@3")
    assert len(desk.store.audit()) == 3


def test_evidence_of_a_rollback_is_a_json_object(desk: Desk) -> None:
    desk.champion("a")
    for evidence in ("{", "[1]"):
        with pytest.raises(InvalidInput, match="evidence"):
            rollback(desk.store, **BY, evidence=evidence)
    assert standing(desk.store).name == "ridge@1"


def test_the_way_back_is_told_without_going_it(desk: Desk) -> None:
    first = desk.champion("a")
    desk.champion("b")
    way = way_back(desk.store)
    assert (way.ramp, way.leaves, way.to) == (None, "ridge@2", first)
    assert len(desk.store.audit()) == 2


def test_a_challenger_is_withdrawn_alone(desk: Desk) -> None:
    desk.champion("a")
    made = desk.challenger("b")
    gone = withdraw(desk.store, "challenger", **BY)
    assert (gone.kind, gone.share, gone.origin) == ("challenger", 0.0, made.number)
    assert desk.state() == ("ridge@1", None, None)
    with pytest.raises(InvalidInput, match="there is no challenger now"):
        withdraw(desk.store, "challenger", **BY)


def test_a_policy_is_found_by_its_name_and_by_its_role(desk: Desk) -> None:
    first, second = desk.champion("a"), desk.challenger("b")
    ramp = promote(desk.store, second, **BY, share=0.1)
    assert named(desk.store, "champion") == named(desk.store, "ridge@1") == first
    assert named(desk.store, "challenger") == second
    assert named(desk.store, "ramp") == named(desk.store, "ridge@2") == ramp
    for name in ("ridge@3", "rigde@1", ""):
        with pytest.raises(InvalidInput, match="ridge@1"):
            named(desk.store, name)
    withdraw(desk.store, "ramp", **BY)
    with pytest.raises(InvalidInput, match="there is no ramp now"):
        named(desk.store, "ramp")


def test_whoever_lost_the_lease_changes_nothing(desk: Desk) -> None:
    champion, made = desk.champion("a"), desk.challenger("b")
    lost = desk.store.lease("learn", "one", 1.0, 1.0)
    desk.store.lease("learn", "two", 5.0, 1.0)
    with pytest.raises(Conflict):
        promote(desk.store, made, **BY, lease=lost)
    with pytest.raises(Conflict):
        rollback(desk.store, **BY, lease=lost)
    with pytest.raises(Conflict):
        withdraw(desk.store, "challenger", **BY, lease=lost)
    assert desk.store.audit() == [champion, made]


def test_publications_from_before_origins_were_kept_each_count(desk: Desk) -> None:
    """An old store's rollback published the same artefact under a number of its own."""
    for version in ("a", "b", "a"):
        desk.champion(version)
    assert standing(desk.store).name == "ridge@3"
    rollback(desk.store, **BY)
    assert standing(desk.store).name == "ridge@2"


def test_evidence_that_is_no_json_is_no_rollback(desk: Desk) -> None:
    for version, evidence in (("a", ""), ("b", "plain words"), ("c", '"rolled_back"'), ("a", "[]")):
        desk.publish("policy", version, evidence=evidence)
    rollback(desk.store, **BY)
    assert standing(desk.store).name == "ridge@3"
