"""What unit tests share: the profile of Hypothesis, loaded before any test is defined, and one process on a model of a store."""

import pytest

from hermes.testing import FakeClock
from tests.unit.effort import load_profile
from tests.unit.streaming.model_broker import ModelBroker
from tests.unit.streaming.process import Process

load_profile()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def broker() -> ModelBroker:
    return ModelBroker()


@pytest.fixture
def process(broker: ModelBroker, clock: FakeClock) -> Process:
    return Process(broker, clock).start()
