"""Decisions in bulk: the same answers as one by one, and a run that was cut off goes on."""

from __future__ import annotations

from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nba import bulk
from nba.bulk import decide_file
from nba.errors import InvalidInput
from nba.model import Answer, Command, Result
from nba.stores.memory import MemoryStore
from tests.service.business import NOON, OPEN, Business, consents, request

CUSTOMERS = 2_300


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bulk")


def shop() -> Business:
    business = Business.of(OPEN, MemoryStore(secret=b"k" * 32))
    business.report(*(consents(f"c{i}") for i in range(0, CUSTOMERS // 2, 2)))
    return business


def table(**more: object) -> pa.Table:
    # every customer stands twice, so that the cap of two a week has to hold inside the file
    columns = {
        "customer_id": [f"c{i % (CUSTOMERS // 2)}" for i in range(CUSTOMERS)],
        "decision_id": [f"d{i}" for i in range(CUSTOMERS)],
        "device": ["ios", "web", None, "fax"] * (CUSTOMERS // 4),
        "basket": [float(i % 9) for i in range(CUSTOMERS)],
        "moon": [i % 4 for i in range(CUSTOMERS)],
    }
    return pa.table({**columns, **more})


def run(business: Business, folder: Path, requests: pa.Table) -> tuple[bulk.Summary, list[dict[str, object]]]:
    pq.write_table(requests, folder / "in.parquet")
    summary = decide_file(business.service, folder / "in.parquet", folder / "out.parquet", now=lambda: NOON)
    return summary, pq.read_table(folder / "out.parquet").to_pylist()


def test_a_file_gets_the_answers_that_its_rows_would_get_one_by_one(folder: Path) -> None:
    summary, rows = run(shop(), folder, table())
    assert summary == bulk.Summary(decided=CUSTOMERS, repeated=0, problems=0)
    alone = shop()
    for i in range(0, CUSTOMERS, 97):
        same = {"device": ["ios", "web", None, "fax"][i % 4], "basket": float(i % 9), "moon": float(i % 4)}
        if i >= CUSTOMERS // 2:  # the customer's first request comes first here too
            alone.decide(f"c{i % (CUSTOMERS // 2)}", id=f"d{i - CUSTOMERS // 2}")
        answer = alone.decide(
            f"c{i % (CUSTOMERS // 2)}", id=f"d{i}", context={k: v for k, v in same.items() if v is not None}
        )
        told = {k: v for k, v in rows[i].items() if k in answer and k != "scores"}
        if i < CUSTOMERS // 2:
            assert told == {k: v for k, v in answer.items() if k != "scores"}


def test_the_same_file_again_gets_the_same_answers(folder: Path) -> None:
    business = shop()
    requests = table().drop_columns(["decision_id"])
    _, first = run(business, folder, requests)
    summary, second = run(business, folder, requests)
    assert summary.repeated == CUSTOMERS
    assert [{**row, "repeated": True} for row in first] == second


class _CutOff:
    """A service that is stopped in its third batch."""

    def __init__(self, business: Business) -> None:
        self._business = business
        self._batches = 0

    def handle(self, commands: list[Command], now: float) -> list[Result]:
        self._batches += 1
        if self._batches == 3:
            raise KeyboardInterrupt
        return self._business.service.handle(commands, now)


def test_a_run_that_was_cut_off_leaves_no_half_file_and_goes_on(folder: Path) -> None:
    business = shop()
    pq.write_table(table(), folder / "in.parquet")
    with pytest.raises(KeyboardInterrupt):
        decide_file(_CutOff(business), folder / "in.parquet", folder / "out.parquet", now=lambda: NOON)  # type: ignore[arg-type]
    assert [path.name for path in folder.iterdir()] == ["in.parquet"]
    summary, _ = run(business, folder, table())
    assert summary == bulk.Summary(decided=CUSTOMERS - 2_000, repeated=2_000, problems=0)


def test_a_row_that_is_wrong_keeps_its_place_with_its_problem(folder: Path) -> None:
    requests = pa.table(
        {
            "customer_id": ["c0", None, "c 2", "c4", "c6"],
            "basket": [1.0, 1.0, 1.0, float("inf"), float("nan")],
            "channels": [None, None, None, None, ["fax"]],
        }
    )
    summary, rows = run(shop(), folder, requests)
    assert (summary.decided, summary.repeated, summary.problems) == (1, 0, 4)
    assert summary.first is not None
    assert summary.first.startswith("row 2: customer_id")
    problems = [row["problem"] for row in rows]
    assert problems[0] is None
    assert [str(p).split(":")[0] for p in problems[1:]] == [
        "customer_id",
        "customer_id",
        "basket",
        "channels[0]",
    ]


@pytest.mark.parametrize(
    ("columns", "field"),
    [
        ({"customer": ["c0"]}, "customer_id"),
        ({"customer_id": [17]}, "customer_id"),
        ({"customer_id": ["c0"], "actions": ["offer"]}, "actions"),
        ({"customer_id": ["c0"], "device": [["ios"]]}, "device"),
    ],
)
def test_a_column_that_cannot_be_is_named(folder: Path, columns: dict[str, list[object]], field: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        run(shop(), folder, pa.table(columns))
    assert raised.value.errors[0].field == field


def test_a_file_that_is_none_is_named(folder: Path) -> None:
    (folder / "in.parquet").write_text("customer_id\nc0\n")
    with pytest.raises(InvalidInput, match="no Parquet file"):
        decide_file(shop().service, folder / "in.parquet", folder / "out.parquet", now=lambda: NOON)


def test_explanations_stand_as_json(folder: Path) -> None:
    _, rows = run(shop(), folder, pa.table({"customer_id": ["c0"], "explain": [True]}))
    assert {a["arm"] for a in orjson.loads(str(rows[0]["alternatives"]))} >= {"no_contact"}


def test_a_request_over_http_and_in_a_file_has_one_digest(folder: Path) -> None:
    business = shop()
    run(business, folder, pa.table({"customer_id": ["c0"], "decision_id": ["d"], "basket": [2]}))
    from nba.requests import digest_of

    digest = digest_of(
        customer_id="c0",
        context={"basket": 2.0},
        actions=None,
        channels=None,
        activate=True,
        explain=False,
        at=None,
    )
    from dataclasses import replace

    asked = replace(request("c0", id="d", context={"basket": 2.0}), digest=digest)
    result = business.one(asked)
    assert isinstance(result, Answer)
    assert result.repeated
