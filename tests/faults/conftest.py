"""What the scenarios share. Each test is one row of the table of scenarios, and says which."""

from collections.abc import Callable

import pytest

from tests.support.hermes_server import HermesServer
from tests.support.load import Load
from tests.support.oracle import Finding, Verdict
from tests.support.redis_server import RedisServer

StartHermes = Callable[..., HermesServer]
StartRedis = Callable[..., RedisServer]

# Logs that no scenario outgrows, and clients that are back soon, so that short runs have many reconnects.
ROOMY = {"HERMES_HISTORY_SIZE": "100000", "HERMES_SSE_RETRY": "0.5", "HERMES_SSE_HEARTBEAT_INTERVAL": "2"}


@pytest.fixture(params=["embedded", "redis"])
def start_on_both(request: pytest.FixtureRequest, start_hermes: StartHermes, start_redis: StartRedis) -> StartHermes:
    """Starts Hermes with a roomy log, once on the embedded store and once on a Redis of its own."""

    def start(**options: object) -> HermesServer:
        env = {**ROOMY, **options.pop("env", {})}  # type: ignore[dict-item]
        if request.param == "redis":
            options = {"redis_url": start_redis().url, **options}
        return start_hermes(env=env, **options)

    return start


def slowest_return(load: Load) -> float:
    """Of all streams that were cut: the most seconds from the end of the client's own pause to its first frame with an id."""
    returns = [one for client in load.report.values() for one in client["returns"]]
    return round(max((one["live"] - one["ended"] - one["retry"] for one in returns), default=0.0), 2)


def excuse_in_flight(verdict: Verdict, acknowledged: dict[str, int], issued: dict[str, int]) -> int:
    """Takes out what a store that forgot made unavoidable; how many.

    An event that was stored and sent, but not yet acknowledged when the store died, is rightly published again; where the
    store no longer knows the key, it comes again, after the reset.
    """

    def was_in_flight(finding: Finding) -> bool:
        return acknowledged.get(finding.channel, 0) < finding.number <= issued.get(finding.channel, 0)

    excused = [finding for finding in verdict.twice + verdict.out_of_order if was_in_flight(finding)]
    verdict.twice = [finding for finding in verdict.twice if finding not in excused]
    verdict.out_of_order = [finding for finding in verdict.out_of_order if finding not in excused]
    return len(excused)
