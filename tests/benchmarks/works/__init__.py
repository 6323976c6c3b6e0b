"""One module for each work, in the order in which the bench takes and prints them."""

from __future__ import annotations

from collections.abc import Sequence

from tests.benchmarks.work import Work
from tests.benchmarks.works.burst import Burst
from tests.benchmarks.works.crowd import Crowd
from tests.benchmarks.works.delivery import Delivery
from tests.benchmarks.works.fifty_thousand import FiftyThousand
from tests.benchmarks.works.filters import Filters
from tests.benchmarks.works.growth import Growth
from tests.benchmarks.works.idle import Idle
from tests.benchmarks.works.latency import Latency
from tests.benchmarks.works.publishing import Publishing
from tests.benchmarks.works.reconnect import Reconnect
from tests.benchmarks.works.stalled import Stalled

WORKS: Sequence[Work] = (
    Delivery(),
    Burst(),
    Crowd(),
    Growth(),
    Idle(),
    Reconnect(),
    Filters(),
    Stalled(),
    Latency(),
    Publishing(),
    FiftyThousand(),
)
