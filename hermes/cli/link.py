"""``hermes link``: a new sign-in link for the dashboard."""

from __future__ import annotations

import click

from hermes.publishing import server_url
from hermes.settings import load_settings


@click.command()
def link() -> None:
    """Print a link that signs in to the dashboard once.

    Run it where the server's data folder is, or with its DATABASE_URL.
    """
    from hermes.access.installation import Installation
    from hermes.access.signin_codes import CODE_LIFETIME

    settings = load_settings()
    with Installation(settings) as here:
        code = here.signin.new_code()
    click.echo(f"{server_url(settings)}/dashboard?code={code}")
    click.echo(f"works once, within {CODE_LIFETIME // 60} minutes", err=True)
