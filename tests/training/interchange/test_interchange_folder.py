"""A log that goes out as Parquet and comes into another store is the same log."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from experiments.ope import LoggedBatch, estimate
from nba.artefacts import Artefacts
from nba.errors import InvalidInput, NotFound, SchemaMismatch
from nba.model import BroughtAction, Erased, Erasure
from nba.playbook.compile import Playbook
from nba.replay import replay
from nba.stores.open import open_store
from nba.stores.ports import Store
from tests.service.business import DAY, NOON, OPEN, Business, consents, event, outcome, playbooks
from tests.service.stories import in_batches, stories
from tests.training.interchange.logs import (
    decisions,
    displace,
    empty,
    same_arrays,
    shop,
    touchpoints,
    without_customer,
)
from training.ingest.quarantine import Quarantine
from training.interchange import export as exporting
from training.interchange.columns import FEATURE
from training.interchange.export import export
from training.interchange.manifest import NAME, digest, read
from training.interchange.parts import Wanted
from training.interchange.receive import Received, receive
from training.policy.log import DecisionLog, read_log
from training.rewards.recompute import recompute


def bring(store: Store, folder: Path) -> Received:
    refused = Quarantine(folder.with_name("quarantine.jsonl"))
    try:
        received = receive(store, folder, read(folder), refused)
        refused.publish()
    finally:
        refused.discard()
    return received


def table(folder: Path) -> pl.DataFrame:
    return pl.concat(
        [pl.read_parquet(path) for path in sorted((folder / "decisions").glob("*.parquet"))], how="diagonal"
    )


def rewrite(folder: Path, name: str, change: pl.DataFrame) -> None:
    """Put a changed table in place, and its hash into the manifest: a writer that is wrong, not a disk."""
    path = folder / name
    pq.write_table(change.to_arrow().cast(pq.read_schema(path)), path)
    manifest = json.loads((folder / NAME).read_text())
    for file in manifest["files"]:
        if file["path"] == name:
            file["sha256"] = digest(path)
    (folder / NAME).write_text(json.dumps(manifest))


def dr(log: DecisionLog) -> tuple[float, float]:
    """The DR value of always taking the last eligible arm, with a reward model of means by arm."""
    log = log.where(log.mature)
    k = log.odds.shape[1]
    means = np.array([log.reward[log.arm == a].mean() if (log.arm == a).any() else 0.0 for a in range(k)])
    target = np.zeros_like(log.odds)
    target[np.arange(len(log)), k - 1 - np.argmax(log.eligible[:, ::-1], axis=1)] = 1.0
    batch = LoggedBatch(
        reward=log.reward,
        arm=log.arm,
        propensity=log.propensity,
        target=target,
        q_hat=np.tile(means, (len(log), 1)),
        customer=log.customer,
    )
    found = estimate("ips", batch, level=0.95), estimate("dr", batch, level=0.95)
    return found[1].value, found[1].stderr


def test_an_imported_log_is_learned_from_and_judged_as_the_first(tmp_path: Path) -> None:
    business, as_of = shop()
    displace(business.store, [row.decision_id for row in decisions(business.store) if row.channel][:5])
    book = business.live.current.playbook
    manifest = export(business.store, book, tmp_path / "log", Wanted(as_of=as_of))
    store = empty()
    received = bring(store, tmp_path / "log")
    assert manifest.counts["decisions"] == received.decisions.accepted == 240
    assert manifest.counts["mature"] == 120
    first, again = (read_log(s, book, as_of=as_of) for s in (business.store, store))
    same_arrays(first, again)
    assert dr(again) == pytest.approx(dr(first), rel=0, abs=1e-12)
    assert [without_customer(r) for r in decisions(store)] == [
        without_customer(r) for r in decisions(business.store)
    ]


drawn = settings(
    max_examples=12,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),  # shrinking takes minutes
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


@drawn
@given(st.data())
def test_any_log_comes_through_whole(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Drawn playbooks with experiments, held decisions, all groups: every field but digest and customer."""
    playbook: Playbook = data.draw(playbooks(trying=data.draw(st.booleans())))
    commands = data.draw(stories(size=20))
    business = Business.of(playbook)
    for batch in in_batches(commands, [8]):
        business.service.handle(batch, NOON)
    folder = tmp_path_factory.mktemp("out") / "log"
    logged = decisions(business.store)
    wanted = Wanted(as_of=NOON + 400 * DAY)
    if not logged:
        with pytest.raises(InvalidInput, match="has no such decisions"):
            export(business.store, playbook, folder, wanted)
        return
    export(business.store, playbook, folder, wanted)
    store = empty()
    received = bring(store, folder)
    assert received.first is None
    assert [without_customer(r) for r in decisions(store)] == [without_customer(r) for r in logged]
    kept = [t for t in touchpoints(business.store) if t.type not in ("consent", "profile", "identify")]
    facts = [
        (t.source, t.id, t.surrogate, t.type, t.channel, t.occurred_at, t.value, t.decision_id) for t in kept
    ]
    assert facts == [
        (t.source, t.id, t.surrogate, t.type, t.channel, t.occurred_at, t.value, t.decision_id)
        for t in touchpoints(store)
        if not t.id.startswith("displaced-")
    ]
    again = bring(store, folder)
    assert again.decisions.accepted == again.touchpoints.accepted == 0
    assert again.decisions.duplicates == len(logged)


