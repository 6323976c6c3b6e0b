"""``hermes token``: a token for a browser, a script or a test."""

from __future__ import annotations

from typing import Any

import click
import requests

from hermes.errors import RequestError, Unavailable
from hermes.publishing import server_key, server_url, trouble

TIMEOUT = 10.0
"""Seconds that the server may take for an answer."""


@click.command()
@click.option("--user", help="Whose token it is: it shows the channel user:USER.")
@click.option("--subscribe", multiple=True, help="A channel or pattern that it may subscribe to; can be repeated.")
@click.option("--publish", multiple=True, help="A channel or pattern that it may publish to; can be repeated.")
@click.option("--ttl", type=click.IntRange(min=1), help="Seconds that it lasts; HERMES_TOKEN_TTL without it.")
def token(user: str | None, subscribe: tuple[str, ...], publish: tuple[str, ...], ttl: int | None) -> None:
    """Mint a token that ends by itself, and print it; when it ends and its id go to standard error.

    The server is HERMES_URL and the key HERMES_API_KEY; on the server's own machine both are found.
    """
    fields: dict[str, Any] = {"user_id": user, "subscribe": subscribe, "publish": publish, "ttl": ttl}
    made = _minted(server_url(), server_key(), {name: value for name, value in fields.items() if value})
    click.echo(made["token"])
    click.echo(f"{made['jti']}: until {made['expires_at']}", err=True)


def _minted(url: str, key: str | None, fields: dict[str, Any]) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        answer = requests.post(f"{url}/api/v1/tokens", json=fields, headers=headers, timeout=TIMEOUT)
        body = answer.json()
    except requests.RequestException as error:
        raise Unavailable(trouble(url, error)) from error
    if not isinstance(body, dict) or (answer.status_code == 201 and "token" not in body):
        raise Unavailable(trouble(url, requests.JSONDecodeError("no token", "", 0)))
    if answer.status_code != 201:
        said = body.get("error")
        message = said.get("message") if isinstance(said, dict) else None
        raise RequestError(str(message or f"the server answered {answer.status_code}"))
    return body
