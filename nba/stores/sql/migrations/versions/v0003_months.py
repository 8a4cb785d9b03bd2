"""On PostgreSQL, decisions and touchpoints in parts by month, their ids in tables of their own.

See `nba/stores/sql/months.py`, which makes the months. Other databases keep plain tables. The tables of the
first step are dropped with nothing in them: no store on PostgreSQL was made before this step.
"""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

YEARS = 10
_ID = sa.String(128, collation="C")  # in the order of bytes, as everywhere else


def upgrade() -> None:
    if op.get_context().dialect.name != "postgresql":
        return
    op.drop_table("decisions")
    op.drop_table("touchpoints")
    _decisions()
    _touchpoints()
    _ids()
    op.alter_column("contacts", "decision_id", type_=_ID)
    for table in ("decisions", "touchpoints"):
        _ends(table)


def _decisions() -> None:
    op.create_table(
        "decisions",
        sa.Column("decision_id", _ID, nullable=False),
        sa.Column("surrogate", sa.String(64), nullable=False),
        sa.Column("decided_at", sa.Float, nullable=False),
        sa.Column("arm", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("channel", sa.Text),
        sa.Column("timing", sa.Text),
        sa.Column("send_at", sa.Float),
        sa.Column("propensity", sa.Float, nullable=False),
        sa.Column("group", sa.Text, nullable=False),
        sa.Column("policy", sa.Text, nullable=False),
        sa.Column("playbook", sa.Text, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("activated_at", sa.Float),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("trace", sa.LargeBinary, nullable=False),
        sa.Column("features", sa.LargeBinary, nullable=False),
        sa.Column("eligible", sa.LargeBinary, nullable=False),
        sa.Column("odds", sa.LargeBinary, nullable=False),
        sa.Column("values", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("decision_id", "decided_at", name="decisions_pk"),
        postgresql_partition_by="RANGE (decided_at)",
    )
    op.create_index("decisions_by_time", "decisions", ["decided_at", "decision_id"])


def _touchpoints() -> None:
    op.create_table(
        "touchpoints",
        sa.Column("source", sa.String(16, collation="C"), nullable=False),
        sa.Column("id", _ID, nullable=False),
        sa.Column("surrogate", sa.String(64), nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("channel", sa.Text),
        sa.Column("occurred_at", sa.Float, nullable=False),
        sa.Column("value", sa.Float, nullable=False),
        sa.Column("decision_id", sa.String(128)),
        sa.Column("properties", sa.Text),
        sa.PrimaryKeyConstraint("source", "id", "occurred_at", name="touchpoints_pk"),
        postgresql_partition_by="RANGE (occurred_at)",
    )
    op.create_index("touchpoints_by_time", "touchpoints", ["occurred_at", "source", "id"])
    op.create_index("touchpoints_by_customer", "touchpoints", ["surrogate", "occurred_at"])


def _ids() -> None:
    op.create_table(
        "decision_ids",
        sa.Column("decision_id", _ID, nullable=False),
        sa.Column("decided_at", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("decision_id", name="decision_ids_pk"),
    )
    op.create_table(
        "touchpoint_ids",
        sa.Column("source", sa.String(16, collation="C"), nullable=False),
        sa.Column("id", _ID, nullable=False),
        sa.Column("occurred_at", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("source", "id", name="touchpoint_ids_pk"),
    )


def _ends(table: str) -> None:
    """The part for all before this month, and the one for all from the same month in ten years."""
    now = op.get_bind().execute(sa.text("SELECT now()")).scalar_one().astimezone(UTC)
    first, last = (datetime(now.year + years, now.month, 1, tzinfo=UTC) for years in (0, YEARS))
    for name, moment, bounds in (
        ("before", first, f"FROM (MINVALUE) TO ({first.timestamp()})"),
        ("from", last, f"FROM ({last.timestamp()}) TO (MAXVALUE)"),
    ):
        op.execute(f"CREATE TABLE {table}_{name}_{moment:%Y_%m} PARTITION OF {table} FOR VALUES {bounds}")
