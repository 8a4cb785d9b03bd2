"""Fetch, decide, record: the shell around the pure core. Decides nothing itself.

All commands that came in together are handled in one write transaction. Commands on the same customer
or decision go into successive rounds, so that each sees what the one before it did; a round is one array.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from time import perf_counter
from typing import cast

import orjson

from nba.deciding import Deciding
from nba.errors import Conflict, NotFound, StoreUnavailable
from nba.explain import full_trace
from nba.live import Live, LiveSource
from nba.model import Activation, Command, DecisionRequest, Report, Reports, Result, timestamp
from nba.observer import NullObserver, Observer
from nba.playbook.catalogue import bring
from nba.playbook.compile import Playbook, parse
from nba.reporting import activate, customers_of, take_reports
from nba.requests import wrong_fields
from nba.session import PackedStates, Session
from nba.stores.ports import Store
from nba.trace import brought_of
from nba.variants import Variants

_ATTEMPTS = 5


class Service:
    """The engine behind the API. `handle` is called from one thread at a time per process."""

    def __init__(self, *, store: Store, live: LiveSource, observer: Observer | None = None) -> None:
        self._store = store
        self._live = live
        self._observer = observer or NullObserver()
        self._kept: set[str] = set()
        self._packed = PackedStates(store)
        self._variants = Variants()
        self._deciding = Deciding(store.secret, store.clock, self._variants)

    def handle(self, commands: Sequence[Command], now: float) -> list[Result]:
        """Answer each command, in order; a bad one is answered with its error and changes nothing.

        Args:
            now: the server's clock, epoch seconds.

        Raises:
            StoreUnavailable: nothing of the batch was stored; send it again.
        """
        live = self._live.current
        self._keep(live.playbook)
        bringing = [c for c in commands if isinstance(c, DecisionRequest) and c.brought]
        for request in bringing:  # a catalogue takes its time, so not inside the transaction
            if not wrong_fields(request, live.playbook, self._store.clock):
                self._variants.of(live, request.brought)
        for _ in range(_ATTEMPTS):
            with suppress(Conflict):  # another process has written one of these ids meanwhile: now it is seen
                return self._handle(commands, live, now)
        raise StoreUnavailable("other processes keep writing what this batch needs")

    def _handle(self, commands: Sequence[Command], live: Live, now: float) -> list[Result]:
        results: dict[int, Result] = {}
        with self._store.transaction() as transaction:
            session = Session(
                transaction,
                live=live,
                now=now,
                clock=self._store.clock,
                packed=self._packed,
                observer=self._observer,
            )
            owners = _owners(session, commands)
            rounds = (_runs if limited(live.playbook) else _rounds)(commands, owners)
            if len(rounds) > 1 or len(set(map(type, commands))) > 1:
                self._lock(session, commands, owners)
            moment = now if self._store.clock == "live" else _earliest(commands)
            if moment is not None and limited(live.playbook):
                session.lapse(moment)
            for positions in rounds:
                self._round(session, commands, positions, results)
            session.save()
            written = perf_counter()
        self._observer.stage("commit", perf_counter() - written)
        self._observer.rounds(len(rounds))
        return [results[i] for i in range(len(commands))]

    def _lock(self, session: Session, commands: Sequence[Command], owners: Mapping[str, str]) -> None:
        """Lock all customers of a batch at once, in one order: two batches that each lock some and then wait
        for the other's would never end."""
        bodies = [c for c in commands if isinstance(c, Reports)]
        asked = _customers(session, commands, owners) | customers_of(session, bodies, self._store)
        session.customers(sorted(asked))

    def _round(
        self, session: Session, commands: Sequence[Command], positions: list[int], results: dict[int, Result]
    ) -> None:
        reports = [(i, c) for i in positions if isinstance(c := commands[i], Reports)]
        if reports:
            taken = take_reports(session, [c for _, c in reports], self._store)
            results.update(zip((i for i, _ in reports), taken, strict=True))
        for i in positions:
            command = commands[i]
            if isinstance(command, Activation):
                results[i] = activate(session, command)
        requests = [(i, c) for i in positions if isinstance(c := commands[i], DecisionRequest)]
        if requests:
            answers = self._deciding.answer(session, [c for _, c in requests])
            results.update(zip((i for i, _ in requests), answers, strict=True))

    def decision(self, decision_id: str) -> bytes:
        """A decision's answer plus `trace`, as JSON.

        Raises:
            NotFound: no such decision.
        """
        row = self._store.decision(decision_id)
        if row is None:
            raise NotFound("there is no such decision")
        logged = orjson.loads(row.trace)
        playbook = self._playbook_of(row.playbook)
        live = self._live.current
        brought = brought_of(logged)
        if brought:
            playbook = bring(playbook, brought)
        named = dict(live.ladder) if row.playbook == live.playbook.version and not brought else {}
        policy = named.get(logged.get("policy", ""))
        contact = self._store.contact(decision_id)
        return orjson.dumps(full_trace(row, playbook, policy=policy, contact=contact))

    def outbox(self, after: int, limit: int) -> bytes:
        """`{"messages", "next"}` as JSON: what the orchestrator must be told after message number `after`."""
        rows = self._store.outbox(after, limit)
        customers = self._store.names([row.surrogate for row in rows])
        messages = [
            {
                "number": row.number,
                "id": row.id,
                "type": row.type,
                "at": timestamp(row.at),
                "customer_id": customers.get(row.surrogate),
                "decision_id": row.decision_id,
                "data": orjson.loads(row.body),
            }
            for row in rows
        ]
        return orjson.dumps({"messages": messages, "next": rows[-1].number if rows else after})

    def _playbook_of(self, version: str) -> Playbook:
        current = self._live.current.playbook
        if version == current.version:
            return current
        text = self._store.playbook(version)
        if text is None:
            raise NotFound(f"the playbook {version} of this decision is not kept here")
        return _parsed(text, version)

    def _keep(self, playbook: Playbook) -> None:
        if playbook.version not in self._kept:
            self._store.keep_playbook(playbook.version, playbook.text)
            self._kept.add(playbook.version)


