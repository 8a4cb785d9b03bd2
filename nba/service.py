"""Fetch, decide, record: the shell around the pure core. Decides nothing itself.

All commands that came in together are handled in one write transaction. Commands on the same customer
or decision go into successive rounds, so that each sees what the one before it did; a round is one array.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import orjson

from nba.contact.eligibility import Gatekeeper
from nba.deciding import Deciding
from nba.errors import NotFound
from nba.live import LiveSource
from nba.model import Activation, Command, DecisionRequest, Report, Reports, Result
from nba.playbook.compile import Playbook, parse
from nba.record import full_trace
from nba.reporting import activate, take_reports
from nba.session import PackedStates, Session
from nba.stores.ports import Store


class Service:
    """The engine behind the API. `handle` is called from one thread at a time per process."""

    def __init__(self, *, store: Store, live: LiveSource) -> None:
        self._store = store
        self._live = live
        self._gatekeepers: dict[str, Gatekeeper] = {}
        self._kept: set[str] = set()
        self._packed = PackedStates(store)
        self._deciding = Deciding(store.secret, store.clock)

    def handle(self, commands: Sequence[Command], now: float) -> list[Result]:
        """Answer each command, in order; a bad one is answered with its error and changes nothing.

        Args:
            now: the server's clock, epoch seconds.

        Raises:
            StoreUnavailable: nothing of the batch was stored; send it again.
        """
        live = self._live.current
        self._keep(live.playbook)
        results: dict[int, Result] = {}
        with self._store.transaction() as transaction:
            session = Session(
                transaction,
                live=live,
                gatekeeper=self._gatekeeper(live.playbook),
                now=now,
                clock=self._store.clock,
                packed=self._packed,
            )
            for positions in _rounds(commands, _owners(session, commands)):
                self._round(session, commands, positions, results)
            session.save()
        return [results[i] for i in range(len(commands))]

    def _round(
        self, session: Session, commands: Sequence[Command], positions: list[int], results: dict[int, Result]
    ) -> None:
        reports = [(i, c) for i in positions if isinstance(c := commands[i], Reports)]
        taken = take_reports(session, [c for _, c in reports], self._store)
        results.update(zip((i for i, _ in reports), taken, strict=True))
        for i in positions:
            command = commands[i]
            if isinstance(command, Activation):
                results[i] = activate(session, command)
        requests = [(i, c) for i in positions if isinstance(c := commands[i], DecisionRequest)]
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
        playbook = self._playbook_of(row.playbook)
        return orjson.dumps(full_trace(row, playbook, self._gatekeeper(playbook)))

    def _playbook_of(self, version: str) -> Playbook:
        current = self._live.current.playbook
        if version == current.version:
            return current
        known = self._gatekeepers.get(version)
        if known is not None:
            return known.playbook
        text = self._store.playbook(version)
        if text is None:
            raise NotFound(f"the playbook {version} of this decision is not kept here")
        return parse(text, source=version)

    def _keep(self, playbook: Playbook) -> None:
        if playbook.version not in self._kept:
            self._store.keep_playbook(playbook.version, playbook.text)
            self._kept.add(playbook.version)

    def _gatekeeper(self, playbook: Playbook) -> Gatekeeper:
        return self._gatekeepers.setdefault(playbook.version, Gatekeeper(playbook))


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
