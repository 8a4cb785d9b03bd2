"""Fetch, decide, record: the shell around the pure core. Decides nothing itself.

All commands that came in together are handled in one write transaction. Commands on the same customer
or decision go into successive rounds, so that each sees what the one before it did; a round is one array.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from time import perf_counter

import orjson

from nba.chance import Assignment
from nba.companions import Companions
from nba.deciding import ERASED, Deciding
from nba.erasing import GONE as CUSTOMER_GONE
from nba.erasing import UNKNOWN, erase, withdrawn
from nba.errors import Conflict, Gone, NotFound, Retryable, StoreUnavailable
from nba.explain import full_trace
from nba.live import Live, LiveSource
from nba.looking import after_all, look, watched, watched_since
from nba.model import (
    Activation,
    Command,
    DecisionRequest,
    Erasure,
    Look,
    Reports,
    Result,
    TicketOpening,
    TicketUpdate,
    Withdrawal,
    timestamp,
)
from nba.observer import NullObserver, Observer
from nba.persons import digest_of
from nba.playbook.catalogue import bring
from nba.playbook.compile import Playbook, parse
from nba.policies.policy import Policy
from nba.reporting import activate, customers_of, take_reports
from nba.requests import wrong_fields
from nba.rounds import decisions_named, rounds, runs, segments, ticket_key
from nba.session import PackedStates, Session
from nba.stores.ports import DecisionRow, Store
from nba.ticketing import change, open_by_hand
from nba.trace import brought_of, experiments_of
from nba.triggering import one_each, push, request_of
from nba.variants import Variants, branch
from nba.view import view

_ATTEMPTS = 5


class Service:
    """The engine behind the API. `handle` is called from one thread at a time per process."""

    def __init__(self, *, store: Store, live: LiveSource, observer: Observer | None = None) -> None:
        self._store = store
        self._live = live
        self._observer = observer or NullObserver()
        self._kept: set[str] = set()
        self._packed = PackedStates(store)
        self._companions = Companions()
        self._variants = Variants(self._observer.policy_failed)
        self._deciding = Deciding(store.secret, store.clock, self._variants)

    def handle(self, commands: Sequence[Command], now: float) -> list[Result | Exception]:
        """Answer each command, in order; a bad one is answered with its error and changes nothing.

        So is one that meets a defect, here or in what is stored of its customer: those that came in with it
        are answered as if it had not been there.

        Args:
            now: the server's clock, epoch seconds.

        Raises:
            StoreUnavailable: the batch was not stored, or not all of it; send it again.
            Exception: the defect that a command met which came alone.
        """
        live = self._live.current
        self._keep(live.playbook, now)
        bringing = [c for c in commands if isinstance(c, DecisionRequest) and c.brought]
        for request in bringing:  # a catalogue takes its time, so not inside the transaction
            if not wrong_fields(request, live.playbook, self._store.clock):
                self._variants.of(live, request.brought)
        results: dict[int, Result | Exception] = {}
        for positions in segments(commands):
            some = [commands[i] for i in positions]
            answers = self._attempt(some, live, now) if len(commands) == 1 else self._each(some, live, now)
            results.update(zip(positions, answers, strict=True))
        return [results[i] for i in range(len(commands))]

    def _each(self, commands: Sequence[Command], live: Live, now: float) -> list[Result | Exception]:
        """Handle them together; where one meets a defect, by halves, until it alone is answered with it."""
        try:
            return [*self._attempt(commands, live, now)]
        except Retryable:
            raise
        except Exception as error:  # a defect that one of them met; the others must not pay for it
            if len(commands) == 1:
                return [error]
            middle = len(commands) // 2
            return [*self._each(commands[:middle], live, now), *self._each(commands[middle:], live, now)]

    def _attempt(self, commands: Sequence[Command], live: Live, now: float) -> list[Result]:
        """Handle them in one transaction; again where it turns out that it had to see or lock more."""
        extra: set[str] = set()
        for _ in range(_ATTEMPTS):
            with suppress(Conflict):  # another process has written one of these ids meanwhile: now it is seen
                return self._handle(commands, live, now, extra)
        raise StoreUnavailable("other processes keep writing what this batch needs")

    def _handle(self, commands: Sequence[Command], live: Live, now: float, extra: set[str]) -> list[Result]:
        results: dict[int, Result] = {}
        with self._store.transaction() as transaction:
            session = Session(
                transaction,
                live=live,
                now=now,
                clock=self._store.clock,
                packed=self._packed,
                observer=self._observer,
                secret=self._store.secret,
                companions=self._companions,
                extra=extra,
            )
            owners = _owners(session, commands)
            parts = (runs if limited(live.playbook) else rounds)(commands, owners, self._companions)
            if len(parts) > 1 or len(set(map(type, commands))) > 1:
                self._lock(session, commands, owners)
            moment = now if self._store.clock == "live" else _earliest(commands)
            if moment is not None and limited(live.playbook):
                session.lapse(moment)
            for positions in parts:
                self._round(session, commands, positions, results)
            session.save()
            written = perf_counter()
        self._observer.stage("commit", perf_counter() - written)
        self._observer.rounds(len(parts))
        return [results[i] for i in range(len(commands))]

    def _lock(self, session: Session, commands: Sequence[Command], owners: Mapping[str, str]) -> None:
        """Lock all customers of a batch at once, in one order: two batches that each lock some and then wait
        for the other's would never end."""
        bodies = [c for c in commands if isinstance(c, Reports)]
        session.extra.update(c.customer_id for c in commands if isinstance(c, Look))
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
            match command:
                case Activation():
                    results[i] = activate(session, command)
                case Erasure():
                    results[i] = erase(session, command, self._store)
                case Withdrawal():
                    results[i] = withdrawn(session, command)
                case TicketOpening():
                    results[i] = open_by_hand(session, command)
                case TicketUpdate():
                    results[i] = change(session, command)
        looks = [(i, c) for i in positions if isinstance(c := commands[i], Look)]
        if looks:
            results.update(zip((i for i, _ in looks), look(session, [c for _, c in looks]), strict=True))
        self._fire(session)
        requests = [(i, c) for i in positions if isinstance(c := commands[i], DecisionRequest)]
        if requests:
            answers = self._deciding.answer(session, [c for _, c in requests])
            results.update(zip((i for i, _ in requests), answers, strict=True))

    def _fire(self, session: Session) -> None:
        """The decisions of triggers that went off in this round."""
        while session.fired:
            fired, session.fired = session.fired, []
            for some in one_each(fired):
                asked = [request_of(session, one) for one in some]
                answers = self._deciding.answer(session, asked)
                for one, what, result in zip(some, asked, answers, strict=True):
                    push(session, one, what, result)

    def decision(self, decision_id: str) -> bytes:
        """A decision's answer plus `trace`, as JSON.

        Raises:
            NotFound: no such decision.
            Gone: its customer was erased.
        """
        row = self._store.decision(decision_id)
        if row is None:
            raise NotFound("there is no such decision")
        if row.erased:
            raise Gone(ERASED)
        logged = orjson.loads(row.trace)
        playbook = self._playbook_of(row.playbook)
        brought = brought_of(logged)
        if brought:
            playbook = bring(playbook, brought)
        policy = None if brought else self._policy_of(row, logged.get("policy", ""))
        contact = self._store.contact(decision_id)
        return orjson.dumps(full_trace(row, playbook, policy=policy, contact=contact))

    def _policy_of(self, row: DecisionRow, name: str) -> Policy | None:
        """The policy that decided, where it still serves."""
        live = self._live.current
        ramp, variants = live.ramp, tuple(experiments_of(row).items())
        ramps = ramp is not None and ramp.publication.name == name and not variants
        try:
            ours = branch(live, Assignment(variants=variants, ramp=ramps), self._observer.policy_failed)
        except KeyError:  # a variant that the playbook no longer has
            return None
        return dict(ours.ladder).get(name) if ours.playbook.version == row.playbook else None

    def customer(self, customer_id: str, now: float) -> bytes:
        """All that is known of a customer and of who is linked to it, as JSON.

        Raises:
            NotFound: there is no such customer.
            Gone: it was erased.
        """
        told = view(self._store, self._live.current, PackedStates(self._store), customer_id, now)
        if told is None:
            erased = self._store.erasure(digest_of(self._store.secret, customer_id))
            raise NotFound(UNKNOWN) if erased is None else Gone(CUSTOMER_GONE)
        return orjson.dumps(told)

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
                "decision_id": row.decision_id or None,
                "data": orjson.loads(row.body),
            }
            for row in rows
        ]
        return orjson.dumps({"messages": messages, "next": rows[-1].number if rows else after})

    def _playbook_of(self, version: str) -> Playbook:
        current = self._live.current.playbook
        for one in (current, *current.variations.values()):
            if version == one.version:
                return one
        text = self._store.playbook(version)
        if text is None:
            raise NotFound(f"the playbook {version} of this decision is not kept here")
        return _parsed(text, version)

    def _keep(self, playbook: Playbook, now: float) -> None:
        """The playbook and what its experiments' variants make of it, since decisions name them; and that its
        conditions are watched from now on."""
        if playbook.version not in self._kept:
            if watched(playbook).conditions:
                live = self._store.clock == "live"
                watched_since(self._store, playbook, lambda: now if live else after_all(self._store))
            for one in (playbook, *playbook.variations.values()):
                self._store.keep_playbook(one.version, one.text)
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
    named = {c.customer_id for c in commands if isinstance(c, TicketOpening)}
    return asked | named | set(owners.values())


