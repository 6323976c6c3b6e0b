"""What Hermes prints when it starts: version, address, store, and the link to the dashboard."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from hermes import __version__
from hermes.access.keys import ADMIN_KEY_FILE, admin_key
from hermes.access.signin import CODE_LIFETIME, SignIn
from hermes.core.clock import SystemClock
from hermes.settings import ADDRESS_FILE, Settings, unknown_names


def print_banner(settings: Settings) -> None:
    """Print the banner to standard output, and a warning for each variable that is no setting."""
    link = settings.local_url
    code = SignIn(settings.data_dir, SystemClock()).new_code()
    store = "Redis" if settings.store_url else f"embedded, in {settings.data_dir.resolve()}"
    lines = [
        f"Hermes {__version__}",
        f"  address    {link}",
        f"  store      {store}",
        f"  dashboard  {link}/dashboard?code={code}",
        f"             (the link works once, within {CODE_LIFETIME // 60} minutes; another: {_command()} link)",
        f"  API key    {_key_line(settings)}",
    ]
    lines += [f"  warning    {sentence}" for sentence in unknown_names(os.environ)]
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def leave_address(settings: Settings) -> None:
    """Tell the commands on this machine where the server of this data folder listens."""
    (settings.data_dir / ADDRESS_FILE).write_text(settings.local_url + "\n", encoding="ascii")


def _key_line(settings: Settings) -> str:
    if settings.api_keys:
        return f"{len(settings.api_keys)} from HERMES_API_KEYS"
    key, made = admin_key(settings.data_dir)
    where = settings.data_dir / ADMIN_KEY_FILE
    return f"{key} (new, kept in {where})" if made else f"in {where}"


def _command() -> str:
    """How to call the ``hermes`` command in this shell: by its path where it is not the one that the shell would find."""
    beside = Path(sys.executable).with_name("hermes")
    found = shutil.which("hermes")
    if not beside.exists() or (found is not None and Path(found) == beside):
        return "hermes"
    return os.path.relpath(beside) if beside.is_relative_to(Path.cwd()) else str(beside)
