"""The documents, held to their word: every block in them is run."""