@pytest.mark.parametrize("slab", [7, 1_000])
def test_the_rewards_in_the_file_are_those_of_recompute_whatever_the_slab(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, slab: int
) -> None:
    business, as_of = shop(customers=60)
    business.report(outcome("not_sent", NOON + DAY, decision_id="c3.0"))
    displace(business.store, ["c5.0"])
    book = business.live.current.playbook
    monkeypatch.setattr(exporting, "SLAB", slab)
    export(business.store, book, tmp_path / "log", Wanted(as_of=as_of))
    columns = ["decision_id", "reward", "mature", "overlaps"]
    found = table(tmp_path / "log").sort("decision_id").select(columns)
    known = recompute(business.store, book, as_of=as_of).frame.sort("decision_id").select(columns)
    assert found.drop("reward").equals(known.drop("reward").cast({"overlaps": pl.Int64}))
    assert found["reward"].null_count() == known["reward"].null_count() == 60
    np.testing.assert_allclose(found["reward"].to_numpy(), known["reward"].to_numpy(), rtol=0, atol=1e-12)


def test_no_customer_and_no_text_of_theirs_is_in_any_file(tmp_path: Path) -> None:
    business = Business.of(OPEN)
    business.report(
        consents("marie-curie"), event("marie-curie", "comment", NOON - 60, properties={"text": "sec ret"})
    )
    business.report(event("marie-curie", "profile", NOON - 50, properties={"age": 66, "shoe": "size-41"}))
    business.report(
        event("marie-curie", "identify", NOON - 40, properties={"kind": "mail", "value": "m@curie.fr"})
    )
    business.decide("marie-curie", NOON, context={"device": "ios"}, explain=True)
    folder = tmp_path / "log"
    export(business.store, business.live.current.playbook, folder, Wanted(as_of=NOON + DAY))
    for path in folder.rglob("*"):
        if path.suffix == ".parquet":
            text = pl.read_parquet(path).write_json()
        elif path.is_file():
            text = path.read_text()
        else:
            continue
        for secret in ("curie", "sec ret", "size-41", "shoe", business.store.secret.hex()):
            assert secret not in text, path


