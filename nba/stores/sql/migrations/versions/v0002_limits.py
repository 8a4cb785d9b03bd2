"""Categories, costs and daily limits of contacts; the outbox."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_LAPSING = "status = 'held' AND day IS NOT NULL"


def upgrade() -> None:
    _contacts()
    _used()
    _outbox()


def _contacts() -> None:
    """Made anew and filled, so that an old store's table is like a new one's to the letter.

    On PostgreSQL just made anew, since no store was made there before.
    """
    filled = op.get_context().dialect.name == "sqlite"
    op.drop_index("contacts_by_customer", "contacts")
    if filled:
        op.rename_table("contacts", "contacts_0001")
    else:
        op.drop_table("contacts")
    op.create_table(
        "contacts",
        sa.Column("decision_id", sa.String(128), nullable=False),
        sa.Column("surrogate", sa.String(64), nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("category", sa.Text, nullable=False),
        sa.Column("send_at", sa.Float, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("expires_at", sa.Float),
        sa.Column("cost", sa.Float, nullable=False),
        sa.Column("day", sa.Text),
        sa.PrimaryKeyConstraint("decision_id", name="contacts_pk"),
    )
    if filled:
        _fill_contacts()
    op.create_index("contacts_by_customer", "contacts", ["surrogate", "send_at"])
    op.create_index(
        "contacts_lapsing",
        "contacts",
        ["expires_at"],
        sqlite_where=sa.text(_LAPSING),
        postgresql_where=sa.text(_LAPSING),
    )


def _fill_contacts() -> None:
    op.execute(
        "INSERT INTO contacts (decision_id, surrogate, action, channel, purpose, category, send_at, status, "
        "expires_at, cost) SELECT decision_id, surrogate, action, channel, purpose, '', send_at, status, "
        "expires_at, 0 FROM contacts_0001"
    )
    op.drop_table("contacts_0001")


def _used() -> None:
    op.create_table(
        "used",
        sa.Column("action", sa.String(128), nullable=False),
        sa.Column("day", sa.String(16), nullable=False),
        sa.Column("contacts", sa.Integer, nullable=False),
        sa.Column("spend", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("action", "day", name="used_pk"),
    )


def _outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False),
        sa.Column("id", sa.String(256), nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("surrogate", sa.String(64), nullable=False),
        sa.Column("decision_id", sa.String(128), nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("number", name="outbox_pk"),
        sqlite_autoincrement=True,
    )
