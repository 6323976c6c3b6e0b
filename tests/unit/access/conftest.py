"""A folder for secrets."""

from pathlib import Path

import pytest

from hermes.access.signin import SignIn
from hermes.testing import FakeClock


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def signin(folder: Path, clock: FakeClock) -> SignIn:
    return SignIn(folder, clock)
