"""What Hermes prints when it starts: version, address, store, and the link to the dashboard."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from hermes import __version__
from hermes.access.admin_key import ADMIN_KEY_FILE
from hermes.access.installation import Installation
from hermes.access.secrets import make_folder
from hermes.access.signin_codes import CODE_LIFETIME
from hermes.errors import StoreError, Unavailable
from hermes.settings import ADDRESS_FILE, Settings, unknown_names


def print_banner(settings: Settings) -> None:
    """Print the banner to standard output, and a warning for each variable that is no setting."""
    with Installation(settings) as here:
        lines = [
            f"Hermes {__version__}",
            f"  address    {settings.local_url}",
            f"  store      {'Redis' if settings.store_url else f'embedded, in {settings.data_dir.resolve()}'}",
            f"  database   {here.database}",
            *_ways_in(settings, here),
        ]
    lines += [f"  warning    {sentence}" for sentence in unknown_names(os.environ)]
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def _ways_in(settings: Settings, here: Installation) -> list[str]:
    """The link to the dashboard and the key. A database that cannot be used is no reason to be silent: the processes say more."""
    link = f"{settings.local_url}/dashboard"
    try:
        code, key = here.signin.new_code(), _key_line(settings, here)
    except (Unavailable, StoreError) as error:
        return [
            f"  dashboard  {link}",
            f"  warning    {error}; when that is over, '{_command()} link' makes a sign-in link",
        ]
    return [
        f"  dashboard  {link}?code={code}",
        f"             (the link works once, within {CODE_LIFETIME // 60} minutes; another: {_command()} link)",
        f"  API key    {key}",
    ]


def leave_address(settings: Settings) -> None:
    """Tell the commands on this machine where the server of this data folder listens."""
    make_folder(settings.data_dir)
    (settings.data_dir / ADDRESS_FILE).write_text(settings.local_url + "\n", encoding="ascii")


def _key_line(settings: Settings, here: Installation) -> str:
    if settings.api_keys:
        return f"{len(settings.api_keys)} from HERMES_API_KEYS"
    _, key, made = here.admin_key()
    where = settings.data_dir / ADMIN_KEY_FILE
    if key is None:
        return f"made on another machine; another: {_command()} keys create --name NAME --admin"
    return f"{key} (new, kept in {where})" if made else f"in {where}"


def _command() -> str:
    """How to call the ``hermes`` command in this shell: by its path where it is not the one that the shell would find."""
    beside = Path(sys.executable).with_name("hermes")
    found = shutil.which("hermes")
    if not beside.exists() or (found is not None and Path(found) == beside):
        return "hermes"
    return os.path.relpath(beside) if beside.is_relative_to(Path.cwd()) else str(beside)
