"""The statements of a write transaction, built once per store.

Building a Core statement anew costs 0.1 ms, executing a built one 0.03 ms; with a list as one parameter
(`Database.among`) each has one text, so it is compiled once too. Going past Core to the driver would save
another 0.01 ms a statement: not worth a second way to write SQL.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Select, Update, bindparam, select, update

from nba.stores.sql.database import Database
from nba.stores.sql.tables import APPLIED_FILES, CONTACTS, CUSTOMERS, DECISIONS, PROFILES, TOUCHPOINTS

LISTED = "listed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Statements:
    """Parameters: `listed` by `Database.listed`; else those named beside each.

    Attributes:
        contacts: `since`.
        activate, reserve: `of`, a decision id; `activate` also `at`.
        save: `of`, a surrogate, and the columns of a profile.
        touchpoints: `source`.
        applied: `file`.
    """

    answers: Select[tuple[object, ...]]
    customers: Select[tuple[object, ...]]
    customers_of: Select[tuple[object, ...]]
    contacts: Select[tuple[object, ...]]
    touchpoints: Select[tuple[object, ...]]
    applied: Select[tuple[object, ...]]
    save: Update
    activate: Update
    reserve: Update

    @classmethod
    def of(cls, database: Database) -> Statements:
        profile = [column for column in PROFILES.c if column.name != "surrogate"]
        customer = select(CUSTOMERS, *profile).join(PROFILES, PROFILES.c.surrogate == CUSTOMERS.c.surrogate)
        touchpoints = select(TOUCHPOINTS.c.id).where(TOUCHPOINTS.c.source == bindparam("source"))
        decision = update(DECISIONS).where(DECISIONS.c.decision_id == bindparam("of"))
        contact = update(CONTACTS).where(CONTACTS.c.decision_id == bindparam("of"))
        return cls(
            answers=select(DECISIONS).where(database.among(DECISIONS.c.decision_id, LISTED)),
            customers=customer.where(database.among(CUSTOMERS.c.customer_id, LISTED)),
            customers_of=customer.where(database.among(CUSTOMERS.c.surrogate, LISTED)),
            contacts=select(CONTACTS)
            .where(
                database.among(CONTACTS.c.surrogate, LISTED),
                CONTACTS.c.send_at >= bindparam("since"),
                CONTACTS.c.status != "released",
            )
            .order_by(CONTACTS.c.send_at, CONTACTS.c.decision_id),
            touchpoints=touchpoints.where(database.among(TOUCHPOINTS.c.id, LISTED)),
            applied=select(APPLIED_FILES).where(APPLIED_FILES.c.file == bindparam("file")),
            save=update(PROFILES)
            .where(PROFILES.c.surrogate == bindparam("of"))
            .values({column.name: bindparam(column.name) for column in profile}),
            activate=decision.values(status="active", activated_at=bindparam("at")),
            reserve=contact.values(status="reserved", expires_at=None),
        )
