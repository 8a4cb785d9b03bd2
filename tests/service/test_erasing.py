"""An erased customer leaves statistics and nothing else: no word, no feature, no way back to who it was."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, nullcontext
from pathlib import Path

import orjson
import psycopg
import pytest

from nba.artefacts import Artefacts
from nba.erasing import erase_listed
from nba.errors import Gone, NotFound
from nba.model import Activation, Answer, Erased, Erasure, Reports
from nba.replay import replay
from nba.stores.open import open_store
from nba.stores.ports import Store
from nba.stores.sql.erase import EMPTIED, GONE, REACTIONS, STAYS
from nba.stores.sql.tables import METADATA
from tests.service.business import DAY, HOUR, NOON, Business, consents, event, outcome, request
from tests.service.test_persons import FREE, identify, person
from tests.stores.postgres import fresh_database

MARKER = "Zanzibar"
SPEAKING = FREE.replace("city: [north, south]", f"city: [north, {MARKER}]")


def lived(shop: Business, *names: str) -> list[str]:
    """These customers have said and done all there is; the ids of their decisions."""
    for name in names:
        profile = event(name, "profile", properties={"city": MARKER, "age": 44.0})
        words = [
            event(name, kind, properties={"text": f"{MARKER} is lovely"}) for kind in ("review", "comment")
        ]
        shop.report(consents(name), profile, *words, identify(name, f"{MARKER}@home"), event(name, "visit"))
    made = [
        shop.decide(name, now=NOON + i, explain=True, context={"device": "ios"})
        for i, name in enumerate(names * 4)
    ]
    ids = [str(answer["decision_id"]) for answer in made]
    shop.report(outcome("purchase", NOON + 9.0, decision_id=ids[0], value=5.0), now=NOON + 9.0)
    return ids


def erased(shop: Business, name: str, now: float = NOON + HOUR) -> Erased:
    result = shop.one(Erasure(customer_id=name, who="ada"), now)
    assert isinstance(result, Erased), result
    return result


def test_a_person_is_erased_under_all_customer_ids(each_store: Store) -> None:
    shop = Business.of(SPEAKING, store=each_store)
    ids = lived(shop, "ann", "bob")
    surrogates = sorted(row.surrogate for row in each_store.known("ann"))
    done = erased(shop, "bob")
    assert (done.customers, done.decisions) == (2, 8)
    assert done.touchpoints >= 12
    for name in ("ann", "bob"):
        with pytest.raises(Gone):
            shop.service.customer(name, NOON)
        assert isinstance(shop.one(Erasure(customer_id=name, who="ada")), Gone)
    assert isinstance(shop.one(Erasure(customer_id="nobody", who="ada")), NotFound)
    for id in ids:
        with pytest.raises(Gone):
            shop.service.decision(id)
        with pytest.raises(Gone, match="erased"):
            replay(id, each_store, Artefacts(Path("nowhere")))
        assert isinstance(shop.one(Activation(decision_id=id)), Gone)
        assert isinstance(shop.one(request("ann", id=id)), Gone)
    rejected = shop.report(outcome("purchase", decision_id=ids[0])).rejected
    assert "erased" in rejected[0].detail
    assert [(row.surrogate, row.at, row.who) for row in each_store.erased()] == [
        (surrogate, NOON + HOUR, "ada") for surrogate in surrogates
    ]


def test_what_was_drawn_stays_as_statistics(each_store: Store) -> None:
    shop = Business.of(SPEAKING, store=each_store)
    lived(shop, "ann", "bob")
    window = (0.0, NOON + DAY)
    people = each_store.people()
    before = [d for some in each_store.draws(*window) for d in some]
    counted = [(t.surrogate, t.type, t.value) for some in each_store.touchpoints(*window) for t in some]
    erased(shop, "ann")
    after = [d for some in each_store.draws(*window) for d in some]
    assert [d._replace(surrogate=people.get(d.surrogate, d.surrogate)) for d in after] == before
    left = [t for some in each_store.touchpoints(*window) for t in some]
    assert [(people.get(t.surrogate, t.surrogate), t.type, t.value) for t in left] == counted
    assert {t.properties for t in left} == {None}
    rows = [row for some in each_store.decisions(*window) for row in some]
    assert all(row.erased and row.propensity > 0 for row in rows)
    assert {row.features + row.odds + row.values + row.digest for row in rows} == {b""}


def test_a_later_event_under_the_same_id_starts_a_new_person(each_store: Store) -> None:
    shop = Business.of(SPEAKING, store=each_store)
    lived(shop, "ann", "bob")
    erased(shop, "ann")
    shop.report(event("ann", "visit"), identify("ann", f"{MARKER}@home"))
    seen = person(shop, "ann")
    assert (seen["customer_ids"], seen["attributes"], seen["decisions"]) == (["ann"], {}, [])
    assert len(seen["touchpoints"]) == 2
    assert len(each_store.erased()) == 2
    erased(shop, "ann")
    assert len(each_store.erased()) == 3


def test_what_is_not_sent_yet_is_called_off_and_told(each_store: Store) -> None:
    shop = Business.of(FREE, store=each_store)
    held = [shop.decide("ann", now=NOON + i, id=f"h{i}", activate=False) for i in range(8)]
    waiting = {str(a["decision_id"]) for a in held if a["action"] != "no_contact"}
    assert waiting
    assert erased(shop, "ann", NOON + 10.0).called_off == len(waiting)
    told = orjson.loads(shop.service.outbox(0, 100))["messages"]
    named = {m["decision_id"] for m in told if m["type"] == "decision.erased"}
    assert named == waiting
    assert {m["customer_id"] for m in told} == {None}


def test_erasing_in_a_batch_keeps_the_order_of_what_was_asked(each_store: Store) -> None:
    shop = Business.of(FREE, store=each_store)
    commands = [
        request("ann", id="before"),
        Erasure(customer_id="ann", who="ada"),
        Reports(items=(event("ann", "visit"),)),
        request("ann", id="after"),
    ]
    results = shop.service.handle(commands, NOON)
    assert [type(r) for r in results[:2]] == [Answer, Erased]
    with pytest.raises(Gone):
        shop.service.decision("before")
    features = shop.trace("after")["trace"]["features"]
    assert (features["visit_total"], features["contact_total"]) == (1.0, 0.0)


def test_every_table_that_names_a_surrogate_has_a_place_in_the_erasure() -> None:
    named = {table for table in METADATA.tables.values() if "surrogate" in table.c}
    assert named == {METADATA.tables["decisions"], *GONE, *EMPTIED, *STAYS, *REACTIONS}


def test_no_byte_of_what_was_said_is_left_in_a_sqlite_file(tmp_path: Path) -> None:
    """Also what was updated before: attributes are written anew with every event."""
    path = tmp_path / "nba.db"
    with closing(open_store(f"sqlite:///{path}")) as store:
        shop = Business.of(SPEAKING, store=store)
        shop.report(*(event(f"other{i}", "visit") for i in range(200)))
        text = f"{MARKER} " * 2_000  # goes over into pages of its own
        for i in range(20):
            shop.report(
                event("ann-said", "profile", properties={"city": MARKER, "age": float(i)}),
                event("ann-said", "review", properties={"text": text}),
                identify("ann-said", f"{MARKER}{i}"),
            )
            shop.decide("ann-said", now=NOON + i, explain=True)
        shop.report(*(event(f"more{i}", "visit") for i in range(200)))
        held = b"".join(file.read_bytes() for file in tmp_path.iterdir())
        assert MARKER.encode() in held
        assert b"ann-said" in held
        erased(shop, "ann-said")
        playbooks = "".join(store.playbooks().values()).count(MARKER)
        held = b"".join(file.read_bytes() for file in tmp_path.iterdir())
        assert held.count(MARKER.encode()) == playbooks  # it is a category there
        assert b"ann-said" not in held


@pytest.fixture
def filled_postgres() -> Iterator[tuple[str, Business]]:
    with fresh_database() as url, closing(open_store(url)) as store:
        shop = Business.of(SPEAKING, store=store)
        lived(shop, "ann-said", "bob-said")
        yield url, shop


def test_no_column_of_a_postgresql_database_names_who_was_erased(
    filled_postgres: tuple[str, Business],
) -> None:
    url, shop = filled_postgres
    assert {MARKER, "ann-said"} <= set(_words(url))
    erased(shop, "ann-said")
    assert not {MARKER, "ann-said", "bob-said"} & set(_words(url, leaving=("playbooks",)))


def _words(url: str, leaving: tuple[str, ...] = ()) -> list[str]:
    """Which of the words stand in any column of any table, read as text and as bytes."""
    plain = url.replace("postgresql+psycopg", "postgresql")
    with psycopg.connect(plain) as connection:
        tables = connection.execute(
            "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p')"
            " AND relnamespace = 'public'::regnamespace"
        ).fetchall()
        whole = b""
        for (table,) in tables:
            if table not in leaving:
                for row in connection.execute(f'SELECT * FROM "{table}"').fetchall():
                    whole += b" ".join(
                        value if isinstance(value, bytes) else str(value).encode() for value in row
                    )
    return [word for word in (MARKER, "ann-said", "bob-said") if word.encode() in whole]


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_decision_that_crosses_an_erasure_is_before_or_after_it(kind: str, tmp_path: Path) -> None:
    """Two servers: one decides and reports, the other erases, over and over."""
    with (
        fresh_database() if kind == "postgresql" else nullcontext(f"sqlite:///{tmp_path / 'nba.db'}") as url,
        closing(open_store(url)) as one,
        closing(open_store(url)) as other,
    ):
        deciding, erasing = Business.of(FREE, one), Business.of(FREE, other)
        deciding.report(event("ann", "visit"))
        stop = threading.Event()

        def decide() -> list[str]:
            made = []
            while not stop.is_set() and len(made) < 500:
                answer = deciding.decide("ann", now=NOON + len(made))
                made.append(str(answer["decision_id"]))
                report = outcome("purchase", NOON, decision_id=made[-1])
                taken = deciding.one(Reports(items=(report,)), NOON + len(made))
                assert not isinstance(taken, Exception)
            return made

        def erase() -> int:
            done = sum(
                isinstance(erasing.one(Erasure(customer_id="ann", who="a"), NOON), Erased) for _ in range(25)
            )
            stop.set()
            return done

        with ThreadPoolExecutor(2) as pool:
            made, times = pool.submit(decide), pool.submit(erase)
            assert times.result() > 0
            ids = made.result()
        known = {row.surrogate for row in one.known("ann")}
        gone = {row.surrogate for row in one.erased()}
        for id in ids:
            row = one.decision(id)
            assert row is not None
            assert row.erased == (row.surrogate in gone)
            assert row.erased or row.surrogate in known
        left = [t for some in one.touchpoints(0.0, NOON + DAY) for t in some]
        by_decision = {t.decision_id: t.surrogate for t in left if t.decision_id}
        assert all(by_decision[id] == one.decision(id).surrogate for id in by_decision)  # type: ignore[union-attr]


def test_on_the_request_clock_an_erasure_is_dated_by_the_customers_latest_moment() -> None:
    shop = Business.of(FREE)
    shop.report(event("ann", "visit", NOON - DAY))
    shop.decide("ann", NOON)
    erased(shop, "ann", now=1.0)
    with shop.store.transaction() as transaction:
        transaction.customers(["never-seen"])
    erased(shop, "never-seen", now=1.0)
    assert [row.at for row in shop.store.erased()] == [1.0, NOON]


def test_a_list_from_elsewhere_erases_who_is_here_with_all_linked_and_notes_the_others(
    each_store: Store,
) -> None:
    shop = Business.of(SPEAKING, store=each_store)
    ids = lived(shop, "ann", "bob")
    listed = [each_store.known("ann")[1].surrogate, "unknown-here"]
    for _ in range(2):
        erase_listed(each_store, listed, at=NOON, who="nba import")
    assert len(each_store.erased()) == 3
    for name in ("ann", "bob"):
        with pytest.raises(Gone):
            shop.service.customer(name, NOON)
    with pytest.raises(Gone):
        shop.service.decision(ids[0])
