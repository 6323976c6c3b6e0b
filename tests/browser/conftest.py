"""One Hermes for the tests that only look at it, and its dashboard in a browser of each test's own."""

from collections.abc import Iterator

import pytest

from tests.browser.dashboard import Dashboard, open_dashboard
from tests.support.hermes_server import HermesServer


@pytest.fixture(scope="session")
def hermes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HermesServer]:
    """A server whose metrics come quickly; tests keep to channels of their own."""
    with HermesServer(tmp_path_factory.mktemp("dashboard"), env={"HERMES_SYSTEM_INTERVAL": "0.25"}) as server:
        yield server


@pytest.fixture
def dashboard(hermes: HermesServer) -> Iterator[Dashboard]:
    """The page, signed in and live."""
    with open_dashboard(hermes) as page:
        yield page
