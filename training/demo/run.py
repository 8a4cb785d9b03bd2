"""The demo from end to end: history → ingest → train → serve → lives → retrain, twice → reports → truth."""

from __future__ import annotations

import http.client
import json
import sys
import time
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from experiments.simulate import PLAYBOOK, World, day_start, history
from nba.artefacts import Artefacts
from nba.errors import CallOperator
from nba.journey.scores import ScoreModels, unseal_scores
from nba.playbook.compile import Playbook, load
from nba.policies.artefact import unseal
from nba.policies.policy import Policy
from nba.stores.open import open_store
from training.demo import truth
from training.demo.care import Care
from training.demo.client import Client
from training.demo.commands import run as nba
from training.demo.commands import serving
from training.demo.folder import Folder
from training.demo.lives import WEEK, Lives, iso
from training.demo.past import past
from training.demo.telling import Telling
from training.demo.understanding import understand

_SWAP_SECONDS = 30.0
CONSOLE = "http://127.0.0.1:8080/console"  # where `make up` serves it
NAMES = ("first policy", "retrained policy")


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How large a demo.

    Attributes:
        customers: who live through the API; each is decided for once a week.
        history: days on record before the start.
        pilot: weeks in which chance decides. weeks: that the first policy then serves, before it is
            retrained. last: that what serves from then on is watched.
        judges: other customers, on whom true values are measured over `truth` weeks.
        learner: what `nba retrain` is told: one, for the sake of time, and since a second retraining is
            then a refresh of the first.
        seed: of the world. The draws of the server's policies are its store's own.
    """

    customers: int = 8_000
    history: int = 120
    pilot: int = 3
    weeks: int = 2
    last: int = 1
    judges: int = 5_000
    truth: int = 8
    learner: str = "boosted"
    seed: int = 1


def demo(directory: Path, size: Size, tell: Telling) -> dict[str, Any]:
    """Run it all; what comes back is the demo's JSON.

    Raises:
        InvalidInput: the directory holds something else.
        CallOperator: a command or the server failed; the detail has the end of its log.
    """
    began = time.monotonic()
    folder = Folder.anew(directory, starts=_at(WEEK * size.pilot))
    lives, trained = _prepare(folder, size, tell)
    retrained = _serve(folder, lives, size, tell)
    understood = understand(folder, _at(WEEK * size.pilot), _at(lives.day), size.seed, tell)
    policies = _truth(folder, retrained, size, tell)
    folder.finish()
    return {
        "decisions": lives.decisions,
        "retrains": len(retrained),
        "policies": policies,
        "promoted": sum(found["published"] is not None for found in retrained),
        "currency": folder.load().spec.currency,
        "truth_weeks": size.truth,
        "judged_customers": size.judges,
        "size": asdict(size),
        "retrainings": retrained,
        "experiment": understood["experiment"],
        "models": trained["models"],
        "journey_map": str(folder.path / "journey.html"),
        "personas": understood["segments"],
        "feedback": understood["feedback"],
        "tickets": understood["tickets"],
        "console": CONSOLE,
        "mlflow": f"{Path(sys.executable).with_name('mlflow')} ui --backend-store-uri {folder.tracking}",
        "directory": str(folder.path),
        "seconds": time.monotonic() - began,
    }


def _prepare(folder: Folder, size: Size, tell: Telling) -> tuple[Lives, dict[str, Any]]:
    """What there is before the first decision: history, scores, an empty store on the request clock."""
    with tell.step(f"simulate {size.history} days of {size.customers:,} customers"):
        world = World.create(size.seed, size.customers)
        recorded = history(world, size.history, size.seed)
        past(world, recorded, size.history).write_parquet(folder.record)
    open_store(folder.store, "request").close()
    now = ("--as-of", _at(0))
    with tell.step("nba ingest"):
        found = nba(folder, "ingest", "ingest", str(folder.record), *now)
        tell.say(f"{found['accepted']:,} rows of history")
    with tell.step("nba train"):
        trained = nba(folder, "train", "train", *now)
    outcomes = tuple(folder.load().spec.objectives.outcomes)
    care = Care(world, size.seed)
    return Lives(world, recorded.state, outcomes, size.seed, care=care), trained


def _serve(folder: Folder, lives: Lives, size: Size, tell: Telling) -> list[dict[str, Any]]:
    """Pilot, first policy, retrained policy, each lived through the API. The retrainings' JSON."""
    retrained: list[dict[str, Any]] = []
    with serving(folder) as address:
        tell.say(
            f"nba serve on http://{address[0]}:{address[1]}, on the request clock; nothing is trained yet"
        )
        _live(lives, address, size.pilot, "chance decides", tell)
        for weeks in (size.weeks, size.last):
            found = _retrain(folder, lives, len(retrained) + 1, size, tell)
            retrained.append(found)
            who = found["champion"]
            if found["published"]:
                who = f"{found['specification']}@{found['published']['number']}"
                _wait(address, found["published"]["number"])
            _live(lives, address, weeks, f"{who} decides", tell)
    return retrained


