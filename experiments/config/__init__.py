"""Experiment configurations: YAML files as checked and frozen records."""
