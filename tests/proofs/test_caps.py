"""Caps and daily limits, asked for by sixty-four clients at once, of servers that know nothing of each other.

The untrained policy gives every eligible customer's contact at least a third of the odds, so of 128 requests
at one customer three become contacts but once in 10²⁰.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml

from nba.playbook.compile import load
from nba.playbook.document import Document
from nba.stores.open import open_store
from tests.proofs.books import Books, agree
from tests.proofs.connections import Reply, Request, ask_all
from tests.proofs.servers import side_by_side
from tests.proofs.witness import DECISIONS, Talk, Witness, consents, never, talk
from tests.serving.running import SAMPLE, sample

CLIENTS, CAP = 64, 3
TWO_SERVERS = (2, ())
TWO_WORKERS = (1, ("--workers", "2"))
Crew = tuple[int, tuple[str, ...]]


@pytest.fixture(params=[TWO_SERVERS, TWO_WORKERS], ids=["servers", "workers"])
def crew(request: pytest.FixtureRequest) -> Crew:
    """Two processes that decide: two servers, or two workers of one."""
    made: Crew = request.param
    return made


def ask(addresses: Sequence[str], requests: Sequence[Request]) -> list[Reply]:
    return asyncio.run(ask_all(addresses, requests, CLIENTS))


def agreed(addresses: Sequence[str], customers: Sequence[str]) -> None:
    """All of these customers may be contacted from now on."""
    [reply] = asyncio.run(ask_all(addresses[:1], [consents(customers)], clients=1))
    assert reply.json() == {"accepted": len(customers), "duplicates": 0, "rejected": []}


def decide(customer: str, id: str, **more: Any) -> Request:
    return Request.to(DECISIONS, customer_id=customer, decision_id=id, **more)


def made(replies: Sequence[Reply]) -> list[dict[str, Any]]:
    """The answers, all of which have to be new decisions."""
    assert Counter(reply.status for reply in replies) == {201: len(replies)}
    return [reply.json() for reply in replies]


def contacts(answers: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [answer for answer in answers if answer["action"] != "no_contact"]


@pytest.mark.slow
def test_a_cap_of_three_a_week_survives_sixty_four_parallel_clients_on_two_processes(
    tmp_path: Path, url: str, crew: Crew
) -> None:
    with side_by_side(tmp_path, url, crew[0], *crew[1]) as servers:
        addresses = [server.address for server in servers]
        customers = [f"c-{n}" for n in range(6)]
        agreed(addresses, customers)
        given = {}
        for customer in customers:
            answers = made(ask(addresses, [decide(customer, f"{customer}-{i}") for i in range(2 * CLIENTS)]))
            given[customer] = {answer["decision_id"] for answer in contacts(answers)}
            assert len(given[customer]) == (0 if answers[0]["group"] == "holdout" else CAP)
    ledger = Books.of(url).contacts()
    assert {c: {contact.decision_id for contact in ledger[c]} for c in customers} == given


@pytest.mark.slow
def test_the_cap_holds_while_events_outcomes_and_activations_come_in_between(
    tmp_path: Path, url: str, crew: Crew
) -> None:
    """What was not sent gives its place back, so it is the ledger that is bounded, not the answers."""
    witness, customers = Witness(), [f"c-{n}" for n in range(4)]
    with side_by_side(tmp_path, url, crew[0], *crew[1]) as servers:
        talks = [Talk(f"t{i}", customers, Random(i)) for i in range(CLIENTS)]

        async def all_at_once() -> None:
            agreeing = consents(customers)
            [witness.told[agreeing]] = await ask_all([servers[0].address], [agreeing], clients=1)
            some = [talks[i :: len(servers)] for i in range(len(servers))]
            await asyncio.gather(
                *(
                    talk(server.address, witness, part, asyncio.Event(), 25, never)
                    for server, part in zip(servers, some, strict=True)
                )
            )

        asyncio.run(all_at_once())
        assert (len(witness.told), len(witness.open)) == (CLIENTS * 25 + 1, 0)
        last = [decide(c, f"last-{c}-{i}", activate=True) for c in customers for i in range(CLIENTS)]
        replies = ask([server.address for server in servers], last)  # of what was given back at the end
        assert made(replies)
        witness.told.update(zip(last, replies, strict=True))
    books = Books.of(url)
    agree(books, witness, sample())
    groups = {row.surrogate: row.group for row in books.decisions}
    for customer, kept in books.contacts().items():
        assert len(kept) == (0 if groups[books.customers[customer].surrogate] == "holdout" else CAP)


@pytest.mark.slow
def test_a_daily_limit_is_used_up_to_the_last_and_never_overdrawn(tmp_path: Path, url: str) -> None:
    """300 customers for 60 contacts, each asked four times: too few would come but once in 10⁵⁰."""
    most, zone = 60, _where_it_is_noon()
    book = Document.parse(SAMPLE.read_text()).values
    book["timezone"] = zone
    book["actions"]["bogo-10"] |= {"daily": {"contacts": most}, "timings": ["now"]}
    (tmp_path / "limited.yaml").write_text(yaml.safe_dump(book))
    load(tmp_path / "limited.yaml")
    customers = [f"c-{n}" for n in range(300)]
    asked = [
        decide(customer, f"{customer}-{turn}", actions=["bogo-10"])
        for turn in range(4)
        for customer in customers
    ]
    with side_by_side(tmp_path, url, 2, "--playbook", str(tmp_path / "limited.yaml")) as servers:
        addresses = [server.address for server in servers]
        agreed(addresses, customers)
        given = contacts(made(ask(addresses, asked)))
    assert len(given) == most
    assert max(Counter(answer["customer_id"] for answer in given).values()) <= CAP
    [day] = {contact.day for contact in Books.of(url).ledger}
    assert day is not None
    with closing(open_store(url)) as store, store.transaction() as transaction:
        assert transaction.used([("bogo-10", day)])["bogo-10", day].contacts == most


def _where_it_is_noon() -> str:
    """A time zone in which no midnight comes while the test runs; Etc/GMT+5 lies west, at UTC−5."""
    west = datetime.now(UTC).hour - 12
    return f"Etc/GMT{west:+d}" if west else "Etc/GMT"


@pytest.mark.slow
def test_one_id_asked_of_two_servers_at_once_is_decided_once_and_answered_alike(
    tmp_path: Path, url: str
) -> None:
    with side_by_side(tmp_path, url, 2) as servers:
        addresses = [server.address for server in servers]
        customers = [f"c-{n}" for n in range(32)]
        agreed(addresses, customers)
        for turn in range(6):  # neighbours in the list go to different servers, at the same time
            asked = [decide(customer, f"{customer}-{turn}") for customer in customers for _ in range(4)]
            replies = ask(addresses, asked)
            for n in range(len(customers)):
                same = replies[4 * n : 4 * n + 4]
                assert sorted(reply.status for reply in same) == [200, 200, 200, 201]
                assert len({reply.body for reply in same}) == 1
    books = Books.of(url)
    assert len(books.decisions) == 6 * len(customers)
    assert max(len(kept) for kept in books.contacts().values()) == CAP


@pytest.mark.slow
def test_one_id_asked_for_two_customers_at_once_is_one_ones_and_a_conflict_for_the_other(
    tmp_path: Path, url: str
) -> None:
    with side_by_side(tmp_path, url, 2) as servers:
        addresses = [server.address for server in servers]
        asked = [decide(f"{who}-{n}", f"d-{n}") for n in range(320) for who in ("one", "other")]
        replies = ask(addresses, asked)
        for n in range(320):
            assert sorted(reply.status for reply in replies[2 * n : 2 * n + 2]) == [201, 409]
    answered = {reply.json()["decision_id"]: reply.body for reply in replies if reply.status == 201}
    assert {row.decision_id: row.body for row in Books.of(url).decisions} == answered
