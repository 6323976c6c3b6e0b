"""One Hermes for the tests that only look at it, and its dashboard in a browser of each test's own."""

from collections.abc import Iterator

import pytest

from tests.browser.dashboard import Dashboard, open_dashboard
from tests.support.hermes_server import HermesServer


@pytest.fixture(scope="session")
def hermes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HermesServer]:
    """A server whose metrics come quickly; tests keep to channels of their own."""
    env = {"HERMES_SYSTEM_INTERVAL": "0.25", "HERMES_PRESENCE_CHANNELS": "room:*"}
    with HermesServer(tmp_path_factory.mktemp("dashboard"), env=env) as server:
        yield server


@pytest.fixture
def dashboard(hermes: HermesServer) -> Iterator[Dashboard]:
    """The page, signed in and live."""
    with open_dashboard(hermes) as page:
        yield page


@pytest.fixture(scope="module")
def shared(hermes: HermesServer) -> Iterator[Dashboard]:
    """One browser for the tests of a module, which leave it as they found it."""
    with open_dashboard(hermes) as page:
        yield page
