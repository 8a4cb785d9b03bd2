"""`nba health`: whether what comes in, is decided and is earned is as it was; and lifting a quarantine."""

from __future__ import annotations

import getpass
import json
import os
import time
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nba.commands.moments import DEFAULT, asked
from nba.commands.options import Artefacts, JsonFile, Playbook, StoreUrl, console, epoch, existing_store
from nba.errors import InvalidInput, NotFound
from nba.stores.ports import Store

if TYPE_CHECKING:
    from training.health.report import HealthReport
    from training.quarantine import Quarantine


def health(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[lift TYPE START]",
            help="Believe outcomes of a type after all; START is any moment in their quarantine, ISO 8601.",
        ),
    ] = None,
    why: Annotated[str | None, typer.Option(help="With lift: for whoever asks later.")] = None,
    who: Annotated[str | None, typer.Option(help="With lift: who does it. Default: you.")] = None,
    playbook: Playbook = Path("playbook.yaml"),
    store: StoreUrl = None,
    artefacts: Artefacts = Path("artefacts"),
    as_of: Annotated[str | None, typer.Option(help=DEFAULT)] = None,
    webhook: Annotated[
        str | None, typer.Option(envvar="NBA_ALERT_WEBHOOK", help="Where what is out of bounds is posted.")
    ] = None,
    json_file: JsonFile = None,
) -> None:
    """Look at inputs, choices, rewards and outcomes of the last days against those before.

    Says what is out of bounds, and which outcomes can't be right; changes nothing. `nba learn` does the same
    by itself, keeps each report and puts such outcomes under quarantine; `nba health lift` takes that back.
    """
    from training.health.alerts import Alerts
    from training.health.notes import latest

    with closing(existing_store(store)) as opened:
        if words:
            _lift(opened, words, why, who)
            return
        secret = os.environ.get("NBA_WEBHOOK_SECRET")
        alerts = None if webhook is None else Alerts(webhook=webhook, secret=secret)
        report = _look(opened, playbook, artefacts, as_of, json_file)
        if alerts is not None:
            alerts.report(report, latest(opened))


def _look(
    store: Store, playbook: Path, artefacts: Path, asked_as_of: str | None, json_file: Path | None
) -> HealthReport:
    from nba.artefacts import Artefacts as Folder
    from nba.playbook.compile import load
    from training import quarantine
    from training.health.examine import examine
    from training.health.show import show
    from training.health.wrong_outcomes import wrong_outcomes
    from training.policy.champion import serving_champion

    book, screen = load(playbook), console()
    as_of = _now(store) if asked_as_of is None else asked(store, asked_as_of, book)
    wrong, standing = wrong_outcomes(store, book, as_of=as_of), quarantine.in_force(store)
    champion = serving_champion(store, Folder(artefacts), book)
    report = examine(store, book, as_of=as_of, policy=champion.policy)
    show(report, standing, screen)
    for found in wrong:
        screen.print(f"can't be right: {found.why}", style="bold red", highlight=False, soft_wrap=True)
    if json_file is not None:
        told = report.to_json() | {"wrong_outcomes": _told(wrong), "quarantined": _told(standing)}
        json_file.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    return report


def _lift(store: Store, words: list[str], why: str | None, who: str | None) -> None:
    from training.health.run import lift

    if len(words) != 3 or words[0] != "lift":
        raise InvalidInput.of("words", "are `lift TYPE START`, or nothing")
    if not why:
        raise InvalidInput.of("why", "is needed: say why these outcomes are believed after all")
    _, type, start = words
    at = _now(store)
    found = lift(store, type, epoch("start", start), at=at, who=who or getpass.getuser(), why=why)
    if not found:
        raise NotFound(f"no quarantine of {type} holds at {start}; `nba health` lists them")
    for q in found:
        typer.echo(f"lifted: {q.why}")


def _now(store: Store) -> float:
    """Raises InvalidInput where the store lives on the request clock and nothing has happened in it."""
    if store.clock == "live":
        return time.time()
    latest = store.latest()
    if latest == float("-inf"):
        raise InvalidInput.of("store", "has neither decisions nor events; serve some first")
    return latest


def _told(quarantines: list[Quarantine]) -> list[dict[str, object]]:
    return [asdict(q) for q in quarantines]
