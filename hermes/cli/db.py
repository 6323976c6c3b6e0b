"""``hermes db``: the database, outside a server."""

from __future__ import annotations

import click

from hermes.settings import load_settings


@click.group()
def db() -> None:
    """The database: SQLite in HERMES_DATA_DIR, or PostgreSQL by DATABASE_URL."""


@db.command()
def upgrade() -> None:
    """Bring the schema up to date, as each server does when it starts; a release phase does it before any of them."""
    from hermes.db.database import Database

    database = Database.of(load_settings())
    try:
        database.open()
        click.echo(f"{database.place}: schema {database.revision}, up to date")
    finally:
        database.close()
