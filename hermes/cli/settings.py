"""``hermes settings``: every setting, its value now, and its help."""

from __future__ import annotations

import os

import click

from hermes.settings import Row, load_settings, table, unknown_names


@click.command()
@click.option("--env", "as_env", is_flag=True, help="Print it as a commented .env file.")
@click.option("--markdown", "as_markdown", is_flag=True, help="Print it as the table of docs/settings.md.")
def settings(as_env: bool, as_markdown: bool) -> None:
    """Print the settings: environment first, then a .env file, then the defaults."""
    if as_markdown:
        click.echo("| setting | default | what it sets |\n|---|---|---|")
    for row in table(load_settings()):
        click.echo(_env(row) if as_env else _markdown(row) if as_markdown else _line(row))
    for sentence in unknown_names(os.environ):
        click.echo(f"warning: {sentence}", err=True)


def _line(row: Row) -> str:
    changed = "" if row.value == row.default else f" (default: {row.default or 'none'})"
    also = f"  [also {', '.join(row.aliases)}]" if row.aliases else ""
    return f"{click.style(row.name, bold=True)} = {row.value or '-'}{changed}\n    {row.help}{also}"


def _env(row: Row) -> str:
    return f"# {row.help}\n# {row.name}={row.default}\n"


def _markdown(row: Row) -> str:
    names = ", ".join(f"`{name}`" for name in (row.name, *row.aliases))
    default = row.default.lower() if row.default in ("True", "False") else row.default
    default = f"`{default}`" if default else "none"
    return f"| {names} | {default} | {row.help} |"
