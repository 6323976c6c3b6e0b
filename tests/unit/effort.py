"""How much Hypothesis tries: a little and always the same by default, much and at random with `--full`.

The default run is a gate: a failure there is caused by the change, not by luck. The full run looks for what is new.
"""

import os
import sys
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

FULL = os.environ.get("HERMES_TEST_FULL") == "1" or "--full" in sys.argv

# Slow machines are no failures, and a health check judges the machine.
_COMMON: dict[str, Any] = {"deadline": None, "suppress_health_check": list(HealthCheck)}


def load_profile() -> None:
    """Choose for all tests that say nothing else."""
    settings.register_profile("default", max_examples=50, stateful_step_count=40, derandomize=True, **_COMMON)
    settings.register_profile("full", max_examples=1000, stateful_step_count=80, print_blob=True, **_COMMON)
    settings.load_profile("full" if FULL else "default")


def model(machine: Any, *, examples: int, full: int) -> Any:
    """The test case of a state machine, with its own number of examples."""
    case = machine.TestCase
    case.settings = settings(max_examples=full if FULL else examples)
    case.pytestmark = [pytest.mark.timeout(3600)] if FULL else []
    return case