def test_features_are_named_columns_and_null_where_not_known(tmp_path: Path) -> None:
    business = Business.of(OPEN)
    business.report(consents("c1"))
    business.decide("c1", NOON, context={"device": "web", "basket": 2.5})
    business.decide("c1", NOON + 1, actions=("theirs", "news"), brought=(BroughtAction(id="theirs"),))
    export(business.store, business.live.current.playbook, tmp_path / "log", Wanted(as_of=NOON + DAY))
    found = table(tmp_path / "log")
    assert found[f"{FEATURE}device"].to_list() == ["web", None]
    assert found[f"{FEATURE}basket"].to_list() == [2.5, None]
    assert found[f"{FEATURE}stage"].to_list() == ["visitor", "visitor"]
    assert any(arm.startswith("theirs/") for arm in found["eligible"][1])
    assert found["odds"].list.sum().to_list() == pytest.approx([1.0, 1.0])


def test_a_killed_export_leaves_no_folder_that_looks_whole(tmp_path: Path) -> None:
    """Killed while it writes decisions, by its own progress."""
    code = f"""
import os, signal
from pathlib import Path
from tests.training.interchange.logs import shop
from training.interchange.export import export
from training.interchange.parts import Wanted
business, as_of = shop(customers=30)
die = lambda _: os.kill(os.getpid(), signal.SIGKILL)
book, target = business.live.current.playbook, Path({str(tmp_path / "log")!r})
export(business.store, book, target, Wanted(as_of=as_of), progress=die)
"""
    died = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[3], capture_output=True)
    assert died.returncode == -signal.SIGKILL, died.stderr
    (left,) = tmp_path.iterdir()
    assert left.name.endswith(".unfinished")
    assert not list(left.rglob(NAME))
    with pytest.raises(InvalidInput, match="no whole export"):
        read(left)


def test_groups_and_times_narrow_decisions_and_the_touchpoints_of_others_stay(tmp_path: Path) -> None:
    business, as_of = shop()
    book = business.live.current.playbook
    wanted = Wanted(as_of=as_of, since=NOON + DAY, groups=("holdout",))
    export(business.store, book, tmp_path / "log", wanted)
    found = table(tmp_path / "log")
    assert set(found["group"]) == {"holdout"}
    assert float(found["decided_at"].min()) >= NOON + DAY  # type: ignore[arg-type]
    heard = pl.read_parquet(tmp_path / "log" / "touchpoints")
    assert set(heard["surrogate"]) <= set(found["surrogate"])
    assert len(heard)
    with pytest.raises(InvalidInput, match="treatment, random_eligible, holdout"):
        Wanted(as_of=as_of, groups=("everyone",))
    with pytest.raises(InvalidInput, match="is there already"):
        export(business.store, book, tmp_path / "log", wanted)


def test_what_is_not_as_it_was_written_is_told_before_anything_is_imported(tmp_path: Path) -> None:
    business, as_of = shop(customers=20)
    folder = tmp_path / "log"
    export(business.store, business.live.current.playbook, folder, Wanted(as_of=as_of))
    part = folder / "decisions" / "00000.parquet"
    good = part.read_bytes()
    part.write_bytes(good[:-1] + b"?")
    (folder / "more.csv").write_text("x")
    with pytest.raises(InvalidInput) as told:
        read(folder)
    assert [error.field for error in told.value.errors] == ["decisions/00000.parquet", "more.csv"]
    part.write_bytes(good)
    (folder / "more.csv").unlink()
    manifest = json.loads((folder / NAME).read_text())
    (folder / NAME).write_text(json.dumps({**manifest, "version": 9}))
    with pytest.raises(InvalidInput, match="version: is 9"):
        read(folder)
    outside = [{**manifest["files"][0], "path": "../log/" + manifest["files"][0]["path"]}, *manifest["files"]]
    (folder / NAME).write_text(json.dumps({**manifest, "files": outside}))
    with pytest.raises(InvalidInput, match="outside the folder"):
        read(folder)
    (folder / NAME).write_text(json.dumps(manifest))
    store = empty("live")
    with pytest.raises(SchemaMismatch, match="clock"):
        bring(store, folder)
    assert decisions(store) == []


