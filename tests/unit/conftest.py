"""How much Hypothesis tries: a little and always the same by default, much and at random with `--full`.

The default run is a gate: a failure there is caused by the change, not by luck. The full run looks for what is new.
"""

import os
import sys

from hypothesis import HealthCheck, settings

FULL = os.environ.get("HERMES_TEST_FULL") == "1" or "--full" in sys.argv

# Slow machines are no failures, and a health check judges the machine.
_COMMON = {"deadline": None, "suppress_health_check": list(HealthCheck)}
settings.register_profile("default", max_examples=50, stateful_step_count=40, derandomize=True, **_COMMON)
settings.register_profile("full", max_examples=2000, stateful_step_count=80, print_blob=True, **_COMMON)
settings.load_profile("full" if FULL else "default")
