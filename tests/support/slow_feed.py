"""A relay in front of Redis that delays what its subscribers get, and nothing else."""

from tests.support.tcp_relay import Direction, Link, TcpRelay


class SlowFeed(TcpRelay):
    """Passes Redis' protocol on; once a connection has sent SUBSCRIBE, what the server sends on it comes `seconds` later."""

    def __init__(self, target_port: int, seconds: float) -> None:
        super().__init__(target_port)
        self._seconds = seconds
        self._subscribers: set[Link] = set()

    @property
    def delayed(self) -> int:
        """How many connections have subscribed so far."""
        return len(self._subscribers)

    def _delay_of(self, link: Link, direction: Direction, piece: bytes) -> float:
        if direction == "up" and b"SUBSCRIBE" in piece.upper():
            self._subscribers.add(link)
        if direction == "down" and link in self._subscribers:
            return self._seconds
        return super()._delay_of(link, direction, piece)
