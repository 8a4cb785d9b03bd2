"""Bring a history into a store: the customers' feature states, attributes and consents.

Each part of each file is added once, in one transaction with the note that it is in: states add, so a file
that comes later, late events in it, and types or attributes that the playbook declares later, give the same
state as if all had come at once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path

import polars as pl

from nba.errors import Conflict, InvalidInput, StoreUnavailable
from nba.features.history import history_files
from nba.features.offline import snapshot
from nba.features.state import States
from nba.linking import Linking
from nba.live import untrained
from nba.playbook.compile import Playbook
from nba.session import PackedStates, layout_of
from nba.stores.ports import CustomerRow, Store, Transaction
from nba.words import consent, hear, profile
from training.forgetting import Erasures, identity_of

IDENTIFY = "identify"
_CLAIMS = 200  # in one transaction
_ATTEMPTS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """How many customers changed, and how many profile or consent events said nothing usable."""

    customers: int
    unusable: int


def apply_history(store: Store, playbook: Playbook, history: Path) -> Applied:
    """Add what of `history` is not yet in the store.

    Raises:
        StoreUnavailable: the store can't write now; what was added stays, the rest comes next time.
    """
    store.keep_playbook(playbook.version, playbook.text)  # states are read by the playbooks that are kept
    packed = PackedStates(store)
    customers: set[str] = set()
    unusable = 0
    for file in history_files(history):
        done = _file(store, playbook, packed, file)
        customers |= done.customers
        unusable += done.unusable
        if IDENTIFY in done.brought:
            unusable += _claim(store, playbook, packed, done.events)
            with store.transaction() as transaction:
                transaction.mark_applied(f"{_name(file)}#{IDENTIFY}")
    return Applied(customers=len(customers), unusable=unusable)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Done:
    """What a file has brought: which parts, of which customers, by which events."""

    brought: list[str]
    customers: set[str]
    events: pl.DataFrame
    unusable: int


def _file(store: Store, playbook: Playbook, packed: PackedStates, file: Path) -> _Done:
    """What of a file is not yet in the store, and of nobody who was erased since it was written.

    Raises:
        StoreUnavailable: others keep erasing or making the same customers.
    """
    for _ in range(_ATTEMPTS):
        with suppress(Conflict), store.transaction() as transaction:
            return _bring_in(transaction, store, playbook, packed, file)
    raise StoreUnavailable("other processes keep changing the same customers; run it again")


def _bring_in(
    transaction: Transaction, store: Store, playbook: Playbook, packed: PackedStates, file: Path
) -> _Done:
    """Raises Conflict where somebody was erased before they were locked."""
    parts = [part for part in _parts(playbook) if not transaction.applied(f"{_name(file)}#{part}")]
    if not parts:
        return _Done(brought=[], customers=set(), events=pl.DataFrame(), unusable=0)
    events = Erasures.of(store).left(_concerned(pl.read_parquet(file), parts))
    rows = transaction.customers(events["customer_id"].unique(maintain_order=True).to_list())
    if len(Erasures.of(store).left(events)) < len(events):
        raise Conflict("a customer was erased before they were locked")
    unusable = 0
    if rows:
        _add_states(playbook, packed, events, list(rows.values()))
        unusable = _hear_words(playbook, events, rows)
        transaction.save_customers(list(rows.values()))
        _look_again(transaction, rows)
    for part in parts:
        if part != IDENTIFY:
            transaction.mark_applied(f"{_name(file)}#{part}")
    return _Done(brought=parts, customers=set(rows), events=events, unusable=unusable)


def _look_again(transaction: Transaction, rows: Mapping[str, CustomerRow]) -> None:
    """Triggers look at these soon: who was missed and came back can be missed again."""
    known = transaction.watches([row.surrogate for row in rows.values()])
    transaction.save_watches([replace(watch, due_at=-inf) for watch in known.values()])


def _name(file: Path) -> str:
    return f"{file.parent.name}/{file.name}"


def _claim(store: Store, playbook: Playbook, packed: PackedStates, events: pl.DataFrame) -> int:
    """Link whoever claims the same identity, some at a time; how many events claim nothing usable.

    Claiming again what was claimed changes nothing, so a run that was cut off is done again.
    """
    columns = ("customer_id", "properties", "occurred_at")
    rows = events.filter(pl.col("type") == IDENTIFY).select(columns).sort("occurred_at", "customer_id")
    moments = rows["occurred_at"].dt.epoch("us").to_list()
    said = [
        (customer, identity, micros / 1e6)
        for (customer, text, _), micros in zip(rows.iter_rows(), moments, strict=True)
        if (identity := identity_of(store.secret, text)) is not None
    ]
    linking = Linking(store, untrained(playbook), packed)
    for start in range(0, len(said), _CLAIMS):
        linking.claim(said[start : start + _CLAIMS])
    return len(rows) - len(said)


def _parts(playbook: Playbook) -> list[str]:
    """What a file can tell, each of which is brought in once: what a playbook newly declares comes later.

    Counters of different touchpoint types add up, and words have their own time, so a part that comes
    later gives the same as all at once.
    """
    types = [f"type={name}" for name in playbook.schema.types]
    return [
        "last",
        *types,
        "consent",
        IDENTIFY,
        *(f"attribute={name}" for name in ("timezone", *playbook.spec.attributes)),
    ]


def _concerned(events: pl.DataFrame, lacking: Sequence[str]) -> pl.DataFrame:
    if "last" in lacking:
        return events  # the file is new: all of it counts, the latest moment too
    wanted = {part.removeprefix("type=") for part in lacking if part.startswith("type=")}
    wanted |= {part for part in ("consent", IDENTIFY) if part in lacking}
    wanted |= {"profile"} if any(part.startswith("attribute=") for part in lacking) else set()
    return events.filter(pl.col("type").is_in(sorted(wanted)))


def _add_states(
    playbook: Playbook, packed: PackedStates, events: pl.DataFrame, rows: Sequence[CustomerRow]
) -> None:
    layout = layout_of(playbook)
    known, states = snapshot(events, playbook.schema)
    position = {customer: i for i, customer in enumerate(known)}
    nobody = len(known)  # a customer with nothing but words gets the empty state at the end
    places = [position.get(row.customer_id, nobody) for row in rows]
    added = States.concat([states, States.empty(layout, 1)]).take(places)
    merged = packed.unpack(layout, [row.state for row in rows]).merge(added).pack()
    latest = dict(events.group_by("customer_id").agg(pl.col("occurred_at").dt.epoch("us").max()).iter_rows())
    for row, state in zip(rows, merged, strict=True):
        row.state = state
        row.last_at = max(row.last_at, latest[row.customer_id] / 1e6)
        row.version += 1


def _hear_words(playbook: Playbook, events: pl.DataFrame, rows: Mapping[str, CustomerRow]) -> int:
    unusable = 0
    words = events.filter(pl.col("type").is_in(["profile", "consent"])).sort("occurred_at", "event_id")
    columns = ("customer_id", "type", "channel", "properties")
    for (customer, type_, channel, text), micros in zip(
        words.select(columns).iter_rows(), words["occurred_at"].dt.epoch("us"), strict=True
    ):
        try:
            said = json.loads(text or "{}")
            known = profile(playbook, said) if type_ == "profile" else consent(playbook, channel, said)
        except InvalidInput:
            unusable += 1
            continue
        hear(rows[customer], type_, channel, known, micros / 1e6)
    return unusable
