"""Publications with origin, share and evidence; leases, what is kept by key, notes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    _publications()
    _leases()
    _kept()
    _notes()


def _publications() -> None:
    """Made anew and filled, so that an old store's table is like a new one's to the letter.

    Every old publication was known under its own number and decided for everybody.
    """
    if op.get_context().dialect.name == "postgresql":  # there a key's name is one of the whole database
        op.execute("ALTER TABLE publications RENAME CONSTRAINT publications_pk TO publications_0003_pk")
    op.rename_table("publications", "publications_0003")
    op.create_table(
        "publications",
        sa.Column("number", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("kind", sa.String(256), nullable=False),
        sa.Column("version", sa.String(128), nullable=False),
        sa.Column("specification", sa.Text, nullable=False),
        sa.Column("published_at", sa.Float, nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("origin", sa.Integer, nullable=False),
        sa.Column("share", sa.Float, nullable=False),
        sa.Column("evidence", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("number", name="publications_pk"),
    )
    op.execute(
        "INSERT INTO publications (number, kind, version, specification, published_at, who, why, origin, "
        "share, evidence) SELECT number, kind, version, specification, published_at, who, why, number, 1, '' "
        "FROM publications_0003"
    )
    op.drop_table("publications_0003")


def _leases() -> None:
    op.create_table(
        "leases",
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("holder", sa.Text, nullable=False),
        sa.Column("token", _NUMBER, nullable=False),
        sa.Column("until", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("name", name="leases_pk"),
    )


def _kept() -> None:
    op.create_table(
        "kept",
        sa.Column("key", sa.String(256), nullable=False),
        sa.Column("value", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("key", name="kept_pk"),
    )


def _notes() -> None:
    op.create_table(
        "notes",
        sa.Column("number", _NUMBER, nullable=False),
        sa.Column("kind", sa.String(128), nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("number", name="notes_pk"),
        sqlite_autoincrement=True,
    )
    op.create_index("notes_by_kind", "notes", ["kind", "number"])
