"""What Alembic runs: the migrations, on the connection and in the transaction that ``hermes.db.schema`` hands over."""

from __future__ import annotations

from alembic import context

from hermes.db.schema import OPTIONS

context.configure(connection=context.config.attributes["connection"], **OPTIONS)
with context.begin_transaction():
    context.run_migrations()
