"""What clients asked and what they were told: the load of these proofs, kept to be held against the store.

Each client decides for customers, shows what it held, reports outcomes and visits, and says of some contacts
that nothing was sent. What was answered must be in the store, once; what was not may be, whole or not at all.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from random import Random

from tests.proofs.connections import LOST, PAUSE_SECONDS, Connection, Reply, Request, ask_all

DECISIONS, EVENTS, OUTCOMES = "/v1/decisions", "/v1/events", "/v1/outcomes"
DONE = {200, 201, 202, 204}
Allowed = Callable[[Reply], bool]


@dataclass(slots=True)
class Witness:
    """Of any number of clients.

    Attributes:
        told: request → the answer that says it is done.
        open: requests of which nobody knows whether they were done.
        refused: answers that sent a client away for now.
    """

    told: dict[Request, Reply] = field(default_factory=dict)
    open: set[Request] = field(default_factory=set)
    refused: list[Reply] = field(default_factory=list)

    async def ask(self, connection: Connection, request: Request) -> Reply:
        """Ask and note it. Raises one of LOST where no answer came."""
        self.open.add(request)
        reply = await connection.ask(request)
        if reply.status in DONE:
            self.open.remove(request)
            self.told[request] = reply
        else:
            self.refused.append(reply)
        return reply

    async def settle(self, address: str) -> None:
        """Send everything again: what was done is found done, the rest is done now or was done whole."""
        done, left = list(self.told), list(self.open)
        for request, reply in zip(done, await ask_all([address], done, clients=16), strict=True):
            assert _same(request, self.told[request], reply), (request, self.told[request], reply)
        for request, reply in zip(left, await ask_all([address], left, clients=16), strict=True):
            assert _whole(request, reply), (request, reply)
            self.told[request] = reply
        self.open.clear()

    def answers(self) -> dict[str, Reply]:
        """decision id → its answer."""
        return {r.fields()["decision_id"]: reply for r, reply in self.told.items() if r.path == DECISIONS}

    def reports(self) -> list[tuple[str, dict[str, object]]]:
        """(source, report) of everything that was accepted."""
        return [
            (source, report)
            for request in self.told
            for path, source in ((EVENTS, "event"), (OUTCOMES, "outcome"))
            if request.path == path
            for report in request.fields()[f"{source}s"]
        ]


def _same(request: Request, before: Reply, now: Reply) -> bool:
    """Whether a repeat was answered as one."""
    if request.path == DECISIONS:
        return (now.status, now.body) == (200, before.body)
    if now.status == 202:
        return now.json() == {"accepted": 0, "duplicates": _items(request), "rejected": []}
    return now.status == 204


def _whole(request: Request, now: Reply) -> bool:
    """Whether it was done now or before, and in one piece."""
    if now.status == 202:
        receipt = now.json()
        done = sorted([receipt["accepted"], receipt["duplicates"]])
        return done == [0, _items(request)] and receipt["rejected"] == []
    return now.status in DONE


def _items(request: Request) -> int:
    return sum(len(items) for items in request.fields().values())


def consents(customers: Sequence[str]) -> Request:
    """Up to 1,000 customers agree to marketing on every channel."""
    granted = {"purpose": "marketing", "granted": True}
    said = [
        {"event_id": f"consent-{c}", "customer_id": c, "type": "consent", "properties": granted}
        for c in customers
    ]
    return Request.to(EVENTS, events=said)


@dataclass(slots=True)
class Talk:
    """What one client says, one request at a time, drawn from `rng`; `hear` tells it the answers.

    Attributes:
        name: of the client; its ids begin with it.
        customers: whom it shares with the other clients.
    """

    name: str
    customers: Sequence[str]
    rng: Random
    _numbers: Iterator[int] = field(default_factory=count)
    _held: list[str] = field(default_factory=list)
    _contacts: list[str] = field(default_factory=list)

    def next(self) -> Request:
        kind = self.rng.choices(
            ["decide", "hold", "show", "report", "visit", "unsent"], [50, 10, 8, 14, 14, 4]
        )[0]
        id, customer = f"{self.name}-{next(self._numbers)}", self.rng.choice(self.customers)
        if kind == "show" and self._held:
            return Request(path=f"{DECISIONS}/{self._held.pop()}/activate", body=b"")
        if kind == "unsent" and self._contacts:
            unsent = {"outcome_id": id, "decision_id": self._contacts.pop(), "type": "not_sent"}
            return Request.to(OUTCOMES, outcomes=[unsent])
        if kind == "report":
            return Request.to(OUTCOMES, outcomes=[self._outcome(f"{id}.{i}", customer) for i in range(3)])
        if kind == "visit":
            visit = {"customer_id": customer, "type": "visit", "channel": "email", "value": 1.5}
            return Request.to(EVENTS, events=[{"event_id": f"{id}.{i}", **visit} for i in range(3)])
        return Request.to(DECISIONS, decision_id=id, customer_id=customer, activate=kind != "hold")

    def hear(self, request: Request, reply: Reply) -> None:
        if request.path == DECISIONS and reply.status in DONE:
            answer = reply.json()
            if not request.fields()["activate"]:
                self._held.append(answer["decision_id"])
            elif answer["channel"] is not None:
                self._contacts.append(answer["decision_id"])

    def _outcome(self, id: str, customer: str) -> dict[str, object]:
        if self._contacts and self.rng.random() < 0.5:
            return {"outcome_id": id, "decision_id": self.rng.choice(self._contacts), "type": "opened"}
        return {"outcome_id": id, "customer_id": customer, "type": "purchase", "value": 9.5}


async def talk(
    address: str, witness: Witness, talks: Sequence[Talk], until: asyncio.Event, turns: int, allowed: Allowed
) -> int:
    """All of them at once, until told to stop, hung up on, or done with `turns` requests each.

    An answer that is not done has to be `allowed`. Returns how many were hung up on.
    """

    async def one(words: Talk) -> bool:
        try:
            connection = await Connection.to(address)
            for _ in range(turns):
                if until.is_set():
                    break
                request = words.next()
                reply = await witness.ask(connection, request)
                assert reply.status in DONE or allowed(reply), (request, reply)
                words.hear(request, reply)
                if reply.status not in DONE:
                    await asyncio.sleep(PAUSE_SECONDS)
            connection.close()
        except LOST:
            return True
        return False

    return sum(await asyncio.gather(*(one(words) for words in talks)))


def never(reply: Reply) -> bool:
    return False


def for_now(reply: Reply) -> bool:
    """A 503 that says when to come back, as a problem document."""
    return (
        reply.status == 503
        and int(reply.headers["retry-after"]) >= 1
        and json.loads(reply.body)["status"] == 503
    )