def _earliest(commands: Sequence[Command]) -> float | None:
    """A batch's moment on the request clock: the earliest that it asks about, None where it asks nothing."""
    return min((c.at for c in commands if isinstance(c, DecisionRequest) and c.at is not None), default=None)


@lru_cache(maxsize=16)
def limited(playbook: Playbook) -> bool:
    """Whether any action has a daily limit, under whatever variant."""
    every = (playbook, *playbook.variations.values())
    return any(action.daily is not None for one in every for action in one.spec.actions.values())


def _owners(session: Session, commands: Sequence[Command]) -> Mapping[str, str]:
    """Decision id → customer id for the decisions named by reports and activations; ticket id → likewise
    for the tickets that are changed."""
    named = [d for command in commands for d in decisions_named(command)]
    tickets = [c.ticket_id for c in commands if isinstance(c, TicketUpdate)]
    held = _holders(session, tickets) if tickets else {}
    if not named:
        return held
    requests = [command for command in commands if isinstance(command, DecisionRequest)]
    made_here = {request.decision_id: request.customer_id for request in reversed(requests)}
    return {**held, **made_here, **session.owners(named)}


def _holders(session: Session, ticket_ids: Sequence[str]) -> Mapping[str, str]:
    """Ticket, under a name that no decision has → customer id."""
    rows = session.transaction.tickets(ticket_ids)
    customers = session.customers_of([row.surrogate for row in rows.values()])
    return {
        ticket_key(name): customers[row.surrogate].customer_id
        for name, row in rows.items()
        if row.surrogate in customers
    }
