"""Any logged decision can be made again from the log alone, bit for bit."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from nba.artefacts import Artefacts
from nba.errors import NotFound
from nba.live import LiveSource
from nba.model import BroughtAction
from nba.playbook.compile import parse
from nba.policies.artefact import seal
from nba.replay import replay
from nba.service import Service
from nba.stores.open import open_store
from tests.service.business import DAY, NOON, OPEN, Business, consents, event, outcome, trained

TEXT = (
    OPEN.replace("holdout: 0,", "holdout: 0.2,")
    .replace("random_eligible: 0}", "random_eligible: 0.2}")
    .replace("timings: [now], category: news}", "timings: [now], category: news, daily: {contacts: 9}}")
    .replace("contact:\n", "catalogue: {attributes: {price: 10}}\ncontact:\n")
)


@pytest.fixture
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Business, Artefacts, Path]]:
    """A trained policy published for a store on disk; customers in every group."""
    folder = tmp_path_factory.mktemp("shop")
    playbook, artefacts = parse(TEXT), Artefacts(folder / "artefacts")
    sealed = seal(trained(playbook), playbook, data_from=1.0, data_to=2.0, rows=2_000, parameters={})
    with closing(open_store(f"sqlite:///{folder}/nba.db")) as store:
        version = artefacts.write(sealed)
        store.publish(kind="policy", version=version, specification="ridge", at=0.0, who="t", why="t")
        live = LiveSource(playbook=playbook, store=store, artefacts=artefacts, alert=lambda *_: None)
        live.refresh(NOON)
        business = Business(store, Service(store=store, live=live), live)
        business.report(*(consents(f"c{i}") for i in range(60)))
        business.report(*(event(f"c{i}", "purchase", NOON - i * DAY, value=float(i)) for i in range(30)))
        yield business, artefacts, folder


def test_a_decision_made_again_is_the_same_in_every_bit(shop: tuple[Business, Artefacts, Path]) -> None:
    business, artefacts, _ = shop
    brought = (BroughtAction(id="theirs", features=(("price", 4.0),)),)
    made = []
    for i in range(60):
        asked = [
            {},
            {"explain": True},
            {"context": {"device": "ios", "moon": "full"}},
            {"channels": ("push",)},
        ][i % 4]
        made.append(business.decide(f"c{i}", **asked)["decision_id"])  # type: ignore[arg-type]
        again = business.decide(
            f"c{i}", now=NOON + 60, actions=("theirs", "news"), brought=brought, activate=False
        )
        made.append(again["decision_id"])
    business.report(*(outcome("purchase", None, customer_id=f"c{i}", value=3.0) for i in range(60)))
    replayed = [replay(id, business.store, artefacts) for id in made]
    assert [r.differences for r in replayed] == [()] * len(made)
    assert all(r.same_build and r.faithful and r.largest == 0.0 for r in replayed)
    groups = {business.trace(id)["group"] for id in made}
    assert groups == {"treatment", "holdout", "random_eligible"}


def test_a_log_that_was_changed_is_told(shop: tuple[Business, Artefacts, Path]) -> None:
    business, artefacts, folder = shop
    decision = business.decide("c1")["decision_id"]
    with closing(sqlite3.connect(folder / "nba.db")) as connection, connection:
        connection.execute(
            "update decisions set propensity = propensity / 2 where decision_id = ?", [decision]
        )
    replayed = replay(decision, business.store, artefacts)
    assert [d.field for d in replayed.differences] == ["propensity"]
    assert not replayed.faithful


def test_what_is_not_kept_is_named(shop: tuple[Business, Artefacts, Path]) -> None:
    business, artefacts, _ = shop
    with pytest.raises(NotFound, match="there is no decision"):
        replay("nothing", business.store, artefacts)
