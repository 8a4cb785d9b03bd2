"""What every store promises of its reads, playbooks and publications."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from nba.stores.ports import DrawRow, Publication, Store
from tests.stores.contract import decision, touchpoint


def _publish(store: Store, version: str, kind: str = "policy", **values: Any) -> Publication:
    settings = {"specification": "ridge", "at": 5.0, "who": "ada", "why": "better"}
    return store.publish(kind=kind, version=version, **{**settings, **values})


def test_decisions_come_in_chunks_by_time_then_id(store: Store) -> None:
    rows = [decision(f"d-{i}", decided_at=float(at)) for i, at in enumerate([3, 1, 2, 2, 2, 0, 4])]
    with store.transaction() as transaction:
        transaction.append_decisions(rows)
    ids = [[row.decision_id for row in part] for part in store.decisions(1.0, 4.0, chunk=2)]
    assert ids == [["d-1", "d-2"], ["d-3", "d-4"], ["d-0"]]
    assert list(store.decisions(1.0, 1.5)) == [[rows[1]]]
    assert list(store.decisions(5.0, 9.0)) == []


def test_draws_are_the_decisions_without_what_they_rest_on(store: Store) -> None:
    rows = [decision(f"d-{i}", decided_at=float(i)) for i in range(4)]
    with store.transaction() as transaction:
        transaction.append_decisions(rows)
    parts = list(store.draws(1.0, 9.0, chunk=2))
    assert [[draw.decision_id for draw in part] for part in parts] == [["d-1", "d-2"], ["d-3"]]
    first = parts[0][0]
    assert all(getattr(first, name) == getattr(rows[1], name) for name in DrawRow._fields)


def test_a_chunk_that_is_just_full_is_not_followed_by_an_empty_one(store: Store) -> None:
    with store.transaction() as transaction:
        transaction.append_decisions([decision("a"), decision("b")])
    assert [len(part) for part in store.decisions(0.0, 1e9, chunk=1)] == [1, 1]
    assert [len(part) for part in store.decisions(0.0, 1e9, chunk=2)] == [2]


def test_touchpoints_come_in_chunks_by_time(store: Store) -> None:
    rows = [
        touchpoint("b", occurred_at=2.0),
        touchpoint("a", occurred_at=2.0),
        touchpoint("a", occurred_at=2.0, source="outcome", decision_id="d-1", properties=None, channel=None),
        touchpoint("z", occurred_at=1.0),
        touchpoint("late", occurred_at=3.0),
    ]
    with store.transaction() as transaction:
        transaction.append_touchpoints(rows)
    assert list(store.touchpoints(1.0, 3.0, chunk=3)) == [[rows[3], rows[1], rows[0]], [rows[2]]]


def test_a_reader_may_write_between_its_chunks(store: Store) -> None:
    with store.transaction() as transaction:
        transaction.append_touchpoints([touchpoint(str(i), occurred_at=float(i)) for i in range(5)])
    seen = []
    for part in store.touchpoints(0.0, 10.0, chunk=2):
        seen += [row.id for row in part]
        with store.transaction() as transaction:
            transaction.customers([part[0].id])
    assert seen == ["0", "1", "2", "3", "4"]
    assert len(store.links()) == 3


def test_the_latest_moment_is_that_of_a_decision_a_touchpoint_or_a_publication(store: Store) -> None:
    assert store.latest() == float("-inf")
    _publish(store, "aa", at=5.0)
    assert store.latest() == 5.0
    with store.transaction() as transaction:
        transaction.append_decisions([decision("d-1", decided_at=7.0), decision("d-2", decided_at=6.0)])
    assert store.latest() == 7.0
    with store.transaction() as transaction:
        transaction.append_touchpoints([touchpoint("e-1", occurred_at=8.5)])
    assert store.latest() == 8.5


def test_links_lead_from_surrogate_to_customer(store: Store) -> None:
    with store.transaction() as transaction:
        made = transaction.customers(["c-1", "c-2"])
    one, two = made["c-1"].surrogate, made["c-2"].surrogate
    assert store.links() == {one: "c-1", two: "c-2"}
    assert store.names([two, "unknown"]) == {two: "c-2"}
    assert store.names([]) == {}


def test_the_first_text_of_a_playbook_is_kept(store: Store) -> None:
    store.keep_playbook("coffee@1", "name: Café")
    store.keep_playbook("coffee@1", "another")
    store.keep_playbook("coffee@2", "second")
    assert store.playbook("coffee@1") == "name: Café"
    assert store.playbook("tea@1") is None
    assert store.playbooks() == {"coffee@1": "name: Café", "coffee@2": "second"}


def test_publications_count_over_all_kinds_and_the_latest_of_each_serves(store: Store) -> None:
    assert store.serving() == {}
    first = _publish(store, "aa")
    scores = _publish(store, "bb", kind="scores", specification="boosted", at=6.0, who="bo", why="first")
    second = _publish(store, "cc")
    back = _publish(store, "aa", why="rolled back")
    assert [p.number for p in (first, scores, second, back)] == [1, 2, 3, 4]
    assert scores == Publication(
        number=2,
        kind="scores",
        version="bb",
        specification="boosted",
        published_at=6.0,
        who="bo",
        why="first",
        origin=2,
        share=1.0,
        evidence="",
    )
    assert store.serving() == {"policy": back, "scores": scores}
    assert store.audit() == [first, scores, second, back]


def test_a_publication_is_named_by_its_origin_and_keeps_share_and_evidence(store: Store) -> None:
    first = _publish(store, "aa")
    ramp = _publish(store, "aa", kind="ramp", origin=first.number, share=0.05, evidence='{"n": "ä"}')
    assert (first.origin, first.share, first.evidence, first.name) == (1, 1.0, "", "ridge@1")
    assert (ramp.number, ramp.origin, ramp.share, ramp.evidence) == (2, 1, 0.05, '{"n": "ä"}')
    assert ramp.name == "ridge@1"
    assert store.serving() == {"policy": first, "ramp": ramp}


def test_an_experiment_with_the_longest_names_has_a_kind(store: Store) -> None:
    kind = f"variant.{'e' * 64}.{'v' * 64}"
    assert store.serving() == {}
    published = _publish(store, "aa", kind=kind)
    assert store.serving() == {kind: published}


def test_a_store_has_a_secret_of_its_own_and_a_clock(store: Store) -> None:
    assert len(store.secret) == 32
    assert len(set(store.secret)) > 8
    assert store.clock == "live"


def test_a_store_that_can_be_written_answers_a_ping(store: Store) -> None:
    store.ping()
    store.ping()
    assert store.links() == {}


def test_room_on_the_disk_is_told_where_it_can_be_known(store: Store, tmp_path: Path) -> None:
    free = store.free_bytes()
    if (tmp_path / "nba.db").exists():
        total = shutil.disk_usage(tmp_path).total
        assert free is not None
        assert 0 < free <= total
    else:
        assert free is None


def test_the_newest_rows_are_those_from_a_moment_on(store: Store) -> None:
    with store.transaction() as transaction:
        transaction.append_decisions([decision(f"d-{i}", decided_at=float(i)) for i in range(5)])
        transaction.append_touchpoints([touchpoint(f"t-{i}", occurred_at=float(i)) for i in (1, 2)])
    assert store.moment_back("decisions", 1, 9.0) == 4.0
    assert store.moment_back("decisions", 2, 4.0) == 2.0
    assert store.moment_back("decisions", 5, 9.0) == 0.0
    assert store.moment_back("decisions", 6, 9.0) == float("-inf")
    assert store.moment_back("touchpoints", 2, 9.0) == 1.0
    assert store.moment_back("touchpoints", 1, 1.0) == float("-inf")