def _live(lives: Lives, address: tuple[str, int], weeks: int, who: str, tell: Telling) -> None:
    earned, decided, began = lives.reward, lives.decisions, time.monotonic()
    title = f"{weeks} {'week' if weeks == 1 else 'weeks'} of customers through the API: {who}"
    with closing(Client(*address)) as client, tell.step(title, total=lives.customers * weeks) as advance:
        lives.live(client, WEEK * weeks, advance)
    decided, seconds = lives.decisions - decided, time.monotonic() - began
    each = (lives.reward - earned) / decided
    tell.say(
        f"{decided:,} decisions, {decided / seconds:,.0f} a second with all that came of them; "
        f"{each:.2f} a customer and week"
    )


def _retrain(folder: Folder, lives: Lives, number: int, size: Size, tell: Telling) -> dict[str, Any]:
    options = ("--as-of", _at(lives.day), "--learner", size.learner)
    with tell.step(f"nba retrain {' '.join(options)}"):
        found = nba(folder, f"retrain-{number}", "retrain", *options)
    tell.retrained(found)
    return found


def _wait(address: tuple[str, int], number: int) -> None:
    """Until the server serves this publication. Raises CallOperator where it does not come to it."""
    deadline = time.monotonic() + _SWAP_SECONDS
    while time.monotonic() < deadline:
        connection = http.client.HTTPConnection(*address, timeout=_SWAP_SECONDS)
        with closing(connection):
            connection.request("GET", "/v1/policy")
            if json.loads(connection.getresponse().read()).get("number") == number:
                return
        time.sleep(0.1)
    raise CallOperator(f"the server did not take up publication {number}; see serve.log")


def _truth(
    folder: Folder, retrained: list[dict[str, Any]], size: Size, tell: Telling
) -> list[dict[str, Any]]:
    """The policies that were made, and those they have to beat, on other customers."""
    book = folder.load()
    with tell.step("true values, on other customers", total=truth.steps(len(retrained))) as advance:
        judges = truth.Judges.of(
            load(PLAYBOOK),
            _scores(folder, book),
            customers=size.judges,
            days=size.history,
            weeks=size.truth,
            seed=size.seed + 1,
        )
        learned = [
            (name, _policy(folder, book, found["version"]), _note(found))
            for name, found in zip(NAMES, retrained, strict=True)
        ]
        return truth.as_json(truth.table(judges, learned, advance))


def _policy(folder: Folder, playbook: Playbook, version: str) -> Policy:
    return unseal(Artefacts(folder.artefacts).read(version), playbook)


def _scores(folder: Folder, playbook: Playbook) -> ScoreModels:
    with closing(open_store(folder.store)) as store:
        version = store.serving()["scores"].version
    return unseal_scores(Artefacts(folder.artefacts).read(version), playbook.schema)


def _note(found: dict[str, Any]) -> str:
    published = found["published"]
    if published:
        return f"{published['specification']}@{published['number']}, as served"
    return f"{found['specification']}, refused by the gate"


def _at(day: int) -> str:
    return iso(day_start(day))
