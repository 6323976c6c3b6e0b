"""``hermes keys``: API keys with grants of their own. Keys go to standard output, what is told about them to standard error."""

from __future__ import annotations

import re
from typing import Any

import click
import orjson

from hermes.cli.key_places import Place, place
from hermes.errors import invalid

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}

as_json = click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")


@click.group()
def keys() -> None:
    """Make, list and revoke API keys.

    By the server that HERMES_URL names or that runs on this machine, with HERMES_API_KEY or the key found there; where none
    runs, straight in the database of the settings.
    """


@keys.command()
@click.option("--name", required=True, help="Whose key it is.")
@click.option("--subscribe", multiple=True, help="A channel or pattern that it may subscribe to; can be repeated.")
@click.option("--publish", multiple=True, help="A channel or pattern that it may publish to; can be repeated.")
@click.option("--admin", is_flag=True, help="It may do everything.")
@click.option("--tokens", is_flag=True, help="It may mint tokens for streams, within its own grants.")
@click.option("--expires", help="How long it counts, such as 90d (s, m, h, d, w); without it for ever.")
@as_json
def create(
    name: str,
    subscribe: tuple[str, ...],
    publish: tuple[str, ...],
    admin: bool,
    tokens: bool,
    expires: str | None,
    as_json: bool,
) -> None:
    """Make a key and print it. It is shown this once: Hermes keeps no more than its digest."""
    fields: dict[str, Any] = {
        "name": name,
        "subscribe": subscribe,
        "publish": publish,
        "admin": admin,
        "tokens": tokens,
    }
    if expires is not None:
        fields["expires_in"] = _seconds(expires)
    with place(_say) as there:
        made = there.create(fields)
    click.echo(orjson.dumps(made) if as_json else made["key"])
    _say(f"{made['id']}: {made['name']}; {_may(made)}; {_until(made)}. Keep it now, it is not shown again.")


@keys.command(name="list")
@as_json
def list_(as_json: bool) -> None:
    """Print all keys, the newest first, and what each may do; not the keys themselves."""
    with place(_say) as there:
        items = _all(there)
    if as_json:
        for item in items:
            click.echo(orjson.dumps(item))
        return
    rows = [("ID", "NAME", "MAY", "COUNTS", "LAST USED")]
    rows += [(item["id"], item["name"], _may(item), _until(item), _day(item["last_used_at"])) for item in items]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    for row in rows:
        cells = [text.ljust(width) for text, width in zip(row, widths, strict=False)]
        click.echo("  ".join([*cells, row[4]]).rstrip())


@keys.command()
@click.argument("id")
def revoke(id: str) -> None:
    """Revoke the key ID: it counts no more, and its streams end. The ID is the second part of the key: hk_ID_..."""
    with place(_say) as there:
        there.revoke(id)
    _say(f"{id} is revoked")


def _all(there: Place) -> list[dict[str, Any]]:
    answer = there.page(None)
    items = list(answer["items"])
    while answer["next"] is not None:
        answer = there.page(answer["next"])
        items += answer["items"]
    return items


def _seconds(text: str) -> int:
    match = re.fullmatch(r"([0-9]{1,9})([smhdw])", text)
    if match is None:
        raise invalid("--expires", f"{text[:64]!r} is no time such as 90d, 12h, 30m, 45s or 2w")
    return int(match[1]) * UNITS[match[2]]


def _may(item: dict[str, Any]) -> str:
    if item["admin"]:
        return "everything"
    parts = [f"{right} {','.join(item[right])}" for right in ("subscribe", "publish") if item[right]]
    parts += ["mint tokens"] if item["tokens"] else []
    return "; ".join(parts) or "nothing but what is public"


def _until(item: dict[str, Any]) -> str:
    if item["revoked_at"]:
        return f"revoked {_day(item['revoked_at'])}"
    return f"until {_day(item['expires_at'])}" if item["expires_at"] else "for ever"


def _day(time: str | None) -> str:
    return f"{time[:10]} {time[11:16]}" if time else "-"


def _say(sentence: str) -> None:
    click.echo(sentence, err=True)
