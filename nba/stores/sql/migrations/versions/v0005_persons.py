"""Persons: who is linked to whom, the identities that say so, and who was erased."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_LINKED = sa.text("person IS NOT NULL")


def upgrade() -> None:
    _profiles()
    _identities()
    _erased()
    op.create_index("decisions_by_customer", "decisions", ["surrogate", "decided_at"])
    op.create_index("outbox_by_customer", "outbox", ["surrogate"])


def _profiles() -> None:
    """A column more. SQLite would put it behind the keys, so there the table is made anew and filled."""
    if op.get_context().dialect.name == "postgresql":
        op.add_column("profiles", sa.Column("person", sa.String(64)))
    else:
        op.rename_table("profiles", "profiles_0004")
        op.create_table(
            "profiles",
            sa.Column("surrogate", sa.String(64), nullable=False),
            sa.Column("state", sa.LargeBinary),
            sa.Column("attributes", sa.Text, nullable=False),
            sa.Column("consents", sa.Text, nullable=False),
            sa.Column("last_at", sa.Float, nullable=False),
            sa.Column("version", sa.Integer, nullable=False),
            sa.Column("person", sa.String(64)),
            sa.PrimaryKeyConstraint("surrogate", name="profiles_pk"),
        )
        op.execute(
            "INSERT INTO profiles (surrogate, state, attributes, consents, last_at, version) "
            "SELECT surrogate, state, attributes, consents, last_at, version FROM profiles_0004"
        )
        op.drop_table("profiles_0004")
    op.create_index(
        "profiles_by_person", "profiles", ["person"], sqlite_where=_LINKED, postgresql_where=_LINKED
    )


def _identities() -> None:
    op.create_table(
        "identities",
        sa.Column("kind", sa.String(64), nullable=False),
        sa.Column("value", sa.String(64), nullable=False),
        sa.Column("surrogate", sa.String(64), nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.PrimaryKeyConstraint("kind", "value", "surrogate", name="identities_pk"),
    )
    op.create_index("identities_by_customer", "identities", ["surrogate"])


def _erased() -> None:
    op.create_table(
        "erased",
        sa.Column("surrogate", sa.String(128), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("surrogate", name="erased_pk"),
    )
    op.create_index("erased_by_digest", "erased", ["digest"])
