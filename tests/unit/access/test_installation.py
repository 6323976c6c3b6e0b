"""What commands do without a server, and that a server finds it."""

from pathlib import Path

import pytest

from hermes.access.grants import Grants
from hermes.access.installation import Installation
from hermes.access.keys import KeyRing
from hermes.access.secrets import Secrets
from hermes.access.signin import SignIn
from hermes.core.clock import SystemClock
from hermes.db.database import Database
from hermes.errors import Unavailable
from hermes.settings import load_settings
from tests.support.ports import LOOPBACK, free_port


def test_nothing_is_made_before_it_is_used(folder: Path) -> None:
    with Installation(load_settings(data_dir=folder)) as here:
        assert str(folder) in here.database
    assert not folder.exists()


def test_a_server_finds_what_was_made_without_it(folder: Path) -> None:
    with Installation(load_settings(data_dir=folder)) as here:
        code = here.signin.new_code()
        admin = here.admin_key()
        _, text = here.keys.create("app", Grants(publish=("a",)))
    database = Database(None, folder)
    secrets = Secrets(folder, database)
    ring = KeyRing((), secrets, SystemClock())
    ring.load()
    assert SignIn(secrets, ring, SystemClock()).use(code)
    for key in (text, admin.key):
        assert key is not None
        assert ring.principal(key) is not None
    database.close()


def test_a_command_makes_no_admin_key_by_the_way(folder: Path) -> None:
    """It would stay on the machine where that one command ran."""
    with Installation(load_settings(data_dir=folder)) as here:
        here.keys.create("app", Grants(admin=True))
        assert [key.name for key in here.keys.page()[0]] == ["app"]
    assert not (folder / "admin.key").exists()


def test_a_database_that_is_away(folder: Path) -> None:
    url = f"postgresql://me:hunter22@{LOOPBACK}:{free_port()}/hermes"
    with Installation(load_settings(data_dir=folder, database_url=url)) as here:
        for use in (here.signin.new_code, here.admin_key, lambda: here.keys.create("app", Grants())):
            with pytest.raises(Unavailable) as error:
                use()
            assert "hunter22" not in str(error.value)
