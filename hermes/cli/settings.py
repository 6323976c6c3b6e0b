"""``hermes settings``: every setting, its value now, and its help."""

from __future__ import annotations

import os

import click

from hermes.settings import load_settings, table, unknown_names


@click.command()
@click.option("--env", "as_env", is_flag=True, help="Print it as a commented .env file.")
def settings(as_env: bool) -> None:
    """Print the settings: environment first, then a .env file, then the defaults."""
    for row in table(load_settings()):
        if as_env:
            click.echo(f"# {row.help}\n# {row.name}={row.default}\n")
            continue
        changed = "" if row.value == row.default else f" (default: {row.default or 'none'})"
        also = f"  [also {', '.join(row.aliases)}]" if row.aliases else ""
        click.echo(f"{click.style(row.name, bold=True)} = {row.value or '-'}{changed}\n    {row.help}{also}")
    for sentence in unknown_names(os.environ):
        click.echo(f"warning: {sentence}", err=True)
