"""What is built into Hermes by way of the same interface that a team uses for its own."""