def test_a_wrong_row_is_left_out_and_named_with_its_file_row_field_and_mend(tmp_path: Path) -> None:
    business, as_of = shop(customers=20)
    folder, name = tmp_path / "log", "decisions/00000.parquet"
    export(business.store, business.live.current.playbook, folder, Wanted(as_of=as_of))
    rows = pl.read_parquet(folder / name).to_dicts()
    wrong = {
        0: ("arm", "spam/email/now"),
        2: ("odds", [0.5] * len(rows[2]["odds"])),
        4: ("trace", "{"),
        6: (f"{FEATURE}device", "fax"),
        8: ("refusals", [0]),
        10: ("decided_at", None),
        12: ("propensity", 1e-3),
        14: ("eligible", ["no_contact"] * len(rows[14]["eligible"])),
        16: ("decision_id", "a b"),
    }
    for place, (field, value) in wrong.items():
        rows[place][field] = value
    schema = pl.read_parquet_schema(folder / name)
    rewrite(folder, name, pl.DataFrame(rows, schema=schema))
    received = bring(store := empty(), folder)
    assert received.decisions.rejected == len(wrong)
    assert received.decisions.accepted == len(rows) - len(wrong) == len(decisions(store))
    assert received.first == f"log/{name}, row 1: arm: is no arm of its playbook"
    told = [json.loads(line) for line in (tmp_path / "quarantine.jsonl").read_text().splitlines()]
    fields = {line["line"] - 1: line["field"] for line in told}
    expected = {place: field for place, (field, _) in wrong.items()}
    assert fields == expected or fields == {**expected, 14: "eligible"}


def test_another_decision_under_a_known_id_is_rejected_and_changes_nothing(tmp_path: Path) -> None:
    business, as_of = shop(customers=20)
    folder, name = tmp_path / "log", "decisions/00000.parquet"
    export(business.store, business.live.current.playbook, folder, Wanted(as_of=as_of))
    bring(store := empty(), folder)
    before = decisions(store)
    changed = pl.read_parquet(folder / name).with_columns(pl.col("decided_at") + 1)
    rewrite(folder, name, changed)
    received = bring(store, folder)
    assert received.decisions.rejected == len(before)
    assert decisions(store) == before


def test_customers_who_were_erased_are_not_brought_in(tmp_path: Path) -> None:
    business, as_of = shop(customers=20)
    folder = tmp_path / "log"
    export(business.store, business.live.current.playbook, folder, Wanted(as_of=as_of))
    gone = decisions(business.store)[0].surrogate
    manifest = json.loads((folder / NAME).read_text())
    assert manifest["erased"] == []
    (folder / NAME).write_text(json.dumps({**manifest, "erased": [gone]}))
    received = bring(store := empty(), folder)
    assert received.decisions.erased == 2
    assert gone not in {row.surrogate for row in decisions(store)}
    assert gone not in {row.surrogate for row in touchpoints(store)}


def test_an_export_tells_who_was_erased_and_an_import_erases_what_an_earlier_one_brought(
    tmp_path: Path,
) -> None:
    business, as_of = shop(customers=20)
    book, (first, second) = business.live.current.playbook, (tmp_path / "first", tmp_path / "second")
    export(business.store, book, first, Wanted(as_of=as_of))
    bring(store := empty(), first)
    gone = decisions(business.store)[0].surrogate
    (name,) = business.store.names([gone]).values()
    assert isinstance(business.one(Erasure(customer_id=name, who="ada"), as_of), Erased)
    export(business.store, book, second, Wanted(as_of=as_of))
    assert json.loads((second / NAME).read_text())["erased"] == [gone]
    exported = pl.concat([pl.read_parquet(file).select("surrogate") for file in second.glob("*s/*.parquet")])
    assert gone not in set(exported["surrogate"])
    bring(store, second)
    left = [row for row in decisions(store) if row.surrogate == gone]
    assert left
    assert all(row.erased for row in left)
    assert bring(store, first).decisions.erased == len(left)
    assert [row.surrogate for row in store.erased()] == [gone]


