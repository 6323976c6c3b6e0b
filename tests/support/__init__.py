"""What the tests stand on: real servers, a standard client, a relay that breaks the wire, an oracle."""
