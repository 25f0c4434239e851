"""Runs: built from a configuration, recorded, restored and verified."""
