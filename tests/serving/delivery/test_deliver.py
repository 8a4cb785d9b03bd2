"""`nba deliver` as a process, and dead letters by `nba outbox`, on a store that processes share."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog
from typer.testing import CliRunner

from nba.cli import build
from nba.errors import Busy, InvalidInput
from nba.playbook.compile import parse
from nba.stores.memory import MemoryStore
from nba.stores.open import open_store
from nba.stores.ports import OutboxRow, Store
from serving.delivery.process import LEASE
from serving.delivery.wiring import targets
from tests.serving.delivery.receiver import SECRET, Receiver, receiving
from tests.serving.running import ROOT, SAMPLE

DELIVER = "import typer; from serving.commands.deliver import deliver; typer.run(deliver)"
TARGET = """
deliver:
  webhooks:
    orchestrator: {url: TEST_URL, secret: TEST_SECRET, retries: {tries: 2, pause: 0.05s, timeout: 10s}}
"""
PLAYBOOK = SAMPLE.read_text() + TARGET


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    with receiving() as one:
        for name, value in (("TEST_URL", one.url), ("TEST_SECRET", SECRET), ("NO_PROXY", "127.0.0.1")):
            monkeypatch.setenv(name, value)
        yield one


@pytest.fixture(autouse=True)
def _logs() -> Iterator[None]:
    """What a command sets up for its process, these tests' own is to forget."""
    handlers = logging.getLogger().handlers
    yield
    structlog.reset_defaults()
    logging.getLogger().handlers = handlers


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "playbook.yaml").write_text(PLAYBOOK)
    return tmp_path


def filled(folder: Path, count: int) -> Store:
    store = open_store(f"sqlite:///{folder}/nba.db")
    with store.transaction() as transaction:
        surrogate = transaction.customers(["c-1"])["c-1"].surrogate
        rows = [
            OutboxRow(
                id=f"m-{i}",
                type="ticket.opened",
                surrogate=surrogate,
                decision_id="",
                at=time.time(),
                body=b"{}",
            )
            for i in range(count)
        ]
        transaction.append_outbox(rows)
    return store


def started(folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", DELIVER, "--every", "0.02"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=(folder / "stderr.txt").open("ab"),
    )


def wait_for(true: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not true():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_a_deliverer_that_is_killed_in_the_middle_loses_nothing(folder: Path, receiver: Receiver) -> None:
    """Between what the target took and what the store knows of it: that much may come twice."""
    store = filled(folder, 80)
    receiver.delay = 0.02
    first = started(folder)
    wait_for(lambda: len(receiver.taken) >= 10)
    first.kill()
    first.wait()
    assert len(set(receiver.ids)) < 80
    second = started(folder)
    try:
        wait_for(lambda: len(set(receiver.ids)) == 80)
        wait_for(lambda: store.delivered("webhook.orchestrator") == 80)
        assert list(dict.fromkeys(receiver.ids)) == [f"m-{i}" for i in range(80)]
        assert receiver.forged == 0
    finally:
        second.terminate()
        assert second.wait(20) == 0
        store.close()
    log = (folder / "stderr.txt").read_text()
    assert SECRET not in log
    assert "token" not in log


def nba(*arguments: str) -> str:
    result = CliRunner().invoke(build(), arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_what_is_tried_again_is_no_dead_letter_and_is_told(
    folder: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "playbook.yaml").write_text(PLAYBOOK.replace("pause: 0.05s", "pause: 1h"))
    filled(folder, 1).close()
    monkeypatch.chdir(folder)
    receiver.moods = {"m-0": "refuses"}
    nba("deliver", "--once")
    assert "it answered 422" in nba("outbox", "list", "--waiting")
    assert nba("outbox", "list") == (
        "there are no dead letters\n"
        "1 more have failed and are tried again by themselves: nba outbox list --waiting\n"
    )


def test_dead_letters_are_listed_and_sent_again(
    folder: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "playbook.yaml").write_text(PLAYBOOK.replace("tries: 2", "tries: 1"))
    filled(folder, 2).close()
    monkeypatch.chdir(folder)
    receiver.moods = {"m-0": "refuses"}
    nba("deliver", "--once")
    assert "ticket.opened" in nba("outbox", "list")
    receiver.moods = {}
    assert nba("outbox", "resend", "1") == "1 are sent again by `nba deliver`\n"
    nba("deliver", "--once")
    assert receiver.ids == ["m-1", "m-0"]
    assert nba("outbox", "list") == "there are no dead letters\n"


@pytest.mark.parametrize("arguments", [("resend",), ("resend", "7"), ("resend", "7", "--all")])
def test_what_is_not_there_can_not_be_sent_again(
    folder: Path, arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(folder, 1).close()
    monkeypatch.chdir(folder)
    with pytest.raises(InvalidInput):
        CliRunner().invoke(build(), ("outbox", *arguments), catch_exceptions=False)


@pytest.mark.parametrize(
    "url",
    ["", "not an address", "ftp://host/x", "http://", "http://ho st/", "//host/", "http://[1", "https:/x"],
)
def test_an_address_that_is_none_is_told_by_its_variable_and_not_repeated(url: str) -> None:
    book = parse(PLAYBOOK)
    with pytest.raises(InvalidInput) as raised:
        targets(MemoryStore(), book, {"TEST_URL": url, "TEST_SECRET": "short"})
    fields = [error.field for error in raised.value.errors]
    assert fields == [
        "TEST_URL (deliver.webhooks.orchestrator.url)",
        "TEST_SECRET (deliver.webhooks.orchestrator.secret)",
    ]
    assert not any(part in str(raised.value) for part in ("not an", "ftp", "ho st", "//host", "[1"))
    assert "short" not in str(raised.value)


def test_a_playbook_without_targets_has_nothing_to_deliver_to() -> None:
    with pytest.raises(InvalidInput, match=r"docs/triggers\.md"):
        targets(MemoryStore(), parse(SAMPLE.read_text()), {})


def test_a_second_deliverer_waits_for_the_lease_of_the_first(
    folder: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = filled(folder, 1)
    assert store.lease(LEASE, "another", time.time(), 60.0) is not None
    store.close()
    monkeypatch.chdir(folder)
    with pytest.raises(Busy):
        CliRunner().invoke(build(), ("deliver", "--once"), catch_exceptions=False)
    assert receiver.asked == []
