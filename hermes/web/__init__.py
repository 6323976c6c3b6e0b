"""Blueprints: glue between HTTP and the rest, nothing else; one JSON shape for every error."""
