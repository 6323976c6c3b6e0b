"""Loads the profile of Hypothesis before any test is defined."""

from tests.unit.effort import load_profile

load_profile()
