"""What Hermes says about itself."""
