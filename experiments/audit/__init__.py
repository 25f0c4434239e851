"""Shortcut audit: probes of a data set that predict labels from inputs that cannot diagnose."""
