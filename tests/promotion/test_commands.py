"""`nba promote`, `nba rollback` and `nba audit`: what they change, check and print."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from nba.artefacts import Artefacts
from nba.cli import main
from nba.playbook.compile import parse
from nba.policies.artefact import seal
from nba.policies.served import ConstantPolicy
from nba.stores.open import open_store
from nba.stores.ports import Clock, Publication
from tests.service.business import OPEN

NOON = "2026-11-21T12:00:00Z"
NOON_SECONDS = 1_795_262_400.0


@dataclass(frozen=True)
class Told:
    code: int
    out: str
    err: str


Run = Callable[..., Told]


class Shop:
    """A working directory with a playbook, a store and policies that each always choose one arm."""

    def __init__(self, folder: Path, clock: Clock = "live") -> None:
        self.artefacts = Artefacts(folder / "artefacts")
        self.url = f"sqlite:///{folder / 'nba.db'}"
        (folder / "playbook.yaml").write_text(OPEN)
        open_store(self.url, clock).close()

    def challenger(self, arm: int, text: str = OPEN) -> str:
        """Publish one; the hash of its artefact."""
        playbook = parse(text)
        policy = ConstantPolicy.of(playbook, arm)
        artefact = seal(policy, playbook, data_from=None, data_to=None, rows=0, parameters={})
        store = open_store(self.url)
        store.publish(
            kind="challenger",
            version=self.artefacts.write(artefact),
            specification="constant",
            at=NOON_SECONDS,
            who="bo",
            why="new",
        )
        store.close()
        return artefact.version

    def audit(self) -> list[Publication]:
        store = open_store(self.url)
        try:
            return store.audit()
        finally:
            store.close()


@pytest.fixture
def nba(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the command line in the shop's folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NBA_STORE_URL", raising=False)

    def run(*arguments: str) -> Told:
        monkeypatch.setattr(sys, "argv", ["nba", *arguments])
        with pytest.raises(SystemExit) as exit_:
            main()
        told = capsys.readouterr()
        return Told(code=int(exit_.value.code or 0), out=told.out, err=told.err)

    return run


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def test_a_policy_goes_up_its_ramp_becomes_champion_and_is_rolled_back(shop: Shop, nba: Run) -> None:
    shop.challenger(1)
    shop.challenger(2)
    assert nba("promote", "constant@1", "--why", "first").out == (
        "now serves: constant@1; constant@2 looks on\n"
    )
    ramp = nba("promote", "challenger", "--share", "0.05", "--why", "second", "--who", "ada")
    assert ramp.out == "now serves: constant@1; constant@2 for a share of 0.05; constant@2 looks on\n"
    assert nba("promote", "ramp", "--why", "good").out == "now serves: constant@2\n"
    assert nba("rollback", "--why", "complaints").out == "now serves: constant@1\n"
    assert nba("rollback", "--why", "more").out == "now serves: the fallback, nothing trained\n"
    assert nba("rollback", "--to", "constant@2", "--why", "sorry").out == "now serves: constant@2\n"
    entries = [(p.kind, p.name, p.share, p.why) for p in shop.audit()]
    assert entries == [
        ("challenger", "constant@1", 1.0, "new"),
        ("challenger", "constant@2", 1.0, "new"),
        ("policy", "constant@1", 1.0, "first"),
        ("ramp", "constant@2", 0.05, "second"),
        ("policy", "constant@2", 1.0, "good"),
        ("ramp", "constant@2", 0.0, "good"),
        ("challenger", "constant@2", 0.0, "good"),
        ("policy", "constant@1", 1.0, "complaints"),
        ("policy", "fallback@9", 1.0, "more"),
        ("policy", "constant@2", 1.0, "sorry"),
    ]
    assert shop.audit()[3].who == "ada"
    assert json.loads(shop.audit()[7].evidence) == {"rule": "by hand", "rolled_back": "constant@2"}


def test_who_asks_is_the_systems_user_by_default(
    shop: Shop, nba: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", "grace")
    shop.challenger(1)
    assert nba("promote", "challenger", "--why", "first").code == 0
    assert shop.audit()[-2].who == "grace"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["promote", "constant@1"], "--why"),
        (["rollback"], "--why"),
        (["promote", "constant@1", "--why", " "], "nba: why: must say something"),
        (["promote", "constant@7", "--why", "x"], "nba: name: there is no policy 'constant@7'; near are"),
        (["promote", "champion", "--why", "x"], "nba: name: there is no champion now"),
        (["promote", "constant@1", "--why", "x", "--share", "2"], "nba: share: must be above 0"),
        (["promote", "constant@1", "--why", "x", "--as-of", NOON], "nba: as-of: is for stores on the req"),
        (["promote", "constant@1", "--why", "x", "--artefacts", "no"], "nba: artefacts: no has no const"),
        (["promote", "constant@1", "--why", "x", "--store", "no.db"], "nba: store: there is none"),
        (["rollback", "--why", "x"], "nba: to: fallback serves already"),
        (
            ["rollback", "--why", "x", "--to", "constant@1"],
            "nba: to: constant@1 was published, as challenger, but never served everybody; former champions: "
            "none; `nba promote` lets it serve",
        ),
        (["rollback", "--why", "x", "--to", "constnt@3"], "there never was one"),
        (["rollback", "--why", "x", "--to", "fallbak"], "near are fallback"),
        (["promote", "champio", "--why", "x"], "there is no policy 'champio'; near are champion"),
    ],
)
def test_what_can_not_be_done_is_told_and_changes_nothing(
    shop: Shop, nba: Run, arguments: list[str], told: str
) -> None:
    shop.challenger(1)
    wrong = nba(*arguments)
    assert wrong.code == 2
    assert told in wrong.err
    assert len(shop.audit()) == 1


def test_a_policy_that_does_not_fit_the_playbook_is_not_promoted(shop: Shop, nba: Run) -> None:
    shop.challenger(1, text=OPEN.replace("basket: number", "cart: number"))
    wrong = nba("promote", "challenger", "--why", "x")
    assert wrong.code == 4
    assert "was trained on the features" in wrong.err
    assert len(shop.audit()) == 1


@pytest.mark.parametrize("command", ["promote", "rollback"])
def test_damaged_bytes_are_neither_promoted_nor_rolled_back_to(shop: Shop, nba: Run, command: str) -> None:
    version = shop.challenger(1)
    shop.challenger(2)
    assert nba("promote", "constant@1", "--why", "x").code == 0
    assert nba("promote", "constant@2", "--why", "x").code == 0
    count = len(shop.audit())
    file = shop.artefacts.path(version) / "policy.json"
    file.write_bytes(file.read_bytes().replace(b"{", b"[", 1))
    wrong = nba(command, *(["constant@1"] if command == "promote" else []), "--why", "x")
    assert wrong.code == 4
    assert "bytes that don't match" in wrong.err
    assert len(shop.audit()) == count
    assert nba("rollback", "--to", "fallback", "--why", "x").code == 0


def test_on_the_request_clock_it_is_the_stores_latest_moment_or_the_one_given(
    tmp_path: Path, nba: Run
) -> None:
    shop = Shop(tmp_path, clock="request")
    shop.challenger(1)
    assert nba("promote", "challenger", "--why", "x").code == 0
    assert shop.audit()[-1].published_at == NOON_SECONDS
    assert nba("rollback", "--why", "x", "--as-of", "2026-11-22T12:00:00Z").code == 0
    assert shop.audit()[-1].published_at == NOON_SECONDS + 86_400
    assert nba("rollback", "--to", "constant@1", "--why", "x", "--as-of", "soon").code == 2


def test_in_apprentice_mode_it_is_said_who_decides(shop: Shop, nba: Run, tmp_path: Path) -> None:
    incumbent = "mode: apprentice\nincumbent: [{when: 'true', action: news, channel: email, timing: now}]\n"
    (tmp_path / "playbook.yaml").write_text(OPEN + incumbent)
    shop.challenger(1)
    told = nba("promote", "challenger", "--why", "x")
    assert told.out == "now serves: constant@1; in apprentice mode the incumbent decides\n", told.err


def test_the_audit_is_a_table_and_json(shop: Shop, nba: Run, tmp_path: Path) -> None:
    assert nba("audit").out == "nothing was published yet\n"
    shop.challenger(1)
    nba("promote", "challenger", "--why", "[bold]better", "--who", "ada")
    lines = nba("audit", "--json", "audit.json").out.splitlines()
    assert lines[0].split() == ["number", "kind", "name", "share", "when", "who", "why"]
    assert lines[1].split() == ["1", "challenger", "constant@1", "1", NOON, "bo", "new"]
    assert lines[2].split()[:4] == ["2", "policy", "constant@1", "1"]
    assert lines[2].split()[5:] == ["ada", "[bold]better"]
    assert len(lines) == 4
    rows = json.loads((tmp_path / "audit.json").read_text())
    assert [row["number"] for row in rows] == [1, 2, 3]
    assert rows[1] | {"at": "", "version": ""} == {
        "number": 2,
        "kind": "policy",
        "name": "constant@1",
        "origin": 1,
        "version": "",
        "share": 1.0,
        "at": "",
        "who": "ada",
        "why": "[bold]better",
        "evidence": {"rule": "by hand"},
    }
    assert [line.split()[0] for line in nba("audit", "--last", "1").out.splitlines()[1:]] == ["3"]
