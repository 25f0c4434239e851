"""Shortcut audit: what tells the labels of a data set that must not be able to diagnose."""
