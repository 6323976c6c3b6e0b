"""``hermes link``: a new sign-in link for the dashboard."""

from __future__ import annotations

import click

from hermes.access.signin import CODE_LIFETIME, SignIn
from hermes.core.clock import SystemClock
from hermes.publishing import server_url
from hermes.settings import load_settings


@click.command()
def link() -> None:
    """Print a link that signs in to the dashboard once; run it where the server's data folder is."""
    settings = load_settings()
    code = SignIn(settings.data_dir, SystemClock()).new_code()
    click.echo(f"{server_url(settings)}/dashboard?code={code}")
    click.echo(f"works once, within {CODE_LIFETIME // 60} minutes", err=True)
