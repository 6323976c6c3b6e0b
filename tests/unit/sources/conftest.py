"""A fleet whose processes have sources."""

import pytest

from hermes.testing import FakeClock
from tests.unit.model_fleet import Exchange
from tests.unit.streaming.model_broker import ModelBroker


@pytest.fixture
def exchange(clock: FakeClock) -> Exchange:
    return Exchange(clock)


@pytest.fixture
def store(broker: ModelBroker) -> ModelBroker:
    """The store that all processes share."""
    return broker
