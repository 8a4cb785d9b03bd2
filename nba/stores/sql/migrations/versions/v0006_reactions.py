"""Tickets with their history, what is remembered of looks at customers, deliveries that are not through."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_UNSETTLED = sa.text("status IN ('open', 'in_progress')")


def upgrade() -> None:
    _tickets()
    _watches()
    _deliveries()


def _tickets() -> None:
    # In the order of bytes, as everywhere else.
    collation = "C" if op.get_context().dialect.name == "postgresql" else None
    op.create_table(
        "tickets",
        sa.Column("ticket_id", sa.String(128, collation=collation), nullable=False),
        sa.Column("surrogate", sa.String(64), nullable=False),
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("event_type", sa.Text, nullable=False),
        sa.Column("event_id", sa.Text, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("queue", sa.Text),
        sa.Column("owner", sa.Text),
        sa.Column("opened_at", sa.Float, nullable=False),
        sa.Column("due_at", sa.Float, nullable=False),
        sa.Column("changed_at", sa.Float, nullable=False),
        sa.Column("closed_at", sa.Float),
        sa.Column("version", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("ticket_id", name="tickets_pk"),
    )
    op.create_index("tickets_by_time", "tickets", ["opened_at", "ticket_id"])
    op.create_index("tickets_by_customer", "tickets", ["surrogate", "opened_at"])
    op.create_index(
        "tickets_unsettled", "tickets", ["due_at"], sqlite_where=_UNSETTLED, postgresql_where=_UNSETTLED
    )
    op.create_table(
        "ticket_changes",
        sa.Column("ticket_id", sa.String(128), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("what", sa.Text, nullable=False),
        sa.Column("note", sa.Text),
        sa.PrimaryKeyConstraint("ticket_id", "version", name="ticket_changes_pk"),
    )


def _watches() -> None:
    op.create_table(
        "watches",
        sa.Column("surrogate", sa.String(64), nullable=False),
        sa.Column("due_at", sa.Float, nullable=False),
        sa.Column("memory", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("surrogate", name="watches_pk"),
    )
    op.create_index("watches_by_time", "watches", ["due_at"])


def _deliveries() -> None:
    op.create_table(
        "deliveries",
        sa.Column("target", sa.String(128), nullable=False),
        sa.Column("number", _NUMBER, nullable=False, autoincrement=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("due_at", sa.Float, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("target", "number", name="deliveries_pk"),
    )
    op.create_index("deliveries_due", "deliveries", ["target", "status", "due_at"])
