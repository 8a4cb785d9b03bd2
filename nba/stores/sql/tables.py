"""The tables as they are now. How a store came to have them stands in `migrations/`; a test holds both equal.

Column names are the field names of the rows in `nba/stores/ports.py`, so rows need no mapping of their own.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

METADATA = MetaData()
_NUMBER = BigInteger().with_variant(Integer, "sqlite")
_LAPSING = text("status = 'held' AND day IS NOT NULL")  # few rows, asked for in every transaction
_LINKED = text("person IS NOT NULL")
_UNSETTLED = text("status IN ('open', 'in_progress')")  # likewise

META = Table(
    "meta",
    METADATA,
    Column("id", Integer, nullable=False, autoincrement=False),
    Column("secret", LargeBinary, nullable=False),
    Column("clock", String(16), nullable=False),
    Column("pings", Integer, nullable=False),
    PrimaryKeyConstraint("id", name="meta_pk"),
    CheckConstraint("id = 1", name="meta_has_one_row"),
)

CUSTOMERS = Table(
    "customers",
    METADATA,
    Column("customer_id", String(128), nullable=False),
    Column("surrogate", String(64), nullable=False),
    PrimaryKeyConstraint("customer_id", name="customers_pk"),
    UniqueConstraint("surrogate", name="customers_surrogate"),
)

PROFILES = Table(
    "profiles",
    METADATA,
    Column("surrogate", String(64), nullable=False),
    Column("state", LargeBinary),
    Column("attributes", Text, nullable=False),
    Column("consents", Text, nullable=False),
    Column("last_at", Float, nullable=False),
    Column("version", Integer, nullable=False),
    Column("person", String(64)),
    PrimaryKeyConstraint("surrogate", name="profiles_pk"),
    Index("profiles_by_person", "person", sqlite_where=_LINKED, postgresql_where=_LINKED),
)

IDENTITIES = Table(
    "identities",
    METADATA,
    Column("kind", String(64), nullable=False),
    Column("value", String(64), nullable=False),
    Column("surrogate", String(64), nullable=False),
    Column("at", Float, nullable=False),
    Column("status", String(16), nullable=False),
    PrimaryKeyConstraint("kind", "value", "surrogate", name="identities_pk"),
    Index("identities_by_customer", "surrogate"),
)

ERASED = Table(
    "erased",
    METADATA,
    Column("surrogate", String(128), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("at", Float, nullable=False),
    Column("who", Text, nullable=False),
    PrimaryKeyConstraint("surrogate", name="erased_pk"),
    Index("erased_by_digest", "digest"),
)

DECISIONS = Table(
    "decisions",
    METADATA,
    Column("decision_id", String(128), nullable=False),
    Column("surrogate", String(64), nullable=False),
    Column("decided_at", Float, nullable=False),
    Column("arm", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("channel", Text),
    Column("timing", Text),
    Column("send_at", Float),
    Column("propensity", Float, nullable=False),
    Column("group", Text, nullable=False),
    Column("policy", Text, nullable=False),
    Column("playbook", Text, nullable=False),
    Column("status", String(16), nullable=False),
    Column("activated_at", Float),
    Column("digest", LargeBinary, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("trace", LargeBinary, nullable=False),
    Column("features", LargeBinary, nullable=False),
    Column("eligible", LargeBinary, nullable=False),
    Column("odds", LargeBinary, nullable=False),
    Column("values", LargeBinary, nullable=False),
    PrimaryKeyConstraint("decision_id", name="decisions_pk"),
    Index("decisions_by_time", "decided_at", "decision_id"),
    Index("decisions_by_customer", "surrogate", "decided_at"),
)

CONTACTS = Table(
    "contacts",
    METADATA,
    Column("decision_id", String(128), nullable=False),
    Column("surrogate", String(64), nullable=False),
    Column("action", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("category", Text, nullable=False),
    Column("send_at", Float, nullable=False),
    Column("status", String(16), nullable=False),
    Column("expires_at", Float),
    Column("cost", Float, nullable=False),
    Column("day", Text),
    PrimaryKeyConstraint("decision_id", name="contacts_pk"),
    Index("contacts_by_customer", "surrogate", "send_at"),
    Index("contacts_lapsing", "expires_at", sqlite_where=_LAPSING, postgresql_where=_LAPSING),
)

USED = Table(
    "used",
    METADATA,
    Column("action", String(128), nullable=False),
    Column("day", String(16), nullable=False),
    Column("contacts", Integer, nullable=False),
    Column("spend", Float, nullable=False),
    PrimaryKeyConstraint("action", "day", name="used_pk"),
)

OUTBOX = Table(
    "outbox",
    METADATA,
    Column("number", _NUMBER, nullable=False, autoincrement=True),
    Column("id", String(256), nullable=False),
    Column("type", Text, nullable=False),
    Column("surrogate", String(64), nullable=False),
    Column("decision_id", String(128), nullable=False),
    Column("at", Float, nullable=False),
    Column("body", LargeBinary, nullable=False),
    PrimaryKeyConstraint("number", name="outbox_pk"),
    Index("outbox_by_customer", "surrogate"),
    sqlite_autoincrement=True,  # a number is never given twice, also once the last rows were pruned
)

TOUCHPOINTS = Table(
    "touchpoints",
    METADATA,
    Column("source", String(16), nullable=False),
    Column("id", String(128), nullable=False),
    Column("surrogate", String(64), nullable=False),
    Column("type", Text, nullable=False),
    Column("channel", Text),
    Column("occurred_at", Float, nullable=False),
    Column("value", Float, nullable=False),
    Column("decision_id", String(128)),
    Column("properties", Text),
    PrimaryKeyConstraint("source", "id", name="touchpoints_pk"),
    Index("touchpoints_by_time", "occurred_at", "source", "id"),
    Index("touchpoints_by_customer", "surrogate", "occurred_at"),
)

TICKETS = Table(
    "tickets",
    METADATA,
    Column("ticket_id", String(128), nullable=False),
    Column("surrogate", String(64), nullable=False),
    Column("rule", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("event_type", Text, nullable=False),
    Column("event_id", Text, nullable=False),
    Column("status", String(16), nullable=False),
    Column("queue", Text),
    Column("owner", Text),
    Column("opened_at", Float, nullable=False),
    Column("due_at", Float, nullable=False),
    Column("changed_at", Float, nullable=False),
    Column("closed_at", Float),
    Column("version", Integer, nullable=False),
    PrimaryKeyConstraint("ticket_id", name="tickets_pk"),
    Index("tickets_by_time", "opened_at", "ticket_id"),
    Index("tickets_by_customer", "surrogate", "opened_at"),
    Index("tickets_unsettled", "due_at", sqlite_where=_UNSETTLED, postgresql_where=_UNSETTLED),
)

TICKET_CHANGES = Table(
    "ticket_changes",
    METADATA,
    Column("ticket_id", String(128), nullable=False),
    Column("version", Integer, nullable=False),
    Column("at", Float, nullable=False),
    Column("who", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("note", Text),
    PrimaryKeyConstraint("ticket_id", "version", name="ticket_changes_pk"),
)

WATCHES = Table(
    "watches",
    METADATA,
    Column("surrogate", String(64), nullable=False),
    Column("due_at", Float, nullable=False),
    Column("memory", Text, nullable=False),
    PrimaryKeyConstraint("surrogate", name="watches_pk"),
    Index("watches_by_time", "due_at"),
)

DELIVERIES = Table(
    "deliveries",
    METADATA,
    Column("target", String(128), nullable=False),
    Column("number", _NUMBER, nullable=False, autoincrement=False),
    Column("tries", Integer, nullable=False),
    Column("due_at", Float, nullable=False),
    Column("status", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", Float, nullable=False),
    PrimaryKeyConstraint("target", "number", name="deliveries_pk"),
    Index("deliveries_due", "target", "status", "due_at"),
)

IDS = MetaData()  # where a table lies in parts by time, an id is unique in a table of its own only

DECISION_IDS = Table(
    "decision_ids",
    IDS,
    Column("decision_id", String(128), nullable=False),
    Column("decided_at", Float, nullable=False),
    PrimaryKeyConstraint("decision_id", name="decision_ids_pk"),
)

TOUCHPOINT_IDS = Table(
    "touchpoint_ids",
    IDS,
    Column("source", String(16), nullable=False),
    Column("id", String(128), nullable=False),
    Column("occurred_at", Float, nullable=False),
    PrimaryKeyConstraint("source", "id", name="touchpoint_ids_pk"),
)

PLAYBOOKS = Table(
    "playbooks",
    METADATA,
    Column("fingerprint", String(128), nullable=False),
    Column("text", Text, nullable=False),
    PrimaryKeyConstraint("fingerprint", name="playbooks_pk"),
)

PUBLICATIONS = Table(
    "publications",
    METADATA,
    Column("number", Integer, nullable=False, autoincrement=False),
    Column("kind", String(256), nullable=False),
    Column("version", String(128), nullable=False),
    Column("specification", Text, nullable=False),
    Column("published_at", Float, nullable=False),
    Column("who", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("origin", Integer, nullable=False),
    Column("share", Float, nullable=False),
    Column("evidence", Text, nullable=False),
    PrimaryKeyConstraint("number", name="publications_pk"),
)

LEASES = Table(
    "leases",
    METADATA,
    Column("name", String(128), nullable=False),
    Column("holder", Text, nullable=False),
    Column("token", _NUMBER, nullable=False),
    Column("until", Float, nullable=False),
    PrimaryKeyConstraint("name", name="leases_pk"),
)

KEPT = Table(
    "kept",
    METADATA,
    Column("key", String(256), nullable=False),
    Column("value", LargeBinary, nullable=False),
    PrimaryKeyConstraint("key", name="kept_pk"),
)

NOTES = Table(
    "notes",
    METADATA,
    Column("number", _NUMBER, nullable=False, autoincrement=True),
    Column("kind", String(128), nullable=False),
    Column("at", Float, nullable=False),
    Column("body", LargeBinary, nullable=False),
    PrimaryKeyConstraint("number", name="notes_pk"),
    Index("notes_by_kind", "kind", "number"),
    sqlite_autoincrement=True,  # as in the outbox
)

APPLIED_FILES = Table(
    "applied_files",
    METADATA,
    Column("file", String(1024), nullable=False),
    PrimaryKeyConstraint("file", name="applied_files_pk"),
)
