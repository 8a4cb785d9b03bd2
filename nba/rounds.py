"""Which commands of a batch can be handled together: those of a round share no customer and no decision.

Linked customer ids count as one. What changes who is linked to whom, or erases somebody, is a segment of its
own: the rounds of a transaction rest on who is one person, which must not change under them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import cast

from nba.companions import Companions
from nba.model import (
    Activation,
    Command,
    DecisionRequest,
    Erasure,
    Look,
    Report,
    Reports,
    TicketOpening,
    TicketUpdate,
    Withdrawal,
)


def segments(commands: Sequence[Command]) -> list[list[int]]:
    """Positions of the commands that go into one write transaction each, in order."""
    if not any(map(_relinks, commands)):
        return [list(range(len(commands)))]
    parts: list[list[int]] = []
    for kind, some in groupby(range(len(commands)), key=lambda i: _relinks(commands[i])):
        alike = list(some)
        parts += [[i] for i in alike] if kind == "alone" else [alike]
    return parts


def _relinks(command: Command) -> str:
    """Whether a command may change who is one person; "" for most."""
    if isinstance(command, Erasure | Withdrawal):
        return "alone"
    if isinstance(command, Reports):
        reports = (item for item in command.items if isinstance(item, Report))
        return "identify" if any(report.type == "identify" for report in reports) else ""
    return ""


def ticket_key(ticket_id: str) -> str:
    """A ticket among decisions: no decision's id has a space."""
    return f"ticket {ticket_id}"


def decisions_named(command: Command) -> list[str]:
    match command:
        case Activation():
            return [command.decision_id]
        case Reports():
            reports = (item for item in command.items if isinstance(item, Report))
            return [report.decision_id for report in reports if report.decision_id is not None]
        case _:
            return []


def rounds(commands: Sequence[Command], owners: Mapping[str, str], companions: Companions) -> list[list[int]]:
    """Positions of the commands in rounds: within one no two commands share a customer or a decision."""
    if _apart(commands, companions):
        return [list(range(len(commands)))]
    last: dict[tuple[str, str], int] = defaultdict(int)
    found: list[list[int]] = []
    for position, command in enumerate(commands):
        keys = _keys(command, owners, companions)
        turn = max((last[key] for key in keys), default=0)
        for key in keys:
            last[key] = turn + 1
        if turn == len(found):
            found.append([])
        found[turn].append(position)
    return found


def _apart(commands: Sequence[Command], companions: Companions) -> bool:
    """Whether these are decisions for customers of whom none stands twice, as they mostly are."""
    if not all(isinstance(command, DecisionRequest) for command in commands):
        return False
    requests = cast(Sequence[DecisionRequest], commands)
    customers = {companions.key(r.customer_id) for r in requests}
    decisions = {r.decision_id for r in requests}
    return len(customers) == len(decisions) == len(commands)


def runs(commands: Sequence[Command], owners: Mapping[str, str], companions: Companions) -> list[list[int]]:
    """Rounds that keep the order of the commands, for what customers share: a limit over all of them.

    Consecutive commands of one kind, under one catalogue, of which no two share a customer or a decision.
    """
    found: list[list[int]] = []
    last: tuple[object, ...] | None = None
    taken: set[tuple[str, str]] = set()
    for position, command in enumerate(commands):
        keys = _keys(command, owners, companions)
        kind = (type(command), command.brought if isinstance(command, DecisionRequest) else ())
        if kind != last or not taken.isdisjoint(keys):
            found.append([])
            taken = set()
        last = kind
        taken |= keys
        found[-1].append(position)
    return found


def _keys(command: Command, owners: Mapping[str, str], companions: Companions) -> set[tuple[str, str]]:
    """Whom and what a command concerns; who names a decision concerns its customer too."""
    named = decisions_named(command)
    keys = {("decision", d) for d in named} | {
        ("customer", companions.key(owners[d])) for d in named if d in owners
    }
    match command:
        case DecisionRequest():
            keys |= {("customer", companions.key(command.customer_id)), ("decision", command.decision_id)}
        case TicketUpdate():
            ticket = ticket_key(command.ticket_id)
            keys |= {("ticket", ticket)} | (
                {("customer", companions.key(owners[ticket]))} if ticket in owners else set()
            )
        case TicketOpening():
            keys |= {
                ("ticket", ticket_key(command.ticket_id)),
                ("customer", companions.key(command.customer_id)),
            }
        case Look():
            keys.add(("customer", companions.key(command.customer_id)))
        case Reports():
            reports = (item for item in command.items if isinstance(item, Report))
            named_by = (r.customer_id for r in reports if r.customer_id is not None)
            keys |= {("customer", companions.key(customer_id)) for customer_id in named_by}
    return keys
