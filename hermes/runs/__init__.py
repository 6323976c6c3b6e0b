"""Runs: what a run is, how it changes, and the ledger that keeps all of them. Who executes it is another matter."""