@lru_cache(maxsize=16)
def _parsed(text: str, version: str) -> Playbook:
    return parse(text, source=version, kept=True)


def _customers(session: Session, commands: Sequence[Command], owners: Mapping[str, str]) -> set[str]:
    """Whom the decisions of a batch are for, and who is known already."""
    asked = {
        c.customer_id
        for c in commands
        if isinstance(c, DecisionRequest) and not wrong_fields(c, session.live.playbook, session.clock)
    }
    return asked | set(owners.values())


def _earliest(commands: Sequence[Command]) -> float | None:
    """A batch's moment on the request clock: the earliest that it asks about, None where it asks nothing."""
    return min((c.at for c in commands if isinstance(c, DecisionRequest) and c.at is not None), default=None)


@lru_cache(maxsize=16)
def limited(playbook: Playbook) -> bool:
    """Whether any action has a daily limit."""
    return any(action.daily is not None for action in playbook.spec.actions.values())


def _owners(session: Session, commands: Sequence[Command]) -> Mapping[str, str]:
    """Decision id → customer id for the decisions named by reports and activations."""
    named = [d for command in commands for d in _decisions_named(command)]
    if not named:
        return {}
    requests = [command for command in commands if isinstance(command, DecisionRequest)]
    made_here = {request.decision_id: request.customer_id for request in reversed(requests)}
    return {**made_here, **session.owners(named)}


def _decisions_named(command: Command) -> list[str]:
    match command:
        case Activation():
            return [command.decision_id]
        case Reports():
            reports = (item for item in command.items if isinstance(item, Report))
            return [report.decision_id for report in reports if report.decision_id is not None]
        case _:
            return []


def _rounds(commands: Sequence[Command], owners: Mapping[str, str]) -> list[list[int]]:
    """Positions of the commands in rounds: within one no two commands share a customer or a decision."""
    if _apart(commands):
        return [list(range(len(commands)))]
    last: dict[tuple[str, str], int] = defaultdict(int)
    rounds: list[list[int]] = []
    for position, command in enumerate(commands):
        keys = _keys(command, owners)
        turn = max((last[key] for key in keys), default=0)
        for key in keys:
            last[key] = turn + 1
        if turn == len(rounds):
            rounds.append([])
        rounds[turn].append(position)
    return rounds


def _apart(commands: Sequence[Command]) -> bool:
    """Whether these are decisions for customers of whom none stands twice, as they mostly are."""
    if not all(isinstance(command, DecisionRequest) for command in commands):
        return False
    requests = cast(Sequence[DecisionRequest], commands)
    customers, decisions = ({getattr(r, name) for r in requests} for name in ("customer_id", "decision_id"))
    return len(customers) == len(decisions) == len(commands)


def _runs(commands: Sequence[Command], owners: Mapping[str, str]) -> list[list[int]]:
    """Rounds that keep the order of the commands, for what customers share: a limit over all of them.

    Consecutive commands of one kind, under one catalogue, of which no two share a customer or a decision.
    """
    runs: list[list[int]] = []
    last: tuple[object, ...] | None = None
    taken: set[tuple[str, str]] = set()
    for position, command in enumerate(commands):
        keys = _keys(command, owners)
        kind = (type(command), command.brought if isinstance(command, DecisionRequest) else ())
        if kind != last or not taken.isdisjoint(keys):
            runs.append([])
            taken = set()
        last = kind
        taken |= keys
        runs[-1].append(position)
    return runs


def _keys(command: Command, owners: Mapping[str, str]) -> set[tuple[str, str]]:
    """Whom and what a command concerns; who names a decision concerns its customer too."""
    named = _decisions_named(command)
    keys = {("decision", d) for d in named} | {("customer", owners[d]) for d in named if d in owners}
    match command:
        case DecisionRequest():
            keys |= {("customer", command.customer_id), ("decision", command.decision_id)}
        case Reports():
            reports = (item for item in command.items if isinstance(item, Report))
            keys |= {("customer", r.customer_id) for r in reports if r.customer_id is not None}
    return keys
