"""What the processes of one installation tell each other, beside the events."""
