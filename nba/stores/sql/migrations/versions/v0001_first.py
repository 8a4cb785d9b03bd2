"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    _meta()
    _customers()
    _profiles()
    _decisions()
    _contacts()
    _touchpoints()
    _playbooks()
    _publications()
    _applied_files()


def _meta() -> None:
    op.create_table(
        "meta",
        sa.Column("id", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("secret", sa.LargeBinary, nullable=False),
        sa.Column("clock", sa.String(16), nullable=False),
        sa.Column("pings", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("id", name="meta_pk"),
        sa.CheckConstraint("id = 1", name="meta_has_one_row"),
    )


def _customers() -> None:
    op.create_table(
        "customers",
        sa.Column("customer_id", sa.String(128), nullable=False),
        sa.Column("surrogate", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("customer_id", name="customers_pk"),
        sa.UniqueConstraint("surrogate", name="customers_surrogate"),
    )


def _profiles() -> None:
    op.create_table(
        "profiles",
        sa.Column("surrogate", sa.String(64), nullable=False),
        sa.Column("state", sa.LargeBinary),
        sa.Column("attributes", sa.Text, nullable=False),
        sa.Column("consents", sa.Text, nullable=False),
        sa.Column("last_at", sa.Float, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("surrogate", name="profiles_pk"),
    )


def _decisions() -> None:
    op.create_table(
        "decisions",
        sa.Column("decision_id", sa.String(128), nullable=False),
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
        sa.PrimaryKeyConstraint("decision_id", name="decisions_pk"),
    )
    op.create_index("decisions_by_time", "decisions", ["decided_at", "decision_id"])


def _contacts() -> None:
    op.create_table(
        "contacts",
        sa.Column("decision_id", sa.String(128), nullable=False),
        sa.Column("surrogate", sa.String(64), nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("send_at", sa.Float, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("expires_at", sa.Float),
        sa.PrimaryKeyConstraint("decision_id", name="contacts_pk"),
    )
    op.create_index("contacts_by_customer", "contacts", ["surrogate", "send_at"])


def _touchpoints() -> None:
    op.create_table(
        "touchpoints",
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("id", sa.String(128), nullable=False),
        sa.Column("surrogate", sa.String(64), nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("channel", sa.Text),
        sa.Column("occurred_at", sa.Float, nullable=False),
        sa.Column("value", sa.Float, nullable=False),
        sa.Column("decision_id", sa.String(128)),
        sa.Column("properties", sa.Text),
        sa.PrimaryKeyConstraint("source", "id", name="touchpoints_pk"),
    )
    op.create_index("touchpoints_by_time", "touchpoints", ["occurred_at", "source", "id"])
    op.create_index("touchpoints_by_customer", "touchpoints", ["surrogate", "occurred_at"])


def _playbooks() -> None:
    op.create_table(
        "playbooks",
        sa.Column("fingerprint", sa.String(128), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("fingerprint", name="playbooks_pk"),
    )


def _publications() -> None:
    op.create_table(
        "publications",
        sa.Column("number", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("version", sa.String(128), nullable=False),
        sa.Column("specification", sa.Text, nullable=False),
        sa.Column("published_at", sa.Float, nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("number", name="publications_pk"),
    )


def _applied_files() -> None:
    op.create_table(
        "applied_files",
        sa.Column("file", sa.String(1024), nullable=False),
        sa.PrimaryKeyConstraint("file", name="applied_files_pk"),
    )
