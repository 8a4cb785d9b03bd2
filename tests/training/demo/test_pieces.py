"""The demo's parts: its folder, its client, its commands, its table of true values."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments.simulate import PLAYBOOK
from nba.errors import CallOperator, InvalidInput
from nba.playbook.compile import load, parse
from training.demo import commands, truth
from training.demo.client import Client
from training.demo.folder import MARK, Folder, without_incumbent


def test_a_folder_that_no_demo_made_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(InvalidInput, match="something else"):
        Folder.anew(tmp_path)
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_a_file_in_the_folders_place_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "demo").write_text("not a folder")
    with pytest.raises(InvalidInput, match="something else"):
        Folder.anew(tmp_path / "demo")


def test_an_earlier_demo_is_replaced(tmp_path: Path) -> None:
    Folder.anew(tmp_path / "demo")
    (tmp_path / "demo" / "nba.db").write_text("old")
    Folder.anew(tmp_path / "demo")
    assert sorted(file.name for file in (tmp_path / "demo").iterdir()) == [MARK, "playbook.yaml"]


def test_a_demo_is_finished_when_it_came_to_its_end_and_not_before(tmp_path: Path) -> None:
    folder = Folder.anew(tmp_path / "demo")
    assert not folder.finished
    folder.finish()
    assert folder.finished
    assert not Folder.anew(tmp_path / "demo").finished


def test_without_the_incumbent_the_playbook_says_the_same_of_all_else(tmp_path: Path) -> None:
    ours, whole = Folder.anew(tmp_path / "demo").load(), load(PLAYBOOK)
    assert whole.spec.incumbent
    added = {name: getattr(ours.spec, name) for name in ("tickets", "triggers", "experiments")}
    assert all(added.values())
    assert ours.spec == whole.spec.model_copy(update={"incumbent": [], **added})
    assert ours.schema.fingerprint == whole.schema.fingerprint


def test_taking_out_the_incumbent_leaves_a_playbook_without_one_as_it_is() -> None:
    text = without_incumbent(PLAYBOOK.read_text(encoding="utf-8"))
    assert without_incumbent(text) == text
    assert not parse(text).incumbent_rules


class _Echo(BaseHTTPRequestHandler):
    """Answers with the body; `no` is refused, and `busy` for two times is asked to come again."""

    asked = 0

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:  # the name that http.server calls
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status = 422 if body == b"no" else 201
        if body == b"busy" and _Echo.asked < 2:
            _Echo.asked, status = _Echo.asked + 1, 429
        self.send_response(status)
        self.send_header("Retry-After", "0")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def echo() -> Iterator[Client]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Echo)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    with closing(Client("127.0.0.1", server.server_address[1], connections=3)) as client:
        yield client
    server.shutdown()
    thread.join()
    server.server_close()


def test_answers_come_in_the_order_of_the_bodies(echo: Client) -> None:
    bodies = [b"%d" % number for number in range(500)]
    heard: list[int] = []
    assert echo.post_all("/", bodies, heard.append) == bodies
    assert sum(heard) == 500
    assert echo.post_all("/", []) == []


def test_a_server_that_has_too_much_to_do_is_asked_again(echo: Client) -> None:
    assert echo.post_all("/", [b"busy", b"yes"]) == [b"busy", b"yes"]
    assert _Echo.asked == 2


def test_a_refusal_ends_the_demo_with_what_the_server_said(echo: Client) -> None:
    with pytest.raises(CallOperator, match="422: no"):
        echo.post_all("/", [b"yes", b"no"])


def test_a_command_that_fails_ends_the_demo_with_the_end_of_its_log(tmp_path: Path) -> None:
    folder = Folder.anew(tmp_path / "demo")
    with pytest.raises(CallOperator, match=r"ended with 2:(.|\n)*there is no such file"):
        commands.run(folder, "ingest", "ingest", "nowhere.parquet")


def test_a_server_that_can_not_start_is_told_with_the_end_of_its_log(tmp_path: Path) -> None:
    folder = Folder.anew(tmp_path / "demo")
    folder.playbook.write_text("name: [")
    with pytest.raises(CallOperator, match=r"did not come up:(.|\n)*playbook"), commands.serving(folder):
        raise AssertionError("it came up")


def test_the_server_is_gone_after_its_block_however_it_ends(tmp_path: Path) -> None:
    folder, served = Folder.anew(tmp_path / "demo"), []

    def interrupted() -> None:
        with commands.serving(folder) as address, closing(Client(*address, connections=1)) as client:
            served.append(address)
            assert client.post_all("/v1/outcomes", [b'{"outcomes": []}'])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    with closing(Client(*served[0], connections=1)) as client, pytest.raises(CallOperator, match="gone"):
        client.post_all("/v1/outcomes", [b'{"outcomes": []}'])


def test_regret_closed_is_the_share_of_the_way_from_uniform_to_the_oracle() -> None:
    rng = np.random.default_rng(1)
    uniform, room = rng.normal(5, 3, 1_000), rng.normal(2, 0.5, 1_000)
    none, half, all_ = (truth.Closed.of(uniform + s * room, uniform, uniform + room) for s in (0.0, 0.5, 1.0))
    assert (none.share, all_.share) == (0.0, 1.0)
    assert half.share == pytest.approx(0.5)
    assert half.low == pytest.approx(0.5)  # every customer gained the same share


def test_the_interval_of_the_regret_closed_covers_it() -> None:
    """400 samples of 300 customers; a correct 95 % interval covers fewer than 92 % once in 200 times."""
    rng, covered = np.random.default_rng(2), 0
    for _ in range(400):
        uniform, room = rng.normal(5, 3, 300), rng.gamma(2.0, 1.0, 300)
        gain = 0.3 * room + rng.normal(0, 1, 300)
        closed = truth.Closed.of(uniform + gain, uniform, uniform + room)
        covered += closed.low <= 0.3 <= closed.high
    assert covered >= 0.92 * 400


def test_the_oracle_is_worth_most_and_closes_all_of_the_regret() -> None:
    judges = truth.Judges.of(load(PLAYBOOK), None, customers=300, days=40, weeks=2, seed=4)
    heard: list[int] = []
    rows = truth.table(judges, [], heard.append)
    written = {row["name"]: row for row in truth.as_json(rows)}
    assert list(written) == [truth.UNIFORM, truth.SINGLE, truth.INCUMBENT, truth.ORACLE]
    assert sum(heard) == truth.steps(0)
    steps = {name: row["one_step"]["value"] for name, row in written.items()}
    assert steps[truth.ORACLE] == max(steps.values())
    assert written[truth.ORACLE]["regret_closed"]["share"] == 1.0
    assert written[truth.UNIFORM]["regret_closed"]["share"] == 0.0
    assert all(row["low"] < row["value"] < row["high"] for row in written.values())
