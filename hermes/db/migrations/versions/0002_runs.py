"""Runs, how they came to where they stand, and their logs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "hermes_runs",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("test_id", sa.Text),
        sa.Column("phase", sa.Text),
        sa.Column("progress", sa.Double),
        sa.Column("done", sa.Double),
        sa.Column("total", sa.Double),
        sa.Column("message", sa.Text),
        sa.Column("result", sa.JSON),
        sa.Column("error", sa.Text),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("created_by", sa.Text, nullable=False),
        sa.Column("started_at", sa.BigInteger),
        sa.Column("completed_at", sa.BigInteger),
        sa.Column("cancel_requested", sa.Boolean, nullable=False),
        sa.Column("retry_of", sa.Text),
        sa.Column("log_lines", sa.BigInteger, nullable=False),
        sa.Column("log_dropped", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_hermes_runs"),
    )
    op.create_index("ix_hermes_runs_created_at_id", "hermes_runs", ["created_at", "id"])
    for column in ("status", "name", "test_id"):
        op.create_index(f"ix_hermes_runs_{column}_created_at", "hermes_runs", [column, "created_at"])
    op.create_table(
        "hermes_run_transitions",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False, autoincrement=True),
        sa.Column("run_id", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("from_status", sa.Text),
        sa.Column("to_status", sa.Text, nullable=False),
        sa.Column("principal", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_hermes_run_transitions"),
    )
    op.create_index("ix_hermes_run_transitions_run_id", "hermes_run_transitions", ["run_id"])
    op.create_table(
        "hermes_run_log",
        sa.Column("run_id", sa.Text, nullable=False),
        sa.Column("first", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("run_id", "first", name="pk_hermes_run_log"),
    )