def test_a_store_that_lost_a_part_gets_it_back_with_its_customers_and_replays_it(tmp_path: Path) -> None:
    business, as_of = shop(customers=20)
    folder = tmp_path / "log"
    export(business.store, business.live.current.playbook, folder, Wanted(as_of=as_of))
    before = decisions(business.store)
    business.store.prune(NOON + DAY)
    received = bring(business.store, folder)
    assert (received.decisions.accepted, received.decisions.duplicates) == (20, 20)
    assert [row.body for row in decisions(business.store)] == [row.body for row in before]
    assert replay("c1.0", business.store, Artefacts(tmp_path)).differences == ()


def test_elsewhere_an_imported_decision_is_read_but_not_made_again_or_reported_on(tmp_path: Path) -> None:
    business, as_of = shop(customers=20)
    book = business.live.current.playbook
    export(business.store, book, tmp_path / "log", Wanted(as_of=as_of))
    other = Business.of(book, empty())
    bring(other.store, tmp_path / "log")
    assert other.trace("c1.0")["customer_id"] is None
    assert other.trace("c1.0")["trace"]["uniform"] == business.trace("c1.0")["trace"]["uniform"]
    with pytest.raises(NotFound, match="imported"):
        replay("c1.0", other.store, Artefacts(tmp_path))
    receipt = other.report(outcome("purchase", NOON + DAY, decision_id="c1.0", value=1.0))
    assert [r.detail for r in receipt.rejected] == ["decision_id: there is no such decision"]


def test_a_decision_that_was_held_and_then_shown_becomes_active_with_a_later_export(tmp_path: Path) -> None:
    business = Business.of(OPEN)
    business.report(consents("c1"))
    business.decide("c1", NOON, id="d1", activate=False)
    book = business.live.current.playbook
    export(business.store, book, tmp_path / "one", Wanted(as_of=NOON + 60))
    with business.store.transaction() as transaction:
        transaction.activate("d1", NOON + 70)
    export(business.store, book, tmp_path / "two", Wanted(as_of=NOON + 80))
    store = empty()
    for name, status in (("one", "held"), ("two", "active"), ("one", "active")):
        bring(store, tmp_path / name)
        assert [row.status for row in decisions(store)] == [status]


def test_an_import_into_sqlite_that_was_cut_off_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    business, as_of = shop(customers=20)
    folder = tmp_path / "log"
    export(business.store, business.live.current.playbook, folder, Wanted(as_of=as_of))
    monkeypatch.setattr("training.interchange.receive.CHUNK", 10)
    store = open_store(f"sqlite:///{tmp_path}/nba.db", "request")
    seen = []

    def stop(rows: int) -> None:
        seen.append(rows)
        if len(seen) == 6:
            raise KeyboardInterrupt

    refused = Quarantine(tmp_path / "q.jsonl")
    with pytest.raises(KeyboardInterrupt):
        receive(store, folder, read(folder), refused, progress=stop)
    refused.discard()
    had = len(decisions(store))
    received = bring(store, folder)
    assert (received.decisions.duplicates, received.decisions.accepted) == (had, 40 - had)
    assert 0 < had < 40
    store.close()


def test_linked_customers_go_out_as_one_and_their_log_is_known_again(tmp_path: Path) -> None:
    business, as_of = shop(customers=20)
    folder, claim = tmp_path / "log", {"kind": "email", "value": "x@y"}
    business.report(*(event(name, "identify", as_of - DAY, properties=claim) for name in ("c0", "c1")))
    export(business.store, business.live.current.playbook, folder, Wanted(as_of=as_of))
    people = set(business.store.people().values())
    exported = pl.concat([pl.read_parquet(f).select("surrogate") for f in folder.glob("decisions/*.parquet")])
    assert exported["surrogate"].is_in(list(people)).sum() == 4
    again = bring(business.store, folder).decisions
    assert (again.accepted, again.duplicates, again.rejected) == (0, 40, 0)
