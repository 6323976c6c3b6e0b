"""The command line: ``hermes``. One module a command; each prints errors as one sentence and exits with 1, or 2 for bad usage."""

from __future__ import annotations

import sys

import click

from hermes import __version__
from hermes.cli.db import db
from hermes.cli.doctor import doctor
from hermes.cli.keys import keys
from hermes.cli.link import link
from hermes.cli.listen import listen
from hermes.cli.publish import publish
from hermes.cli.serve import serve
from hermes.cli.settings import settings
from hermes.cli.token import token
from hermes.errors import HermesError, InvalidInput


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="hermes")
def cli() -> None:
    """Hermes: publish from anywhere, see it live in any browser."""


for command in (serve, publish, listen, link, keys, token, settings, doctor, db):
    cli.add_command(command)


def main() -> None:
    """The entry point of the console command."""
    try:
        cli()
    except InvalidInput as error:
        for problem in error.problems:
            click.echo(f"hermes: {problem.field}: {problem.message}", err=True)
        sys.exit(1)
    except HermesError as error:
        click.echo(f"hermes: {error}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
