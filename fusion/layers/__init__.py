"""Layers: blocks of two systems or more."""
