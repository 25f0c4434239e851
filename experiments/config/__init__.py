"""Experiment configurations: YAML in, checked and frozen records out."""
