"""Keys, revoked tokens, secrets, sign-in codes, and the audit."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables of the first version."""
    op.create_table(
        "hermes_api_keys",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("subscribe", sa.JSON, nullable=False),
        sa.Column("publish", sa.JSON, nullable=False),
        sa.Column("admin", sa.Boolean, nullable=False),
        sa.Column("tokens", sa.Boolean, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger),
        sa.Column("revoked_at", sa.BigInteger),
        sa.Column("last_used_at", sa.BigInteger),
        sa.PrimaryKeyConstraint("id", name="pk_hermes_api_keys"),
        sa.UniqueConstraint("digest", name="uq_hermes_api_keys_digest"),
    )
    op.create_table(
        "hermes_revoked_tokens",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("revoked_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_hermes_revoked_tokens"),
    )
    op.create_index("ix_hermes_revoked_tokens_expires_at", "hermes_revoked_tokens", ["expires_at"])
    op.create_table(
        "hermes_secrets",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_hermes_secrets"),
    )
    op.create_table(
        "hermes_signin_codes",
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_hermes_signin_codes"),
    )
    op.create_index("ix_hermes_signin_codes_expires_at", "hermes_signin_codes", ["expires_at"])
    op.create_table(
        "hermes_audit",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False, autoincrement=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("principal", sa.Text, nullable=False),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_hermes_audit"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_hermes_audit_at", "hermes_audit", ["at"])
