"""``hermes serve``: the web server, as the one gunicorn command starts it."""

from __future__ import annotations

import os
import sys

import click


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("gunicorn_options", nargs=-1, type=click.UNPROCESSED)
def serve(gunicorn_options: tuple[str, ...]) -> None:
    """Start the server; settings come from the environment, further options go to gunicorn."""
    command = [sys.executable, "-m", "gunicorn", "-c", "python:hermes.gunicorn_conf", *gunicorn_options]
    os.execv(sys.executable, [*command, "hermes.app:create_app()"])  # noqa: S606 - this process becomes the server
