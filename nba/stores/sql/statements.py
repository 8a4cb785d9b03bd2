"""The statements of a write transaction, compiled once per store. See `prepared.py`.

With a list as one parameter (`Database.among`) each has one text. `FOR UPDATE` falls away where the
database has no row locks: nobody else writes there meanwhile. What is locked in one statement is locked in
the order of its keys, so that two transactions that want the same rows wait for each other in one direction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, func, select, text, update

from nba.stores.sql.database import Database
from nba.stores.sql.prepared import Prepared
from nba.stores.sql.tables import (
    APPLIED_FILES,
    CONTACTS,
    CUSTOMERS,
    DECISION_IDS,
    DECISIONS,
    IDENTITIES,
    OUTBOX,
    PROFILES,
    TOUCHPOINT_IDS,
    TOUCHPOINTS,
    USED,
)

LISTED = "listed"
_COUNTING = text("contacts.status IN ('reserved', 'held', 'shown')")
_LAPSING = text("contacts.status = 'held' AND contacts.day IS NOT NULL")


@dataclass(frozen=True, slots=True, kw_only=True)
class Statements:
    """Parameters: `listed`, a list by `Database.listed`; else those named beside each.

    Attributes:
        decided: when the listed decisions were made, first and last; None where `answers` needs no such
            bounds. Ids lie in a table of their own there, and most ids asked for are new.
        answers: `listed`; with `decided` also `first`, `last`.
        customers: locked.
        new_customers: each `customer_id`, `surrogate`; one that is there stays.
        new_profiles: empty ones for the `listed` surrogates that are customers; `never`, their `last_at`.
        save: each `of`, a surrogate, and the columns of a profile.
        contacts: `since`, `listed` surrogates.
        counted: contacts of the `listed` decisions that count; locked.
        lapsing: contacts that use up a limit and are over at `now`; locked, but for those that others hold.
        settle: the `listed` decisions' contacts get `status`.
        activate, reserve: `of`, a decision id; `activate` also `at`.
        limits: what is used up of the `listed` actions on the `days`; locked.
        new_limits: each `action`, `day`; one that is there stays.
        use: each `action`, `day`, `contacts`, `spend`, which are added.
        known: `source`, `listed` ids.
        decisions, touchpoints: in this order for each row.
        members: the `listed` persons' customer ids.
        claims: linked claims of the `listed` values; claims_of: all of the `listed` surrogates.
        save_claims: each the columns of a claim.
        applied, mark: `file`.
    """

    decided: Prepared | None
    answers: Prepared
    customers: Prepared
    customers_of: Prepared
    new_customers: Prepared
    new_profiles: Prepared
    save: Prepared
    contacts: Prepared
    counted: Prepared
    lapsing: Prepared
    settle: Prepared
    activate: Prepared
    reserve: Prepared
    limits: Prepared
    new_limits: Prepared
    use: Prepared
    known: Prepared
    decisions: tuple[Prepared, ...]
    new_contacts: Prepared
    touchpoints: tuple[Prepared, ...]
    outbox: Prepared
    members: Prepared
    claims: Prepared
    claims_of: Prepared
    save_claims: Prepared
    applied: Prepared
    mark: Prepared

    @classmethod
    def of(cls, database: Database) -> Statements:
        built: dict[str, Any] = {
            **_of_decisions(database),
            **_of_customers(database),
            **_of_contacts(database),
            **_of_limits(database),
            **_of_touchpoints(database),
            **_of_persons(database),
            "outbox": OUTBOX.insert().values(
                {c.name: bindparam(c.name) for c in OUTBOX.c if c.name != "number"}
            ),
            "applied": select(APPLIED_FILES).where(APPLIED_FILES.c.file == bindparam("file")),
            "mark": APPLIED_FILES.insert(),
        }
        return cls(**{name: _prepared(statement, database) for name, statement in built.items()})


def _prepared(statement: Any, database: Database) -> Any:
    if isinstance(statement, tuple):
        return tuple(_prepared(one, database) for one in statement)
    return None if statement is None else Prepared.of(statement, database.dialect)


def _of_decisions(database: Database) -> dict[str, Any]:
    ids, column = DECISION_IDS, DECISIONS.c
    activate = update(DECISIONS).where(column.decision_id == bindparam("of"))
    activate = activate.values(status=text("'active'"), activated_at=bindparam("at"))
    answers = select(DECISIONS).where(database.among(column.decision_id, LISTED))
    if not database.partitioned:
        return {"decided": None, "answers": answers, "activate": activate, "decisions": (DECISIONS.insert(),)}
    span = select(func.min(ids.c.decided_at).label("first"), func.max(ids.c.decided_at).label("last"))
    when = select(ids.c.decided_at).where(ids.c.decision_id == bindparam("of")).scalar_subquery()
    within = column.decided_at.between(bindparam("first"), bindparam("last"))
    return {
        "decided": span.where(database.among(ids.c.decision_id, LISTED)),
        "answers": answers.where(within),
        "activate": activate.where(column.decided_at == when),
        "decisions": (ids.insert(), DECISIONS.insert()),
    }


def _of_customers(database: Database) -> dict[str, Any]:
    columns = [column for column in PROFILES.c if column.name != "surrogate"]
    customer = select(CUSTOMERS, *columns).join(PROFILES, PROFILES.c.surrogate == CUSTOMERS.c.surrogate)
    empty = select(CUSTOMERS.c.surrogate, text("'{}'"), text("'{}'"), bindparam("never"), text("0"))
    return {
        # It is the profile that changes, and only a locked row is read as it is once the lock is ours.
        "customers": customer.where(database.among(CUSTOMERS.c.customer_id, LISTED))
        .order_by(CUSTOMERS.c.customer_id)
        .with_for_update(of=PROFILES),
        "customers_of": customer.where(database.among(CUSTOMERS.c.surrogate, LISTED)),
        "new_customers": database.insert(CUSTOMERS).on_conflict_do_nothing(),
        "new_profiles": PROFILES.insert().from_select(
            ["surrogate", "attributes", "consents", "last_at", "version"],
            empty.where(database.among(CUSTOMERS.c.surrogate, LISTED)),
        ),
        "save": update(PROFILES)
        .where(PROFILES.c.surrogate == bindparam("of"))
        .values({column.name: bindparam(column.name) for column in columns}),
    }


def _of_contacts(database: Database) -> dict[str, Any]:
    column = CONTACTS.c
    of_decisions = database.among(column.decision_id, LISTED)
    reserve = update(CONTACTS).where(column.decision_id == bindparam("of"))
    return {
        "contacts": select(CONTACTS)
        .where(database.among(column.surrogate, LISTED), column.send_at >= bindparam("since"), _COUNTING)
        .order_by(column.send_at, column.decision_id),
        "counted": select(CONTACTS)
        .where(of_decisions, _COUNTING)
        .order_by(column.decision_id)
        .with_for_update(of=CONTACTS),
        "lapsing": select(CONTACTS)
        .where(_LAPSING, column.expires_at <= bindparam("now"))
        .order_by(column.expires_at, column.decision_id)
        .with_for_update(of=CONTACTS, skip_locked=True),
        "settle": update(CONTACTS).where(of_decisions).values(status=bindparam("status")),
        "reserve": reserve.values(status=text("'shown'"), expires_at=text("NULL")),
        "new_contacts": CONTACTS.insert(),
    }


def _of_limits(database: Database) -> dict[str, Any]:
    column = USED.c
    add = database.insert(USED)
    return {
        "limits": select(USED)
        .where(database.among(column.action, LISTED), database.among(column.day, "days"))
        .order_by(column.action, column.day)
        .with_for_update(of=USED),
        "new_limits": database.insert(USED)
        .values(action=bindparam("action"), day=bindparam("day"), contacts=text("0"), spend=text("0"))
        .on_conflict_do_nothing(),
        "use": add.on_conflict_do_update(
            index_elements=[column.action, column.day],
            set_={
                "contacts": column.contacts + add.excluded.contacts,
                "spend": column.spend + add.excluded.spend,
            },
        ),
    }


def _of_touchpoints(database: Database) -> dict[str, Any]:
    ids = TOUCHPOINT_IDS if database.partitioned else TOUCHPOINTS
    into = (TOUCHPOINT_IDS, TOUCHPOINTS) if database.partitioned else (TOUCHPOINTS,)
    known = select(ids.c.id).where(ids.c.source == bindparam("source"), database.among(ids.c.id, LISTED))
    return {"known": known, "touchpoints": tuple(table.insert() for table in into)}


def _of_persons(database: Database) -> dict[str, Any]:
    column = IDENTITIES.c
    place = (column.kind, column.value, column.surrogate)
    claim = database.insert(IDENTITIES)
    return {
        "members": select(PROFILES.c.person, CUSTOMERS.c.customer_id)
        .join(CUSTOMERS, PROFILES.c.surrogate == CUSTOMERS.c.surrogate)
        .where(database.among(PROFILES.c.person, LISTED), PROFILES.c.person.is_not(None))
        .order_by(CUSTOMERS.c.customer_id),
        "claims": select(IDENTITIES)
        .where(database.among(column.value, LISTED), text("identities.status = 'linked'"))
        .where(database.among(column.kind, "kinds"))
        .order_by(*place),
        "claims_of": select(IDENTITIES).where(database.among(column.surrogate, LISTED)).order_by(*place),
        "save_claims": claim.on_conflict_do_update(
            index_elements=list(place), set_={"at": claim.excluded.at, "status": claim.excluded.status}
        ),
    }
