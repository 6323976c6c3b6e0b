"""The fixtures of the journal's tests; what they stand on is in journal_kit."""

from tests.unit.brokers.journal_kit import kit

__all__ = ["kit"]
