"""What customers say and what the desk does, through a real server."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import orjson
import polars as pl
import pytest

from experiments.simulate import State, World
from nba.stores.open import open_store
from training.demo.care import COMPLAINT, PEOPLE, Care
from training.demo.client import Client
from training.demo.commands import serving
from training.demo.ending import personas, said
from training.demo.folder import Folder
from training.demo.lives import Lives

CUSTOMERS, DAYS, SEED = 500, 15, 3


class Watched(Care):
    """Care that remembers what the world did."""

    def __init__(self, world: World, seed: int) -> None:
        super().__init__(world, seed)
        self.happened: list[pl.DataFrame] = []

    def live(self, client: Client, day: int, state: State, touchpoints: pl.DataFrame) -> pl.DataFrame:
        self.happened.append(touchpoints)
        return super().live(client, day, state, touchpoints)


@pytest.mark.timeout(600)
def test_the_worlds_tickets_are_the_engines_and_detractors_have_theirs(tmp_path: Path) -> None:
    folder = Folder.anew(tmp_path / "demo")
    open_store(folder.store, "request").close()
    world = World.create(SEED, CUSTOMERS)
    care = Watched(world, SEED)
    outcomes = tuple(folder.load().spec.objectives.outcomes)
    lives = Lives(world, world.initial(), outcomes, SEED, care=care)
    with serving(folder) as address, closing(Client(*address)) as client:
        lives.live(client, DAYS)
        tickets = [
            ticket
            for status in ("open", "in_progress", "resolved")
            for ticket in orjson.loads(client.read(f"/v1/tickets?status={status}&limit=1000"))["tickets"]
        ]
    happened = pl.concat(care.happened)
    opened = happened.filter(pl.col("type") == "ticket_opened").select("customer_id", "occurred_at")
    closed = happened.filter(pl.col("type") == "ticket_closed").select("customer_id", "occurred_at")
    complained = [ticket for ticket in tickets if ticket["rule"] == COMPLAINT]
    assert moments(complained, "opened_at") == sorted(opened.iter_rows())
    assert moments(complained, "closed_at") == sorted(closed.iter_rows())
    hurt = [ticket for ticket in tickets if ticket["rule"] == "detractor"]
    assert len(complained) > 10
    assert len(hurt) > 5
    assert all(int(ticket["reason"].removeprefix("nps ")) <= 6 for ticket in hurt)
    assert all(ticket["owner"] in PEOPLE for ticket in tickets if ticket["status"] != "open")
    assert {ticket["status"] for ticket in tickets} == {"open", "in_progress", "resolved"}
    assert {ticket["in_time"] for ticket in tickets} == {True, False, None}


def moments(tickets: list[dict[str, str | None]], field: str) -> list[tuple[object, object]]:
    """Whose and when, where there is such a moment."""
    told = [(ticket["customer_id"], ticket[field]) for ticket in tickets if ticket[field] is not None]
    frame = pl.DataFrame(told, schema=["customer_id", "at"], orient="row")
    return sorted(frame.with_columns(pl.col("at").str.to_datetime("%+", time_zone="UTC")).iter_rows())


SHARE = {"part": 3, "of": 4, "share": 0.75, "low": 0.2, "high": 0.99}
TICKETS = {
    "rules": {"all": {"tickets": 5, "open": 2, "overdue": 1, "in_time": SHARE}},
    "won_back": {"part": 1, "of": 2, "share": 0.5, "low": 0.1, "high": 0.9},
}
DRIVER = {"name": "contact of late", "delta": 0.4, "low": 0.1, "high": 0.7, "unhappy": 3.4, "others": 2.0}


def test_the_end_says_what_stands_out_and_leaves_out_what_does_not() -> None:
    total = {"value": 11.4, "low": -4.0, "high": 26.2, "answers": 96, "customers": 90}
    feedback = {
        "surveys": {"nps": {"total": total}},
        "drivers": {
            "level": 0.95,
            "found": [{**DRIVER, "adjusted": 0.01}, {**DRIVER, "name": "chance", "adjusted": 0.2}],
        },
        "texts": {"themes": [{"name": "coffee", "texts": 12}]},
    }
    assert list(said(feedback, TICKETS)) == [
        "NPS 11 (95 % interval -4 to 26) of 96 answers by 90 customers",
        "the unhappy have more: contact of late, 3.4 against 2 (effect +0.40, +0.10 to +0.70)",
        "texts by theme: coffee 12",
        "5 tickets, 3 of 4 settled in time; 2 are open, 1 of these late",
        "1 of 2 detractors who answered again were won back",
    ]


def test_where_next_to_nobody_answered_the_end_says_so() -> None:
    nobody = {"surveys": {}, "drivers": None, "texts": None}
    none = {**TICKETS, "rules": {"all": {"tickets": 0}}}
    assert list(said(nobody, none)) == ["nothing is shown to set the unhappy apart"]


def test_a_persona_of_whom_little_is_known_is_told_without_figures() -> None:
    unknown = {"worth": None, "churn": None, "channel": None, "part_of_day": None}
    segment = {"name": "lost lookers", "size": 7, "share": 0.1, "rule": [], "catches": 1.0, "right": 0.1}
    table = personas({"customers": 70, "currency": "EUR", "segments": [{**segment, **unknown}]})
    cells = [cell for column in table.columns for cell in column.cells]
    assert cells[0] == "lost lookers\n7 (10 %)"
    assert str(cells[1]).startswith("everybody\n")
    assert cells[2] == "worth not known\nchurn not known\nchannel: not known\npart of day: not known"
