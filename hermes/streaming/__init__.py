"""From the hub to a socket: the listener of each connection, the two lanes, and what keeps the hub at the store's tip."""
