"""What customers say, told to the API, and the desk that looks after their tickets, day by day.

The world's own tickets open with a complaint, and end when the world says so; detractors' tickets take as
long as the desk takes. The desk sees what `GET /v1/tickets` tells and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
import orjson
import polars as pl

from experiments.simulate import DAY, State, World, answers, complaints, day_start
from training.demo.client import Client, report_all

Item = dict[str, Any]
COMPLAINT = "complaint"  # the rule of the playbook
PEOPLE = ("ada", "noor", "tom")
SETTLES, BEGINS = 0.5, 0.4  # of a detractor's ticket, each day; of a ticket that is left open, being begun
_STREAM = 2**50
_DRAWS = 4


class Care:
    """Says what customers say, and moves their tickets on.

    Raises CallOperator where the server refuses something.
    """

    def __init__(self, world: World, seed: int) -> None:
        self._world, self._seed = world, seed

    def live(self, client: Client, day: int, state: State, touchpoints: pl.DataFrame) -> pl.DataFrame:
        """Let a day pass that customers began in `state`. Gives the touchpoints that are left to be told.

        What opened or closed a ticket in the world is no touchpoint to be told any more: the engine itself
        writes these, when it hears of the complaint and of the desk.
        """
        settled = self._desk(client, day, touchpoints)
        spoken = pl.concat(
            [
                complaints(
                    touchpoints.filter(pl.col("type") == "ticket_opened"),
                    self._world.customers,
                    day,
                    self._seed,
                ),
                answers(self._world, state, day, self._seed),
            ]
        ).sort("occurred_at", "event_id")
        report_all(client, "/v1/events", "events", [_event(row) for row in spoken.iter_rows(named=True)])
        told = (pl.col("type") == "ticket_opened") | (
            (pl.col("type") == "ticket_closed") & pl.col("customer_id").is_in(settled)
        )
        return touchpoints.filter(~told)

    def _desk(self, client: Client, day: int, touchpoints: pl.DataFrame) -> list[str]:
        """Work through the tickets of earlier days; whose complaint was settled."""
        over = touchpoints.filter(pl.col("type") == "ticket_closed")
        closing = dict(zip(over["customer_id"], over["occurred_at"], strict=True))
        draws = np.random.Generator(
            np.random.Philox(key=np.array([self._seed, _STREAM + day], np.uint64))
        ).random((self._world.customers, _DRAWS))
        moves: dict[str, tuple[str, bytes]] = {}  # one a customer: their time goes forward only
        settled = []
        for ticket in sorted(_unsettled(client), key=lambda ticket: ticket["rule"] != COMPLAINT):
            customer = ticket["customer_id"]
            over_at = closing.get(customer) if ticket["rule"] == COMPLAINT else None
            if over_at is not None:
                settled.append(customer)
            change = _change(ticket, day, over_at, draws[int(customer[2:])].tolist())
            if change is not None and customer not in moves:
                moves[customer] = f"/v1/tickets/{ticket['ticket_id']}", orjson.dumps(change)
        client.patch_all(list(moves.values()))
        return settled


def _change(ticket: Mapping[str, Any], day: int, closed: datetime | None, draws: list[float]) -> Item | None:
    """What the desk does with a ticket on a day, if anything; `closed`: when the world ends its complaint."""
    settles, begins, when, who = draws
    person = ticket["owner"] or PEOPLE[int(who * len(PEOPLE))]
    change: Item = {"version": ticket["version"], "who": person, "owner": person}
    at = datetime.fromtimestamp(day_start(day) + 60 + when * (DAY - 120), UTC)
    if ticket["rule"] != COMPLAINT and settles < SETTLES:
        closed = at
    if closed is not None:
        return {**change, "status": "resolved", "at": closed.isoformat(), "note": "called and made good"}
    if ticket["status"] == "open" and begins < BEGINS:
        return {**change, "status": "in_progress", "at": at.isoformat()}
    return None


def _unsettled(client: Client) -> Iterator[Mapping[str, Any]]:
    """Tickets that are open or in progress, as the API tells them."""
    for status in ("open", "in_progress"):
        after = ""
        while True:
            page = orjson.loads(client.read(f"/v1/tickets?status={status}&limit=1000{after}"))
            yield from page["tickets"]
            if page["next"] is None:
                break
            after = f"&after={page['next']}"


def _event(row: Mapping[str, Any]) -> Item:
    said: Item = {
        "event_id": row["event_id"],
        "customer_id": row["customer_id"],
        "type": row["type"],
        "channel": row["channel"],
        "occurred_at": row["occurred_at"].isoformat(),
    }
    if row["type"] == "nps":
        said["value"] = row["value"]
    if row["text"] is not None:
        said["properties"] = {"text": row["text"]}
    return said
